// The host of the agents of one process: their pools of slots, mailboxes, broadcasts, heartbeats and metrics, and their
// common start, drain and stop. Leaves the lifecycle of one agent to agent.ts, and asks to ask-desk.ts. The app creates the
// host, and the worker reserves slots in it. It has one subscription for each agent (its mailbox), capability and topic.
// I1: an agent's slots cannot be taken before it has started, nor after its drain has begun.
// I2: the host subscribes to the asks of a capability only while one of its agents takes work, so that NATS routes each
//     ask to a host that can answer it.
// I3: the host does the follow-up work of one turn of the event loop once, at the end of the turn: it updates lifecycle
//     states, counts the turns of work loops, reports free slots to the worker, and sends early heartbeats.
import { createService, NO_TRACER, systemClock, type Tracer } from "../../base/index.ts";
import {
  type AgentStatus,
  checkClass,
  checkToken,
  createSubjects,
  DEFAULT_CLASS,
  SwarmError,
  showValue,
} from "../../protocol/index.ts";
import type { IncomingRequest, RequestSubscription, Subscription } from "../../transport/index.ts";
import type { Slot, SlotRefusal, Workforce } from "../../work/index.ts";
import { Agent, type AgentHostPort } from "../agent.ts";
import type { AgentDefinition } from "../define/define.ts";
import { captureConsole, type LogOwner } from "../run/console.ts";
import type { AgentSlot } from "../run/slot.ts";
import { respondError } from "../wire/ask.ts";
import { HEARTBEAT_INTERVAL_MS, heartbeatMessages } from "../wire/heartbeat.ts";
import { AskDesk } from "./ask-desk.ts";
import { GAUGES_INTERVAL_MS, showGauges } from "./gauges.ts";
import { answerVerb } from "./mailbox.ts";
import { Pool } from "./pool.ts";
import { subscribeTopics } from "./topics.ts";
import type { Host, HostOptions } from "./types.ts";

/** The most agents of one process: twice the measured number (10,000 agents in one process: see docs/agents.md). */
export const MAX_AGENTS = 20_000;
/** The most start hooks that run at the same time: they may open connections or load files. */
const START_CONCURRENCY = 64;

/**
 * Makes a host and its agents; nothing runs before `service.start()`.
 * @throws SwarmError `invalid_input` for bad options; `not_permitted` when an agent's definition has `exec` and the
 *   host's options have none.
 */
export function createHost(options: HostOptions): Host {
  return new AgentHost(options);
}

class AgentHost implements Host, AgentHostPort {
  readonly workforce: Workforce;
  readonly capabilities: Host["capabilities"];
  readonly service: Host["service"];
  readonly clock: AgentHostPort["clock"];
  readonly link: AgentHostPort["link"];
  readonly log: AgentHostPort["log"];
  readonly exec: AgentHostPort["exec"];
  readonly locks: AgentHostPort["locks"];
  readonly votes: AgentHostPort["votes"];
  readonly shared: AgentHostPort["shared"];
  readonly tracer: Tracer;
  readonly hostId: string;
  readonly agentClass: string;
  readonly version: string;
  readonly restart: AgentHostPort["restart"];
  readonly #options: HostOptions;
  readonly #agents = new Map<string, Agent>();
  readonly #pools = new Map<string, Pool>();
  readonly #poolsOf = new Map<AgentDefinition, readonly Pool[]>();
  readonly #desk: AskDesk;
  readonly #mailboxes = new Map<Agent, RequestSubscription>();
  readonly #askSubscriptions = new Map<Pool, RequestSubscription>();
  #topicSubscriptions: Subscription[] = [];
  readonly #onFree: ((capability: string) => void)[] = [];
  #freeTotal = 0;
  #used = 0;
  /** The work for the end of this turn (I3): agents to sync, pools with freed slots, agents for an early heartbeat. */
  #agentsToSync: Agent[] = [];
  #freedPools = new Set<Pool>();
  #changedAgents = new Set<Agent>();
  #leavingAgents: Agent[] = [];
  #turnPlanned = false;
  #onQuiet: (() => void)[] = [];
  #cancelHeartbeat: (() => void) | undefined;
  #cancelGauges: (() => void) | undefined;
  /** True after a change that the gauges do not show yet. */
  #gaugesAreStale = true;
  /** The turns of work loops by role in this turn of the event loop: a label costs more than the addition. */
  readonly #turns = new Map<string, number>();
  #stopping = false;

  constructor(options: HostOptions) {
    this.#options = options;
    const { transport, roles } = options;
    this.clock = options.clock ?? systemClock;
    this.hostId = checkToken(options.hostId, "hostId");
    this.agentClass = checkClass(options.agentClass ?? DEFAULT_CLASS, "agentClass");
    this.log = options.log;
    this.exec = options.exec;
    this.locks = options.locks;
    this.votes = options.votes;
    this.shared = options.shared;
    this.tracer = options.tracer ?? NO_TRACER;
    this.version = options.version;
    this.restart = options.restart;
    this.link = {
      bus: transport.bus,
      subjects: createSubjects(transport.prefix),
      agentClass: this.agentClass,
      knownCapabilities: options.knownCapabilities,
      findClass: options.findClass,
      tracer: this.tracer,
    };
    this.#desk = new AskDesk({ clock: this.clock, log: options.log, tracer: this.tracer });
    const count = roles.reduce((sum, role) => sum + (role.count ?? 1), 0);
    if (!Number.isInteger(count) || count < 1 || count > MAX_AGENTS) {
      throw new SwarmError(
        "invalid_input",
        `roles: a host must have 1 to ${MAX_AGENTS} agents, got ${count}; start further processes for more`,
        { field: "roles" },
      );
    }
    for (const { definition, count: agents = 1 } of roles) {
      if (definition.exec !== undefined && options.exec === undefined) {
        throw new SwarmError(
          "not_permitted",
          `agent ${definition.name} runs commands (${definition.exec.allow.join(", ")}), but this process does not allow commands`,
          { field: "exec" },
        );
      }
      this.#poolsOf.set(
        definition,
        definition.capabilities.map((capability) => this.#pool(capability, definition)),
      );
      for (let index = 0; index < agents; index++) {
        const agent = new Agent(definition, this);
        this.#agents.set(agent.id, agent);
      }
    }
    this.capabilities = [...this.#pools.values()].map(({ capability: name, limits }) => ({ name, limits }));
    this.workforce = {
      free: (capability) => this.#pools.get(capability)?.free ?? 0,
      freeTotal: () => this.#freeTotal,
      take: (capability) => this.#take(capability),
      takeAgent: (agentId, capability) => this.#takeAgent(agentId, capability),
      onFree: (onFree) => this.#onFree.push(onFree),
    };
    this.service = createService({
      name: `host ${this.hostId}`,
      start: () => this.#start(),
      stop: () => this.#stop(),
    });
  }

  /** Returns the pool of a capability; makes it when an agent of this process is the first that offers the capability. */
  #pool(capability: string, { name, limits }: AgentDefinition): Pool {
    let pool = this.#pools.get(capability);
    if (pool === undefined) {
      pool = new Pool(capability, limits);
      this.#pools.set(capability, pool);
    } else if (pool.limits !== limits) {
      throw new SwarmError(
        "invalid_input",
        `agent ${name} and another agent of this process declare different limits for ${capability}; give both the same object`,
        { field: "limits" },
      );
    }
    return pool;
  }

  // ── slots ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #take(capability: string): Slot | null {
    return this.#pools.get(capability)?.nextAgent(false)?.take(capability, false) ?? null;
  }

  #takeAgent(agentId: string, capability: string): Slot | SlotRefusal {
    const agent = this.#agents.get(agentId);
    if (agent === undefined || agent.isLeaving) return "gone";
    if (!agent.definition.capabilities.includes(capability)) return "unable";
    return agent.countedFree > 0 ? agent.take(capability, false) : "busy";
  }

  onStateChange(): void {
    this.#gaugesAreStale = true;
  }

  onAvailabilityChange(agent: Agent, cause: AgentSlot | undefined): void {
    this.#gaugesAreStale = true;
    const pools = this.#poolsOf.get(agent.definition) ?? [];
    const free = agent.isAccepting ? agent.slots.free : 0;
    const delta = free - agent.countedFree;
    agent.countedFree = free;
    this.#freeTotal += delta;
    if (cause !== undefined) this.#used += cause.state === "free" ? -1 : 1;
    for (const pool of pools) {
      pool.updateFree(agent, delta);
      // The worker knows about slots that it released itself; the host reports all others at the end of the turn.
      const isFreedByWorker = cause !== undefined && !cause.forAsk && cause.capability === pool.capability;
      if (delta > 0 && !isFreedByWorker) {
        this.#freedPools.add(pool);
        this.#planTurn();
      }
      if (cause === undefined) this.#countAccepting(pool, agent.isAccepting);
    }
    if (cause === undefined && this.#cancelHeartbeat !== undefined && !this.#stopping) {
      // The coordinator places tasks by heartbeats, so the host reports a pause or a drain at once, not seconds later.
      this.#changedAgents.add(agent);
      this.#planTurn();
    }
  }

  #countAccepting(pool: Pool, accepting: boolean): void {
    pool.countAccepting(accepting ? 1 : -1);
    const subscription = this.#askSubscriptions.get(pool);
    if (pool.isOpen && subscription === undefined) {
      const subject = this.link.subjects.ask(pool.capability);
      const receive = (request: IncomingRequest) =>
        pool.isOpen ? this.#desk.receive(pool, request) : respondError(request, this.#takesNoAsks(pool));
      const opened = this.link.bus.subscribe(subject, receive, { queue: ASK_QUEUE_GROUP });
      this.#askSubscriptions.set(pool, opened);
    } else if (!pool.isOpen && subscription !== undefined) {
      void subscription.drain();
      this.#askSubscriptions.delete(pool);
      this.#desk.rejectWaiting(pool, this.#takesNoAsks(pool));
    }
  }

  #takesNoAsks({ capability }: Pool): SwarmError {
    return new SwarmError(
      "unavailable",
      `no agent of ${this.hostId} takes asks for ${capability} at the moment; ask again`,
    );
  }

  onSlotFree(agent: Agent): void {
    if (agent.isAccepting) this.#desk.serve(agent, this.#poolsOf.get(agent.definition) ?? []);
    if (this.#used === 0) this.#resolveQuiet();
  }

  syncAtTurnEnd(agent: Agent): void {
    this.#agentsToSync.push(agent);
    this.#planTurn();
  }

  #planTurn(): void {
    if (this.#turnPlanned) return;
    this.#turnPlanned = true;
    setImmediate(() => this.#endTurn());
  }

  #endTurn(): void {
    this.#turnPlanned = false;
    const agents = this.#agentsToSync;
    this.#agentsToSync = [];
    for (const agent of agents) {
      agent.sync();
      const role = agent.definition.name;
      this.#turns.set(role, (this.#turns.get(role) ?? 0) + agent.collectTurns());
    }
    for (const [role, turns] of this.#turns) this.#options.meter.agentLoops.inc({ role }, turns);
    this.#turns.clear();
    const freed = this.#freedPools;
    this.#freedPools = new Set();
    for (const pool of freed) {
      for (const onFree of this.#onFree) onFree(pool.capability);
    }
    if (this.#changedAgents.size > 0) this.#sendEarlyHeartbeat(this.#changedAgents);
    if (this.#leavingAgents.length > 0)
      this.#publishHeartbeat(statusesOf(this.#leavingAgents.splice(0)), true);
  }

  #showGauges(): void {
    this.#gaugesAreStale = this.#used > 0;
    showGauges(this.#options.meter, this.#agents.values(), this.clock.now());
  }

  #keepGauges(): void {
    this.#cancelGauges = this.clock.after(GAUGES_INTERVAL_MS, () => this.#keepGauges());
    // Two gauges of busy agents change without an event: the reason of a wait, and the time since the last turn.
    if (this.#gaugesAreStale || this.#used > 0) this.#showGauges();
  }

  onAgentRestart(agent: Agent): void {
    this.#options.meter.agentRestarts.inc({ role: agent.definition.name });
  }

  // ── start, drain, stop ─────────────────────────────────────────────────────────────────────────────────────────

  async #start(): Promise<void> {
    const { bus, subjects } = this.link;
    for (const agent of this.#agents.values()) {
      const subject = subjects.filters.agentVerbs({ class: this.agentClass, agent: agent.id });
      this.#mailboxes.set(
        agent,
        bus.subscribe(subject, (request) =>
          answerVerb(agent, request, { desk: this.#desk, clock: this.clock }),
        ),
      );
    }
    this.#topicSubscriptions = subscribeTopics(this.#agents.values(), this.link, this.log);
    await inParallel([...this.#agents.values()], START_CONCURRENCY, (agent) => agent.start());
    await bus.flush();
    this.#sendHeartbeat();
    this.#keepGauges();
  }

  async drain({ graceMs }: { graceMs: number }): Promise<{ unfinished: number }> {
    for (const agent of this.#agents.values()) agent.drain();
    if (this.#used > 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.clock.after(graceMs, resolve);
        this.#onQuiet.push(() => {
          cancel();
          resolve();
        });
      });
    }
    for (const agent of this.#agents.values()) agent.sync();
    return { unfinished: this.#used };
  }

  #resolveQuiet(): void {
    const waiters = this.#onQuiet;
    this.#onQuiet = [];
    for (const onQuiet of waiters) onQuiet();
  }

  async #stop(): Promise<void> {
    this.#cancelHeartbeat?.();
    this.#cancelGauges?.();
    const running = [...this.#agents.values()].filter((agent) => !agent.isEnded);
    const reason = new SwarmError("unavailable", "the process is shutting down");
    this.#stopping = true;
    await Promise.all(running.map((agent) => agent.stop(reason)));
    for (const subscription of this.#topicSubscriptions) subscription.close();
    await Promise.all([...this.#mailboxes.values()].map((mailbox) => mailbox.drain()));
    this.#mailboxes.clear();
    this.#endTurn();
    this.#publishHeartbeat(statusesOf(running), true);
    this.#showGauges();
    // A lost goodbye does no harm: the coordinator removes silent agents later.
    await this.link.bus.flush().catch(() => undefined);
  }

  onAgentEnd(agent: Agent): void {
    this.#desk.rejectWaiting(agent, new SwarmError("unavailable", `agent ${agent.id} is ${agent.state}`));
    if (this.#stopping || agent.state === "failed") return;
    void this.#mailboxes.get(agent)?.drain();
    this.#mailboxes.delete(agent);
    this.#leavingAgents.push(agent);
    this.#planTurn();
  }

  // ── agents by their id ─────────────────────────────────────────────────────────────────────────────────────────

  pause(agentId: string): AgentStatus {
    const agent = this.#agent(agentId);
    agent.pause();
    return agent.status();
  }

  resume(agentId: string): AgentStatus {
    const agent = this.#agent(agentId);
    agent.resume();
    return agent.status();
  }

  drainAgent(agentId: string): AgentStatus {
    const agent = this.#agent(agentId);
    agent.drain();
    return agent.status();
  }

  #agent(agentId: string): Agent {
    const agent = this.#agents.get(agentId);
    if (agent !== undefined) return agent;
    throw new SwarmError("not_found", `agent ${showValue(agentId)} is not on host ${this.hostId}`, {
      field: "agentId",
    });
  }

  captureConsole(): () => void {
    return captureConsole({ log: this.log, findOnly: () => this.#findOnlyWork() });
  }

  #findOnlyWork(): LogOwner | undefined {
    let only: LogOwner | undefined;
    for (const agent of this.#agents.values())
      for (const work of agent.runningWork()) {
        if (only !== undefined) return undefined;
        only = work;
      }
    return only;
  }

  // ── heartbeats and metrics ─────────────────────────────────────────────────────────────────────────────────────

  status(): AgentStatus[] {
    return statusesOf(this.#agents.values());
  }

  #sendHeartbeat(): void {
    this.#cancelHeartbeat = this.clock.after(HEARTBEAT_INTERVAL_MS, () => this.#sendHeartbeat());
    const all = this.status();
    this.#publishHeartbeat(
      all.filter(({ state }) => state !== "stopped"),
      false,
    );
  }

  /** Sends an early heartbeat for agents that began to take work, or stopped taking it. */
  #sendEarlyHeartbeat(agents: Set<Agent>): void {
    this.#publishHeartbeat(
      statusesOf(agents).filter(({ state }) => state !== "stopped"),
      false,
    );
    agents.clear();
  }

  #publishHeartbeat(agents: readonly AgentStatus[], goodbye: boolean): void {
    const { bus, subjects } = this.link;
    const head = {
      host: this.hostId,
      pid: process.pid,
      role: this.#options.role,
      at: new Date(this.clock.now()).toISOString(),
      ...(goodbye ? { goodbye } : {}),
    };
    try {
      const subject = subjects.heartbeat({ class: this.agentClass, host: this.hostId });
      for (const body of heartbeatMessages(head, agents)) bus.publish(subject, body);
    } catch (error) {
      this.log.warn({ err: error }, "heartbeat not sent; it is not retried");
    }
  }
}

function statusesOf(agents: Iterable<Agent>): AgentStatus[] {
  return Array.from(agents, (agent) => agent.status());
}

/** The queue group of the hosts that answer a capability's asks. */
const ASK_QUEUE_GROUP = "agents";

/** Runs `work` for each item, at most `limit` at the same time. Work that returns no promise is not awaited. */
async function inParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void> | void,
): Promise<void> {
  let next = 0;
  const runner = async () => {
    while (next < items.length) {
      const working = work(items[next++] as T);
      if (working !== undefined) await working;
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, runner));
}
