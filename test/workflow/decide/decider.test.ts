import { expect, test } from "vitest";
import {
  type Command,
  Decider,
  defineWorkflow,
  emptyFold,
  type Fold,
  foldLog,
  MAX_LOG_ENTRIES,
  MAX_TRIGGERS,
  map,
  numberedId,
  sleep,
  stateOf,
  step,
  type Trigger,
  type WorkflowDefinition,
} from "../../../src/workflow/index.ts";
import { dueWarning } from "../../../src/workflow/internal.ts";
import { scaled } from "../../support/scale.ts";

const two = defineWorkflow({
  name: "two",
  version: 1,
  *run() {
    yield* sleep("nap", 1_000);
    return yield* step("do", "echo", 1);
  },
});

const start: Command = { type: "start", name: "two", version: 1, input: null };
const command = (seq: number, what: Command): Trigger => ({ type: "command", seq, command: what });

/** A decider that stores its entries. */
function setup(definition: WorkflowDefinition | null = two) {
  const texts: string[] = [];
  let decider = new Decider(emptyFold("r"), definition);
  const decide = (triggers: Trigger[], nowMs: number, isCrashing = false) => {
    const decision = decider.decide({ triggers, nowMs, isCrashing });
    if (decision.entry !== null) texts.push(decision.text);
    return decision;
  };
  /** Another engine notes that it takes triggers that came again. */
  const note = (triggers: Trigger[], engine: string, nowMs: number) => {
    const decision = decider.noteTries(triggers, { engine, nowMs });
    texts.push(decision.text);
    return decision;
  };
  /** Another engine takes over: it reads the log. */
  const takeOver = () => {
    const read = foldLog("r", texts);
    if (!read.ok) throw new Error(read.fault);
    decider = new Decider(read.fold, definition);
  };
  return { decide, note, takeOver, texts, fold: () => decider.fold };
}

test("log time never goes back, whatever the clock says", () => {
  const { decide, texts } = setup();
  decide([command(1, start)], 5_000);
  decide([command(2, { type: "pause" })], 3_000);
  expect(texts.map((text) => JSON.parse(text).atMs)).toEqual([5_000, 5_000]);
});

test("a trigger that the log knows makes no entry and repeats the effects of its entry, marked as repeats", () => {
  const { decide, takeOver, texts } = setup();
  expect(decide([command(1, start)], 0).effects).toEqual([{ type: "wake", n: 1, atMs: 1_000 }]);
  takeOver();
  expect(decide([command(1, start)], 10)).toMatchObject({
    entry: null,
    effects: [{ type: "wake", n: 1, atMs: 1_000 }],
  });
  const wake = command(2, { type: "wake", n: 1 });
  expect(decide([wake], 1_000).effects).toMatchObject([{ type: "task", isRepeat: false, key: "r/do" }]);
  takeOver();
  expect(decide([wake], 1_010)).toMatchObject({
    entry: null,
    effects: [{ type: "task", isRepeat: true, key: "r/do" }],
  });
  const result: Trigger = { type: "result", n: 1, outcome: { status: "completed", output: 1 } };
  expect(decide([result], 1_020).effects).toEqual([{ type: "end", state: "completed", output: 1 }]);
  takeOver();
  expect(decide([result], 1_030)).toMatchObject({
    entry: null,
    effects: [{ type: "end", state: "completed", output: 1 }],
  });
  expect(texts).toHaveLength(3);
});

test("a wake-up that comes early by a slow clock is arranged again", () => {
  const { decide } = setup();
  decide([command(1, start)], 0);
  const { effects } = decide([command(2, { type: "wake", n: 1 })], 990);
  expect(effects).toEqual([{ type: "wake", n: 2, atMs: 1_000 }]);
});

test("late, double and needless wake-ups change nothing", () => {
  const { decide } = setup();
  decide([command(1, start)], 0);
  decide([command(2, { type: "wake", n: 1 })], 1_000);
  expect(decide([command(3, { type: "wake", n: 1 })], 1_001)).toMatchObject({ entry: null, effects: [] });
  expect(decide([command(4, { type: "wake", n: 7 })], 9_000)).toMatchObject({ entry: null, effects: [] });
});

test("commands apply in the order of the stream, and a command that comes after a later one is not applied", () => {
  const { decide, fold } = setup();
  decide([command(2, { type: "pause" }), command(1, start)], 0);
  expect(stateOf(fold())).toBe("paused");
  decide([command(5, { type: "resume" })], 1);
  expect(decide([command(4, { type: "cancel" })], 2).entry).toBeNull();
  expect(stateOf(fold())).toBe("running");
});

test("results that came in time count before a deadline of the same decision", () => {
  const { decide, fold } = setup();
  decide([command(1, start)], 0);
  decide([command(2, { type: "wake", n: 1 })], 1_000);
  const late: Trigger = { type: "result", n: 1, outcome: { status: "completed" } };
  decide([late, command(3, { type: "cancel" })], 2_000);
  expect(fold().ops.get("do")?.outcome).toEqual({ status: "completed" });
});

test("a result that was never ordered, and a command to a run that was never started, are refused by name", () => {
  const { decide } = setup();
  expect(decide([command(1, { type: "cancel" })], 0)).toMatchObject({
    entry: null,
    refusals: [{ code: "not_found" }],
  });
  decide([command(2, start)], 0);
  const foreign: Trigger = { type: "result", n: 99, outcome: { status: "completed" } };
  expect(decide([foreign], 0)).toMatchObject({ entry: null, refusals: [{ code: "not_found" }] });
  expect(decide([command(3, start)], 0)).toMatchObject({ entry: null, refusals: [{ code: "conflict" }] });
});

test("a note that a trigger came again is an entry without effects, and the next engine still repeats those of the last decision", () => {
  const { note, decide, takeOver, texts, fold } = setup();
  decide([command(1, start)], 0);
  decide([command(2, { type: "wake", n: 1 })], 1_000); // its engine dies before the effects
  takeOver();
  const late = command(3, { type: "pause" });
  expect(note([late], "one", 2_000)).toMatchObject({ effects: [], isRollup: false });
  expect([...(fold().tries.get("command 3") ?? [])]).toEqual(["one"]);
  takeOver();
  note([late], "two", 3_000);
  expect([...(fold().tries.get("command 3") ?? [])]).toEqual(["one", "two"]);
  takeOver();
  expect(decide([late], 4_000).effects).toMatchObject([{ type: "task", isRepeat: true }]);
  expect(fold().tries.size, "a decision ends the notes").toBe(0);
  expect(texts.map((text) => JSON.parse(text).entry)).toEqual([1, 2, 3, 4, 5]);
  takeOver();
  expect(fold()).toMatchObject({ isPaused: true, decidedIn: 5 });
});

test("a trigger that ended its engines blocks the run; its results are kept; a person resumes it", () => {
  const { decide, takeOver, fold } = setup();
  decide([command(1, start)], 0);
  decide([command(2, { type: "wake", n: 1 })], 1_000, true);
  expect(fold().blocked).toMatchObject({ cause: "crashes" });
  expect(fold().ops.get("nap")?.outcome?.status).toBe("completed");
  takeOver();
  expect(decide([], 2_000).entry).toBeNull();
  expect(decide([command(3, { type: "resume" })], 3_000).effects).toMatchObject([{ type: "task" }]);
  expect(stateOf(fold())).toBe("running");
});

test("a full log blocks the run before the code orders more, and warnings come from a fifth on", () => {
  const { decide, fold } = setup();
  decide([command(1, start)], 0);
  const full = fold() as Fold;
  full.entries = MAX_LOG_ENTRIES / 5;
  expect(dueWarning(full)).toBe(0.2);
  full.entries = MAX_LOG_ENTRIES - 1;
  const { entry, effects } = decide([command(2, { type: "wake", n: 1 })], 1_000);
  expect(entry?.facts.at(-1)).toEqual({ type: "warned", share: 1 });
  expect(effects).toEqual([]);
  expect(fold().blocked).toMatchObject({ cause: "limit", message: expect.stringContaining("continueAs") });
  expect(dueWarning(full)).toBeUndefined();
});

test("a decision takes a bounded number of triggers", () => {
  const { decide } = setup();
  const many = Array.from({ length: MAX_TRIGGERS + 1 }, (_, seq) => command(seq + 1, { type: "pause" }));
  expect(() => decide(many, 0)).toThrow("expected at most 1000 triggers, got 1001");
});

test("the id of a child fits the limit of ids, and the id of a task fits the limit of tokens", () => {
  const long = "x".repeat(40);
  expect(numberedId("order-81", 3, "child")).toBe("order-81-3");
  expect(numberedId(long, 3, "child")).toMatch(/^c-[0-9a-f]{38}$/);
  expect(numberedId(long, 50_000, "task")).toBe(`${long}-50000`);
});

test("a map gives each decision only the effects of its new items, and the log of all items is read back", () => {
  const size = scaled(2_000, 10_000);
  const wide = defineWorkflow({
    name: "two",
    version: 1,
    *run() {
      const list = Array.from({ length: size }, (_, index) => index);
      return (yield* map("item", list, { concurrency: 100 }, (item) => step("do", "echo", item))).length;
    },
  });
  const { decide, takeOver, fold } = setup(wide);
  const open = decide([command(1, start)], 0).effects.length;
  expect(open).toBe(100);
  for (let n = 1; n <= size; n += 10) {
    const results = Array.from(
      { length: 10 },
      (_, at): Trigger => ({ type: "result", n: n + at, outcome: { status: "completed" } }),
    );
    const { effects } = decide(results, n);
    expect(effects.length).toBe(n + 9 >= size ? 1 : Math.min(10, Math.max(0, size - 100 - n + 1)));
  }
  expect(stateOf(fold())).toBe("completed");
  takeOver();
  expect(fold().settlements).toHaveLength(size);
});

test("the first decision after a takeover repeats the effects of the last entry, whatever its triggers were", () => {
  const { decide, takeOver } = setup();
  decide([command(1, start)], 0);
  // A refused command makes an entry, because the deadline has passed; the engine dies before the effects.
  expect(decide([command(2, { type: "resume" })], 1_000).effects).toMatchObject([
    { type: "task", isRepeat: false },
  ]);
  takeOver();
  expect(decide([command(2, { type: "resume" })], 1_001)).toMatchObject({
    entry: null,
    effects: [{ type: "task", isRepeat: true }],
  });
  expect(decide([command(2, { type: "resume" })], 1_002).effects).toEqual([]);
});
