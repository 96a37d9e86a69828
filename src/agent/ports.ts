// What a host of agents needs of others and offers to them. The work room's worker meets it through `Workforce`, the
// app through `Host`; commands are run by whatever fits `Exec` (the exec bridge does), wired in the app.
import type { Clock, Logger, Meter, RestartPolicy, Service } from "../base/index.ts";
import type { AgentStatus } from "../protocol/index.ts";
import type { Bus } from "../transport/index.ts";
import type { CapabilityLimits, Workforce } from "../work/index.ts";
import type { AgentDefinition } from "./define.ts";

/** Runs one command. What an agent may run is decided by who made this, and narrowed by the agent's definition. */
export type Exec = (command: ExecRequest, options: { signal: AbortSignal }) => Promise<ExecResult>;

/** A command: always a list of arguments, never a line for a shell. */
export interface ExecRequest {
  /** The program, by the name or path that the allow-list holds, and its arguments. */
  argv: readonly [program: string, ...args: string[]];
  /** The working directory; default: the first allowed directory. Must lie inside an allowed one. */
  cwd?: string | undefined;
  /** Text for the program's standard input; default: none. */
  input?: string | undefined;
  /** Variables to set on top of the allowed ones. */
  env?: Readonly<Record<string, string>> | undefined;
  /** The longest run, in ms; lowers the host's limit, never raises it. */
  timeoutMs?: number | undefined;
  /** The most bytes on each of stdout and stderr; lowers the host's limit, never raises it. */
  maxOutputBytes?: number | undefined;
  /** The most memory of the program and its children, in bytes; lowers the host's limit, never raises it. */
  maxMemoryBytes?: number | undefined;
}

/** How a command ended. An exit code other than 0 is a result, not an error: what it means is the agent's business. */
export interface ExecResult {
  exitCode: number;
  stdout: string;
  stderr: string;
  durationMs: number;
}

/** One kind of agent in a host. */
export interface HostRole {
  definition: AgentDefinition;
  /** How many agents of it; default 1. */
  count?: number | undefined;
}

/** What a host needs. */
export interface HostOptions {
  /** The swarm's prefix and its bus; a `Transport` fits. */
  transport: { readonly prefix: string; readonly bus: Bus };
  meter: Meter;
  log: Logger;
  /** The process's id in the swarm: one subject token. */
  hostId: string;
  /** The process's role, for heartbeats: usually the roles of its agents. */
  role: string;
  /** The program's version, shown for agents whose definition names none. */
  version: string;
  /** Runs commands for agents whose definition has `exec`. Without it such agents are refused: running commands is off by default. */
  exec?: Exec | undefined;
  roles: readonly HostRole[];
  /** How often an agent that breaks is restarted; default `DEFAULT_RESTART_POLICY` of base. */
  restart?: RestartPolicy | undefined;
  /** Default: the machine's own clock. */
  clock?: Clock | undefined;
}

/** Many agents in one process. */
export interface Host {
  /** What the worker takes slots from. */
  readonly workforce: Workforce;
  /** Each capability that an agent here offers, with its limits. */
  readonly capabilities: readonly { name: string; limits: CapabilityLimits | undefined }[];
  /**
   * `start` resolves when every agent has started or failed its first start; from then on slots are free, mailboxes
   * are read and heartbeats go out. `stop` ends all at once: drain first.
   */
  readonly service: Service;
  /**
   * Takes no more work and waits until all that runs is finished and released, at most `graceMs`. Then every agent
   * with nothing left is `stopped`. Safe to repeat.
   * @returns how many slots are still in use: what the worker should give back.
   */
  drain(options: { graceMs: number }): Promise<{ unfinished: number }>;
  /** Every agent of this host, also the stopped and failed ones. */
  status(): AgentStatus[];
  /**
   * Takes no new work until `resume`; what runs goes on. Safe to repeat.
   * @throws SwarmError `not_found` for an agent that is not here; `conflict` for one that drains, stopped or failed.
   */
  pause(agentId: string): AgentStatus;
  /** Takes work again. @throws SwarmError as `pause` does. */
  resume(agentId: string): AgentStatus;
  /**
   * Takes no new work and stops when what runs is finished. Safe to repeat.
   * @throws SwarmError `not_found` for an agent that is not here.
   */
  drainAgent(agentId: string): AgentStatus;
}
