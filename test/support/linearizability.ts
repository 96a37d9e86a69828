// Decides whether a history of operations is linearizable: whether its operations have an order that agrees with real time
// and that a sequential model allows. Owns the search; the caller's model defines the meaning of an operation.
//
//   const verdict = checkLinearizable(history, { model: versionedValue, partition: ({ input }) => input.name });
//   expect(verdict).toEqual({ type: "linearizable" });
//
// The search is the algorithm of Wing and Gong (1993). As in Lowe ("Testing for linearizability", 2017, §3), it remembers
// the configurations that it has tried. It searches each part of the history alone, because parts share no state (Herlihy
// and Wing 1990, theorem 1: locality). The worst case is exponential in the number of concurrent operations, so the search
// has a bound.

import { integerBetween, seededChance } from "../../src/base/index.ts";

/** One operation of a client. All clients share the clock, or the counter, that gives the times. */
export interface Operation<I, O> {
  readonly input: I;
  /** The answer. Undefined when it is unknown: then the operation took effect at some time after its call, or never. */
  readonly output: O | undefined;
  readonly calledAt: number;
  /** The time of the answer; without meaning when `output` is undefined. */
  readonly returnedAt: number;
}

/** The meaning of operations that happen one after the other. A state is a value: `step` never changes it in place. */
export interface SequentialModel<S, I, O> {
  readonly initial: S;
  /**
   * The state after an operation with this `input` and `output`; null when `state` does not allow that answer. An
   * `output` of undefined stands for an unknown answer: then the model gives the state after `input`, and never null.
   */
  step(state: S, input: I, output: O | undefined): S | null;
  /** A text that is the same for equal states and different for different states. */
  fingerprint(state: S): string;
}

/** The outcome of a check. */
export type Verdict<I, O> =
  | { readonly type: "linearizable" }
  | {
      readonly type: "violated";
      /** The name of the part that no order explains. */
      readonly part: string;
      /** The number of its operations that the best order explains. */
      readonly explained: number;
      /** The answered operations that the best order leaves out, by time of call. The contradiction is near the start. */
      readonly unexplained: readonly Operation<I, O>[];
    }
  /** The search reached its bound, so this part may be linearizable or not. */
  | { readonly type: "undecided"; readonly part: string };

/** The most configurations that the search tries for one part: about one second and 200 MB. */
export const MAX_CONFIGURATIONS = 1_000_000;

/**
 * Checks a history. `partition` returns the name of the part that an operation belongs to (default: all operations are one
 * part); parts must share no state. `maxConfigurations` is the bound of the search for one part.
 */
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

/** One step of the order that the search builds: the operation that it placed, with the states before and after. */
interface Choice<S> {
  readonly index: number;
  readonly before: S;
  readonly after: S;
  /**
   * True when the operation was answered and does not change the state. Every order that has it later may have it here
   * too, so the search tries no other operation in its place.
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
 * Searches depth first: it places one operation after the other, and goes back when no operation can come next. It ends
 * when all answered operations are placed; an unanswered operation needs no place.
 */
function searchPart<S, I, O>(
  history: readonly Operation<I, O>[],
  model: SequentialModel<S, I, O>,
  maxConfigurations: number,
): PartVerdict<I, O> {
  const byCall = [...history].sort((one, other) => one.calledAt - other.calledAt);
  const answered = byCall.filter(({ output }) => output !== undefined);
  // The search tries unanswered operations after all answered ones, and the latest call first, because most unanswered
  // operations took effect soon or never.
  const operations = [...answered, ...byCall.filter(({ output }) => output === undefined).reverse()];
  const placed = new PlacedSet({ answered: answered.length, all: operations.length });
  const order: Choice<S>[] = [];
  const tried = new TriedConfigurations();
  let best: readonly number[] = [];
  let state = model.initial;
  let answeredLeft = answered.length;
  /** All answered operations with a lower index are placed. */
  let first = 0;
  let next = 0;

  while (answeredLeft > 0) {
    while (placed.has(first)) first++;
    const choice = findChoice(Math.max(next, first));
    if (choice === "undecided") return { type: "undecided" };
    if (choice !== undefined) {
      order.push(choice);
      state = choice.after;
      if (choice.index < answered.length) answeredLeft--;
      if (order.length > best.length) best = order.map(({ index }) => index);
      next = 0;
      continue;
    }
    const last = backtrack();
    if (last === undefined) {
      const explained = new Set(best);
      const unexplained = answered.filter((_, index) => !explained.has(index));
      return { type: "violated", explained: best.length, unexplained };
    }
    next = last.index + 1;
  }
  return { type: "linearizable" };

  /** Undoes choices, up to and with the last choice that was not forced, and returns it; undefined when there is none. */
  function backtrack(): Choice<S> | undefined {
    for (;;) {
      const last = order.pop();
      if (last === undefined) return undefined;
      placed.remove(last.index);
      if (last.index < answered.length) answeredLeft++;
      state = last.before;
      first = Math.min(first, last.index);
      if (!last.isForced) return last;
    }
  }

  /**
   * Places the first operation, from index `from` on, that may come next and leads to a new configuration. Undefined when
   * there is none.
   */
  function findChoice(from: number): Choice<S> | "undecided" | undefined {
    const before = model.fingerprint(state);
    const deadline = earliestEnd();
    for (let index = from; index < operations.length; index++) {
      const { calledAt, input, output } = operations[index]!;
      if (calledAt > deadline) {
        if (index < answered.length) index = answered.length - 1; // skip to the unanswered operations
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
   * True when the last placed operation is unanswered and this operation leads to the same state without it. The search
   * also tries the order without the last operation, and that order leaves more choices. (Without this rule, the search
   * would try every subset of the unanswered operations.)
   */
  function isSameWithoutLast({ input, output }: Operation<I, O>, fingerprint: string): boolean {
    const last = order.at(-1);
    if (last === undefined || last.index < answered.length) return false;
    const without = model.step(last.before, input, output);
    return without !== null && model.fingerprint(without) === fingerprint;
  }

  /** The earliest answer among the answered operations that are not placed. An operation called later cannot come next. */
  function earliestEnd(): number {
    let end = Number.POSITIVE_INFINITY;
    for (let index = first; index < answered.length && answered[index]!.calledAt <= end; index++) {
      if (!placed.has(index)) end = Math.min(end, answered[index]!.returnedAt);
    }
    return end;
  }
}

/**
 * The configurations that the search has tried: a state, and the operations that are placed. A configuration is not worth a
 * try when an earlier one has the same state and the same answered operations, and its unanswered operations are a subset:
 * the earlier one can still place the others later.
 */
class TriedConfigurations {
  count = 0;
  readonly #byName = new Map<string, bigint[]>();

  /** Adds a configuration; false when an earlier one makes it superfluous. */
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
 * The operations that are placed. The set of answered ones has a short name: their number, and the exclusive or of 64
 * random bits for each (Zobrist hashing). Among a million sets, two have the same name with a probability below 1 in 10
 * million.
 */
class PlacedSet {
  readonly #answered: number;
  readonly #isPlaced: Uint8Array;
  readonly #bits: Uint32Array;
  #count = 0;
  #high = 0;
  #low = 0;
  /** The placed unanswered operations, one bit for each. */
  unanswered = 0n;

  constructor({ answered, all }: { answered: number; all: number }) {
    this.#answered = answered;
    this.#isPlaced = new Uint8Array(all);
    const chance = seededChance(1);
    this.#bits = Uint32Array.from({ length: 2 * answered }, () => integerBetween(chance, 0, 0xffff_ffff));
  }

  /** The name of the set of answered operations. */
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

// A model for the values of the office, and for any other store that numbers its versions

/** A request about a value. A write with `expectedRevision` is a compare-and-set; 0 expects that the value is absent. */
export type ValueInput =
  | { readonly type: "read" }
  | { readonly type: "write"; readonly value: unknown; readonly expectedRevision?: number };

/** An answer about a value, with the revision that was read or written. A read of an absent value gives revision 0. */
export type ValueOutput =
  | { readonly type: "read"; readonly value: unknown; readonly revision: number }
  | { readonly type: "written"; readonly revision: number }
  | { readonly type: "conflict" };

/**
 * The state of one value. A `value` of null means that it is absent. The `revision` is null (unknown) after a write
 * without an answer; the next answer shows it, and it must be above `highest`, the highest revision seen.
 */
export interface ValueState {
  readonly value: unknown;
  readonly revision: number | null;
  readonly highest: number;
}

/**
 * One value whose revision rises with every write. The revisions have gaps, because several values share one counter. A
 * write of null removes the value.
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
