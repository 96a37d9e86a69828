// Schedules of workflows: the rules for overlaps, skipped ticks, and past ticks that are made up.
import { describe, expect, it, test, vi } from "vitest";
import { silentLogger } from "../../../src/base/index.ts";
import { createScheduler, type RunSink, ticksBetween } from "../../../src/coordinator/index.ts";
import { decideTick } from "../../../src/coordinator/schedules/overlap.ts";
import { KEPT_SKIPS, schedules } from "../../../src/coordinator/schedules/schedules.ts";
import { SwarmError } from "../../../src/protocol/index.ts";
import { SOON, setupOffice } from "../support.ts";

describe("a tick while the run before goes on", () => {
  const going = { isBackfill: false, hasNewer: false, isLastGoing: true };
  it.each([
    [{ ...going, overlap: "skip" as const }, "skip"],
    [{ ...going, overlap: "allow" as const }, "start"],
    [{ ...going, overlap: "cancel" as const }, "cancel"],
    [{ ...going, overlap: "cancel" as const, hasNewer: true }, "skip"],
    [{ ...going, overlap: "skip" as const, isBackfill: true }, "wait"],
    [{ ...going, overlap: "allow" as const, isBackfill: true }, "start"],
    [{ ...going, overlap: "skip" as const, isLastGoing: false }, "start"],
    [{ ...going, overlap: "cancel" as const, isLastGoing: false, hasNewer: true }, "start"],
  ])("%j is decided as %s", (facts, decision) => {
    expect(decideTick(facts)).toBe(decision);
  });
});

const DAY_MS = 86_400_000;

/** An office with a schedule of runs, and a swarm of runs that the test ends. */
async function setup(overlap: "skip" | "allow" | "cancel") {
  const world = await setupOffice();
  const { office } = await world.start("c1", ["c1"]);
  const started: string[] = [];
  const cancelled: string[] = [];
  const going = new Set<string>();
  const down = { isDown: false };
  const runs: RunSink = {
    async start(id) {
      if (down.isDown) throw new SwarmError("unavailable", "no engine answers");
      if (!started.includes(id)) started.push(id);
      going.add(id);
    },
    isGoing: async (id) => going.has(id),
    async cancel(id) {
      cancelled.push(id);
    },
  };
  const tasks = { submit: () => Promise.reject(new Error("no task is expected")) };
  const scheduler = createScheduler({ office, tasks, runs, log: silentLogger });
  await scheduler.start();
  const run = { workflow: "nightly", input: null, overlap };
  const { nextMs } = await world.client.write("schedule-set", { id: "s", when: { everyMs: DAY_MS }, run });
  let expectedMs = nextMs;
  let key = 0;
  /** Fires the next tick, `at`, now. */
  const fire = async (at: number) => {
    const next = nextMs + ++key;
    const command = {
      type: "schedule-fire",
      id: "s",
      expectedMs,
      tickMs: at,
      nextMs: next,
      missed: 0,
    } as const;
    await office.submit(`fire-${key}`, command);
    expectedMs = next;
  };
  const show = async () => (await world.client.read("schedules")).schedules[0]!;
  const soon = (check: () => unknown) => vi.waitFor(check, SOON);
  const stop = () => scheduler.stop();
  return { ...world, office, started, cancelled, going, down, fire, show, soon, stop };
}

test("skip: a tick during a run starts none, and is stored and counted with its reason", async () => {
  const { fire, started, going, show, soon, stop } = await setup("skip");
  await fire(1);
  await soon(() => expect(started).toEqual(["s-1"]));
  await fire(2);
  await soon(async () => expect((await show()).runs).toMatchObject({ skipped: 1 }));
  expect((await show()).runs).toEqual({
    lastRunId: "s-1",
    skipped: 1,
    skips: [{ tickMs: 2, reason: "s-1 has not ended" }],
  });
  going.delete("s-1");
  await fire(3);
  await soon(() => expect(started).toEqual(["s-1", "s-3"]));
  await stop();
});

test("allow: each tick starts a run beside the others", async () => {
  const { fire, started, show, soon, stop } = await setup("allow");
  await fire(1);
  await fire(2);
  await soon(() => expect(started).toEqual(["s-1", "s-2"]));
  await soon(async () => expect((await show()).runs).toMatchObject({ lastRunId: "s-2", skipped: 0 }));
  await stop();
});

test("cancel: the run before is cancelled once, and only the newest tick waits for its end", async () => {
  const { fire, started, cancelled, going, show, soon, stop } = await setup("cancel");
  await fire(1);
  await soon(() => expect(started).toEqual(["s-1"]));
  await fire(2);
  await soon(() => expect(cancelled).toEqual(["s-1"]));
  await fire(3);
  await soon(async () => expect((await show()).runs?.skips).toMatchObject([{ tickMs: 2 }]));
  expect(started).toEqual(["s-1"]);
  going.delete("s-1");
  await soon(() => expect(started).toEqual(["s-1", "s-3"]));
  expect(cancelled).toEqual(["s-1"]);
  await stop();
});

test("without an engine a tick waits, and the next tick takes its place", async () => {
  const { fire, started, down, show, soon, stop, office } = await setup("skip");
  down.isDown = true;
  await fire(1);
  await fire(2);
  await soon(async () =>
    expect((await show()).runs?.skips).toEqual([
      { tickMs: 1, reason: "not started until the next tick: unavailable" },
    ]),
  );
  expect([...office.state.schedules.outbox.keys()]).toEqual(["s-2"]);
  down.isDown = false;
  await soon(() => expect(started).toEqual(["s-2"]));
  await stop();
});

test("past ticks are made up one after the other, each once", async () => {
  const { client, started, going, soon, stop } = await setup("skip");
  expect(await client.write("schedule-backfill", { id: "s", ticks: [10, 20] })).toEqual({ queued: 2 });
  expect(await client.write("schedule-backfill", { id: "s", ticks: [20] })).toEqual({ queued: 0 });
  await soon(() => expect(started).toEqual(["s-10"]));
  going.delete("s-10");
  await soon(() => expect(started).toEqual(["s-10", "s-20"]));
  await stop();
});

describe("the reducer", () => {
  it("keeps the last skipped ticks, and its snapshot gives the same state", () => {
    const state = schedules.empty();
    const run = { workflow: "w", input: null, overlap: "skip" as const };
    const set = { type: "schedule-set", id: "s", when: { everyMs: 1_000 }, run, nextMs: 1_000 } as const;
    schedules.decide(state, set, 0);
    for (let at = 1_000; at <= (KEPT_SKIPS + 4) * 1_000; at += 1_000) {
      const tick = { expectedMs: at, tickMs: at, nextMs: at + 1_000, missed: 0 };
      schedules.decide(state, { type: "schedule-fire", id: "s", ...tick }, 0);
      const receipt = { taskId: `s-${at}`, error: null, skipped: "s-0 has not ended" };
      schedules.decide(state, { type: "schedule-settle", ...receipt }, 0);
    }
    const { runs } = state.byId.get("s") ?? {};
    expect(runs).toMatchObject({ skipped: KEPT_SKIPS + 4, lastRunId: null });
    expect(runs?.skips).toHaveLength(KEPT_SKIPS);
    expect(runs?.skips[0]).toMatchObject({ tickMs: 5_000 });
    expect(schedules.toJson(schedules.fromJson(schedules.toJson(state)))).toEqual(schedules.toJson(state));
  });

  it("keeps a schedule of tasks in its old form", () => {
    const state = schedules.empty();
    const task = { capability: "echo", input: null };
    const set = { type: "schedule-set", id: "s", when: { everyMs: 1_000 }, task, nextMs: 1_000 } as const;
    schedules.decide(state, set, 0);
    const facts = { nextMs: 1_000, fired: 0, missed: 0, lastTaskId: null, lastError: null };
    expect(schedules.toJson(state)).toEqual([[{ id: "s", when: { everyMs: 1_000 }, task, ...facts }], []]);
  });
});

test("the ticks of a time are found up to a bound", () => {
  const when = { everyMs: 1_000 };
  expect(ticksBetween(when, { fromMs: 1_000, toMs: 3_000, max: 3 })).toEqual([1_000, 2_000, 3_000]);
  expect(() => ticksBetween(when, { fromMs: 1_000, toMs: 4_000, max: 3 })).toThrow(/more than 3 ticks/);
});
