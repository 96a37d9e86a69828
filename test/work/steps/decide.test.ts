// The rules of the decider, one by one: the numbers are those of src/work/steps/decide.ts.
import { describe, expect, it } from "vitest";
import {
  beginRecorder,
  decideRecord,
  type QueuedEntry,
  RECORD_BYTES,
  RECORD_ENTRIES,
  RECORD_TRIES,
  type RecorderEffect,
  type RecorderInput,
  type RecorderState,
} from "../../../src/work/steps/decide.ts";

const queued = (step: string, inlineBytes = 1): QueuedEntry => ({
  entry: { step, state: "done", at: "2026-01-01T00:00:00.000Z" },
  inlineBytes,
});
const entry = (step: string, inlineBytes?: number): RecorderInput => ({
  type: "entry",
  queued: queued(step, inlineBytes),
});

/** Decides about inputs, one after the other; the effects are those of the last one. */
function decide(tipSeq: number, ...inputs: RecorderInput[]): [RecorderState, readonly RecorderEffect[]] {
  let state = beginRecorder("run", tipSeq);
  let effects: readonly RecorderEffect[] = [];
  for (const input of inputs) [state, effects] = decideRecord(state, input);
  return [state, effects];
}

/** The steps and the expectation of an append. */
function appendOf(effects: readonly RecorderEffect[]) {
  const append = effects.find((effect) => effect.type === "append");
  if (append === undefined) return expect.unreachable("no append");
  const { batch, expectedSeq, tries } = append;
  return {
    number: batch.number,
    steps: batch.entries.map(({ entry: { step } }) => step),
    expectedSeq,
    tries,
  };
}

describe("D1: one append is in flight", () => {
  it("takes the first entry at once, and all that came meanwhile with the next one, after the new tip", () => {
    expect(appendOf(decide(7, entry("a"))[1])).toEqual({ number: 1, steps: ["a"], expectedSeq: 7, tries: 1 });
    expect(decide(7, entry("a"), entry("b"))[1]).toEqual([]);
    const [, effects] = decide(7, entry("a"), entry("b"), entry("c"), { type: "stored", seq: 9 });
    expect(effects[0]).toEqual({ type: "recorded", entries: [queued("a")] });
    expect(appendOf(effects)).toEqual({ number: 2, steps: ["b", "c"], expectedSeq: 9, tries: 1 });
  });

  it("takes as many entries as one record may have, and a large one alone", () => {
    const names = Array.from({ length: RECORD_ENTRIES + 5 }, (_, index) => entry(`${index}`));
    const [state, effects] = decide(0, entry("a"), ...names, { type: "stored", seq: 1 });
    expect(appendOf(effects).steps).toHaveLength(RECORD_ENTRIES);
    expect(state.queue).toHaveLength(5);
    const large = decide(0, entry("a"), entry("b", RECORD_BYTES + 1), entry("c"), { type: "stored", seq: 1 });
    expect(appendOf(large[1]).steps).toEqual(["b"]);
  });
});

describe("D2: an append whose fate is unknown", () => {
  it("is repeated unchanged, with the same batch and expectation, though more entries wait", () => {
    const [, effects] = decide(7, entry("a"), entry("b"), { type: "unknown" });
    expect(appendOf(effects)).toEqual({ number: 1, steps: ["a"], expectedSeq: 7, tries: 2 });
  });

  it("is given up after the last try: all its entries are dropped, also the waiting ones, and nothing more is appended", () => {
    const unknown = Array.from({ length: RECORD_TRIES }, (): RecorderInput => ({ type: "unknown" }));
    const [state, effects] = decide(7, entry("a"), entry("b"), ...unknown);
    expect(state.phase).toBe("lost");
    expect(effects).toEqual([{ type: "dropped", entries: [queued("a"), queued("b")], why: "lost" }]);
    expect(decideRecord(state, entry("c"))[1]).toEqual([
      { type: "dropped", entries: [queued("c")], why: "lost" },
    ]);
  });
});

describe("D3: a refused append", () => {
  const refused = [entry("a"), { type: "refused" }] as const;

  it("is followed by a read, which is repeated while it gives no answer", () => {
    expect(decide(7, ...refused)[1]).toEqual([{ type: "read", tries: 1 }]);
    expect(decide(7, ...refused, { type: "unreadable" })[1]).toEqual([{ type: "read", tries: 2 }]);
    const unreadable = Array.from({ length: RECORD_TRIES }, (): RecorderInput => ({ type: "unreadable" }));
    expect(decide(7, ...refused, ...unreadable)[0].phase).toBe("lost");
  });

  it("is stored when the tip has this run and batch", () => {
    const tip = { seq: 8, run: "run", batch: 1 };
    const [state, effects] = decide(7, ...refused, { type: "tip", tip });
    expect(effects).toEqual([{ type: "recorded", entries: [queued("a")] }]);
    expect(state).toMatchObject({ tipSeq: 8, flight: null, phase: "open" });
  });

  it("is repeated after the tip when the tip has an earlier batch of this run", () => {
    const second = [entry("a"), { type: "stored", seq: 8 }, entry("b"), { type: "refused" }] as const;
    const [, effects] = decide(7, ...second, { type: "tip", tip: { seq: 8, run: "run", batch: 1 } });
    expect(appendOf(effects)).toEqual({ number: 2, steps: ["b"], expectedSeq: 8, tries: 2 });
  });

  it.each([
    ["the tip that the attempt knew", 7, { seq: 7 }],
    ["an older tip, of a leader that was cut off", 7, { seq: 5, run: "other", batch: 1 }],
    ["no tip, and the attempt knew none", 0, null],
  ])("is repeated when the read finds %s", (_what, tipSeq, tip) => {
    const [, effects] = decide(tipSeq, ...refused, { type: "tip", tip });
    expect(appendOf(effects)).toMatchObject({ number: 1, expectedSeq: tipSeq, tries: 2 });
  });

  it.each([
    ["a record of another run", { seq: 8, run: "other", batch: 1 }],
    ["a record that is none of steps", { seq: 8 }],
    ["no tip, though the attempt knew one", null],
  ])("makes the attempt stale when the read finds %s", (_what, tip) => {
    const [state, effects] = decide(7, entry("a"), entry("b"), { type: "refused" }, { type: "tip", tip });
    expect(state.phase).toBe("stale");
    expect(effects).toEqual([
      { type: "stale" },
      { type: "dropped", entries: [queued("a"), queued("b")], why: "stale" },
    ]);
  });
});

describe("D4: the record that closed the journal of an earlier task with the same id", () => {
  const tip = { seq: 8, isEarlier: true };

  it("is no other attempt for an attempt that knows no record", () => {
    const [, effects] = decide(0, entry("a"), { type: "refused" }, { type: "tip", tip });
    expect(appendOf(effects)).toEqual({ number: 1, steps: ["a"], expectedSeq: 8, tries: 2 });
  });

  it("makes an attempt stale that knows a record", () => {
    expect(decide(7, entry("a"), { type: "refused" }, { type: "tip", tip })[0].phase).toBe("stale");
  });
});

describe("an attempt that has ended", () => {
  it("drops the entries that wait, and finishes the append in flight", () => {
    const [state, effects] = decide(7, entry("a"), entry("b"), { type: "close" });
    expect(effects).toEqual([{ type: "dropped", entries: [queued("b")], why: "closing" }]);
    expect(decideRecord(state, { type: "stored", seq: 8 })[1]).toEqual([
      { type: "recorded", entries: [queued("a")] },
    ]);
    expect(decideRecord(state, entry("c"))[1]).toEqual([
      { type: "dropped", entries: [queued("c")], why: "closing" },
    ]);
  });
});
