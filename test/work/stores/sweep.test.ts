// The sweep of journals, on a real server. All journals count as old here: their age is 1 ms.
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { ManualClock, silentLogger } from "../../../src/base/index.ts";
import {
  createSubjects,
  encode,
  HEADERS,
  type JournalRecord,
  SwarmError,
} from "../../../src/protocol/index.ts";
import { connectMemory, MemoryServer, type Transport } from "../../../src/transport/index.ts";
import { createJournal, NO_RECORDS } from "../../../src/work/stores/journal.ts";
import {
  createJournalSweeper,
  judgeLastRecord,
  judgeTask,
  LEFT_JOURNAL_MS,
  type TaskFacts,
} from "../../../src/work/stores/sweep.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { TestSwarm } from "../support.ts";

let server: NatsServer;
let swarm: TestSwarm;
beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());
beforeEach(() => {
  swarm = new TestSwarm(server.url, { journalAgeMs: 1 });
});
afterEach(() => swarm.stop());

const AT = new Date(0).toISOString();
const started: JournalRecord = { type: "started", attempt: 1, agent: "a1", at: AT };
const NONE = { ended: 0, absent: 0, live: 0, undecided: 0, foreign: 0, isCut: false };

/** A transport of the swarm, a journal over it, and the makers of sweepers and records. */
async function setup() {
  const transport = await swarm.connect();
  const subjects = createSubjects(transport.prefix);
  const log = transport.log("journal");
  const journal = createJournal(log, subjects);
  const record = (taskId: string) => journal.append("echo", taskId, started, NO_RECORDS);
  const sweeper = (more: Partial<Parameters<typeof createJournalSweeper>[0]> = {}) =>
    createJournalSweeper({
      transport,
      meter: swarm.meter,
      log: silentLogger,
      isOpenBallot: async () => false,
      clock: { now: () => Date.now() + 60_000, after: () => () => undefined },
      ...more,
    });
  const left = async () => {
    const names = await log.subjects(`${transport.prefix}.journal.>`);
    return [...names.keys()].map((name) => name.split(".").at(-1)).sort();
  };
  return { transport, subjects, log, journal, record, sweeper, left };
}

it.each([
  [{ type: "started" as const, ageMs: LEFT_JOURNAL_MS - 1 }, "young"],
  [{ type: "started" as const, ageMs: LEFT_JOURNAL_MS }, "left"],
  [{ type: "failed" as const, ageMs: LEFT_JOURNAL_MS }, "left"],
  [{ type: null, ageMs: LEFT_JOURNAL_MS }, "left"],
  [{ type: "finished" as const, ageMs: LEFT_JOURNAL_MS }, "closed"],
])("a journal with the last record %j is %s", ({ type, ageMs }, verdict) => {
  const nowMs = 2 * LEFT_JOURNAL_MS;
  expect(judgeLastRecord({ type, storedAtMs: nowMs - ageMs }, { nowMs, keptMs: LEFT_JOURNAL_MS })).toBe(
    verdict,
  );
});

it.each<[Partial<TaskFacts>, string]>([
  [{ hasResult: true }, "ended"],
  [{}, "look"],
  [{ looks: 1 }, "look"],
  [{ looks: 1, isStored: true }, "live"],
  [{ looks: 2, isStored: true }, "live"],
  [{ looks: 2 }, "ask-office"],
  [{ looks: 2, ballot: "open" }, "live"],
  [{ looks: 2, ballot: "unknown" }, "undecided"],
  [{ looks: 2, ballot: "none" }, "absent"],
])("with the facts %j the sweep's next step is %s", (facts, step) => {
  expect(judgeTask({ hasResult: false, looks: 0, isStored: false, ballot: undefined, ...facts })).toBe(step);
});

it("the sweep removes the journals of ended and absent tasks, and keeps those of every task that has not ended", async () => {
  const { transport, subjects, journal, record, sweeper, left } = await setup();
  for (const id of ["ended", "absent", "queued", "delayed", "due", "placed", "ballot", "vacant"])
    await record(id);
  await record("closed");
  await journal.close("echo", "closed", { attempt: 1, agent: "a1", outcome: "completed" }, Date.now());
  const body = encode({});
  const at = (taskId: string) => ({ capability: "echo", priority: "normal" as const, scope: "-", taskId });
  await transport.log("results").append(subjects.result("echo", "-", "ended"), body);
  await transport.log("tasks").append(subjects.task(at("queued")), body);
  await transport
    .log("placed-default")
    .append(`${transport.prefix}.placed.default.host.agent.-.placed`, body);
  await transport.log("later").append(subjects.due(at("due")), body);
  await transport.log("later").append(subjects.later("-", "delayed"), body, {
    headers: {
      [HEADERS.schedule]: `@at ${new Date(Date.now() + 3_600_000).toISOString()}`,
      [HEADERS.scheduleTarget]: subjects.due(at("delayed")),
    },
  });
  const isOpenBallot = async (taskId: string) => {
    if (taskId === "vacant") throw new SwarmError("unavailable", "the office is vacant");
    return taskId === "ballot";
  };
  const counts = { ...NONE, ended: 1, absent: 1, live: 5, undecided: 1 };
  expect(await sweeper({ isOpenBallot }).sweep()).toEqual(counts);
  expect(await left()).toEqual(["ballot", "closed", "delayed", "due", "placed", "queued", "vacant"]);
  const { values } = await swarm.meter.journalsSwept.get();
  expect(Object.fromEntries(values.map(({ labels, value }) => [labels.outcome, value]))).toEqual({
    ended: 1,
    absent: 1,
    live: 5,
    undecided: 1,
  });
  expect(await sweeper({ isOpenBallot }).sweep()).toEqual({ ...NONE, live: 5, undecided: 1 });
});

it("a result under another capability does not end the task", async () => {
  const { transport, subjects, record, sweeper, left } = await setup();
  await record("a");
  await transport.log("results").append(subjects.result("other", "-", "a"), encode({}));
  await transport.log("tasks").append(`${transport.prefix}.task.echo.normal.-.a`, encode({}));
  expect(await sweeper().sweep()).toEqual({ ...NONE, live: 1 });
  expect(await left()).toEqual(["a"]);
});

it("a young journal stays", async () => {
  const { record, sweeper, left } = await setup();
  await record("a");
  const clock = { now: () => Date.now() - 60_000, after: () => () => undefined };
  expect(await sweeper({ clock }).sweep()).toEqual(NONE);
  expect(await left()).toEqual(["a"]);
});

it("a record that is stored while the sweep decides stays, and so does the count of attempts", async () => {
  const { journal, record, sweeper } = await setup();
  const tip = await record("a");
  const isOpenBallot = async () => {
    await journal.append("echo", "a", { ...started, attempt: 2 }, tip);
    return false;
  };
  expect(await sweeper({ isOpenBallot }).sweep()).toEqual({ ...NONE, absent: 1 });
  expect(await journal.tip("echo", "a")).toMatchObject({ record: { attempt: 2 } });
});

it("a task that the first look misses between two streams keeps its journal", async () => {
  const { transport, record, sweeper, left } = await setup();
  await record("a");
  await transport.log("tasks").append(`${transport.prefix}.task.echo.normal.-.a`, encode({}));
  let looks = 0;
  const missing = (inner: ReturnType<Transport["log"]>) => ({
    ...inner,
    last: async (filter: string, options?: { fresh?: boolean }) =>
      ++looks <= 1 ? null : inner.last(filter, options),
  });
  const blind: Transport = {
    ...transport,
    journalAgeMs: 1,
    log: (stream) => (stream === "tasks" ? missing(transport.log(stream)) : transport.log(stream)),
  };
  expect(await sweeper({ transport: blind }).sweep()).toEqual({ ...NONE, live: 1 });
  expect(looks).toBe(2);
  expect(await left()).toEqual(["a"]);
});

it("a run is bounded, and the next one continues behind journals that stay", async () => {
  const { transport, record, sweeper, left } = await setup();
  for (const id of ["a", "b", "c", "d", "e"]) await record(id);
  for (const id of ["a", "b"])
    await transport.log("tasks").append(`${transport.prefix}.task.echo.normal.-.${id}`, encode({}));
  const bounded = sweeper({ maxRecords: 2 });
  expect(await bounded.sweep()).toEqual({ ...NONE, live: 2, isCut: true });
  expect(await bounded.sweep()).toEqual({ ...NONE, absent: 2, isCut: true });
  expect(await bounded.sweep()).toEqual({ ...NONE, absent: 1 });
  expect(await left()).toEqual(["a", "b"]);
  expect(await bounded.sweep()).toEqual({ ...NONE, live: 2, isCut: true });
});

it("several sweepers at once leave the same journals as one", async () => {
  const { transport, record, sweeper, left } = await setup();
  for (const id of ["a", "b", "c", "d"]) await record(id);
  await transport.log("tasks").append(`${transport.prefix}.task.echo.normal.-.c`, encode({}));
  await Promise.all([sweeper().sweep(), sweeper().sweep(), sweeper().sweep()]);
  expect(await left()).toEqual(["c"]);
});

it("a message with a wildcard in its subject is removed alone, after its time", async () => {
  const { transport, log, record, sweeper } = await setup();
  await record("a");
  await transport.log("tasks").append(`${transport.prefix}.task.echo.normal.-.a`, encode({}));
  await log.append(`${transport.prefix}.journal.e$o.b`, encode({}));
  await log.append(`${transport.prefix}.journal.echo.*`, encode({}));
  expect(await sweeper().sweep()).toEqual({ ...NONE, live: 1, foreign: 2 });
  expect(await log.info()).toMatchObject({ messages: 1 });
});

it("the office is asked no more after three questions without an answer, and the rest stays undecided", async () => {
  const { record, sweeper, left } = await setup();
  for (const id of ["a", "b", "c", "d", "e"]) await record(id);
  let asked = 0;
  const isOpenBallot = async () => {
    asked++;
    throw new SwarmError("unavailable", "the office is vacant");
  };
  expect(await sweeper({ isOpenBallot }).sweep()).toEqual({ ...NONE, undecided: 5 });
  expect(asked).toBe(3);
  expect(await left()).toHaveLength(5);
});

it("the service sweeps soon after its start and every six hours, in a minute when a run was cut, and stops", async () => {
  const clock = new ManualClock(Date.now());
  const transport = connectMemory({
    prefix: "murmur",
    server: new MemoryServer({ clock }),
    limits: { journalAgeMs: 1_000 },
  });
  await transport.init();
  const journal = createJournal(transport.log("journal"), createSubjects("murmur"));
  for (const id of ["a", "b", "c"]) await journal.append("echo", id, started, NO_RECORDS);
  const runs: string[] = [];
  const log = { ...silentLogger, info: (report: object) => void runs.push(JSON.stringify(report)) };
  const chance = { next: () => 0.5 };
  const isOpenBallot = async () => false;
  const parts = {
    transport,
    meter: swarm.meter,
    log: log as typeof silentLogger,
    clock,
    chance,
    isOpenBallot,
  };
  const sweeper = createJournalSweeper({ ...parts, maxRecords: 2 });
  await sweeper.start();
  const advance = async (ms: number) => {
    clock.advance(ms);
    for (let turn = 0; turn < 200; turn++) await Promise.resolve();
  };
  await advance(29_999);
  expect(runs).toHaveLength(0);
  await advance(1);
  expect(runs).toHaveLength(1);
  await advance(60_000);
  expect(runs).toHaveLength(2);
  await journal.append("echo", "d", started, NO_RECORDS);
  await advance(6 * 3_600_000 - 1);
  expect(runs).toHaveLength(2);
  await advance(1);
  expect(runs).toHaveLength(3);
  await sweeper.stop();
  await journal.append("echo", "e", started, NO_RECORDS);
  await advance(12 * 3_600_000);
  expect(runs).toHaveLength(3);
});

it("removes the records before a closing record, when the process that closed the journal died before it could", async () => {
  const { log, journal, subjects, record, sweeper } = await setup();
  await record("t1");
  const finished = {
    type: "finished",
    attempt: 1,
    at: AT,
    history: { attempts: [], droppedAttempts: 0, droppedTraces: 0 },
  };
  await log.append(subjects.journal("echo", "t1"), encode(finished), {
    headers: { [HEADERS.contentType]: "application/json" },
  });
  expect(await sweeper().sweep()).toEqual({ ...NONE, ended: 1 });
  expect((await journal.records("echo", "t1")).map(({ record: { type } }) => type)).toEqual(["finished"]);
});
