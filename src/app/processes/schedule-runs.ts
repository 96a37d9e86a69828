// The runs of schedules, as the coordinator in office starts them.
import type { RunSink } from "../../coordinator/index.ts";
import type { WorkflowClient } from "../../engine/index.ts";
import type { Json } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { TaskClient } from "../../work/index.ts";

/** The label of a run that names its schedule. */
const SCHEDULE_LABEL = "schedule";

/** Makes the sink. It loads the client of workflows with the first tick that needs it: few swarms schedule workflows. */
export function createRunSink(parts: { transport: Transport; tasks: TaskClient }): RunSink {
  let client: Promise<WorkflowClient> | undefined;
  const load = async () => new (await import("../../engine/index.ts")).WorkflowClient(parts);
  const clientOf = () => {
    client ??= load();
    return client;
  };
  const authorOf = (schedule: string) => ({ user: `schedule:${schedule}`, proven: false });
  return {
    async start(id, schedule, { workflow, version, input, labels }) {
      const request = { id, workflow, version, input: input as Json };
      return (await clientOf()).start(
        { ...request, labels: { ...labels, [SCHEDULE_LABEL]: schedule } },
        authorOf(schedule),
      );
    },
    isGoing: async (id) => (await clientOf()).isGoing(id),
    cancel: async (id) => (await clientOf()).send(id, { type: "cancel" }, authorOf(id)),
  };
}
