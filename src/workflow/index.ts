// The workflow room: work of many steps that survives anything. define/ is for authors, graph/ reads definitions written as data, log/ keeps what happened, decide/ decides what
// happens next, replay/ makes recorded decisions again, testing/ runs a definition in memory. All of it is pure; the engine room runs workflows on NATS.
//
//   const decider = new Decider(emptyFold("order-81"), order);
//   const { entry, effects } = decider.decide({ triggers: [{ type: "command", seq: 1, command: start }], nowMs });

export { type Answer, MAX_CHILD_DEPTH, MAX_KEPT_SIGNALS } from "./decide/commands.ts";
export { type DecideInput, Decider, type Decision, MAX_TRIGGERS } from "./decide/decider.ts";
export {
  type Effect,
  effectKey,
  effectsOfEntry,
  MAX_ID_LENGTH,
  numberedId,
  PATIENT_RETRY,
} from "./decide/effects.ts";
export { DEFAULT_CONCURRENCY, MAX_MAP_ITEMS } from "./decide/reading.ts";
export { type Command, type Refusal, type StartCommand, type Trigger, tryKey } from "./decide/triggers.ts";
export {
  checkInput,
  defineWorkflow,
  isWorkflowDefinition,
  keepSchema,
  type WorkflowDefinition,
  type WorkflowSpec,
} from "./define/define.ts";
export { DefinitionFault, StepFailure } from "./define/failure.ts";
export type {
  Approval,
  ApprovalOptions,
  ChildOptions,
  Flow,
  FlowValue,
  MapOptions,
  Settled,
  SharedOptions,
  SignalOptions,
  StepOptions,
  Undo,
} from "./define/operations.ts";
export {
  all,
  approval,
  child,
  continueAs,
  map,
  now,
  patched,
  race,
  random,
  shared,
  signal,
  sleep,
  status,
  step,
} from "./define/primitives.ts";
export {
  type Block,
  callsOf,
  checkExpansion,
  childrenOf,
  definitionSchema,
  drawGraph,
  drawRun,
  type ExpandOptions,
  expand,
  type Graph,
  loadDefinition,
  MAX_OBJECTIVE_LENGTH,
  type Node,
  OBJECTIVE_WORKFLOW,
  objectiveWorkflow,
  type ReadDefinition,
  readDefinition,
  readSource,
  type TextFault,
} from "./graph/index.ts";
export { type Entry, type EntryBody, readEntry } from "./log/entry.ts";
export type { Author, Blocked, EndState, Fact, Failure, Ordered, Outcome } from "./log/facts.ts";
export { emptyFold, type Fold, foldLog, type Op, type RunState, stateOf } from "./log/fold.ts";
export { keepMsOf, MAX_LOG_BYTES, MAX_LOG_ENTRIES, usedShare } from "./log/limits.ts";
export { type RunSummary, summaryOf, type Waiting } from "./log/summary.ts";
export { type Replay, type ReplayDifference, replayLog } from "./replay/index.ts";
