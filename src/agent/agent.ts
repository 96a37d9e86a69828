// One agent: its lifecycle actor, its slots, what runs in them, its hooks, its inbox of broadcasts, and its restarts.
// Where tasks and asks come from is the host's business.
// I1: a slot that was taken is released exactly once, also when the agent breaks meanwhile.
// I2: the lifecycle changes at once for what decides about new work (pause, drain, crash, stop); the phase of work that
//     it shows is brought up to date once per turn of the event loop, and before it is read.
// I3: after a crash nothing of the old life can change the new one.
import { createActor } from "xstate";
import {
  assert,
  type Clock,
  DEFAULT_RESTART_POLICY,
  decideRestart,
  type Logger,
  newInstanceId,
  type RestartPolicy,
} from "../base/index.ts";
import { type AgentState, type AgentStatus, SwarmError } from "../protocol/index.ts";
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
import { SlotCounts, type SlotPlace } from "./lifecycle/slot-counts.ts";
import { attemptError, breaksAgent } from "./lifecycle/supervision.ts";
import type { AgentVoteKey } from "./ports/vote.ts";
import { RunContext, type RunOwner, type RunPorts, type RunWork } from "./run/run-context.ts";
import { AgentSlot } from "./run/slot.ts";
import { type AskLink, askCapability, broadcast } from "./wire/ask.ts";

/** Asks hold at most this share of an agent's slots (at least one), so that they cannot starve its queued tasks. */
const ASK_SHARE = 0.75;

/** What an agent needs of its host. */
export interface AgentHome extends RunPorts {
  readonly log: Logger;
  readonly hostId: string;
  readonly version: string;
  readonly restart: RestartPolicy | undefined;
  /** The agent has something to bring up to date at the end of this turn. */
  touched(agent: Agent): void;
  /** The agent's free slots, or whether it takes work, may have changed. `by` is the slot that caused it. */
  availabilityChanged(agent: Agent, by: AgentSlot | undefined): void;
  /** A slot came free: asks that wait may use it. */
  slotFreed(agent: Agent): void;
  /** The agent takes no more work, ever. */
  ended(agent: Agent): void;
}

export class Agent implements RunOwner {
  readonly id: string;
  readonly definition: AgentDefinition;
  readonly slots: SlotCounts;
  readonly clock: Clock;
  readonly link: AskLink;
  readonly ports: RunPorts;
  readonly execLimits: ExecLimits | undefined;
  readonly voteKey: AgentVoteKey | undefined;
  /** How many slots asks may hold at the same time. */
  readonly askLimit: number;
  /** How many they hold. */
  asking = 0;
  /** Whether it takes new work. */
  accepting = false;
  /** Free slots as the host's pools have counted them. */
  countedFree = 0;
  readonly #home: AgentHome;
  readonly #actor = createActor(lifecycle);
  readonly #reserved = new Set<AgentSlot>();
  #loop = 0;
  #turnsTaken = 0;
  #touched = false;
  #since: string;
  #doing: string | undefined;
  #history: readonly number[] = [];
  #life = 0;
  #lifeController: AbortController | undefined;
  #access: AgentAccess | undefined;
  #log: Logger | undefined;
  #inbox: Inbox | undefined;
  #cancelRestart: (() => void) | undefined;

  constructor(definition: AgentDefinition, home: AgentHome) {
    this.id = newInstanceId(definition.name.slice(0, 50));
    this.definition = definition;
    this.slots = new SlotCounts(definition.slots);
    this.askLimit = Math.max(1, Math.floor(definition.slots * ASK_SHARE));
    this.#home = home;
    this.clock = home.clock;
    this.link = home.link;
    this.ports = home;
    this.execLimits = definition.exec;
    this.voteKey = home.votes?.createKey();
    this.#since = new Date(home.clock.now()).toISOString();
    this.#actor.start();
  }

  get log(): Logger {
    this.#log ??= this.#home.log.child({ agent: this.id });
    return this.#log;
  }

  get #state(): AgentState {
    return this.#actor.getSnapshot().value;
  }

  /** Its state, brought up to date (I2). */
  get state(): AgentState {
    this.sync();
    return this.#state;
  }

  /** True when it will never take work again. */
  get isEnded(): boolean {
    return FINAL_STATES.has(this.#state);
  }

  /** True when it takes no new work any more, though some may still run. */
  get isLeaving(): boolean {
    return this.isEnded || this.#state === "draining";
  }

  /** Turns of the work loop since the last call, for the meter. */
  takeTurns(): number {
    const turns = this.#loop - this.#turnsTaken;
    this.#turnsTaken = this.#loop;
    return turns;
  }

  status(): AgentStatus {
    const { definition } = this;
    const state = this.state;
    return {
      id: this.id,
      role: definition.name,
      capabilities: [...definition.capabilities],
      state,
      waiting: state === "waiting" ? this.slots.waitingReason() : null,
      ...(this.#doing === undefined || this.slots.used === 0 ? {} : { doing: this.#doing }),
      slots: { used: this.slots.used, total: this.slots.total },
      loop: this.#loop,
      host: this.#home.hostId,
      pid: process.pid,
      since: this.#since,
      version: definition.version ?? this.#home.version,
      ...definition.skills,
      ...(this.voteKey === undefined ? {} : { publicKey: this.voteKey.publicKey }),
    };
  }

  // ── lifecycle ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Runs the start hook; resolves when the agent is ready or its first start failed. */
  start(): Promise<void> | void {
    const { start } = this.definition;
    if (start === undefined) return this.#started(this.#life);
    return this.#startWithHook(start, this.#life);
  }

  async #startWithHook(start: NonNullable<AgentDefinition["start"]>, life: number): Promise<void> {
    try {
      await runHook({ name: "start", hook: () => start(this.#makeAccess()), clock: this.clock });
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

  /** Takes no new work until {@link resume}. @throws SwarmError `conflict` when it is on its way out. */
  pause(): void {
    this.#refuseWhenLeaving("paused");
    this.#send({ type: "pause" });
  }

  /** Takes work again. @throws SwarmError `conflict` when it is on its way out. */
  resume(): void {
    this.#refuseWhenLeaving("resumed");
    this.#send({ type: "resume" });
    this.sync();
    this.#home.slotFreed(this);
  }

  /** Takes no new work and stops when what runs is done. Safe to repeat. */
  drain(): void {
    if (this.#state === "starting") {
      this.#endLife(new SwarmError("unavailable", `agent ${this.id} is drained`));
      void this.#end({ type: "drain" });
      return;
    }
    this.#send({ type: "drain" });
    this.sync();
  }

  /** Ends it at once; what runs is broken off with `reason`. Resolves when its stop hook has run. */
  async stop(reason: SwarmError): Promise<void> {
    if (this.isEnded) return;
    this.#endLife(reason);
    await this.#end({ type: "stop" });
  }

  /** Its own state can no longer be trusted: ends this life and starts a new one, unless that happened too often. */
  crash(error: unknown): void {
    if (this.isEnded) return;
    const policy = this.#home.restart ?? DEFAULT_RESTART_POLICY;
    const decision = decideRestart(this.#history, this.clock.now(), policy);
    this.#history = decision.history;
    this.#endLife(
      new SwarmError(
        "internal",
        `agent ${this.id} broke while this ran: ${attemptError(error, undefined).message}`,
      ),
    );
    if (!decision.restart) {
      this.log.error(
        { err: error, budget: policy.budget, windowMs: policy.windowMs },
        "agent failed: it broke more often than its restart budget allows",
      );
      void this.#end({ type: "giveUp" });
    } else if (this.#state === "draining") {
      this.log.error({ err: error }, "agent broke while it drained; it is stopped");
      void this.#end({ type: "crash" });
    } else {
      this.log.error({ err: error, delayMs: decision.delayMs }, "agent broke; it is restarted");
      this.#send({ type: "crash" });
      void this.#runStopHook().then(() => this.#restartAfter(decision.delayMs, this.#life));
    }
  }

  #restartAfter(delayMs: number, life: number): void {
    if (life !== this.#life || this.isEnded) return;
    this.#cancelRestart = this.clock.after(delayMs, () => void this.start());
  }

  /** Breaks off all that runs; what the old life still does is told apart by its number (I3). */
  #endLife(reason: SwarmError): void {
    this.#life++;
    this.#cancelRestart?.();
    this.#inbox?.close();
    this.#inbox = undefined;
    this.#lifeController?.abort(reason);
    this.#lifeController = undefined;
    this.#access = undefined;
    for (const { run } of this.#reserved) run?.breakOff(reason);
  }

  async #end(event: LifecycleEvent): Promise<void> {
    this.#send(event);
    this.#home.ended(this);
    await this.#runStopHook();
  }

  async #runStopHook(): Promise<void> {
    const { stop } = this.definition;
    if (stop === undefined) return;
    const hook = () => stop(this.#makeAccess());
    await runHook({ name: "stop", hook, clock: this.clock }).catch((error: unknown) =>
      this.log.warn({ err: error }, "the agent's stop hook failed"),
    );
  }

  #send(event: LifecycleEvent): void {
    if (this.isEnded) return;
    this.#actor.send(event);
    const accepting = ACCEPTING_STATES.has(this.#state);
    if (accepting === this.accepting) return;
    this.accepting = accepting;
    this.#home.availabilityChanged(this, undefined);
  }

  /** Tells the lifecycle what the slots do, when that has changed (I2). */
  sync(): void {
    this.#touched = false;
    const phase = this.slots.phase();
    if (this.accepting) {
      if (phase !== this.#state) this.#actor.send(PHASE_EVENTS[phase]);
    } else if (phase === "idle" && this.#state === "draining") void this.#end(PHASE_EVENTS.idle);
  }

  #refuseWhenLeaving(verb: string): void {
    const state = this.#state;
    if (state !== "draining" && !FINAL_STATES.has(state)) return;
    throw new SwarmError("conflict", `agent ${this.id} is ${state} and cannot be ${verb}; start another`);
  }

  // ── work ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Reserves a slot; the caller has checked that one is free. */
  take(capability: string, forAsk: boolean): AgentSlot {
    const slot = new AgentSlot({ agent: this, capability, forAsk, life: this.#life });
    if (forAsk) this.asking++;
    this.#reserved.add(slot);
    this.move(slot, "preparing");
    this.#home.availabilityChanged(this, slot);
    return slot;
  }

  /** Performs a task or an ask in a slot that was taken. @throws SwarmError what decides about a retry. */
  async perform(slot: AgentSlot, work: RunWork): Promise<unknown> {
    const { place } = slot;
    assert(place === "preparing", `a slot is performed in once, but this one is ${place}`);
    if (slot.life !== this.#life) {
      throw new SwarmError("internal", `agent ${this.id} broke before this began`); // I3
    }
    const run = new RunContext(this, slot, work);
    slot.run = run;
    this.move(slot, "working");
    try {
      const made = this.definition.perform(work.task as AgentTask, run, this.#showState);
      return await (made instanceof Promise ? run.orBroken(made) : made);
    } catch (thrown) {
      const error = attemptError(thrown, run.abortReason);
      if (breaksAgent(thrown) && slot.life === this.#life) this.crash(thrown);
      throw error;
    } finally {
      run.end();
      slot.run = undefined;
      if (slot.place !== "free") this.move(slot, "reporting");
    }
  }

  /** Frees a slot's slot; safe to repeat (I1). Code that still runs in it is left behind. */
  release(slot: AgentSlot): void {
    if (slot.place === "free") return;
    if (slot.run !== undefined) {
      slot.run.end();
      this.log.warn("an attempt ignored its abort signal and was left behind; its slot is free again");
    }
    if (slot.forAsk) this.asking--;
    this.#reserved.delete(slot);
    this.move(slot, "free");
    this.#home.availabilityChanged(this, slot);
    this.#home.slotFreed(this);
  }

  move(slot: { place: SlotPlace }, to: SlotPlace): void {
    this.slots.move(slot.place, to);
    slot.place = to;
    this.turn();
  }

  turn(): void {
    this.#loop++;
    if (this.#touched) return;
    this.#touched = true;
    this.#home.touched(this);
  }

  readonly #showState = (state: string): void => {
    this.#doing = state;
    this.turn();
  };

  // ── broadcasts ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Puts a broadcast into the inbox of this life. */
  hear(broadcast: Broadcast): void {
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
      await this.definition.on.get(topic)?.(value, this.#makeAccess());
    } catch (error) {
      if (life !== this.#life || !breaksAgent(error)) {
        this.log.error({ err: error, topic }, "a broadcast's handler failed");
      } else this.crash(error);
    }
    this.turn();
  }

  /** What hooks and handlers of this life may use. */
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
