import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { integerBetween, seededChance } from "../../src/base/index.ts";
import {
  checkLinearizable,
  type Operation,
  type ValueInput,
  type ValueOutput,
  type ValueState,
  versionedValue,
} from "./linearizability.ts";

type Event = Operation<ValueInput, ValueOutput>;

const write = (
  value: unknown,
  revision: number | undefined,
  calledAt: number,
  returnedAt = calledAt + 1,
): Event => ({
  input: { type: "write", value },
  output: revision === undefined ? undefined : { type: "written", revision },
  calledAt,
  returnedAt,
});
const read = (value: unknown, revision: number, calledAt: number, returnedAt = calledAt + 1): Event => ({
  input: { type: "read" },
  output: { type: "read", value, revision },
  calledAt,
  returnedAt,
});
const check = (history: readonly Event[]) => checkLinearizable(history, { model: versionedValue }).type;

describe("a history is linearizable when one order explains it", () => {
  it("accepts reads that return the value written before them", () => {
    expect(check([write("a", 1, 0), read("a", 1, 2), write("b", 2, 4), read("b", 2, 6)])).toBe(
      "linearizable",
    );
  });

  it("reports a read that returns a value overwritten before the call", () => {
    const history = [write("a", 1, 0), write("b", 2, 2), read("a", 1, 4)];
    expect(checkLinearizable(history, { model: versionedValue })).toEqual({
      type: "violated",
      part: "",
      explained: 2,
      unexplained: [history[2]],
    });
  });

  it("accepts overlapping operations in either order", () => {
    expect(check([write("a", 1, 0), write("b", 2, 2, 9), read("a", 1, 3), read("b", 2, 5)])).toBe(
      "linearizable",
    );
    expect(check([write("a", 1, 0), write("b", 2, 2, 9), read("b", 2, 3), read("a", 1, 5)])).toBe("violated");
  });

  it("accepts an unanswered write that takes effect late or never", () => {
    const open = write("b", undefined, 2);
    expect(check([write("a", 1, 0), open, read("a", 1, 4), read("b", 2, 90)])).toBe("linearizable");
    expect(check([write("a", 1, 0), open, read("a", 1, 90)])).toBe("linearizable");
    expect(check([write("a", 1, 0), open, read("b", 2, 4), read("a", 1, 90)])).toBe("violated");
  });

  it("reports a revision that does not rise, and a compare-and-set that cannot have matched", () => {
    expect(check([write("a", 2, 0), write("b", 2, 2)])).toBe("violated");
    const input = { type: "write", value: "b", expectedRevision: 7 } as const;
    expect(
      check([
        write("a", 1, 0),
        { input, output: { type: "written", revision: 8 }, calledAt: 2, returnedAt: 3 },
      ]),
    ).toBe("violated");
    expect(
      check([write("a", 1, 0), { input, output: { type: "conflict" }, calledAt: 2, returnedAt: 3 }]),
    ).toBe("linearizable");
  });

  it("checks each part alone and names the part that no order explains", () => {
    const x = [write("a", 1, 0), read("b", 2, 4)];
    const history = [...x, write("b", 2, 2)];
    const partition = (event: Event) => (x.includes(event) ? "x" : "y");
    const verdict = checkLinearizable(history, { model: versionedValue, partition });
    expect(verdict).toMatchObject({ type: "violated", part: "x" });
  });

  it("is undecided when the search reaches its bound", () => {
    const verdict = checkLinearizable([...makeHistory(1, 50), read("z", 1, 100)], {
      model: versionedValue,
      maxConfigurations: 20,
    });
    expect(verdict).toEqual({ type: "undecided", part: "" });
  });

  it("accepts every history made from an order, also a long one", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        expect(check(makeHistory(seed, 400))).toBe("linearizable");
      }),
      { numRuns: 30 },
    );
    expect(check(makeHistory(1, 2_500))).toBe("linearizable");
  });

  it("finishes with 40 unanswered operations that may have taken effect or not", () => {
    const open = Array.from({ length: 40 }, (_, index) => write(`open${index}`, undefined, 2));
    expect(check([write("a", 1, 0), ...open, read("open7", 5, 4), read("open7", 5, 6)])).toBe("linearizable");
    expect(check([write("a", 1, 0), ...open, read("open7", 5, 4), read("a", 1, 6)])).toBe("violated");
  });

  it("agrees with a trial of every order for short histories", () => {
    const verdicts = { linearizable: 0, violated: 0 };
    fc.assert(
      fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 6 }), (history) => {
        const verdict = tryAllOrders(history);
        verdicts[verdict]++;
        expect(check(history)).toBe(verdict);
      }),
      { numRuns: 1_500 },
    );
    expect(Math.min(...Object.values(verdicts))).toBeGreaterThan(50);
  });

  it("finds one stale read in a long history", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const history = [...makeHistory(seed, 400), write("end", 9_999, 10_000), read("begin", 0.5, 10_002)];
        expect(check(history)).toBe("violated");
      }),
      { numRuns: 10 },
    );
  });
});

/** The verdict found by a trial of every order. */
function tryAllOrders(history: readonly Event[]): "linearizable" | "violated" {
  const canExplain = (left: readonly Event[], state: ValueState): boolean =>
    left.every(({ output }) => output === undefined) ||
    left.some((event) => {
      const others = left.filter((other) => other !== event);
      const isLate = others.some(
        ({ output, returnedAt }) => output !== undefined && returnedAt < event.calledAt,
      );
      const after = isLate ? null : versionedValue.step(state, event.input, event.output);
      return after !== null && canExplain(others, after);
    });
  return canExplain(history, versionedValue.initial) ? "linearizable" : "violated";
}

/** Any event. Values and revisions are few, so that many histories are linearizable and many are not. */
const anyEvent = fc
  .record({
    calledAt: fc.integer({ min: 0, max: 8 }),
    takesFor: fc.integer({ min: 1, max: 8 }),
    value: fc.constantFrom("a", "b"),
    revision: fc.integer({ min: 1, max: 4 }),
    kind: fc.constantFrom("read", "write", "write", "open", "conflict", "compare", "compareOpen"),
    expectedRevision: fc.integer({ min: 0, max: 3 }),
  })
  .map(({ calledAt, takesFor, value, revision, kind, expectedRevision }): Event => {
    const times = { calledAt, returnedAt: calledAt + takesFor };
    if (kind === "read") return read(value, revision, calledAt, times.returnedAt);
    if (kind === "write") return write(value, revision, calledAt, times.returnedAt);
    if (kind === "open") return write(value, undefined, calledAt, times.returnedAt);
    const input = { type: "write", value, expectedRevision } as const;
    if (kind === "compareOpen") return { input, output: undefined, ...times };
    const output =
      kind === "conflict" ? ({ type: "conflict" } as const) : ({ type: "written", revision } as const);
    return { input, output, ...times };
  });

/** A history of concurrent clients: each operation takes effect at a moment between its call and its answer. */
function makeHistory(seed: number, length: number): Event[] {
  const chance = seededChance(seed);
  let value: unknown = null;
  let revision = 0;
  return Array.from({ length }, (_, moment) => {
    const calledAt = moment - integerBetween(chance, 0, 3);
    const returnedAt = moment + integerBetween(chance, 0, 3);
    if (integerBetween(chance, 1, 2) === 1) return read(value, revision, calledAt, returnedAt);
    value = moment;
    revision = moment + 1;
    const isLost = integerBetween(chance, 1, 20) === 1;
    return write(value, isLost ? undefined : revision, calledAt, returnedAt);
  });
}
