// Changed code over a log that older code wrote: some runs go on, others are blocked with both sides shown.
import { expect, test } from "vitest";
import { TerminalError } from "../../../src/protocol/index.ts";
import {
  all,
  child,
  defineWorkflow,
  type Flow,
  map,
  now,
  patched,
  signal,
  sleep,
  step,
  type WorkflowDefinition,
} from "../../../src/workflow/index.ts";
import { createWorkflowTest } from "../../../src/workflow/testing/index.ts";

const version = (run: () => Flow<unknown>, number = 1): WorkflowDefinition =>
  defineWorkflow({
    name: "w",
    version: number,
    *run() {
      return yield* run();
    },
  });

/** A run of `before` that sleeps after two steps. */
async function setup(before: () => Flow<unknown>) {
  const world = createWorkflowTest(version(before), {
    agents: { echo: (input) => input, other: () => "other" },
  });
  const run = world.start(null);
  await world.pass(10);
  return { world, run, deploy: (after: () => Flow<unknown>) => world.deploy(version(after)) };
}

function* plain(): Flow<unknown> {
  const one = yield* step("one", "echo", 1);
  const two = yield* step("two", "echo", 2);
  yield* sleep("nap", 1_000);
  return [one, two];
}

test("steps are matched by name: they may swap their places, and new ones may stand between them", async () => {
  const { run, deploy } = await setup(plain);
  await deploy(function* () {
    const [two, one] = yield* all([step("two", "echo", 2), step("one", "echo", 1)]);
    yield* sleep("nap", 1_000);
    const three = yield* step("three", "echo", 3);
    return [one, two, three];
  });
  expect(await run.result()).toEqual({ state: "completed", output: [1, 2, 3] });
  expect(run.calls.map(({ path }) => path)).toEqual(["one", "two", "three"]);
});

test("a step that new code puts before recorded ones runs, and the recorded ones do not run again", async () => {
  const { run, world, deploy } = await setup(function* () {
    const one = yield* step("one", "echo", 1);
    yield* sleep("nap", 1_000);
    return one;
  });
  await world.pass(2_000);
  expect(run.state).toBe("completed");
  const again = await setup(function* () {
    yield* step("one", "echo", 1);
    yield* all([sleep("nap", 1_000), step("two", "echo", 2)]);
  });
  await again.deploy(function* () {
    const [zero] = yield* all([step("zero", "other"), sleep("nap", 1_000)]);
    const one = yield* step("one", "echo", 1);
    const two = yield* step("two", "echo", 2);
    return [zero, one, two];
  });
  expect(await again.run.result()).toEqual({ state: "completed", output: ["other", 1, 2] });
  expect(again.run.calls.map(({ path }) => path)).toEqual(["one", "two", "zero"]);
  await deploy(plain);
  expect(run.state).toBe("completed");
});

test("patched is false in a run that passed the place, and true in a new one, and stays so", async () => {
  function* changed(): Flow<unknown> {
    const one = yield* step("one", "echo", 1);
    const extra = (yield* patched("extra")) ? yield* step("extra", "other") : null;
    const two = yield* step("two", "echo", 2);
    yield* sleep("nap", 1_000);
    return [one, extra, two];
  }
  const { run, world, deploy } = await setup(plain);
  await deploy(changed);
  expect(await run.result()).toEqual({ state: "completed", output: [1, null, 2] });
  const young = world.start(null);
  await world.pass(10);
  await deploy(changed);
  expect(await young.result()).toEqual({ state: "completed", output: [1, "other", 2] });
});

const causes: Record<string, { after: () => Flow<unknown>; blocked: object }> = {
  "a recorded step that now has another capability": {
    *after() {
      yield* step("one", "other", 1);
    },
    blocked: { cause: "changed", path: "one", log: 'step "echo"', code: 'step "other"' },
  },
  "a recorded step that is now another thing": {
    *after() {
      yield* sleep("one", 5);
    },
    blocked: { cause: "changed", path: "one", log: 'step "echo"', code: "sleep" },
  },
  "a recorded step that is now a map": {
    *after() {
      yield* map("one", [1], {}, (item) => step("do", "echo", item));
    },
    blocked: { cause: "changed", path: "one", log: 'step "echo"', code: "map" },
  },
  "a name that the code uses twice": {
    *after() {
      yield* step("one", "echo", 1);
      yield* step("one", "echo", 1);
    },
    blocked: { cause: "repeated-name", path: "one", message: expect.stringContaining("is used twice") },
  },
  "a promise": {
    *after() {
      yield Promise.resolve(1) as never;
    },
    blocked: { cause: "foreign-yield", message: expect.stringContaining("a promise") },
  },
  "a flow without yield*": {
    *after() {
      yield step("one", "echo") as never;
    },
    blocked: { cause: "foreign-yield", message: expect.stringContaining("a flow without *") },
  },
  "a bug that throws": {
    *after() {
      yield* step("one", "echo", 1);
      (undefined as unknown as { x: number }).x;
    },
    blocked: { cause: "code", message: expect.stringContaining("TypeError") },
  },
  "an option that no step has": {
    *after() {
      yield* step("one", "echo", 1, { prioritty: "high" } as never);
    },
    blocked: { cause: "code", message: expect.stringContaining("did you mean priority?") },
  },
  "a wrong option of a task": {
    *after() {
      yield* step("one", "echo", 1, { timeoutMs: -1 });
    },
    blocked: { cause: "code", message: expect.stringContaining("step one: timeoutMs") },
  },
  "a bad name": {
    *after() {
      yield* step("a.b", "echo", 1);
    },
    blocked: { cause: "code", message: expect.stringContaining('got "a.b"') },
  },
  "an input that is no plain data": {
    *after() {
      yield* step("new", "echo", new Map());
    },
    blocked: { cause: "code", message: expect.stringContaining("input of new") },
  },
  "a signal that is not declared": {
    *after() {
      yield* signal("go");
    },
    blocked: { cause: "code", message: expect.stringContaining('declares no signal "go"') },
  },
  "code that never waits": {
    *after() {
      for (;;) yield* now();
    },
    blocked: { cause: "endless" },
  },
};

test.each(Object.entries(causes))(
  "%s blocks the run, and it goes on with good code",
  async (_name, { after, blocked }) => {
    const { run, world, deploy } = await setup(plain);
    const before = run.calls.length;
    await deploy(after);
    expect(run.state).toBe("blocked");
    expect(run.fold.blocked).toMatchObject(blocked);
    await world.pass(5_000);
    expect(run.state).toBe("blocked");
    expect(run.calls).toHaveLength(before);
    await deploy(plain);
    expect(await run.result()).toEqual({ state: "completed", output: [1, 2] });
    expect(run.calls).toHaveLength(2);
  },
);

test("an open wait that the code no longer asks for blocks the run until it has ended", async () => {
  const { run, world, deploy } = await setup(plain);
  await deploy(function* () {
    return [yield* step("one", "echo", 1), yield* step("two", "echo", 2)];
  });
  expect(run.fold.blocked).toMatchObject({
    cause: "unasked",
    path: "nap",
    log: "sleep, open",
    code: "the code has ended",
  });
  await world.pass(2_000);
  expect(await run.result()).toEqual({ state: "completed", output: [1, 2] });
});

test("a run whose version is not loaded is blocked, keeps what comes, and goes on when the version is loaded", async () => {
  const { run, world, deploy } = await setup(plain);
  await world.deploy(version(plain, 2));
  expect(run.state).toBe("blocked");
  expect(run.fold.blocked).toMatchObject({ cause: "version", log: "w v1" });
  await world.pass(2_000);
  expect(run.fold.ops.get("nap")?.outcome).toEqual({ status: "completed" });
  await deploy(plain);
  expect((await run.result()).state).toBe("completed");
});

test("a file may have several versions: each run keeps its own", async () => {
  const world = createWorkflowTest([
    version(function* () {
      yield* sleep("nap", 10);
      return "old";
    }),
    version(function* () {
      yield* sleep("nap", 10);
      return "new";
    }, 2),
  ]);
  const old = world.start(null, { version: 1 });
  const young = world.start(null);
  expect((await old.result()).output).toBe("old");
  expect((await young.result()).output).toBe("new");
});

test("a blocked run can be cancelled, and its steps are undone without code", async () => {
  const { run, world } = await setup(function* () {
    yield* step("one", "echo", 1, { undo: { call: "other" } });
    yield* sleep("nap", 1_000);
  });
  await world.deploy(version(plain, 2));
  expect(run.state).toBe("blocked");
  await run.cancel();
  expect((await run.result()).state).toBe("cancelled");
  expect(run.calls.at(-1)?.capability).toBe("other");
});

test("an exception is a bug and blocks the run; a TerminalError fails it on purpose", async () => {
  const { run, deploy } = await setup(plain);
  await deploy(function* () {
    yield* step("one", "echo", 1);
    yield* sleep("nap", 1_000);
    throw new TerminalError("the order is too large");
  });
  expect(await run.result()).toMatchObject({ state: "failed", error: { message: "the order is too large" } });
});

test("a child whose workflow no engine knows is blocked, and its parent waits", async () => {
  const world = createWorkflowTest(
    version(function* () {
      yield* child("part", "unknown");
    }),
  );
  const run = world.start(null);
  await expect(run.result()).rejects.toThrow("waits for workflow (part)");
  expect(world.run("run-1-1").state).toBe("blocked");
});
