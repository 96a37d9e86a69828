// One run in this engine: one decision at a time, with everything that came meanwhile.
//
// R1  The order is: append, effects, acks. An engine that dies before the acks leaves the triggers to the next one, whose decision
//     repeats the effects.
// R2  A refused append means that another engine decides for this run, or did: drop fold and decider, read the log, decide again.
// R3  A decision without an entry counts only when its fold has the tip of the log.
// R4  Commands apply in the order of their stream, over a takeover too: before a command is passed, all stored commands after the last command
//     of the log are read from the stream's leader.
// R5  A log whose chain is broken is never written: the run halts here, its triggers wait, and the reason is told.
// R6  A trigger that came again after an ack-wait, and that the log does not know, is noted in the log before it is taken: it may end this
//     engine, too. Such notes, and no counts of deliveries, prove that a trigger ends its engines.
import {
  backoffDelayMs,
  type Chance,
  type Clock,
  type Logger,
  type Meter,
  type Span,
  sleep,
  type Tracer,
} from "../../base/index.ts";
import { SwarmError, toSwarmError } from "../../protocol/index.ts";
import {
  Decider,
  type Decision,
  emptyFold,
  type Fold,
  foldLog,
  keepMsOf,
  MAX_TRIGGERS,
  type Refusal,
  type RunSummary,
  summaryOf,
  type Trigger,
  tryKey,
  type WorkflowDefinition,
} from "../../workflow/index.ts";
import type { CommandStore } from "../commands/command-store.ts";
import type { RunOrigin } from "../commands/judge.ts";
import type { Performer } from "../effects/perform.ts";
import type { Held } from "../lanes/held.ts";
import { headersOfOrders, startDecision, traceRun } from "../spans.ts";
import type { LogStore } from "../stores/log-store.ts";
import { hasCrashed, isKnown, isSuspect } from "./triggers.ts";

/** A run that ends within this time keeps its texts here, so that its last entry replaces the log, in ms. */
const YOUNG_MS = 10_000;
/** The most bytes of such texts. */
const YOUNG_BYTES = 64 * 1024;
/** The most tries of one decision that another engine outruns; then it waits. */
const MAX_TRIES = 8;
/** The most stored commands that one turn reads before those of its batch, some 1 KiB each. */
const MAX_EARLIER = 10_000;
/** The waits before a failed decision is made again. */
const FAILED_BACKOFF = { backoffMs: 500, factor: 2, maxBackoffMs: 30_000, jitter: 0.3 };

/** A trigger with its message. */
export interface Pending {
  readonly trigger: Trigger;
  readonly held: Held;
}

/** The parts that all runs of an engine share. */
export interface RunParts {
  readonly logs: LogStore;
  readonly commands: CommandStore;
  readonly performer: Performer;
  readonly meter: Meter;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Logger;
  readonly tracer: Tracer;
  /** The id of this engine. */
  readonly engine: string;
  /** The definition of a run: from its log, where the log has it, or else the loaded one of its name and version. */
  readonly find: (run: RunOrigin) => WorkflowDefinition | undefined;
  /** Called after each stored entry. */
  readonly onEntry: (fold: Fold, decision: Decision, summary: RunSummary) => void;
  /** Called for a run that has ended and whose log has more than one message. */
  readonly onLongEnd: (workflowId: string) => void;
}

/** One run. */
export class Run {
  readonly id: string;
  readonly lane: string;
  readonly #parts: RunParts;
  readonly #signal: AbortSignal;
  #inbox: Pending[] = [];
  #decider: Decider | null = null;
  /** The last sequence of the log. */
  #tip = 0;
  /** The texts of the whole log; null when they are not kept. */
  #texts: string[] | null = null;
  /** The stored log is one message that expires. */
  #isExpiring = false;
  #working: Promise<void> = Promise.resolve();
  #isWorking = false;
  #failures = 0;
  #hasLoaded = false;

  /** `signal` aborts when the engine gives the run up. */
  constructor(id: string, lane: string, parts: RunParts, signal: AbortSignal) {
    this.id = id;
    this.lane = lane;
    this.#parts = parts;
    this.#signal = signal;
  }

  /** True while it decides or has triggers. */
  get isBusy(): boolean {
    return this.#isWorking;
  }

  /** True when the engine has given the run up: it takes no further triggers. */
  get isGivenUp(): boolean {
    return this.#signal.aborted;
  }

  /** The bytes of the log that the cached fold stands for; 0 without one. */
  get cachedBytes(): number {
    return this.#decider?.fold.bytes ?? 0;
  }

  /** True for a run whose end is stored: nothing of it needs to stay in memory. */
  get hasEnded(): boolean {
    return this.#decider !== null && this.#decider.fold.end !== null;
  }

  /** Takes a trigger. `onIdle` is called when no trigger is left. */
  take(pending: Pending, onIdle: () => void): void {
    this.#inbox.push(pending);
    if (!this.#isWorking) this.#begin(() => Promise.resolve(), onIdle);
  }

  /** Decides once without a trigger: for deadlines that passed, code that was mended, and messages that were lost. */
  look(onIdle: () => void): void {
    if (this.#isWorking) return;
    this.#drop(); // A new decider repeats the last effects.
    this.#begin(() => this.#repair().catch((error: unknown) => this.#tellFailure(error)), onIdle);
  }

  async #repair(): Promise<void> {
    await this.#decide([]);
    const fold = this.#decider?.fold;
    if (fold === undefined || fold.end !== null) return;
    const headers = headersOfOrders(this.#parts.tracer, fold, null);
    const repaired = await this.#parts.performer.repair(fold, this.#signal, headers);
    if (repaired === 0) return;
    this.#parts.meter.workflowRepairs.inc(repaired);
    this.#parts.log.warn(
      { workflow: this.id, repaired },
      "open steps had neither a task nor a result; ordered or cancelled them again",
    );
  }

  #begin(first: () => Promise<void>, onIdle: () => void): void {
    this.#isWorking = true;
    this.#working = first()
      .then(() => this.#work())
      .then(onIdle);
  }

  /** Gives back the triggers that no decision has taken, and resolves when the running one has ended. */
  async release(): Promise<void> {
    for (const { held } of this.#inbox.splice(0)) held.giveBack(0);
    await this.#working;
  }

  async #work(): Promise<void> {
    while (this.#inbox.length > 0) {
      const batch = this.#inbox.splice(0, MAX_TRIGGERS);
      try {
        await this.#decide(batch);
        this.#failures = 0;
        for (const { held } of batch) held.ack(); // R1
      } catch (error) {
        this.#drop();
        await this.#waitAfter(error, batch);
      }
    }
    this.#isWorking = false; // In the same turn as the last look at the inbox.
  }

  /** Keeps the triggers of a failed decision for the next one, or gives them back when the engine gives the run up. */
  async #waitAfter(error: unknown, batch: readonly Pending[]): Promise<void> {
    const { clock, chance } = this.#parts;
    if (!this.#signal.aborted) {
      this.#tellFailure(error);
      const delayMs = backoffDelayMs(FAILED_BACKOFF, ++this.#failures, chance);
      await sleep(delayMs, { clock, signal: this.#signal }).catch(() => undefined);
    }
    if (!this.#signal.aborted) this.#inbox.unshift(...batch);
    else for (const { held } of batch) held.giveBack(0);
  }

  #tellFailure(thrown: unknown): void {
    const error = toSwarmError(thrown);
    this.#parts.log.error(
      { err: error, workflow: this.id },
      "decision of a workflow failed; its triggers come again",
    );
  }

  #drop(): void {
    this.#decider = null;
    this.#texts = null;
  }

  /** Makes the decision about a batch durable, with its effects (R1). Many commands before it make several decisions. */
  async #decide(batch: readonly Pending[]): Promise<void> {
    for (let tries = 1; ; tries++) {
      this.#signal.throwIfAborted();
      const loaded = await this.#load(batch);
      const { triggers, isCut } = await this.#inOrder(batch, loaded.fold);
      const decider = this.#withStart(loaded, triggers);
      let isLost = false;
      for (let at = 0; !isLost && (at === 0 || at < triggers.length); at += MAX_TRIGGERS)
        isLost = !(await this.#decideOnce(decider, triggers.slice(at, at + MAX_TRIGGERS), batch));
      if (!isLost && !isCut) return;
      if (isLost) this.#drop(); // R2
      if (tries >= MAX_TRIES)
        throw new SwarmError("conflict", `workflow ${this.id}: ${MAX_TRIES} decisions did not count`);
    }
  }

  /** One decision; false when another engine was first. */
  async #decideOnce(
    decider: Decider,
    triggers: readonly Trigger[],
    batch: readonly Pending[],
  ): Promise<boolean> {
    const { meter, clock, performer, tracer } = this.#parts;
    const startedMs = performance.now();
    const nowMs = clock.now();
    const suspects = this.#runsCode(decider, triggers)
      ? batch
          .filter(({ trigger, held }) => isSuspect(held.delivery, nowMs) && !isKnown(decider.fold, trigger))
          .map(({ trigger }) => trigger)
      : [];
    const isCrashing = suspects.some((trigger) => hasCrashed(decider.fold, trigger, this.#parts.engine));
    if (!isCrashing && !(await this.#noteTries(decider, suspects, nowMs))) return false;
    const decision = decider.decide({ triggers, nowMs, isCrashing });
    const { fold } = decider;
    const span = this.#startSpan(fold, decision, nowMs);
    try {
      if (!(await this.#store(fold, decision))) {
        meter.workflowDecisions.inc({ outcome: "lost" });
        span?.fail("conflict");
        return false;
      }
      this.#tellRefusals(decision.refusals);
      const trace = headersOfOrders(tracer, fold, span);
      await performer.perform(fold, decision.effects, this.#signal, { decidedAtMs: nowMs, trace });
      const hasEnded = decision.entry?.facts.some(({ type }) => type === "ended") === true;
      if (tracer.isOn && hasEnded) traceRun(tracer, fold);
    } catch (error) {
      span?.fail(toSwarmError(error).code);
      throw error;
    } finally {
      span?.end();
    }
    const isBlocked = decision.entry?.facts.some(({ type }) => type === "blocked") === true;
    const outcome = isBlocked ? "blocked" : decision.entry === null ? "empty" : "stored";
    meter.workflowDecisions.inc({ outcome });
    meter.workflowDecisionSeconds.observe((performance.now() - startedMs) / 1_000);
    return true;
  }

  /**
   * False for a run that never began and does not begin now: its commands are refused without any code. A note would make a log, and a log
   * says that the run was started.
   */
  #runsCode(decider: Decider, triggers: readonly Trigger[]): boolean {
    return decider.fold.begun !== null || triggers.some(isStart);
  }

  /** Notes that this engine takes triggers that may end it (R6); false when another engine was first. */
  async #noteTries(decider: Decider, suspects: readonly Trigger[], nowMs: number): Promise<boolean> {
    const { engine, log } = this.#parts;
    const { tries } = decider.fold;
    const left = suspects.filter((trigger) => tries.get(tryKey(trigger))?.has(engine) !== true);
    if (left.length === 0) return true;
    log.warn(
      { workflow: this.id, triggers: left.map(tryKey) },
      "triggers came again without a decision; noted in the log before this engine takes them",
    );
    return this.#store(decider.fold, decider.noteTries(left, { engine, nowMs }));
  }

  /** The span of a decision that has an entry, or repeats effects; null without tracing. */
  #startSpan(fold: Fold, decision: Decision, startMs: number): Span | null {
    const { tracer } = this.#parts;
    if (!tracer.isOn || fold.begun === null) return null;
    if (decision.entry === null && decision.effects.length === 0) return null;
    return startDecision(tracer, fold, decision, startMs);
  }

  /** The decider on the stored log, from memory where it is there. @throws SwarmError; `internal` for a broken log (R5). */
  async #load(batch: readonly Pending[]): Promise<Decider> {
    if (this.#decider !== null) return this.#decider;
    // A first start that no engine had before: most likely there is no log. If there is one, the append is refused.
    const isFirst = ({ trigger, held }: Pending) => isStart(trigger) && held.delivery.deliveryCount === 1;
    const isGuess = !this.#hasLoaded && batch.length > 0 && batch.every(isFirst);
    this.#hasLoaded = true;
    const stored = isGuess ? { texts: [], tip: 0, isExpiring: false } : await this.#parts.logs.read(this.id);
    const { texts, tip, isExpiring } = stored;
    const read = foldLog(this.id, texts);
    if (!read.ok)
      throw new SwarmError(
        "internal",
        `the log of workflow ${this.id} is broken at entry ${read.entry}: ${read.fault}; it is not written any more: see murmur workflow verify ${this.id}`,
      );
    const { fold } = texts.length === 0 ? { fold: emptyFold(this.id) } : read;
    this.#tip = tip;
    this.#isExpiring = isExpiring;
    this.#texts = texts.length === 0 || isExpiring ? [...texts] : null;
    this.#decider = new Decider(fold, this.#definitionFor(fold, []));
    return this.#decider;
  }

  /** A run without a log has its definition from its start, which may be stored and not in the batch (R4). */
  #withStart(decider: Decider, triggers: readonly Trigger[]): Decider {
    if (decider.fold.begun !== null) return decider;
    this.#decider = new Decider(decider.fold, this.#definitionFor(decider.fold, triggers));
    return this.#decider;
  }

  #definitionFor({ begun }: Fold, triggers: readonly Trigger[]): WorkflowDefinition | null {
    if (begun !== null) return this.#parts.find(begun) ?? null;
    for (const trigger of triggers) {
      if (trigger.type !== "command" || trigger.command.type !== "start") continue;
      return this.#parts.find(trigger.command) ?? null;
    }
    return null;
  }

  /**
   * The triggers in their order, with the stored commands that must come before those of the batch (R4). `isCut`: there are more such
   * commands than one turn takes; the batch then waits for the next turn.
   */
  async #inOrder(batch: readonly Pending[], fold: Fold): Promise<{ triggers: Trigger[]; isCut: boolean }> {
    const triggers = batch.map(({ trigger }) => trigger);
    const commands = triggers.filter((trigger) => trigger.type === "command");
    if (commands.length === 0 || (fold.entries === 0 && commands.every(isStart)))
      return { triggers, isCut: false };
    const seqs = new Set(commands.map(({ seq }) => seq));
    const earlier: Trigger[] = [];
    for await (const command of this.#parts.commands.between(this.id, fold.lastCommand, Math.max(...seqs))) {
      if (seqs.has(command.seq)) continue;
      if (earlier.length === MAX_EARLIER) return { triggers: earlier, isCut: true };
      earlier.push({ type: "command", ...command });
    }
    const results = triggers.filter(({ type }) => type === "result");
    const ordered = [...earlier, ...commands].sort((one, other) => seqOf(one) - seqOf(other));
    return { triggers: [...ordered, ...results], isCut: false };
  }

  /** Stores the entry of a decision, or checks that a decision without one counts (R3). False when another engine was first. */
  async #store(fold: Fold, decision: Decision): Promise<boolean> {
    const { logs } = this.#parts;
    const { entry, text, isRollup } = decision;
    if (entry === null) return (await logs.tip(this.id)) === this.#tip;
    if (isRollup) this.#texts = [];
    const hasEnded = fold.end !== null;
    const kept = this.#texts;
    const isWhole = kept !== null && (hasEnded || this.#isExpiring);
    const summary = summaryOf(fold);
    const seq = await logs.append(
      this.id,
      {
        texts: isWhole && !isRollup ? [...kept, text] : [text],
        chain: entry.chain,
        summary,
        tip: this.#tip,
        isRollup: isRollup || (isWhole && kept.length > 0),
        ttlMs: hasEnded && isWhole ? keepMsOf(fold) : null,
      },
      this.#signal,
    );
    if (seq === null) return false;
    this.#tip = seq;
    this.#isExpiring = hasEnded && isWhole;
    this.#keepText(fold, text);
    if (hasEnded && !isWhole) this.#parts.onLongEnd(this.id);
    this.#parts.onEntry(fold, decision, summary);
    return true;
  }

  /** Keeps the text of a young run, so that its last entry can replace the log. */
  #keepText(fold: Fold, text: string): void {
    if (this.#texts === null) return;
    const isYoung = fold.bytes <= YOUNG_BYTES && this.#parts.clock.now() - fold.begunAtMs <= YOUNG_MS;
    if (isYoung || this.#isExpiring) this.#texts.push(text);
    else this.#texts = null;
  }

  #tellRefusals(refusals: readonly Refusal[]): void {
    for (const { trigger, code, message } of refusals) {
      const what = trigger.type === "command" ? trigger.command.type : "result";
      this.#parts.log.info(
        { workflow: this.id, trigger: what, code, reason: message },
        "trigger changed nothing",
      );
    }
  }
}

function isStart(trigger: Trigger): boolean {
  return trigger.type === "command" && trigger.command.type === "start";
}

function seqOf(trigger: Trigger): number {
  return trigger.type === "command" ? trigger.seq : Number.POSITIVE_INFINITY;
}
