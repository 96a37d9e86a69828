// The options of a host, and the interface that it offers. The worker of the work room uses a host through `Workforce`,
// the app through `Host`.
import type { Clock, Logger, Meter, RestartPolicy, Service, Tracer } from "../../base/index.ts";
import type { AgentStatus } from "../../protocol/index.ts";
import type { Bus } from "../../transport/index.ts";
import type { CapabilityLimits, Workforce } from "../../work/index.ts";
import type { AgentDefinition } from "../define/define.ts";
import type { Exec } from "../ports/exec.ts";
import type { LockPort } from "../ports/lock.ts";
import type { SharedPort } from "../ports/shared.ts";
import type { VotePort } from "../ports/vote.ts";
import type { FindClass } from "../wire/ask.ts";

/** One kind of agent in a host. */
export interface HostRole {
  definition: AgentDefinition;
  /** The number of agents with this definition; default 1. */
  count?: number | undefined;
}

/** The options of {@link createHost}. */
export interface HostOptions {
  /** The swarm's prefix and its bus; a `Transport` fits. */
  transport: { readonly prefix: string; readonly bus: Bus };
  meter: Meter;
  log: Logger;
  /** The process's id in the swarm: one subject token. */
  hostId: string;
  /**
   * The class of the host and its agents, 1–16 of a–z 0–9: NATS permissions are given to classes. Default `default`.
   */
  agentClass?: string | undefined;
  /** The process's role, for heartbeats: usually the roles of its agents. */
  role: string;
  /** The program's version, shown for agents whose definition names none. */
  version: string;
  /**
   * Runs commands for agents whose definition has `exec`. Without this option the host rejects such agents: commands are
   * off by default.
   */
  exec?: Exec | undefined;
  /** Takes locks for `ctx.lock`. Without this option `ctx.lock` throws `unavailable`. */
  locks?: LockPort | undefined;
  /** Makes the keys that sign votes. Without it, agents have no key and get no seat in ballots of the strategy `bft`. */
  votes?: VotePort | undefined;
  /** Reads and changes the shared values of workflows for `ctx.shared`. Without it, `ctx.shared` throws `unavailable`. */
  shared?: SharedPort | undefined;
  /** Lists the capabilities that the swarm knows, for errors of `ctx.ask`. Without it, those errors list none. */
  knownCapabilities?: (() => Promise<readonly string[]>) | undefined;
  /** Finds the class of another agent for `ctx.ask`. Without it, the host looks for agents of its own class only. */
  findClass?: FindClass | undefined;
  roles: readonly HostRole[];
  /** The restart budget and delays of an agent that crashes; default `DEFAULT_RESTART_POLICY` of base. */
  restart?: RestartPolicy | undefined;
  /** Makes the spans of agents, tools and asks. Without it, there are none. */
  tracer?: Tracer | undefined;
  /** Default: the machine's own clock. */
  clock?: Clock | undefined;
}

/** Many agents in one process. */
export interface Host {
  /** The slots of all agents, for the worker. */
  readonly workforce: Workforce;
  /** Each capability that an agent of this host offers, with its limits. */
  readonly capabilities: readonly { name: string; limits: CapabilityLimits | undefined }[];
  /**
   * `start` resolves when every agent has started or failed its first start. From then on slots are free, the host reads
   * the mailboxes and sends heartbeats. `stop` ends all agents at once and aborts their work: call `drain` first.
   */
  readonly service: Service;
  /**
   * Takes no more work and waits, at most `graceMs`, until all running work is finished and its slots are released. Then
   * every agent without running work is `stopped`. Safe to repeat.
   * @returns the number of slots still in use; the worker should give their tasks back to the queue.
   */
  drain(options: { graceMs: number }): Promise<{ unfinished: number }>;
  /** The status of every agent of this host, including stopped and failed agents. */
  status(): AgentStatus[];
  /**
   * The agent takes no new work until `resume`; its running work continues. Safe to repeat.
   * @throws SwarmError `not_found` for an agent that is not on this host; `conflict` for an agent that drains, is stopped
   *   or is failed.
   */
  pause(agentId: string): AgentStatus;
  /** The agent takes work again. @throws SwarmError as `pause` does. */
  resume(agentId: string): AgentStatus;
  /**
   * The agent takes no new work and stops when its running work is finished. Safe to repeat.
   * @throws SwarmError `not_found` for an agent that is not on this host.
   */
  drainAgent(agentId: string): AgentStatus;
  /**
   * Turns each line that code prints with `console` into a line of log of the work that printed it, until the returned
   * function is called. It replaces the console of the whole process.
   */
  captureConsole(): () => void;
}
