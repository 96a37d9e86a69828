// One agent: its lifecycle actor, its slots and the work in them, its hooks, its inbox of broadcasts, and its restarts.
// Leaves the delivery of tasks and asks to the host (host/host.ts), which creates the agents.
// I1: a taken slot is released exactly once, even when the agent crashes while the slot is in use.
// I2: events that decide about new work (pause, drain, crash, stop) change the lifecycle state at once. The agent updates the
//     work phase (idle, working, …) once per turn of the event loop, and before each read.
// I3: code from before a crash cannot change the agent after its restart.
import { createActor } from "xstate";
import {
  assert,
  type Clock,
  DEFAULT_RESTART_POLICY,
  decideRestart,
  inSpan,
  type Logger,
  newInstanceId,
  type RestartPolicy,
} from "../base/index.ts";
import { type AgentState, type AgentStatus, SwarmError, type WaitingReason } from "../protocol/index.ts";
import { codeOfThrown } from "../work/index.ts";
import type { AgentAccess, AgentTask } from "./define/context.ts";
import type { AgentDefinition, ExecLimits } from "./define/define.ts";
import { runHook } from "./lifecycle/hooks.ts";
import { type Broadcast, Inbox } from "./lifecycle/inbox.ts";
import {
  ACCEPTING_STATES,
  FINAL_STATES,
  type LifecycleEvent,
  lifecycle,
  PHASE_EVENTS,
} from "./lifecycle/machine.ts";
import { SlotCounts, type SlotState } from "./lifecycle/slot-counts.ts";
import { attemptError, requiresRestart } from "./lifecycle/supervision.ts";
import type { AgentVoteKey } from "./ports/vote.ts";
import { runAs } from "./run/console.ts";
import { RunContext, type RunOwner, type RunPorts, type RunWork } from "./run/run-context.ts";
import { AgentSlot } from "./run/slot.ts";
import { type AskLink, askCapability, broadcast } from "./wire/ask.ts";

/** Asks use at most this share of an agent's slots (at least one), so that they cannot starve its queued tasks. */
const ASK_SHARE = 0.75;

/** The part of the host that an agent needs. */
export interface AgentHostPort extends RunPorts {
  readonly log: Logger;
  readonly hostId: string;
  readonly agentClass: string;
  readonly version: string;
  readonly restart: RestartPolicy | undefined;
  /** The state of the agent's lifecycle has changed. */
  onStateChange(): void;
  /** Asks the host to call `agent.sync()` at the end of this turn of the event loop. */
  syncAtTurnEnd(agent: Agent): void;
  /**
   * The number of free slots, or the readiness to take work, may have changed. `cause` is the slot that was taken or
   * released; undefined when the lifecycle changed.
   */
  onAvailabilityChange(agent: Agent, cause: AgentSlot | undefined): void;
  /** A slot is free again, so a waiting ask may use it. */
  onSlotFree(agent: Agent): void;
  /** The agent crashed and restarts. */
  onAgentRestart(agent: Agent): void;
  /** The agent has reached a final state: it never takes work again. */
  onAgentEnd(agent: Agent): void;
}

/** One agent. The host calls it; code of the agent's author reaches it only through contexts. */
export class Agent implements RunOwner {
  readonly id: string;
  readonly definition: AgentDefinition;
  readonly slots: SlotCounts;
  readonly clock: Clock;
  readonly link: AskLink;
  readonly ports: RunPorts;
  readonly execLimits: ExecLimits | undefined;
  readonly voteKey: AgentVoteKey | undefined;
  /** The most slots that asks may use at the same time. */
  readonly askLimit: number;
  /** The slots that asks use now. */
  askCount = 0;
  /** True while the agent takes new work. */
  isAccepting = false;
  /** The free slots that the host's pools last counted for this agent. */
  countedFree = 0;
  readonly #host: AgentHostPort;
  readonly #actor = createActor(lifecycle);
  readonly #slotsInUse = new Set<AgentSlot>();
  #loop = 0;
  #turnsTaken = 0;
  #turnedAtMs: number;
  #needsSync = false;
  #since: string;
  #machineState: string | undefined;
  #history: readonly number[] = [];
  #life = 0;
  #lifeController: AbortController | undefined;
  #access: AgentAccess | undefined;
  #log: Logger | undefined;
  #inbox: Inbox | undefined;
  #cancelRestart: (() => void) | undefined;

  constructor(definition: AgentDefinition, host: AgentHostPort) {
    this.id = newInstanceId(definition.name.slice(0, 50));
    this.definition = definition;
    this.slots = new SlotCounts(definition.slots);
    this.askLimit = Math.max(1, Math.floor(definition.slots * ASK_SHARE));
    this.#host = host;
    this.clock = host.clock;
    this.link = host.link;
    this.ports = host;
    this.execLimits = definition.exec;
    this.voteKey = host.votes?.createKey();
    this.#since = new Date(host.clock.now()).toISOString();
    this.#turnedAtMs = host.clock.now();
    this.#actor.start();
  }

  get log(): Logger {
    this.#log ??= this.#host.log.child({ agent: this.id });
    return this.#log;
  }

  get #state(): AgentState {
    return this.#actor.getSnapshot().value;
  }

  /** The lifecycle state, updated first (I2). */
  get state(): AgentState {
    this.sync();
    return this.#state;
  }

  /** The reason why the agent waits; null while it does not. */
  get waiting(): WaitingReason | null {
    return this.state === "waiting" ? this.slots.waitingReason() : null;
  }

  /** True in a final state: the agent never takes work again. */
  get isEnded(): boolean {
    return FINAL_STATES.has(this.#state);
  }

  /** True when the agent never takes new work again, although its last work may still run. */
  get isLeaving(): boolean {
    return this.isEnded || this.#state === "draining";
  }

  /** The work that runs now. */
  *runningWork(): Iterable<RunContext> {
    for (const { context } of this.#slotsInUse) if (context !== undefined) yield context;
  }

  /** Returns the turns of the work loop since the last call, for the meter. */
  collectTurns(): number {
    const turns = this.#loop - this.#turnsTaken;
    this.#turnsTaken = this.#loop;
    if (turns > 0) this.#turnedAtMs = this.clock.now();
    return turns;
  }

  /** When the work loop last turned, Unix ms, to the turn of the event loop; before its first turn, when the agent was made. */
  get turnedAtMs(): number {
    return this.#turnedAtMs;
  }

  status(): AgentStatus {
    const { definition, state } = this;
    return {
      id: this.id,
      role: definition.name,
      capabilities: [...definition.capabilities],
      state,
      waiting: this.waiting,
      ...(this.#machineState === undefined || this.slots.used === 0 ? {} : { doing: this.#machineState }),
      slots: { used: this.slots.used, total: this.slots.total },
      loop: this.#loop,
      class: this.#host.agentClass,
      host: this.#host.hostId,
      pid: process.pid,
      since: this.#since,
      version: definition.version ?? this.#host.version,
      ...definition.skills,
      ...(this.voteKey === undefined ? {} : { publicKey: this.voteKey.publicKey }),
    };
  }

  // ── lifecycle ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Runs the start hook. Resolves when the agent is ready or its first start has failed. */
  start(): Promise<void> | void {
    const { start } = this.definition;
    if (start === undefined) return this.#started(this.#life);
    return this.#startWithHook(start, this.#life);
  }

  async #startWithHook(start: NonNullable<AgentDefinition["start"]>, life: number): Promise<void> {
    try {
      await runHook({
        name: "start",
        hook: () => runAs(this, () => start(this.#makeAccess())),
        clock: this.clock,
      });
    } catch (error) {
      if (life === this.#life) this.crash(error);
      return;
    }
    this.#started(life);
  }

  #started(life: number): void {
    if (life !== this.#life || this.#state !== "starting") return;
    this.#since = new Date(this.clock.now()).toISOString();
    this.#send({ type: "started" });
    this.sync();
    this.#inbox?.open();
  }

  /** Takes no new work until {@link resume}. @throws SwarmError `conflict` when the agent drains or has ended. */
  pause(): void {
    this.#rejectIfLeaving("paused");
    this.#send({ type: "pause" });
  }

  /** Takes work again. @throws SwarmError `conflict` when the agent drains or has ended. */
  resume(): void {
    this.#rejectIfLeaving("resumed");
    this.#send({ type: "resume" });
    this.sync();
    this.#host.onSlotFree(this);
  }

  /** Takes no new work, and stops the agent when its running work is done. Safe to repeat. */
  drain(): void {
    if (this.#state === "starting") {
      this.#endLife(new SwarmError("unavailable", `agent ${this.id} is drained`));
      void this.#end({ type: "drain" });
      return;
    }
    this.#send({ type: "drain" });
    this.sync();
  }

  /** Stops the agent at once and aborts its running work with `reason`. Resolves when the stop hook has run. */
  async stop(reason: SwarmError): Promise<void> {
    if (this.isEnded) return;
    this.#endLife(reason);
    await this.#end({ type: "stop" });
  }

  /**
   * Ends this life of the agent, because its own state can no longer be trusted, and restarts it. An agent that uses up
   * its restart budget becomes `failed` instead.
   */
  crash(error: unknown): void {
    if (this.isEnded) return;
    const policy = this.#host.restart ?? DEFAULT_RESTART_POLICY;
    const decision = decideRestart(this.#history, this.clock.now(), policy);
    this.#history = decision.history;
    this.#endLife(
      new SwarmError(
        "internal",
        `agent ${this.id} crashed while this work ran: ${attemptError(error, undefined).message}`,
      ),
    );
    if (!decision.restart) {
      this.log.error(
        { err: error, budget: policy.budget, windowMs: policy.windowMs },
        "agent crashed more often than its restart budget allows; it is failed",
      );
      void this.#end({ type: "giveUp" });
    } else if (this.#state === "draining") {
      this.log.error({ err: error }, "agent crashed while it drained; it is stopped");
      void this.#end({ type: "crash" });
    } else {
      this.log.error({ err: error, delayMs: decision.delayMs }, "agent crashed; restarting");
      this.#host.onAgentRestart(this);
      this.#send({ type: "crash" });
      void this.#runStopHook().then(() => this.#restartAfter(decision.delayMs, this.#life));
    }
  }

  #restartAfter(delayMs: number, life: number): void {
    if (life !== this.#life || this.isEnded) return;
    this.#cancelRestart = this.clock.after(delayMs, () => void this.start());
  }

  /** Ends the present life: aborts all running work. The new life number marks late calls of old code as stale (I3). */
  #endLife(reason: SwarmError): void {
    this.#life++;
    this.#cancelRestart?.();
    this.#inbox?.close();
    this.#inbox = undefined;
    this.#lifeController?.abort(reason);
    this.#lifeController = undefined;
    this.#access = undefined;
    for (const { context } of this.#slotsInUse) context?.abort(reason);
  }

  async #end(event: LifecycleEvent): Promise<void> {
    this.#send(event);
    this.#host.onAgentEnd(this);
    await this.#runStopHook();
  }

  async #runStopHook(): Promise<void> {
    const { stop } = this.definition;
    if (stop === undefined) return;
    const hook = () => runAs(this, () => stop(this.#makeAccess()));
    await runHook({ name: "stop", hook, clock: this.clock }).catch((error: unknown) =>
      this.log.warn({ err: error }, "stop hook failed; the agent ends without it"),
    );
  }

  #send(event: LifecycleEvent): void {
    if (this.isEnded) return;
    this.#transition(event);
    const accepting = ACCEPTING_STATES.has(this.#state);
    if (accepting === this.isAccepting) return;
    this.isAccepting = accepting;
    this.#host.onAvailabilityChange(this, undefined);
  }

  /** Sends the work phase of the slots to the lifecycle, if it has changed (I2). */
  sync(): void {
    this.#needsSync = false;
    const phase = this.slots.phase();
    if (this.isAccepting) {
      if (phase !== this.#state) this.#transition(PHASE_EVENTS[phase]);
    } else if (phase === "idle" && this.#state === "draining") void this.#end(PHASE_EVENTS.idle);
  }

  #transition(event: LifecycleEvent): void {
    this.#actor.send(event);
    this.#host.onStateChange();
  }

  #rejectIfLeaving(verb: string): void {
    const state = this.#state;
    if (state !== "draining" && !FINAL_STATES.has(state)) return;
    throw new SwarmError(
      "conflict",
      `agent ${this.id} is ${state} and cannot be ${verb}; start another agent`,
    );
  }

  // ── work ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Reserves a slot. The caller has checked that one is free. */
  take(capability: string, forAsk: boolean): AgentSlot {
    const slot = new AgentSlot({ agent: this, capability, forAsk, life: this.#life });
    if (forAsk) this.askCount++;
    this.#slotsInUse.add(slot);
    this.move(slot, "preparing");
    this.#host.onAvailabilityChange(this, slot);
    return slot;
  }

  /**
   * Performs a task or an ask in a taken slot.
   * @throws SwarmError whose `retryable` decides about a retry; `internal` when the agent crashed after the take (I3).
   */
  async perform(slot: AgentSlot, work: RunWork): Promise<unknown> {
    const { state } = slot;
    assert(
      state === "preparing",
      `a slot performs its work once, from state preparing, but this one is ${state}`,
    );
    if (slot.life !== this.#life) {
      throw new SwarmError("internal", `agent ${this.id} crashed before this work began`); // I3
    }
    const context = new RunContext(this, slot, work);
    slot.context = context;
    this.move(slot, "working");
    try {
      const perform = () => this.definition.perform(work.task as AgentTask, context, this.#onMachineState);
      // A stack has ten frames: without tracing, none of them is a span's.
      const output = runAs(context, this.ports.tracer.isOn ? () => this.#inSpan(perform) : perform);
      return output instanceof Promise ? await context.untilAborted(output) : output;
    } catch (thrown) {
      const error = attemptError(thrown, context.abortReason);
      // The reason of an abort may belong to several attempts.
      if (error !== context.abortReason) error.outputTail ??= context.outputTail();
      if (requiresRestart(thrown) && slot.life === this.#life) this.crash(thrown);
      throw error;
    } finally {
      context.end();
      slot.context = undefined;
      if (slot.state !== "free") this.move(slot, "reporting");
    }
  }

  /** Runs the author's code in a span of its own. */
  #inSpan(run: () => unknown): Promise<unknown> {
    const { tracer } = this.ports;
    const { name, version } = this.definition;
    const attributes = {
      "gen_ai.operation.name": "invoke_agent",
      "gen_ai.provider.name": "murmur",
      "gen_ai.agent.name": name,
      "gen_ai.agent.id": this.id,
      ...(version === undefined ? {} : { "gen_ai.agent.version": version }),
    };
    const spec = { name: `invoke_agent ${name}`, kind: "internal", attributes } as const;
    return inSpan(tracer, spec, async () => run(), codeOfThrown);
  }

  /** Frees a slot. Code that still runs in it is abandoned. Safe to repeat (I1). */
  release(slot: AgentSlot): void {
    if (slot.state === "free") return;
    if (slot.context !== undefined) {
      slot.context.end();
      this.log.warn("attempt ignored its abort signal; its code is abandoned and its slot is free again");
    }
    if (slot.forAsk) this.askCount--;
    this.#slotsInUse.delete(slot);
    this.move(slot, "free");
    this.#host.onAvailabilityChange(this, slot);
    this.#host.onSlotFree(this);
  }

  /** Moves a slot to another state. */
  move(slot: { state: SlotState }, to: SlotState): void {
    this.slots.move(slot.state, to);
    slot.state = to;
    this.countTurn();
  }

  /** Counts one turn of the work loop, and plans the update of the lifecycle state (I2). */
  countTurn(): void {
    this.#loop++;
    if (this.#needsSync) return;
    this.#needsSync = true;
    this.#host.syncAtTurnEnd(this);
  }

  readonly #onMachineState = (state: string): void => {
    this.#machineState = state;
    this.countTurn();
  };

  // ── broadcasts ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Puts a broadcast into the inbox of the agent's current life. */
  receiveBroadcast(broadcast: Broadcast): void {
    if (this.isEnded) return;
    if (this.#inbox === undefined) {
      const life = this.#life;
      this.#inbox = new Inbox((next) => this.#handle(next, life), this.log);
      if (this.#state !== "starting") this.#inbox.open();
    }
    this.#inbox.push(broadcast);
  }

  async #handle({ topic, value }: Broadcast, life: number): Promise<void> {
    try {
      const handler = this.definition.on.get(topic);
      if (handler !== undefined) await runAs(this, () => handler(value, this.#makeAccess()));
    } catch (error) {
      if (life !== this.#life || !requiresRestart(error)) {
        this.log.error({ err: error, topic }, "broadcast handler failed; the broadcast is dropped");
      } else this.crash(error);
    }
    this.countTurn();
  }

  /** Makes the access object for the hooks and handlers of this life; it is the same for all of them. */
  #makeAccess(): AgentAccess {
    this.#lifeController ??= new AbortController();
    const { signal } = this.#lifeController;
    this.#access ??= {
      agentId: this.id,
      log: this.log,
      signal,
      ask: async <Output>(capability: string, input: unknown, options = {}) =>
        (await askCapability(this.link, capability, input, { ...options, signal })) as Output,
      broadcast: (topic, value) => broadcast(this.link, topic, value),
    };
    return this.#access;
  }
}
