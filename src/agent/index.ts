// Agents, their lifecycle, and the host that runs many of them in one process.
//
//   const host = createHost({ transport, meter, log, hostId, role: "echo", version, roles: [{ definition }] });
//   await host.service.start();
//   const slot = host.workforce.take("echo");
//   await slot?.perform(attempt);
//   slot?.release();

export {
  type AgentAccess,
  type AgentContext,
  type AgentLock,
  type AgentShared,
  type AgentTask,
  type AskOptions,
  DEFAULT_ASK_TIMEOUT_MS,
  type LockOptions,
  type SharedRead,
} from "./define/context.ts";
export {
  type AgentDefinition,
  DEFAULT_SLOTS,
  defineAgent,
  type ExecLimits,
  isAgentDefinition,
  type MachineInput,
  type MachineSpec,
  type RunSpec,
} from "./define/define.ts";
export { listRoles, loadRoles, type RoleFile } from "./define/load.ts";
export { MAILBOX_LIMIT } from "./host/ask-desk.ts";
export { createHost, MAX_AGENTS } from "./host/host.ts";
export { AGENT_VERBS } from "./host/mailbox.ts";
export type { Host, HostOptions, HostRole } from "./host/types.ts";
export type { Exec } from "./ports/exec.ts";
export type { HeldLock, LockPort, LockRequest } from "./ports/lock.ts";
export type { SharedPort } from "./ports/shared.ts";
export type { AgentVoteKey, VotePort } from "./ports/vote.ts";
export { type AskLink, askAgent, askCapability, type FindClass } from "./wire/ask.ts";
export { HEARTBEAT_INTERVAL_MS } from "./wire/heartbeat.ts";
