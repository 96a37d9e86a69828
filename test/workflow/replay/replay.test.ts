// Recorded logs replay identically on each change, and a change of a definition shows as a difference with both sides.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, it, test } from "vitest";
import {
  approval,
  defineWorkflow,
  type Flow,
  foldLog,
  replayLog,
  step,
  type WorkflowDefinition,
} from "../../../src/workflow/index.ts";
import { createWorkflowTest } from "../../../src/workflow/testing/index.ts";
import { DEFINITIONS, record } from "./stories.ts";

const LOGS = new URL("logs/", import.meta.url);
const fileOf = (name: string) => new URL(`${name}.jsonl`, LOGS);
const textsOf = (name: string) => readFileSync(fileOf(name), "utf8").split("\n").filter(Boolean);

test("every story has its recorded log, and there are at least 20", async () => {
  if (process.env.UPDATE_GOLDEN !== undefined) {
    mkdirSync(LOGS, { recursive: true });
    for (const name of DEFINITIONS.keys())
      if (!existsSync(fileOf(name)))
        writeFileSync(fileOf(name), `${(await record(name)).texts.join("\n")}\n`);
  }
  expect(readdirSync(LOGS).sort()).toEqual([...DEFINITIONS.keys()].map((name) => `${name}.jsonl`).sort());
  expect(DEFINITIONS.size).toBeGreaterThanOrEqual(20);
});

it.each([...DEFINITIONS.keys()])("the recorded log of %s replays identically", (name) => {
  const texts = textsOf(name);
  const replay = replayLog(`replay-${name}`, texts, (workflow) => DEFINITIONS.get(workflow));
  expect(replay).toMatchObject({ fault: null, difference: null, taken: 0, entries: texts.length });
});

it.each([...DEFINITIONS.keys()])("a run of %s today replays identically", async (name) => {
  const { id, texts } = await record(name);
  const replay = replayLog(id, texts, (workflow) => DEFINITIONS.get(workflow));
  expect(replay).toMatchObject({ fault: null, difference: null });
});

const define = (run: () => Flow<unknown>): WorkflowDefinition =>
  defineWorkflow({
    name: "w",
    version: 1,
    *run() {
      return yield* run();
    },
  });
const before = define(function* () {
  yield* step("a", "echo", 1);
  yield* approval("check", { by: ["ops"] });
  return yield* step("b", "echo", 2);
});

async function recordBefore(): Promise<readonly string[]> {
  const run = createWorkflowTest(before, { agents: { echo: (input) => input } }).start(null, { id: "w1" });
  await run.untilWaiting();
  await run.approve("check", "ops");
  await run.result();
  return run.log;
}

it.each([
  [
    "another input of a step",
    function* () {
      yield* step("a", "echo", 1);
      yield* approval("check", { by: ["ops"] });
      return yield* step("b", "echo", 3);
    },
    { entry: 3, log: { path: "b", input: 2 }, code: { path: "b", input: 3 } },
  ],
  [
    "a step that is no longer there",
    function* () {
      yield* step("a", "echo", 1);
      return yield* step("b", "echo", 2);
    },
    { entry: 2, log: { type: "ordered", kind: "approval" }, code: { type: "ordered", path: "b" } },
  ],
  [
    "another capability under a name",
    function* () {
      yield* step("a", "other", 1);
      return null;
    },
    { entry: 1, log: { call: "echo" }, code: { call: "other" } },
  ],
  [
    "an earlier end",
    function* () {
      yield* step("a", "echo", 1);
      yield* approval("check", { by: ["ops"] });
      return "done";
    },
    { entry: 3, log: { type: "ordered", path: "b" }, code: { type: "finished" } },
  ],
] as [string, () => Flow<unknown>, object][])(
  "%s is the first difference, with both sides",
  async (_title, run, difference) => {
    const replay = replayLog("w1", await recordBefore(), () => define(run));
    expect(replay).toMatchObject({ fault: null, difference });
  },
);

test("a log that is broken, or whose definition is not there, is a fault", async () => {
  const texts = await recordBefore();
  expect(replayLog("w1", texts, () => undefined).fault).toBe("there is no definition of w v1");
  const damaged = texts.filter((_, index) => index !== 1);
  expect(replayLog("w1", damaged, () => before).fault).toMatch(/^the log is broken at entry 2/);
  const changed = texts.map((text) => text.replace('"echo"', '"acho"'));
  expect(replayLog("w1", changed, () => before).fault).toMatch(/^the log is broken at entry 1/);
});

test("entries of a blocked run are taken as they are, and from the mend on the code of today decides", async () => {
  const bad = define(function* () {
    yield* step("a", "echo", 1);
    throw new RangeError("a bug");
  });
  const world = createWorkflowTest(bad, { agents: { echo: (input) => input } });
  const run = world.start(null, { id: "w1" });
  await run.result().catch(() => null);
  expect(run.state).toBe("blocked");
  const mended = define(function* () {
    yield* step("a", "echo", 1);
    return yield* step("b", "echo", 2);
  });
  await world.deploy(mended);
  expect(await run.result()).toMatchObject({ state: "completed" });
  expect(foldLog("w1", run.log).ok).toBe(true);
  expect(replayLog("w1", run.log, () => mended)).toMatchObject({ taken: 1, fault: null, difference: null });
});
