// The engine room: runs workflows on NATS. It serves lanes, makes one decision at a time for each run, stores its entry, performs its effects,
// and acks its triggers, in this order.
//
//   const engine = createEngine({ transport, meter, log, id: "engine-1", definitions, tasks });
//   await engine.start();

export { isEnded } from "./check/look.ts";
export { type EngineRoll, type StuckKind, type StuckRun, stuckRunOf } from "./check/stuck.ts";
export {
  foldOf,
  type ListedRun,
  listRuns,
  MAX_LISTED_RUNS,
  type RunFilter,
  type RunList,
  type StartedRun,
  type StartRequest,
  WorkflowClient,
} from "./client/client.ts";
export { callEngines } from "./client/roll.ts";
export type { AskedCommand, Definitions } from "./commands/judge.ts";
export { MAX_COMMAND_NOTE_LENGTH, workflowIdSchema } from "./commands/wire.ts";
export { createEngine, type Engine, type EngineParts } from "./engine.ts";
export { laneConsumer } from "./lanes/consumers.ts";
export { ownerOf } from "./lanes/ownership.ts";
export { showSummary } from "./stores/summary.ts";
