// What a host of agents needs of others and offers to them. The work room's worker meets it through `Workforce`, the
// app through `Host`.
import type { Clock, Logger, Meter, RestartPolicy, Service } from "../../base/index.ts";
import type { AgentStatus } from "../../protocol/index.ts";
import type { Bus } from "../../transport/index.ts";
import type { CapabilityLimits, Workforce } from "../../work/index.ts";
import type { AgentDefinition } from "../define/define.ts";
import type { Exec } from "../ports/exec.ts";
import type { LockPort } from "../ports/lock.ts";
import type { VotePort } from "../ports/vote.ts";

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
  /** Takes locks for `ctx.lock`. Without it that is `unavailable`. */
  locks?: LockPort | undefined;
  /** Makes the keys that sign votes. Without it agents have none and get no seat in ballots of the strategy `bft`. */
  votes?: VotePort | undefined;
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
