// Decides whether a history of operations is linearizable: whether there is one order of them that respects real time
// and that a sequential model allows. Owns the search; what operations mean is the caller's model.
//
//   const verdict = checkLinearizable(history, { model: versionedValue, partition: ({ input }) => input.name });
//   expect(verdict).toEqual({ type: "linearizable" });
//
// The search is Wing and Gong's (1993) with Lowe's memory of configurations that were tried ("Testing for
// linearizability", 2017, §3), over parts of the history that do not touch each other (Herlihy and Wing 1990, theorem 1:
// locality). It is exponential at worst, in the number of operations under way at once, so it has a bound.

import { integerBetween, seededChance } from "../../src/base/index.ts";

/** One operation of a client. Times are on one clock or count that all clients share. */
export interface Operation<I, O> {
  readonly input: I;
  /** What was answered; undefined when that is not known: it took effect at some time after its call, or never. */
  readonly output: O | undefined;
  readonly calledAt: number;
  /** When the answer came; without an `output` this says nothing. */
  readonly returnedAt: number;
}

/** What operations mean when they come one after the other. States are values: they are never changed in place. */
export interface SequentialModel<S, I, O> {
  readonly initial: S;
  /**
   * The state after `input` was answered with `output`, or null when that answer is impossible in `state`. An `output`
   * of undefined is any answer: then the state after whatever the answer was, never null.
   */
  step(state: S, input: I, output: O | undefined): S | null;
  /** A text that is equal for equal states, and only for them. */
  fingerprint(state: S): string;
}

/** What was found. */
export type Verdict<I, O> =
  | { readonly type: "linearizable" }
  | {
      readonly type: "violated";
      /** The part of the history that no order explains. */
      readonly part: string;
      /** How many operations of it the best order explains. */
      readonly explained: number;
      /** The answered ones that it leaves over, by time of call: among the first of them is the contradiction. */
      readonly unexplained: readonly Operation<I, O>[];
    }
  /** The search reached its bound: nothing is known about this part. */
  | { readonly type: "undecided"; readonly part: string };

/** Configurations that are tried for one part: about a second and 200 MB of them. */
export const MAX_CONFIGURATIONS = 1_000_000;

/** Checks a history. `partition` names the part that an operation belongs to; parts must share no state. */
export function checkLinearizable<S, I, O>(
  history: readonly Operation<I, O>[],
  options: {
    readonly model: SequentialModel<S, I, O>;
    readonly partition?: (operation: Operation<I, O>) => string;
    readonly maxConfigurations?: number;
  },
): Verdict<I, O> {
  const parts = new Map<string, Operation<I, O>[]>();
  for (const operation of history) {
    const name = options.partition?.(operation) ?? "";
    const part = parts.get(name);
    if (part === undefined) parts.set(name, [operation]);
    else part.push(operation);
  }
  for (const [name, operations] of parts) {
    const verdict = searchPart(operations, options.model, options.maxConfigurations ?? MAX_CONFIGURATIONS);
    if (verdict.type !== "linearizable") return { ...verdict, part: name };
  }
  return { type: "linearizable" };
}

/** What came next on the way. */
interface Choice<S> {
  readonly index: number;
  readonly before: S;
  readonly after: S;
  /**
   * It changes nothing and may come now, so every order that has it later can have it here as well: no other choice is
   * tried in its place.
   */
  readonly isForced: boolean;
}

type PartVerdict<I, O> =
  | { readonly type: "linearizable" | "undecided" }
  | {
      readonly type: "violated";
      readonly explained: number;
      readonly unexplained: readonly Operation<I, O>[];
    };

/**
 * Depth first: places one operation after the other, and takes the last one back where nothing more can come. It is done
 * when all that were answered have a place; the others need none.
 */
function searchPart<S, I, O>(
  history: readonly Operation<I, O>[],
  model: SequentialModel<S, I, O>,
  maxConfigurations: number,
): PartVerdict<I, O> {
  const byCall = [...history].sort((one, other) => one.calledAt - other.calledAt);
  const answered = byCall.filter(({ output }) => output !== undefined);
  // Those without answer stand behind: they are tried only where nothing else can come, the youngest first, because most
  // of them took effect soon or never.
  const operations = [...answered, ...byCall.filter(({ output }) => output === undefined).reverse()];
  const placed = new PlacedSet({ answered: answered.length, all: operations.length });
  const way: Choice<S>[] = [];
  const tried = new Tried();
  let best: readonly number[] = [];
  let state = model.initial;
  let answeredLeft = answered.length;
  /** All that were answered and stand before it are placed. */
  let first = 0;
  let next = 0;

  while (answeredLeft > 0) {
    while (placed.has(first)) first++;
    const choice = findChoice(Math.max(next, first));
    if (choice === "undecided") return { type: "undecided" };
    if (choice !== undefined) {
      way.push(choice);
      state = choice.after;
      if (choice.index < answered.length) answeredLeft--;
      if (way.length > best.length) best = way.map(({ index }) => index);
      next = 0;
      continue;
    }
    const last = takeBack();
    if (last === undefined) {
      const explained = new Set(best);
      const unexplained = answered.filter((_, index) => !explained.has(index));
      return { type: "violated", explained: best.length, unexplained };
    }
    next = last.index + 1;
  }
  return { type: "linearizable" };

  /** Undoes choices up to the last one that has alternatives. */
  function takeBack(): Choice<S> | undefined {
    for (;;) {
      const last = way.pop();
      if (last === undefined) return undefined;
      placed.remove(last.index);
      if (last.index < answered.length) answeredLeft++;
      state = last.before;
      first = Math.min(first, last.index);
      if (!last.isForced) return last;
    }
  }

  /** Places the next operation, from index `from` on, that may come now and leads where nobody has been. */
  function findChoice(from: number): Choice<S> | "undecided" | undefined {
    const before = model.fingerprint(state);
    const deadline = earliestEnd();
    for (let index = from; index < operations.length; index++) {
      const { calledAt, input, output } = operations[index]!;
      if (calledAt > deadline) {
        if (index < answered.length) index = answered.length - 1; // on with those without answer
        continue;
      }
      if (placed.has(index)) continue;
      const after = model.step(state, input, output);
      if (after === null) continue;
      const fingerprint = model.fingerprint(after);
      if (isSameWithoutLast(operations[index]!, fingerprint)) continue;
      const isForced = fingerprint === before && index < answered.length;
      placed.add(index);
      if (tried.add(`${placed.name} ${fingerprint}`, placed.unanswered)) {
        if (tried.count > maxConfigurations) return "undecided";
        return { index, before: state, after, isForced };
      }
      placed.remove(index);
      if (isForced) return undefined;
    }
    return undefined;
  }

  /**
   * The last one has no answer and makes no difference to what would come behind it: the same without it is tried as well,
   * and leaves more to choose from. (Without this all subsets of such operations are tried, one behind the other.)
   */
  function isSameWithoutLast({ input, output }: Operation<I, O>, fingerprint: string): boolean {
    const last = way.at(-1);
    if (last === undefined || last.index < answered.length) return false;
    const without = model.step(last.before, input, output);
    return without !== null && model.fingerprint(without) === fingerprint;
  }

  /** When the first of those that are not placed was answered: what was called later may not come before it. */
  function earliestEnd(): number {
    let end = Number.POSITIVE_INFINITY;
    for (let index = first; index < answered.length && answered[index]!.calledAt <= end; index++) {
      if (!placed.has(index)) end = Math.min(end, answered[index]!.returnedAt);
    }
    return end;
  }
}

/**
 * The configurations that were tried. One is worth nothing more when another one placed the same answered operations and
 * came to the same state, with no more of those without answer: what is left over can still come later.
 */
class Tried {
  count = 0;
  readonly #byName = new Map<string, bigint[]>();

  /** False when there is nothing new in it. */
  add(name: string, unanswered: bigint): boolean {
    const known = this.#byName.get(name);
    if (known?.some((fewer) => (fewer & unanswered) === fewer) === true) return false;
    this.count++;
    if (known === undefined) this.#byName.set(name, [unanswered]);
    else known.push(unanswered);
    return true;
  }
}

/**
 * The placed operations. The answered ones have a short name: how many, and the exclusive or of 64 random bits for each
 * (Zobrist); among a million sets, two have the same name with a probability below 1 in 10 million.
 */
class PlacedSet {
  readonly #answered: number;
  readonly #isPlaced: Uint8Array;
  readonly #bits: Uint32Array;
  #count = 0;
  #high = 0;
  #low = 0;
  /** The placed ones without answer, a bit for each. */
  unanswered = 0n;

  constructor({ answered, all }: { answered: number; all: number }) {
    this.#answered = answered;
    this.#isPlaced = new Uint8Array(all);
    const chance = seededChance(1);
    this.#bits = Uint32Array.from({ length: 2 * answered }, () => integerBetween(chance, 0, 0xffff_ffff));
  }

  /** Names the answered ones. */
  get name(): string {
    return `${this.#count}.${this.#high}.${this.#low}`;
  }

  has(index: number): boolean {
    return this.#isPlaced[index] === 1;
  }

  add(index: number): void {
    this.#toggle(index);
    if (index < this.#answered) this.#count++;
  }

  remove(index: number): void {
    this.#toggle(index);
    if (index < this.#answered) this.#count--;
  }

  #toggle(index: number): void {
    this.#isPlaced[index]! ^= 1;
    if (index >= this.#answered) {
      this.unanswered ^= 1n << BigInt(index - this.#answered);
      return;
    }
    this.#high ^= this.#bits[2 * index]!;
    this.#low ^= this.#bits[2 * index + 1]!;
  }
}

// A model that serves the values of the office, and any other store that numbers its versions

/** What can be asked of a value. A write with `expectedRevision` is a compare-and-set; 0 expects that it is absent. */
export type ValueInput =
  | { readonly type: "read" }
  | { readonly type: "write"; readonly value: unknown; readonly expectedRevision?: number };

/** What is answered: the revision that stands then, 0 when the value is absent. */
export type ValueOutput =
  | { readonly type: "read"; readonly value: unknown; readonly revision: number }
  | { readonly type: "written"; readonly revision: number }
  | { readonly type: "conflict" };

/**
 * The state of one value; null is an absent one. The revision is not known (null) after a write whose answer is not: it
 * is then whatever is read next, above all that were seen.
 */
export interface ValueState {
  readonly value: unknown;
  readonly revision: number | null;
  readonly highest: number;
}

/**
 * One value with revisions that rise with every write, with gaps where revisions are shared with other values. A write of
 * null removes the value.
 */
export const versionedValue: SequentialModel<ValueState, ValueInput, ValueOutput> = {
  initial: { value: null, revision: 0, highest: 0 },
  step(state, input, output) {
    if (input.type === "read") return output === undefined ? state : stepRead(state, output);
    const { value, expectedRevision } = input;
    const isAbsent = state.value === null;
    const found = isAbsent ? 0 : state.revision;
    const mayMatch = expectedRevision === undefined || found === null || found === expectedRevision;
    if (output === undefined) {
      if (!mayMatch) return state;
      return { value, revision: null, highest: state.highest };
    }
    if (output.type === "conflict") {
      return expectedRevision !== undefined && (found === null || found !== expectedRevision) ? state : null;
    }
    if (output.type !== "written" || !mayMatch || output.revision <= state.highest) return null;
    return { value, revision: output.revision, highest: output.revision };
  },
  fingerprint: ({ value, revision, highest }) => `${revision} ${highest} ${JSON.stringify(value)}`,
};

function stepRead(state: ValueState, output: ValueOutput): ValueState | null {
  if (output.type !== "read") return null;
  if (JSON.stringify(output.value) !== JSON.stringify(state.value)) return null;
  if (state.value === null) return output.revision === 0 ? state : null;
  if (state.revision !== null) return output.revision === state.revision ? state : null;
  return output.revision > state.highest
    ? { value: state.value, revision: output.revision, highest: output.revision }
    : null;
}
