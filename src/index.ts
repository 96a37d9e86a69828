// The door of the package "murmur-swarm", for the authors of agents and workflows. It only passes names on from the rooms.
//
//   import { defineAgent } from "murmur-swarm";
//   export default defineAgent({ name: "upper", capabilities: ["upper"], run: (task) => String(task.input).toUpperCase() });

export {
  type AgentAccess,
  type AgentContext,
  type AgentDefinition,
  type AgentLock,
  type AgentTask,
  type AskOptions,
  defineAgent,
  type Exec,
  type ExecLimits,
  type LockOptions,
  type MachineInput,
  type MachineSpec,
  type RunSpec,
} from "./agent/index.ts";
export { AssertionError, assert, type Logger } from "./base/index.ts";
export { accuracyOf, type Calibration, confidenceOf, type Rate } from "./consensus/index.ts";
export {
  type BallotInput,
  CancelledError,
  ERROR_CATALOGUE,
  type ErrorCode,
  type ExecRequest,
  type ExecResult,
  type HandedOff,
  type HandOffRequest,
  type Result,
  RetryableError,
  SwarmError,
  TerminalError,
  toSwarmError,
  type Verdict,
  type WaitingReason,
} from "./protocol/index.ts";
export type { CapabilityLimits } from "./work/index.ts";
export {
  type Approval,
  type ApprovalOptions,
  all,
  approval,
  type ChildOptions,
  child,
  continueAs,
  defineWorkflow,
  type ExpandOptions,
  expand,
  type Flow,
  loadDefinition,
  type MapOptions,
  map,
  now,
  patched,
  race,
  random,
  type Settled,
  type SignalOptions,
  StepFailure,
  type StepOptions,
  signal,
  sleep,
  status,
  step,
  type Undo,
  type WorkflowDefinition,
  type WorkflowSpec,
} from "./workflow/index.ts";
