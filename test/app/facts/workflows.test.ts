// The facts about workflows and about tasks that wait for a person, as an api process reads them from a swarm.
import { afterEach, expect, test } from "vitest";
import { createPeopleReader } from "../../../src/app/facts/people.ts";
import { createWorkflowReader } from "../../../src/app/facts/workflows.ts";
import {
  CONTENT_TYPES,
  createSubjects,
  encode,
  HEADERS,
  TerminalError,
} from "../../../src/protocol/index.ts";
import { MemoryServer } from "../../../src/transport/index.ts";
import { approval, defineWorkflow, step } from "../../../src/workflow/index.ts";
import { definitionsOf, EngineSwarm } from "../../engine/support.ts";

const asked = defineWorkflow({
  name: "asked",
  version: 1,
  *run() {
    return yield* approval("go", { by: ["ops"] });
  },
});
const twice = defineWorkflow({
  name: "twice",
  version: 1,
  *run() {
    yield* step("book", "echo", 1);
    yield* step("book", "echo", 2);
  },
});
const half = defineWorkflow({
  name: "half",
  version: 1,
  *run() {
    yield* step("book", "echo", 1, { undo: { call: "broken" } });
    yield* step("pay", "broken", 2, { retry: { max: 0 } });
  },
});
const definitions = definitionsOf(asked, twice, half);

let swarm: EngineSwarm;
afterEach(() => swarm.stop());

async function setup() {
  swarm = new EngineSwarm(new MemoryServer());
  const transport = await swarm.swarm.connect();
  return { transport, read: createWorkflowReader(transport), client: await swarm.client() };
}

test("engines tell the runs that wait for a person as soon as they wait, and forget them when they go on", async () => {
  const { read, client } = await setup();
  await swarm.agents({
    echo: () => 1,
    broken: () => {
      throw new TerminalError("it is broken");
    },
  });
  await swarm.engine(definitions);
  await client.start({ id: "a-1", workflow: "asked", input: null });
  await client.start({ id: "t-1", workflow: "twice", input: null });
  await client.start({ id: "h-1", workflow: "half", input: null });
  await expect
    .poll(async () => (await read()).counts, { timeout: 10_000 })
    .toEqual({ blocked: 1, compensation_failed: 1, approval: 1 });
  const { engines, orphans, runs } = await read();
  expect({ engines, orphans }).toEqual({ engines: 1, orphans: null });
  const byId = new Map(runs.map((run) => [run.id, run]));
  expect(byId.get("a-1")).toMatchObject({ kind: "approval", name: "asked", path: "go", by: ["ops"] });
  expect(byId.get("t-1")).toMatchObject({ kind: "blocked", cause: "repeated-name" });
  expect(byId.get("t-1")?.message).toContain("book");
  expect(byId.get("h-1")).toMatchObject({ kind: "compensation_failed", path: "book" });
  await client.send("a-1", { type: "approve", path: "go" }, { user: "ops", proven: false });
  await client.send("h-1", { type: "resume", skip: "book", note: "by hand" });
  await client.send("t-1", { type: "cancel" });
  await expect.poll(async () => (await read()).runs, { timeout: 10_000 }).toEqual([]);
}, 30_000);

test("while no engine answers, the open runs and the stored commands are counted from the streams", async () => {
  const { read, client } = await setup();
  expect(await read()).toMatchObject({ engines: 0, orphans: { runs: 0, commands: 0, oldestAtMs: null } });
  const engine = await swarm.engine(definitions);
  await client.start({ id: "a-1", workflow: "asked", input: null });
  await expect.poll(async () => (await read()).counts.approval, { timeout: 10_000 }).toBe(1);
  await engine.stop();
  expect(await read()).toMatchObject({
    ...{ engines: 0, runs: [{ id: "a-1", kind: "approval" }] },
    orphans: { runs: 1, commands: 0, isCut: false },
  });
  await client.send("a-1", { type: "cancel" });
  const { orphans } = await read();
  expect(orphans).toMatchObject({ runs: 1, commands: 1 });
  expect(orphans?.oldestAtMs).toBeGreaterThan(0);
}, 30_000);

test("a task in the later stream whose journal ends with a wait for a person is told, and other delayed tasks are not", async () => {
  const { transport } = await setup();
  const subjects = createSubjects(transport.prefix);
  const headers = { [HEADERS.contentType]: CONTENT_TYPES.json };
  const read = createPeopleReader(transport);
  const at = "2026-11-30T05:00:00.000Z";
  for (const id of ["paying", "plain"])
    await transport.log("later").append(subjects.later("-", id), encode({}), {
      headers: {
        ...headers,
        [HEADERS.schedule]: `@at ${new Date(transport.clock.now() + 60_000).toISOString()}`,
        [HEADERS.scheduleTarget]: `${transport.prefix}.due.bill.normal.-.${id}`,
      },
    });
  const record = { type: "waiting", attempt: 1, agent: "-", at, steps: ["pay"] };
  await transport.log("journal").append(subjects.journal("bill", "paying"), encode(record), { headers });
  expect(await read()).toEqual({
    tasks: [{ taskId: "paying", capability: "bill", steps: ["pay"], sinceMs: Date.parse(at) }],
    unseen: 0,
  });
  await transport.log("later").purge({ filter: subjects.filters.laterById("paying") });
  expect((await read()).tasks).toEqual([]);
});
