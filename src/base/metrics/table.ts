// The table of all metrics: the name, type, unit, help and labels of each, the processes that export it, and the rule that joins the
// values of several processes. The meter, the pages and the tests read it; a metric that is not here does not exist.
// Label values are bounded: never an id, a subject or a user (meter.ts folds the rest).
import { AGENT_METRICS } from "./agents.ts";
import { OFFICE_METRICS } from "./office.ts";
import { PROCESS_METRICS } from "./processes.ts";
import { TASK_METRICS } from "./tasks.ts";
import { WORKFLOW_METRICS } from "./workflows.ts";

/** All metrics, by the names of their handles. */
export const METRICS = {
  ...TASK_METRICS,
  ...AGENT_METRICS,
  ...OFFICE_METRICS,
  ...WORKFLOW_METRICS,
  ...PROCESS_METRICS,
} as const;
