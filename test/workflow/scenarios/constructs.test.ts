import { expect, test } from "vitest";
import { z } from "zod";
import { RetryableError, SwarmError, TerminalError } from "../../../src/protocol/index.ts";
import {
  all,
  child,
  continueAs,
  defineWorkflow,
  type Flow,
  map,
  now,
  race,
  random,
  StepFailure,
  signal,
  sleep,
  status,
  step,
} from "../../../src/workflow/index.ts";
import { type AgentFunction, createWorkflowTest, takes } from "../../../src/workflow/testing/index.ts";

/** A test of a workflow without input. */
function setup(
  run: () => Flow<unknown>,
  agents: Record<string, AgentFunction> = {},
  signals: Record<string, z.ZodType> = {},
) {
  const definition = defineWorkflow({
    name: "w",
    version: 1,
    signals,
    *run() {
      return yield* run();
    },
  });
  const world = createWorkflowTest(definition, { agents: { echo: (input) => input, ...agents } });
  return { world, run: world.start(null) };
}

const boom = () => {
  throw new TerminalError("boom");
};

test("code between steps is plain TypeScript: a loop, a condition, a catch", async () => {
  const { run } = setup(
    function* () {
      let sum = 0;
      for (let index = 1; index <= 3; index++) sum += Number(yield* step(`add-${index}`, "echo", index));
      try {
        yield* step("risky", "boom");
      } catch (error) {
        if (!(error instanceof StepFailure)) throw error;
        return yield* step("instead", "echo", `${error.path} ${error.message} ${sum}`);
      }
      return null;
    },
    { boom },
  );
  expect(await run.result()).toEqual({ state: "completed", output: "risky boom 6" });
});

test("the output of a step fits its schema, or the step fails with the path of the field", async () => {
  const { run } = setup(function* () {
    const { size } = yield* step("good", "echo", { size: 2 }, { output: z.object({ size: z.number() }) });
    yield* step("bad", "echo", { size: String(size) }, { output: z.object({ size: z.number() }) });
  });
  expect(await run.result()).toMatchObject({
    state: "failed",
    error: { code: "internal", field: "output.size", message: expect.stringContaining("bad: output.size") },
  });
});

test("the first failure of all cancels the others and is thrown at once", async () => {
  const { run, world } = setup(
    function* () {
      yield* all([step("slow", "slow"), step("fails", "boom"), sleep("long", 1e9)]);
    },
    { boom, slow: () => takes(5_000) },
  );
  const startMs = world.nowMs;
  expect(await run.result()).toMatchObject({ state: "failed", error: { message: "boom" } });
  expect(world.nowMs).toBe(startMs);
  expect(run.fold.ops.get("slow")?.outcome?.status).toBe("cancelled");
});

test("all with settle: all lets the others end before it throws", async () => {
  const { run } = setup(
    function* () {
      yield* all([step("fails", "boom"), step("slow", "slow")], { settle: "all" });
    },
    { boom, slow: () => takes(5_000, "done") },
  );
  expect(await run.result()).toMatchObject({ state: "failed", error: { message: "boom" } });
  expect(run.fold.ops.get("slow")?.outcome).toEqual({ status: "completed", output: "done" });
});

test("a race ends with its first end, and cancels the losers", async () => {
  const { run, world } = setup(
    function* () {
      return yield* race([
        step("slow", "slow"),
        (function* () {
          yield* sleep("limit", 1_000);
          return "too late";
        })(),
      ]);
    },
    { slow: () => takes(60_000) },
  );
  const startMs = world.nowMs;
  expect(await run.result()).toEqual({ state: "completed", output: "too late" });
  expect(world.nowMs - startMs).toBe(1_000);
});

test("a map keeps the order of its items, and no more than concurrency items run", async () => {
  let running = 0;
  let most = 0;
  const { run, world } = setup(
    function* () {
      return yield* map("square", [1, 2, 3, 4, 5], { concurrency: 2 }, function* (item, index) {
        const value = Number(yield* step("one", "work", item));
        yield* step("two", "echo", index);
        return value * value;
      });
    },
    {
      work: (item: number) => {
        most = Math.max(most, ++running);
        return takes(1_000 * (6 - item), item);
      },
      echo: (input) => {
        running--;
        return input;
      },
    },
  );
  expect(await run.result()).toEqual({ state: "completed", output: [1, 4, 9, 16, 25] });
  expect(most).toBe(2);
  expect(run.calls.map(({ path }) => path)).toContain("square/4/two");
  expect(world.nowMs).toBeGreaterThan(0);
});

test.each([
  [1, "completed"],
  ["50%", "completed"],
  [0, "failed"],
] as const)("a map that tolerates %s of 2 failed items %s", async (tolerate, state) => {
  const { run } = setup(
    function* () {
      const ends = yield* map("part", ["good", "bad"], { tolerate }, (item) =>
        step("do", item === "bad" ? "boom" : "echo", item),
      );
      return ends.map((end) => (end.ok ? end.value : end.error.message));
    },
    { boom },
  );
  const end = await run.result();
  expect(end.state).toBe(state);
  if (state === "completed") expect(end.output).toEqual(["good", "boom"]);
});

test.each([
  ["no list", "a text", 'got "a text"'],
  ["too many items", Array.from({ length: 10_001 }, () => 0), "got 10001 items"],
])("a map over %s fails at its place, with its path", async (_name, items, message) => {
  const { run } = setup(function* () {
    yield* map("part", items as unknown[], {}, (item) => step("do", "echo", item));
  });
  expect(await run.result()).toMatchObject({
    state: "failed",
    error: { code: "invalid_input", field: "part", message: expect.stringContaining(message) },
  });
});

test("a signal that came early is taken when the code asks for it, in the order of sending", async () => {
  const { run } = setup(
    function* () {
      yield* sleep("first", 1_000);
      const one = yield* signal<number>("one", { of: "go" });
      const two = yield* signal<number>("two", { of: "go" });
      return [one, two];
    },
    {},
    { go: z.number() },
  );
  expect(await run.signal("go", 1)).toBeNull();
  expect(await run.signal("go", 2)).toBeNull();
  expect(await run.signal("stop")).toMatchObject({
    code: "not_found",
    message: expect.stringContaining("declared: go"),
  });
  expect(await run.signal("go", "x")).toMatchObject({ code: "invalid_input" });
  expect(await run.result()).toEqual({ state: "completed", output: [1, 2] });
  expect(await run.signal("go", 3)).toMatchObject({ code: "conflict" });
});

test("time jumps to the end of a wait for a signal that does not come", async () => {
  const { run, world } = setup(
    function* () {
      yield* signal("go", { expiresMs: 7_000 });
    },
    {},
    { go: z.null() },
  );
  const startMs = world.nowMs;
  expect(await run.result()).toMatchObject({ state: "failed", error: { code: "timeout" } });
  expect(world.nowMs - startMs).toBe(7_000);
});

test("a run that waits for a signal without a limit names it", async () => {
  const { run } = setup(
    function* () {
      yield* signal("go");
    },
    {},
    { go: z.null() },
  );
  await expect(run.result()).rejects.toThrow("it waits for signal (go)");
});

test("attempts are retried by the policy of the task, and the code sees only the end", async () => {
  let tries = 0;
  const { run } = setup(
    function* () {
      return yield* step("flaky", "flaky", null, { retry: { max: 5, backoffMs: 1_000 } });
    },
    {
      flaky: () => {
        if (++tries < 4) throw new RetryableError("not yet");
        return tries;
      },
    },
  );
  expect(await run.result()).toEqual({ state: "completed", output: 4 });
  expect(new Set(run.calls.map(({ key }) => key)).size).toBe(1);
});

test("a step whose attempt takes longer than timeoutMs fails", async () => {
  const { run } = setup(
    function* () {
      yield* step("slow", "slow", null, { timeoutMs: 50, retry: { max: 0 } });
    },
    { slow: () => takes(51) },
  );
  expect(await run.result()).toMatchObject({ state: "failed", error: { code: "timeout" } });
});

test("pause records results and starts nothing; resume goes on", async () => {
  const { run, world } = setup(
    function* () {
      yield* step("one", "slow");
      return yield* step("two", "echo", "end");
    },
    { slow: () => takes(1_000) },
  );
  await world.pass(10);
  expect(await run.pause()).toBeNull();
  await world.pass(5_000);
  expect(run.state).toBe("paused");
  expect(run.fold.ops.get("one")?.outcome?.status).toBe("completed");
  expect(run.calls).toHaveLength(1);
  expect(await run.resume()).toBeNull();
  expect(await run.result()).toEqual({ state: "completed", output: "end" });
});

test("a deadline stays while a run is paused", async () => {
  const { run, world } = setup(function* () {
    yield* sleep("nap", 1_000);
    return yield* now();
  });
  const startMs = world.nowMs;
  await world.pass(10);
  await run.pause();
  await world.pass(9_990);
  await run.resume();
  expect(await run.result()).toEqual({ state: "completed", output: startMs + 1_000 });
});

test("the deadline of a run cancels what runs and fails it; each step gets it", async () => {
  const definition = defineWorkflow({
    name: "w",
    version: 1,
    *run() {
      yield* step("slow", "slow");
    },
  });
  const world = createWorkflowTest(definition, { agents: { slow: () => takes(60_000) } });
  const run = world.start(null, { deadlineMs: 2_000 });
  expect(await run.result()).toMatchObject({ state: "failed", error: { code: "deadline" } });
});

test("a child runs under the parent, and its output is the output of the step", async () => {
  const part = defineWorkflow({
    name: "part",
    version: 2,
    input: z.number(),
    *run(input) {
      return Number(yield* step("double", "double", input)) + 1;
    },
  });
  const whole = defineWorkflow({
    name: "whole",
    version: 1,
    *run() {
      return yield* all([child("one", "part", 1, { output: z.number() }), child("two", "part", 2)]);
    },
  });
  const world = createWorkflowTest([whole, part], { agents: { double: (input: number) => 2 * input } });
  const run = world.start(null, { id: "p", workflow: "whole" });
  expect(await run.result()).toEqual({ state: "completed", output: [3, 5] });
  expect(world.runs).toEqual(["p", "p-1", "p-2"]);
  expect(world.run("p-1").summary).toMatchObject({ parent: "p", name: "part", version: 2 });
});

test("a child is cancelled with its parent, unless it outlives it", async () => {
  const part = defineWorkflow({
    name: "part",
    version: 1,
    *run() {
      yield* sleep("long", 60_000);
    },
  });
  const whole = defineWorkflow({
    name: "whole",
    version: 1,
    *run() {
      yield* all([child("tied", "part"), child("free", "part", null, { onParentEnd: "leave" })]);
    },
  });
  const world = createWorkflowTest([whole, part]);
  const run = world.start(null, { id: "p", workflow: "whole" });
  await world.pass(1_000);
  await run.cancel();
  expect((await run.result()).state).toBe("cancelled");
  expect(world.run("p-1").state).toBe("cancelled");
  expect(world.run("p-2").state).toBe("running");
  expect((await world.run("p-2").result()).state).toBe("completed");
});

test("children are at most four deep", async () => {
  const nest = defineWorkflow({
    name: "nest",
    version: 1,
    input: z.number(),
    *run(level): Flow<unknown> {
      return yield* child("down", "nest", level + 1);
    },
  });
  const world = createWorkflowTest(nest);
  const run = world.start(1, { id: "n" });
  expect(await run.result()).toMatchObject({
    state: "failed",
    error: { message: expect.stringContaining("limit of 4") },
  });
  expect(world.runs).toHaveLength(4);
});

test("continueAs starts an empty log under the same id; signals stay, and keys are new", async () => {
  const poll = defineWorkflow({
    name: "poll",
    version: 1,
    input: z.number(),
    signals: { stop: z.string() },
    *run(round): Flow<unknown> {
      yield* step("look", "echo", round);
      if (round === 3) return yield* signal("stop");
      yield* sleep("pause", 1_000);
      return yield* continueAs(round + 1);
    },
  });
  const world = createWorkflowTest(poll, { agents: { echo: (input) => input } });
  const run = world.start(1, { id: "p" });
  await run.signal("stop", "enough");
  expect(await run.result()).toEqual({ state: "completed", output: "enough" });
  expect(run.fold.begun).toMatchObject({ generation: 3, input: 3 });
  expect(run.calls.map(({ key, taskId }) => [key, taskId])).toEqual([
    ["p/look", "p-1"],
    ["p~2/look", "p-2"],
    ["p~3/look", "p-3"],
  ]);
});

test("now and random give a replay the same values", async () => {
  const seen: unknown[] = [];
  const definition = defineWorkflow({
    name: "w",
    version: 1,
    *run() {
      const first = [yield* now(), yield* random()];
      yield* sleep("nap", 5_000);
      const values = [...first, yield* now(), yield* random()];
      yield* status({ progress: 0.5, note: "half" });
      seen.push(values);
      yield* sleep("again", 5_000);
      return values;
    },
  });
  const world = createWorkflowTest(definition, { kills: [{ entry: 2, after: "ack" }] });
  const run = world.start(null);
  const { output } = await run.result();
  expect(seen).toEqual([output, output]);
  expect(run.summary).toMatchObject({ progress: 1, note: "half" });
});

test("retry goes on from the failed step, with the same key and the results of the others", async () => {
  let isUp = false;
  const { run } = setup(
    function* () {
      const [one] = yield* all([step("one", "echo", 1), step("two", "two")]);
      return yield* step("three", "echo", one);
    },
    {
      two: () => {
        if (!isUp) throw new TerminalError("down");
      },
    },
  );
  expect((await run.result()).state).toBe("failed");
  expect(await run.pause()).toMatchObject({ code: "conflict" });
  expect(await run.retry({ from: "nothing" })).toMatchObject({ code: "not_found" });
  isUp = true;
  expect(await run.retry()).toBeNull();
  expect(await run.result()).toEqual({ state: "completed", output: 1 });
  expect(run.calls.map(({ key }) => key)).toEqual(["run-1/one", "run-1/two", "run-1/two", "run-1/three"]);
  expect(await run.retry()).toMatchObject({ code: "conflict" });
});

test("retry from a named step repeats it and everything after it", async () => {
  const { run } = setup(
    function* () {
      yield* step("one", "echo");
      yield* step("two", "echo");
      yield* step("three", "boom");
    },
    { boom },
  );
  await run.result();
  expect(await run.retry({ from: "two" })).toBeNull();
  await run.result();
  expect(run.calls.map(({ path }) => path)).toEqual(["one", "two", "three", "two", "three"]);
});

test("after a pivot nothing is undone, and later steps are retried for longer", async () => {
  const { run } = setup(
    function* () {
      yield* step("before", "echo", 1, { undo: { call: "undo" } });
      yield* step("point", "echo", 2, { pivot: true });
      yield* step("after", "down");
    },
    {
      down: () => {
        throw new RetryableError("down");
      },
      undo: () => null,
    },
  );
  expect((await run.result()).state).toBe("failed");
  expect(run.calls.filter(({ path }) => path === "after")).toHaveLength(11);
  expect(run.calls.filter(({ capability }) => capability === "undo")).toHaveLength(0);
});

test("a cancelled step that runs is awaited before the undo begins, and is undone without certainty", async () => {
  const { run } = setup(
    function* () {
      yield* all([
        step("slow", "slow", 1, { undo: { call: "undo" } }),
        (function* () {
          yield* sleep("moment", 10);
          throw new TerminalError("no");
        })(),
      ]);
    },
    { slow: () => takes(60_000), undo: () => null },
  );
  expect((await run.result()).state).toBe("compensated");
  expect(run.calls.at(-1)).toMatchObject({ capability: "undo", input: { certain: false } });
});

test("a step that no agent began is not undone", async () => {
  const { run } = setup(
    function* () {
      yield* race([step("slow", "echo", 1, { undo: { call: "undo" } }), (function* () {})()]);
      throw new SwarmError("conflict", "no");
    },
    { undo: () => null },
  );
  expect((await run.result()).state).toBe("failed");
  expect(run.calls).toEqual([]);
});
