// The package's door for people who write agents: what `import { defineAgent } from "murmur"` gives.
//
//   import { defineAgent } from "murmur";
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
export {
  CancelledError,
  ERROR_CATALOGUE,
  type ErrorCode,
  type ExecRequest,
  type ExecResult,
  type HandedOff,
  type HandOffRequest,
  RetryableError,
  SwarmError,
  TerminalError,
  type WaitingReason,
} from "./protocol/index.ts";
export type { CapabilityLimits } from "./work/index.ts";
