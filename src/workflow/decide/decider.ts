// Decides for one run: `(fold, definition, triggers, nowMs) → { entry, effects }`. One decision takes all triggers that came, and makes
// at most one entry. The decider keeps the code of the run alive as a cache: a dropped decider is made again from the log, and decides
// the same.
//
// D1  The driver stores the entry, then performs the effects, then acks the triggers. A refused append drops fold and decider.
// D2  A trigger that the log knows makes no fact. It repeats the effects of its entry, because they may have been lost (D1).
// D3  A blocked decision keeps what came (results, signals, decisions of people), and nothing that the code wished.
// D4  Deadlines are fired after the triggers of the same decision: an answer in time counts.
// D5  The first decision of a decider repeats the effects of the last entry. Its engine may have died before them, and its triggers
//     need not lead to it: deadlines and new code make facts in a decision whose triggers were refused, or known before.
// D6  A trigger may end or hang its engine, and then leaves no entry. Its third delivery alone proves nothing: a slow handover looks the
//     same. So an engine notes in the log that it takes a trigger that came again, and only such notes count.
// Pure.
import { toIsoTime } from "../../base/index.ts";
import type { Json } from "../../protocol/index.ts";
import type { WorkflowDefinition } from "../define/define.ts";
import { type Entry, sealEntry } from "../log/entry.ts";
import { type Blocked, type Fact, WORKFLOW_ENTRY_VERSION } from "../log/facts.ts";
import { applyFact, closeEntry, emptyFold, type Fold, type Op, openEntry, takeCommand } from "../log/fold.ts";
import { dueWarning, MAX_LOG_BYTES, MAX_LOG_ENTRIES, usedShare } from "../log/limits.ts";
import { type Answer, applyCommand, expire, MAX_CHILD_DEPTH } from "./commands.ts";
import { type Effect, effectsOfEntry, effectsOfFacts } from "./effects.ts";
import type { CodeEnd, Draft } from "./fiber.ts";
import { Fibers } from "./fibers.ts";
import { cancelPath, countRunning, finishRun } from "./finish.ts";
import { orderOf } from "./orders.ts";
import { type Refusal, type Trigger, tryKey } from "./triggers.ts";

/** The most triggers of one decision. It bounds the time and the size of an entry; the driver brings the others next. */
export const MAX_TRIGGERS = 1_000;

/** The input of a decision. */
export interface DecideInput {
  /** At most {@link MAX_TRIGGERS}. */
  readonly triggers: readonly Trigger[];
  readonly nowMs: number;
  /** True when a trigger ended or hung the engines that took it: the code is left alone, and the run is blocked. */
  readonly isCrashing?: boolean;
}

/** The result of a decision. */
export interface Decision {
  /** The entry to store, and its text; null when nothing changed. */
  readonly entry: Entry | null;
  readonly text: string;
  /** True when the entry replaces the log before it. */
  readonly isRollup: boolean;
  /** The effects, to perform after the entry is stored. */
  readonly effects: readonly Effect[];
  readonly refusals: readonly Refusal[];
}

/** The most continuations of one decision: code that always continues at once would never wait. */
const MAX_CONTINUATIONS = 100;

/** Decides for one run. It owns the fold. */
export class Decider {
  #fold: Fold;
  readonly #definition: WorkflowDefinition | null;
  #fibers: Fibers | null = null;
  #facts: Fact[] = [];
  #took: number[] = [];
  #isRollup = false;
  /** The entry whose effects the engine before may have lost, whatever its triggers were; 0 when there is none (D5). */
  #unsureEntry: number;

  /** `definition` is null when the engine does not know the name and version of the run. */
  constructor(fold: Fold, definition: WorkflowDefinition | null) {
    this.#fold = fold;
    this.#definition = definition;
    this.#unsureEntry = fold.decidedIn;
  }

  /** The state of the run. Only the decider changes it. */
  get fold(): Fold {
    return this.#fold;
  }

  /**
   * Decides. The fold has the facts of the entry at once: after a refused append, drop the decider.
   * @throws RangeError for more than {@link MAX_TRIGGERS}.
   */
  decide({ triggers, nowMs, isCrashing = false }: DecideInput): Decision {
    if (triggers.length > MAX_TRIGGERS) {
      throw new RangeError(`expected at most ${MAX_TRIGGERS} triggers, got ${triggers.length}`);
    }
    const before = { chain: this.#fold.chain, atMs: this.#fold.atMs };
    const atMs = Math.max(before.atMs, nowMs);
    this.#facts = [];
    this.#took = [];
    this.#isRollup = false;
    openEntry(this.#fold, atMs, []);
    const repeats = new Set(this.#unsureEntry > 0 ? [this.#unsureEntry] : []);
    this.#unsureEntry = 0;
    const refusals: Refusal[] = [];
    const wakes: number[] = [];
    let isWakeSpent = false;
    for (const trigger of inOrder(triggers)) {
      const answer = this.#take(trigger, repeats);
      if (answer !== null) refusals.push({ trigger, ...answer });
      if (trigger.type !== "command" || trigger.command.type !== "wake") continue;
      wakes.push(trigger.seq);
      isWakeSpent ||= trigger.command.n === this.#fold.armed?.n;
    }
    this.#fireDeadlines(atMs);
    this.#progress(atMs, isCrashing);
    this.#arm(atMs, isWakeSpent);
    if (this.#facts.length === 0) {
      this.#fold.entries--;
      this.#fold.atMs = before.atMs;
      return { entry: null, text: "", isRollup: false, effects: this.#repeat(repeats), refusals };
    }
    this.#fold.tries.clear();
    this.#fold.decidedIn = this.#fold.entries;
    const share = dueWarning(this.#fold);
    if (share !== undefined) this.#apply({ type: "warned", share });
    for (const seq of wakes) this.#takeSeq(seq);
    const { entry, text } = this.#seal(atMs, before.chain);
    const effects = [...this.#repeat(repeats), ...this.#effects()];
    closeEntry(this.#fold, entry.chain, Buffer.byteLength(text));
    return { entry, text, isRollup: this.#isRollup, effects, refusals };
  }

  /**
   * Notes in the log that an engine is about to take triggers that came again without an entry (D6). No code runs. Store the entry before
   * the decision.
   */
  noteTries(triggers: readonly Trigger[], { engine, nowMs }: { engine: string; nowMs: number }): Decision {
    const { chain, atMs: beforeMs } = this.#fold;
    const atMs = Math.max(beforeMs, nowMs);
    this.#facts = [];
    this.#took = [];
    this.#isRollup = false;
    openEntry(this.#fold, atMs, []);
    for (const trigger of triggers) this.#apply({ type: "tried", trigger: tryKey(trigger), engine });
    const { entry, text } = this.#seal(atMs, chain);
    closeEntry(this.#fold, entry.chain, Buffer.byteLength(text));
    return { entry, text, isRollup: false, effects: [], refusals: [] };
  }

  #seal(atMs: number, chain: string) {
    const { id, entries } = this.#fold;
    const took = this.#took.length === 0 ? {} : { took: this.#took };
    return sealEntry(
      { v: WORKFLOW_ENTRY_VERSION, id, entry: entries, atMs, facts: this.#facts, ...took },
      chain,
    );
  }

  #apply = (fact: Fact): void => {
    this.#facts.push(fact);
    applyFact(this.#fold, fact);
  };

  #takeSeq(seq: number): void {
    if (this.#fold.commandEntries.has(seq)) return;
    takeCommand(this.#fold, seq);
    this.#took.push(seq);
  }

  /** Applies a trigger. Returns the reason why it changes nothing, unless the log knows it (D2). */
  #take(trigger: Trigger, repeats: Set<number>): Answer {
    const fold = this.#fold;
    if (trigger.type === "result") {
      const path = fold.byNumber.get(trigger.n);
      const op = path === undefined ? undefined : fold.ops.get(path);
      if (op === undefined || op.n !== trigger.n) {
        // A task of an earlier generation, or of a try before a retry.
        if (trigger.n <= fold.n) {
          repeats.add(1);
          return null;
        }
        return {
          code: "not_found",
          message: `workflow ${fold.id} never ordered a task with the number ${trigger.n}`,
        };
      }
      if (op.outcome !== undefined) repeats.add(op.settledIn ?? 0);
      else if (fold.open[op.kind].has(op.path))
        this.#apply({ type: "settled", path: op.path, outcome: trigger.outcome });
      return null;
    }
    const { seq, command, by } = trigger;
    if (seq <= fold.lastCommand) {
      repeats.add(fold.commandEntries.get(seq) ?? 1);
      return null;
    }
    const count = this.#facts.length;
    const definition = this.#definitionOf(command.type === "start" ? command : fold.begun);
    const answer = applyCommand(command, { fold, definition, apply: this.#apply, by });
    if (this.#facts.length > count) this.#takeSeq(seq);
    if (command.type === "retry") this.#fibers = null;
    return answer;
  }

  #definitionOf(run: { name: string; version: number } | null): WorkflowDefinition | null {
    const definition = this.#definition;
    return definition?.name === run?.name && definition?.version === run?.version ? definition : null;
  }

  /** D4 */
  #fireDeadlines(atMs: number): void {
    const fold = this.#fold;
    for (
      let next = fold.deadlines.peek();
      next !== undefined && next.atMs <= atMs;
      next = fold.deadlines.peek()
    ) {
      fold.deadlines.remove();
      const op = this.#openAt(next);
      if (op !== undefined) this.#apply({ type: "settled", path: op.path, outcome: expire(op) });
    }
    const deadlineMs = fold.begun?.deadlineMs;
    if (deadlineMs !== undefined && deadlineMs <= atMs && fold.finish === null) {
      const message = `the deadline of the workflow passed at ${toIsoTime(deadlineMs)}`;
      this.#apply({
        type: "finished",
        how: "failed",
        error: { code: "deadline", message, retryable: false },
      });
    }
  }

  /** The open wait that a deadline belongs to; undefined when it was settled, dropped or ordered again since. */
  #openAt({ path, order }: { path: string; order: number }): Op | undefined {
    const op = this.#fold.ops.get(path);
    return op?.order === order && this.#fold.open[op.kind].has(path) ? op : undefined;
  }

  /** Lets the code run, or a run whose code has ended come to its end. */
  #progress(atMs: number, isCrashing: boolean): void {
    for (let turn = 0; turn <= MAX_CONTINUATIONS; turn++) {
      const fold = this.#fold;
      if (fold.begun === null || fold.isPaused || fold.end !== null) return;
      if (fold.finish === null) this.#runCode(atMs, isCrashing);
      if (this.#fold.finish === null) return;
      this.#fibers = null;
      if (fold.blocked !== null) this.#apply({ type: "unblocked" });
      finishRun(fold, this.#apply);
      if (fold.finish?.how !== "continued" || countRunning(fold) > 0) return;
      this.#continue(fold, fold.finish.input, atMs);
    }
    this.#block({
      type: "blocked",
      cause: "endless",
      message: `the code continued ${MAX_CONTINUATIONS} times without a wait`,
    });
  }

  /** Begins the next generation: an empty log, whose first entry has everything that goes on. */
  #continue(old: Fold, input: Json, atMs: number): void {
    const { begun } = old;
    if (begun === null) return;
    const signals = [...old.signals].flatMap(([name, values]) => values.map((value) => ({ name, value })));
    const { signals: _signals, ...start } = begun;
    this.#fold = emptyFold(old.id);
    this.#facts = [];
    this.#isRollup = true;
    openEntry(this.#fold, atMs, this.#took);
    this.#apply({
      ...start,
      input,
      generation: begun.generation + 1,
      n: old.n,
      lastCommand: old.lastCommand,
      ...(signals.length === 0 ? {} : { signals }),
    });
  }

  #runCode(atMs: number, isCrashing: boolean): void {
    const fold = this.#fold;
    const refusal = this.#refuseCode(isCrashing);
    if (refusal !== null) {
      this.#block(refusal);
      return;
    }
    const definition = this.#definition as WorkflowDefinition;
    const isFresh = this.#fibers === null;
    for (let isFirst = true; ; isFirst = false) {
      this.#fibers ??= new Fibers(definition, fold);
      const fibers = this.#fibers;
      fibers.advance();
      const blocked = fibers.blocked ?? (isFresh && isFirst ? this.#findUnasked(fibers) : null);
      if (blocked !== null) {
        this.#block(blocked); // D3
        return;
      }
      if (fold.blocked !== null) this.#apply({ type: "unblocked" });
      let isChanged = false;
      for (const draft of fibers.takeDrafts()) isChanged = this.#commit(draft, atMs) || isChanged;
      if (fibers.end !== null) {
        this.#apply(finishedFact(fibers.end));
        return;
      }
      isChanged = this.#giveSignals() || isChanged;
      if (!isChanged) return;
    }
  }

  /** The reason why the code must not run here; null when it may. */
  #refuseCode(isCrashing: boolean): Blocked | null {
    const { begun, blocked } = this.#fold;
    if (blocked?.cause === "crashes" && !isCrashing) return blocked;
    if (isCrashing) {
      return {
        type: "blocked",
        cause: "crashes",
        message: "a trigger ended or hung each engine that took it; mend the code, and resume the run",
      };
    }
    if (this.#definitionOf(begun) === null) {
      return {
        type: "blocked",
        cause: "version",
        message: `no engine has loaded workflow ${begun?.name} v${begun?.version}`,
        log: `${begun?.name} v${begun?.version}`,
        code: this.#definition === null ? "none" : `${this.#definition.name} v${this.#definition.version}`,
      };
    }
    if (usedShare(this.#fold) < 1) return null;
    return {
      type: "blocked",
      cause: "limit",
      message: `the log has ${MAX_LOG_ENTRIES} entries or ${MAX_LOG_BYTES} bytes; use continueAs in time, and cancel this run`,
    };
  }

  #findUnasked(fibers: Fibers): Blocked | null {
    const op = fibers.findUnasked();
    if (op === undefined) return null;
    const log = op.call === undefined ? op.kind : `${op.kind} "${op.call}"`;
    return {
      type: "blocked",
      cause: "unasked",
      path: op.path,
      log: `${log}, open`,
      code: fibers.end === null ? "not asked for" : "the code has ended",
      message: `${op.path} is open in the log, and the code no longer asks for it; keep it behind patched(), or cancel the run`,
    };
  }

  /** Keeps the fibers' wishes out of the log, and says why; once for each reason. */
  #block(blocked: Blocked): void {
    this.#fibers = null;
    const known = this.#fold.blocked;
    if (known?.cause === blocked.cause && known.path === blocked.path && known.message === blocked.message)
      return;
    this.#apply(blocked);
  }

  /** Makes the facts of a wish. True when an outcome is there at once, so that the code goes on. */
  #commit(draft: Draft, atMs: number): boolean {
    const fold = this.#fold;
    if (draft.type === "cancel") {
      cancelPath(fold, draft.path, this.#apply);
      return false;
    }
    if (draft.type !== "order") {
      this.#apply(draft);
      return false;
    }
    const { path, operation } = draft;
    this.#apply(orderOf(draft, fold.n + 1, atMs));
    if (operation.kind !== "child" || (fold.begun?.depth ?? 1) < MAX_CHILD_DEPTH) return false;
    const message = `${path}: a child of depth ${MAX_CHILD_DEPTH + 1} is over the limit of ${MAX_CHILD_DEPTH}`;
    this.#apply({
      type: "settled",
      path,
      outcome: { status: "failed", error: { code: "invalid_input", message, retryable: false } },
    });
    return true;
  }

  /** Gives kept signals to the waits for them, the oldest to the first. True when there was one. */
  #giveSignals(): boolean {
    const { signals, signalWaits } = this.#fold;
    let isGiven = false;
    for (const [name, values] of signals) {
      for (const path of signalWaits.get(name) ?? []) {
        if (values.length === 0) break;
        this.#apply({ type: "signal-taken", path });
        isGiven = true;
      }
      if (values.length === 0) signals.delete(name);
    }
    return isGiven;
  }

  /** Arranges a wake-up for the earliest deadline, unless an earlier or equal one is still to come. */
  #arm(atMs: number, isWakeSpent: boolean): void {
    const fold = this.#fold;
    if (fold.begun === null || fold.end !== null) return;
    let first = fold.deadlines.peek();
    while (first !== undefined && this.#openAt(first) === undefined) {
      fold.deadlines.remove();
      first = fold.deadlines.peek();
    }
    const runMs = fold.finish === null ? fold.begun.deadlineMs : undefined;
    const nextMs = Math.min(first?.atMs ?? Number.POSITIVE_INFINITY, runMs ?? Number.POSITIVE_INFINITY);
    if (nextMs === Number.POSITIVE_INFINITY) return;
    const { armed } = fold;
    const isArmed = armed !== null && !isWakeSpent && armed.atMs > atMs && armed.atMs <= nextMs;
    if (!isArmed) this.#apply({ type: "armed", n: fold.wakes + 1, atMs: nextMs });
  }

  #repeat(entries: ReadonlySet<number>): Effect[] {
    if (this.#isRollup) return []; // Nothing of the log before is open.
    return [...entries].flatMap((entry) => effectsOfEntry(this.#fold, entry, true));
  }

  /** The effects of the facts of this decision, as far as they still stand at its end. */
  #effects(): Effect[] {
    const reopen: Effect[] = this.#facts.some(({ type }) => type === "retried") ? [{ type: "reopen" }] : [];
    return [...reopen, ...effectsOfFacts(this.#fold, this.#facts)];
  }
}

/** The commands in the order of their stream, then the results as they came. */
function inOrder(triggers: readonly Trigger[]): Trigger[] {
  const commands = triggers.filter((trigger) => trigger.type === "command");
  const results = triggers.filter((trigger) => trigger.type === "result");
  commands.sort((one, other) => one.seq - other.seq);
  return [...commands, ...results];
}

function finishedFact(end: CodeEnd): Fact {
  if (end.how !== "returned") return { type: "finished", ...end };
  return { type: "finished", how: "returned", ...(end.output === undefined ? {} : { output: end.output }) };
}
