// Who does the work: agents, their lifecycle and the host that runs many of them in one process.
//
//   const host = createHost({ transport, meter, log, hostId, role: "echo", version, roles: [{ definition }] });
//   await host.service.start();
//   host.workforce.take("echo")?.perform(attempt);

export { type AskLink, askAgent, askCapability } from "./ask.ts";
export { MAILBOX_LIMIT } from "./ask-desk.ts";
export {
  type AgentAccess,
  type AgentContext,
  type AgentLock,
  type AgentTask,
  type AskOptions,
  DEFAULT_ASK_TIMEOUT_MS,
  type LockOptions,
} from "./context.ts";
export {
  type AgentDefinition,
  DEFAULT_SLOTS,
  defineAgent,
  type ExecLimits,
  isAgentDefinition,
  type MachineInput,
  type MachineSpec,
  type RunSpec,
} from "./define.ts";
export type { Exec } from "./exec-port.ts";
export { HEARTBEAT_INTERVAL_MS } from "./heartbeat.ts";
export { createHost, MAX_AGENTS } from "./host.ts";
export { listRoles, loadRoles, type RoleFile } from "./load.ts";
export type { HeldLock, LockPort, LockRequest } from "./lock-port.ts";
export { AGENT_VERBS } from "./mailbox.ts";
export type { Host, HostOptions, HostRole } from "./ports.ts";
export type { AgentVoteKey, VotePort } from "./vote-port.ts";
