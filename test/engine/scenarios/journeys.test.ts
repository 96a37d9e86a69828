// The journeys of a swarm with workflows, end to end on one real nats-server with a coordinator, engines and agents that all of them share: one test
// for each thing that a swarm of the field does.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import { z } from "zod";
import files from "../../../agents/files/agent.ts";
import { makePlan } from "../../../agents/lib/planner/plan.ts";
import { defineAgent } from "../../../src/agent/index.ts";
import { createRunSink } from "../../../src/app/processes/schedule-runs.ts";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { createScheduler } from "../../../src/coordinator/index.ts";
import { createEngine, type Engine, WorkflowClient } from "../../../src/engine/index.ts";
import { decode, type Json, RetryableError, TerminalError } from "../../../src/protocol/index.ts";
import type { Transport } from "../../../src/transport/index.ts";
import { createTaskClient, type TaskClient } from "../../../src/work/index.ts";
import {
  all,
  approval,
  defineWorkflow,
  foldLog,
  loadDefinition,
  map,
  objectiveWorkflow,
  shared,
  signal,
  stateOf,
  status,
  step,
} from "../../../src/workflow/index.ts";
import { SOON, setupOffice, startAgents } from "../../coordinator/support.ts";
import { until } from "../../work/support.ts";
import { definitionsOf } from "../support.ts";

/** The effects of the agents in their order: `<capability> <key>`. */
const effects: string[] = [];
/** Capabilities that fail for good, until a test mends them. */
const broken = new Set<string>();
const gates = new Map<string, PromiseWithResolvers<void>>();
let held = 0;
let mostHeld = 0;
const heard: unknown[] = [];

const hand = defineAgent({
  name: "hand",
  description: "Does every plain step.",
  capabilities: ["echo", "book", "unbook", "shaky", "gated"],
  expertise: ["backend"],
  triggers: ["echo"],
  slots: 16,
  async run(task, ctx) {
    effects.push(`${task.capability} ${ctx.key}`);
    if (broken.has(task.capability)) throw new TerminalError(`${task.capability} is broken`);
    if (task.capability === "shaky" && ctx.attempt === 1) throw new RetryableError("not yet");
    if (task.capability === "gated") await gates.get(String(task.input))?.promise;
    return task.input ?? null;
  },
});
const single = defineAgent({
  name: "single",
  capabilities: ["one-by-one"],
  slots: 1,
  async run(task, ctx) {
    effects.push(`${task.capability} ${ctx.key}`);
    await gates.get(String(task.input))?.promise;
    return task.input;
  },
});
const tally = defineAgent({
  name: "tally",
  capabilities: ["tally"],
  run: async (_task, ctx) => (await ctx.shared.update<number>("count", (count = 0) => count + 1)).value,
});
const asker = defineAgent({
  name: "asker",
  capabilities: ["consult"],
  async run(task, ctx) {
    const answer = await ctx.ask<string>("answer", task.input, { step: "asked" });
    ctx.broadcast("news", answer);
    return answer;
  },
});
const answerer = defineAgent({
  name: "answerer",
  capabilities: ["answer"],
  on: { news: (value) => void heard.push(value) },
  run: (task) => `answer to ${task.input}`,
});
const locker = defineAgent({
  name: "locker",
  capabilities: ["exclusive"],
  async run(_task, ctx) {
    const { token } = await ctx.lock("counter");
    mostHeld = Math.max(mostHeld, ++held);
    await ctx.sleep(20);
    held--;
    return token;
  },
});
const desk = (name: string) =>
  defineAgent({
    name,
    capabilities: ["relay"],
    async run(_task, ctx) {
      const seen = await ctx.step("seen", () => name);
      if (ctx.handedOff === undefined) return ctx.handOff({ context: { from: name } });
      return { first: (ctx.handedOff.context as { from: string }).from, last: seen, key: ctx.key };
    },
  });

const template = join(import.meta.dirname, "../../../workflows/nightly.yaml");
const { definition: nightly } = await loadDefinition(readFileSync(template, "utf8"), template);
const stages = (name: string, run: Parameters<typeof defineWorkflow>[0]["run"]) =>
  defineWorkflow({ name, version: 1, signals: { go: z.number() }, run });
const definitions = definitionsOf(
  objectiveWorkflow,
  stages("sequential", function* () {
    const one = yield* step("one", "echo", 1);
    return yield* step("two", "echo", [one, 2]);
  }),
  stages("parallel", function* () {
    return yield* all([step("left", "gated", "left"), step("right", "gated", "right")]);
  }),
  stages("recovers", function* () {
    try {
      yield* step("bad", "refused", 1);
    } catch (error) {
      return yield* step("instead", "shaky", (error as Error).message, { retry: { max: 2, backoffMs: 1 } });
    }
  }),
  stages("saga", function* () {
    yield* step("flight", "book", "flight", { undo: { call: "unbook" } });
    yield* step("hotel", "book", "hotel", { undo: { call: "unbook" } });
    yield* step("car", "refused", "car", { undo: { call: "unbook" } });
  }),
  stages("resumes", function* () {
    yield* map("row", [1, 2, 3], { concurrency: 1 }, (row) => step("save", "echo", row));
    yield* step("hold", "gated", "resume");
    return yield* step("last", "echo", "end");
  }),
  stages("tracked", function* () {
    yield* status({ progress: 0.25, note: "first quarter" });
    yield* approval("check", { by: ["ops"] });
    yield* status({ progress: 0.75, note: "third quarter" });
    return yield* signal<number>("go");
  }),
  stages("consults", function* () {
    return yield* step("ask", "consult", "why");
  }),
  stages("locks", function* () {
    return yield* map("each", [1, 2, 3], {}, () => step("hold", "exclusive"));
  }),
  stages("relays", function* () {
    return yield* step("pass", "relay", null, { route: "best" });
  }),
  stages("ranks", function* () {
    yield* all([
      step("first", "one-by-one", "first"),
      (function* () {
        yield* step("mark", "gated", "mark");
        yield* all([
          step("low", "one-by-one", "low", { priority: "low" }),
          step("urgent", "one-by-one", "urgent", { priority: "urgent" }),
        ]);
      })(),
    ]);
  }),
  stages("shares", function* () {
    yield* all([step("one", "tally"), step("two", "tally")]);
    const { revision } = (yield* shared<number>("look", "count"))!;
    yield* shared("reset", "count", { set: 10, revision });
    yield* step("three", "tally");
    return (yield* shared<number>("end", "count"))?.value;
  }),
  nightly,
  stages("fragile", function* () {
    yield* step("good", "echo", 1);
    return yield* step("bad", "fixable", 2);
  }),
);
const refusing = defineAgent({
  name: "refusing",
  capabilities: ["refused", "fixable"],
  run(task, ctx) {
    effects.push(`${task.capability} ${ctx.key}`);
    if (task.capability === "refused" || broken.has("fixable")) throw new TerminalError("out of order");
    return task.input;
  },
});
const AGENTS = [
  hand,
  single,
  tally,
  files,
  asker,
  answerer,
  locker,
  desk("desk-1"),
  desk("desk-2"),
  refusing,
];

const stops: (() => Promise<void> | void)[] = [];
const onEnd = (stop: () => Promise<void> | void) => void stops.push(stop);
let swarm: Awaited<ReturnType<typeof setupOffice>>;
let transport: Transport;
let tasks: TaskClient;
let client: WorkflowClient;
let engine: Engine;
let office: Awaited<ReturnType<(typeof swarm)["start"]>>["office"];

async function startEngine(id: string): Promise<Engine> {
  const own = await swarm.connect();
  const meter = createMeter();
  const parts = {
    transport: own,
    meter,
    log: silentLogger,
    tasks: createTaskClient({ transport: own, meter }),
  };
  const made = createEngine({ ...parts, id, definitions });
  await made.start();
  onEnd(() => made.stop());
  return made;
}

beforeAll(async () => {
  swarm = await setupOffice({ nats: true, onEnd });
  ({ office } = await swarm.start("c1", ["c1"]));
  await startAgents(await swarm.connect(), AGENTS, "h1", { onEnd });
  transport = await swarm.connect();
  tasks = createTaskClient({ transport, meter: createMeter() });
  onEnd(() => tasks.close());
  engine = await startEngine("engine-1");
  client = new WorkflowClient({ transport, tasks });
  await vi.waitFor(() => expect(office.state.registry.members.size).toBe(AGENTS.length), SOON);
}, 120_000);
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
});

/** Starts a run under its name and waits for its end. */
async function run(workflow: string, input: Json = null) {
  await client.start({ workflow, input, id: workflow });
  return client.result(workflow, { timeoutMs: 60_000 });
}
const effectsOf = (id: string) => effects.filter((effect) => effect.split(" ")[1]?.startsWith(`${id}/`));
const opens = (id: string, kind: "approval" | "signal" | "step") =>
  until(async () => ((await client.fold(id).catch(() => null))?.open[kind].size ? true : undefined));

it("initialise: the streams are there, an engine serves every lane, and tells its workflows", async () => {
  expect((await transport.inspect()).filter(({ problem }) => problem !== null)).toEqual([]);
  expect(engine.lanes).toHaveLength(8);
  expect((await client.definitions()).map(({ name }) => name)).toContain("objective");
});

it("decompose: a planner makes steps of an objective, and the run performs them", async () => {
  const agents = [
    { role: "hand", capabilities: ["echo"], expertise: ["backend"], triggers: ["echo"] },
    { role: "locker", capabilities: ["exclusive"], expertise: [], triggers: [] },
  ];
  const { steps, unmatched } = makePlan({ objective: "echo the greeting; then fly to the moon", agents });
  expect(unmatched).toMatchObject([{ text: "fly to the moon" }]);
  const plan = { objective: "echo the greeting", steps: [...steps] as Json[], grants: ["echo"] };
  const { id } = await client.start({ workflow: "objective", input: plan, id: "decompose" });
  expect(await client.result(id)).toMatchObject({
    status: "completed",
    output: { objective: "echo the greeting" },
  });
});

it("sequential: a step gets the output of the step before", async () => {
  expect(await run("sequential")).toMatchObject({ status: "completed", output: [1, 2] });
  expect(effectsOf("sequential")).toEqual(["echo sequential/one", "echo sequential/two"]);
});

it("parallel: both steps run before one of them ends", async () => {
  for (const side of ["left", "right"]) gates.set(side, Promise.withResolvers());
  await client.start({ workflow: "parallel", input: null, id: "parallel" });
  await until(() => (effectsOf("parallel").length === 2 ? true : undefined));
  for (const side of ["right", "left"]) gates.get(side)?.resolve();
  expect(await client.result("parallel")).toMatchObject({ output: ["left", "right"] });
});

it("error recovery: the code catches a failure, and an attempt that fails is retried", async () => {
  expect(await run("recovers")).toMatchObject({ status: "completed", output: "out of order" });
  expect(effectsOf("recovers")).toEqual([
    "refused recovers/bad",
    "shaky recovers/instead",
    "shaky recovers/instead",
  ]);
});

it("saga: a failure undoes the steps before it, the last one first", async () => {
  expect(await run("saga")).toMatchObject({ status: "failed" });
  expect(effectsOf("saga").slice(-3)).toEqual([
    "unbook saga/car~undo",
    "unbook saga/hotel~undo",
    "unbook saga/flight~undo",
  ]);
});

it("checkpoint recovery: another engine goes on behind the last recorded step", async () => {
  gates.set("resume", Promise.withResolvers());
  await client.start({ workflow: "resumes", input: null, id: "resumes" });
  await until(() => (effectsOf("resumes").some((effect) => effect.startsWith("gated")) ? true : undefined));
  await engine.stop();
  gates.get("resume")?.resolve();
  engine = await startEngine("engine-2");
  expect(await client.result("resumes")).toMatchObject({ status: "completed", output: "end" });
  expect(effectsOf("resumes")).toHaveLength(5);
  const { texts } = await client.log("resumes");
  expect(foldLog("resumes", texts)).toMatchObject({ ok: true });
});

it("events: watchers hear of the start, of each step and of the end", async () => {
  const events: string[] = [];
  const filter = `${transport.prefix}.event.workflow.watched.>`;
  const watching = transport.bus.subscribe(filter, ({ subject, data }) => {
    const { path = "" } = decode(data).value as { path?: string };
    events.push(`${subject.split(".").at(-1)} ${path}`.trim());
  });
  await transport.bus.flush();
  await client.start({ workflow: "sequential", input: null, id: "watched" });
  await until(() => (events.includes("completed") ? true : undefined));
  watching.close();
  expect(events).toEqual(["started", "step-finished one", "step-finished two", "completed"]);
});

it("state tracking and progress: lists show the state, the wait and the progress", async () => {
  await client.start({ workflow: "tracked", input: null, id: "tracked", labels: { team: "a" } });
  await opens("tracked", "approval");
  const listed = async () => (await client.list({ labels: { team: "a" } })).runs[0];
  expect(await listed()).toMatchObject({
    state: "running",
    progress: 0.25,
    note: "first quarter",
    waiting: { reason: "human", path: "check", by: ["ops"] },
  });
  await client.send("tracked", { type: "pause" });
  await until(async () => ((await listed())?.state === "paused" ? true : undefined));
  await client.send("tracked", { type: "resume" });
  await client.send("tracked", { type: "approve", path: "check" }, { user: "ops", proven: true });
  await opens("tracked", "signal");
  expect(await listed()).toMatchObject({ progress: 0.75, waiting: { reason: "signal", path: "go" } });
});

it("context update: a signal brings a value into the run that waits for it", async () => {
  await client.send("tracked", { type: "signal", name: "go", value: 42 });
  expect(await client.result("tracked")).toMatchObject({ output: 42 });
  expect(stateOf(await client.fold("tracked"))).toBe("completed");
});

it("shared context: steps and the code read and change one value, and none of the changes is lost", async () => {
  expect(await run("shares")).toMatchObject({ status: "completed", output: 11 });
  expect((await client.fold("shares")).ops.get("look")?.outcome).toMatchObject({ output: { value: 2 } });
});

it("schedule: the nightly template starts at the tick of its cron, and archives the old files", async () => {
  const directory = mkdtempSync(join(tmpdir(), "murmur-nightly-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  vi.stubEnv("MURMUR_FILES_DIR", directory);
  onTestFinished(() => void vi.unstubAllEnvs());
  mkdirSync(join(directory, "logs"));
  for (const name of ["old.log", "new.log"]) writeFileSync(join(directory, "logs", name), name);
  utimesSync(join(directory, "logs/old.log"), 0, 0);
  const scheduler = createScheduler({
    office,
    tasks,
    runs: createRunSink({ transport, tasks }),
    log: silentLogger,
  });
  await scheduler.start();
  const input = { directory: "logs", olderThanDays: 30, archive: "archive" };
  const { nextMs } = await swarm.client.write("schedule-set", {
    id: "night",
    when: { cron: "0 2 * * *", timezone: "UTC" },
    run: { workflow: "nightly", input, overlap: "skip" },
  });
  expect(new Date(nextMs).toISOString().slice(11)).toBe("02:00:00.000Z");
  await office.submit("night", {
    type: "schedule-fire",
    id: "night",
    ...{ expectedMs: nextMs, tickMs: nextMs, nextMs: nextMs + 86_400_000, missed: 0 },
  });
  const id = `night-${nextMs}`;
  await until(async () => ((await client.fold(id).catch(() => null)) === null ? undefined : true));
  expect(await client.result(id, { timeoutMs: 60_000 })).toMatchObject({ status: "completed" });
  expect(readdirSync(join(directory, "logs"))).toEqual(["new.log"]);
  expect((await client.fold(id)).begun?.labels).toMatchObject({ schedule: "night" });
  await scheduler.stop();
});

it("messages: the agent of a step asks another agent, and tells the others", async () => {
  expect(await run("consults")).toMatchObject({ output: "answer to why" });
  await until(() => (heard.length > 0 ? true : undefined));
  expect(heard).toEqual(["answer to why"]);
});

it("locking: steps that take one lock run one after the other, with rising tokens", async () => {
  const { output } = await run("locks");
  expect(mostHeld).toBe(1);
  expect(new Set(output as number[]).size).toBe(3);
});

it("hand-off: another agent continues the step under the same key, with the context", async () => {
  const { output } = await run("relays");
  expect(output).toMatchObject({ key: "relays/pass" });
  const { first } = output as { first: string };
  expect(["desk-1", "desk-2"]).toContain(first);
});

it("priority: an urgent step overtakes one of low priority that waits", async () => {
  for (const name of ["first", "mark"]) gates.set(name, Promise.withResolvers());
  await client.start({ workflow: "ranks", input: null, id: "ranks" });
  await until(() => (effectsOf("ranks").includes("one-by-one ranks/first") ? true : undefined));
  gates.get("mark")?.resolve();
  await until(async () => ((await transport.log("tasks").info()).messages === 3 ? true : undefined));
  gates.get("first")?.resolve();
  await client.result("ranks");
  const order = effectsOf("ranks").filter((effect) => effect.startsWith("one-by-one"));
  expect(order.map((effect) => effect.split("/")[1])).toEqual(["first", "urgent", "low"]);
});

it("retry: a failed run goes on from its failed step, in the same log", async () => {
  broken.add("fixable");
  expect(await run("fragile")).toMatchObject({ status: "failed" });
  broken.delete("fixable");
  await client.send("fragile", { type: "retry" });
  await until(async () => ((await client.fold("fragile")).end === "completed" ? true : undefined));
  expect(effectsOf("fragile")).toEqual(["echo fragile/good", "fixable fragile/bad", "fixable fragile/bad"]);
});
