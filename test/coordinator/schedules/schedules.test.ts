import fc from "fast-check";
import { describe, expect, it, test, vi } from "vitest";
import { silentLogger } from "../../../src/base/index.ts";
import { createScheduler, type RunSink } from "../../../src/coordinator/index.ts";
import { schedules } from "../../../src/coordinator/schedules/schedules.ts";
import { CATCH_UP_MS, firstTickMs, nextTickMs, planTick } from "../../../src/coordinator/schedules/ticks.ts";
import { SwarmError, type TaskInput } from "../../../src/protocol/index.ts";
import { scaled } from "../../support/scale.ts";
import { SOON, setupOffice } from "../support.ts";

const at = (text: string) => Date.parse(text);

/** For schedules of tasks. */
const NO_RUNS: RunSink = {
  start: () => Promise.reject(new Error("no run is expected")),
  isGoing: () => Promise.reject(new Error("no run is expected")),
  cancel: () => Promise.reject(new Error("no run is expected")),
};

describe("ticks", () => {
  it.each([
    ["*/5 * * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"],
    ["0 2 * * *", "Europe/Berlin", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"],
    // Clocks go forward at 02:00: half past two does not exist on that day, and right after is next.
    ["30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"],
    // Clocks go back at 03:00: half past two exists twice and fires once.
    ["30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
    ["0 0 29 2 *", "UTC", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"],
  ])("of %s in %s after %s: %s", (cron, timezone, after, next) => {
    expect(new Date(nextTickMs({ cron, timezone }, at(after))!).toISOString()).toBe(
      new Date(next).toISOString(),
    );
  });

  it.each([
    // All times of the skipped hour fire once, right after the change. Ticks after 05:00 UTC are left out.
    ["0,30 2 * * *", "Europe/Berlin", "2026-03-29", ["01:00"]],
    ["*/10 2 * * *", "Europe/Berlin", "2026-03-29", ["01:00"]],
    ["15-20 2 * * *", "Europe/Berlin", "2026-03-29", ["01:00"]],
    ["0 2,14 * * *", "Europe/Berlin", "2026-03-29", ["01:00", "12:00"]],
    ["0,30 2 * * *", "Europe/Berlin", "2026-10-25", ["00:00", "00:30"]],
    ["0 */2 * * *", "Europe/Berlin", "2026-10-25", ["00:00", "03:00", "05:00"]],
    ["30 * * * *", "Europe/Berlin", "2026-10-25", ["00:30", "01:30", "02:30", "03:30", "04:30"]],
    ["30 * * * *", "Europe/Berlin", "2026-03-29", ["00:30", "01:30", "02:30", "03:30", "04:30"]],
  ])("of %s in %s on %s are at %j UTC", (cron, timezone, day, times) => {
    const ticks: string[] = [];
    let tick = nextTickMs({ cron, timezone }, at(`${day}T00:00:00Z`) - 1);
    while (tick !== null && tick < at(`${day}T${cron.includes("14") ? "23" : "05"}:01:00Z`)) {
      ticks.push(new Date(tick).toISOString().slice(11, 16));
      tick = nextTickMs({ cron, timezone }, tick);
    }
    expect(ticks).toEqual(times);
  });

  it("of an interval are at its multiples, from any starting time", () => {
    expect(nextTickMs({ everyMs: 10_000 }, 20_000)).toBe(30_000);
    expect(nextTickMs({ everyMs: 10_000 }, 29_999)).toBe(30_000);
  });

  it.each([
    ["every day", "UTC"],
    ["* * * * * * *", "UTC"],
    ["* * * * *", "Mars/Base"],
  ])("of %s in %s are refused", (cron, timezone) => {
    expect(() => nextTickMs({ cron, timezone }, 0)).toThrow(
      expect.objectContaining({ code: "invalid_input", field: "when" }),
    );
  });

  it("that were missed for a moment all fire; older ones count as missed, except the last", () => {
    const when = { everyMs: 10_000 };
    expect(planTick(when, 10_000, 35_000)).toEqual({ tickMs: 10_000, nextMs: 20_000, missed: 0 });
    const nowMs = CATCH_UP_MS + 100_000;
    expect(planTick(when, 10_000, nowMs)).toEqual({ tickMs: 100_000, nextMs: 110_000, missed: 9 });
    const day = { everyMs: 86_400_000 };
    expect(planTick(day, 86_400_000, 100_000_000)).toMatchObject({ tickMs: 86_400_000, missed: 0 });
  });

  it("skips missed ticks with the same result as if each tick had been checked, also over clock changes", () => {
    const cron = fc.constantFrom(
      "* * * * *",
      "*/10 * * * * *",
      "0 * * * *",
      "30 2 * * *",
      "0 0 1 * *",
      "15 1-3 * * sun",
    );
    const timezone = fc.constantFrom("UTC", "Europe/Berlin", "America/St_Johns");
    const begin = fc.constantFrom("2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z", "2026-06-30T23:59:30Z");
    const lateMs = fc.integer({ min: 0, max: 6 * 3_600_000 });
    fc.assert(
      fc.property(cron, timezone, begin, lateMs, (expression, zone, from, late) => {
        const when = { cron: expression, timezone: zone };
        const dueMs = nextTickMs(when, at(from)) as number;
        const nowMs = dueMs + late;
        let tickMs = dueMs;
        for (let next: number; nowMs - tickMs > CATCH_UP_MS; tickMs = next) {
          next = nextTickMs(when, tickMs) as number;
          if (next > nowMs) break;
        }
        expect(planTick(when, dueMs, nowMs)).toMatchObject({ tickMs, nextMs: nextTickMs(when, tickMs) });
      }),
      { numRuns: scaled(12, 40) },
    );
  });

  it("skips a week of minutes and of seconds without blocking, and counts the first hundred", () => {
    const nowMs = at("2026-02-09T00:00:30Z");
    const dueMs = at("2026-02-02T00:00:00Z");
    const minute = { cron: "* * * * *", timezone: "UTC" };
    expect(planTick(minute, dueMs, nowMs)).toEqual({
      ...{ tickMs: at("2026-02-09T00:00:00Z"), nextMs: at("2026-02-09T00:01:00Z") },
      missed: 100,
    });
    expect(planTick({ cron: "* * * * * *", timezone: "UTC" }, dueMs, nowMs)).toMatchObject({
      tickMs: nowMs - CATCH_UP_MS,
    });
    expect(planTick({ everyMs: 1_000 }, dueMs, nowMs)).toMatchObject({ missed: 7 * 86_400 + 30 - 60 });
  });
});

describe("the reducer", () => {
  function setup() {
    const state = schedules.empty();
    const task = { capability: "echo", input: null };
    schedules.decide(
      state,
      { type: "schedule-set", id: "s", when: { everyMs: 1_000 }, task, nextMs: 1_000 },
      0,
    );
    const fire = (expectedMs: number) =>
      schedules.decide(
        state,
        {
          type: "schedule-fire",
          id: "s",
          expectedMs,
          tickMs: expectedMs,
          nextMs: expectedMs + 1_000,
          missed: 0,
        },
        0,
      );
    return { state, fire };
  }

  it("fires a tick once, and keeps it until its receipt", () => {
    const { state, fire } = setup();
    expect(fire(1_000)).toEqual({ fired: true, taskId: "s-1000" });
    expect(fire(1_000)).toEqual({ fired: false });
    expect([...state.outbox.keys()]).toEqual(["s-1000"]);
    const settle = { type: "schedule-settle", taskId: "s-1000", error: null } as const;
    expect(schedules.decide(state, settle, 0)).toEqual({ settled: true });
    expect(schedules.decide(state, settle, 0)).toEqual({ settled: false });
    expect(state.outbox.size).toBe(0);
  });

  it("fires no tick of a schedule that was removed", () => {
    const { state, fire } = setup();
    expect(schedules.decide(state, { type: "schedule-remove", id: "s" }, 0)).toEqual({ removed: true });
    expect(fire(1_000)).toEqual({ fired: false });
    expect(schedules.decide(state, { type: "schedule-remove", id: "s" }, 0)).toMatchObject({
      error: { code: "not_found" },
    });
  });
});

/** An office with a scheduler that submits its tasks to `submit`. */
async function setupFiring(submit: (task: TaskInput) => Promise<unknown>) {
  const world = await setupOffice();
  const begin = async () => {
    const coordinator = await world.start("c1", ["c1"]);
    const firing = createScheduler({
      office: coordinator.office,
      tasks: { submit },
      runs: NO_RUNS,
      log: silentLogger,
    });
    await firing.start();
    const stop = async () => {
      await firing.stop();
      await coordinator.stop();
    };
    return { ...coordinator, stop };
  };
  const set = () =>
    world.client.write("schedule-set", {
      id: "s",
      when: { everyMs: 1_000 },
      task: { capability: "echo", input: { a: 1 } },
    });
  const show = async () => (await world.client.read("schedules")).schedules;
  return { ...world, begin, set, show };
}

test("each tick submits one task whose id is made of schedule and tick", async () => {
  const tasks: TaskInput[] = [];
  const { begin, set } = await setupFiring(async (task) => tasks.push(task));
  const coordinator = await begin();
  const { nextMs } = (await set()) as { nextMs: number };
  await vi.waitFor(() => expect(tasks.length).toBeGreaterThanOrEqual(2), SOON);
  await coordinator.stop();
  expect(tasks.slice(0, 2)).toEqual([
    { id: `s-${nextMs}`, capability: "echo", input: { a: 1 } },
    { id: `s-${nextMs + 1_000}`, capability: "echo", input: { a: 1 } },
  ]);
  expect(new Set(tasks.map(({ id }) => id)).size).toBe(tasks.length);
});

test("the next holder of the office submits the task of a fired tick that was not submitted", async () => {
  let isDown = true;
  const tried: string[] = [];
  const { begin, set } = await setupFiring(async ({ id }) => {
    tried.push(`${id} ${isDown ? "refused" : "taken"}`);
    if (isDown) throw new SwarmError("unavailable", "no queue");
  });
  const first = await begin();
  const { nextMs } = (await set()) as { nextMs: number };
  await vi.waitFor(() => expect(tried).toContain(`s-${nextMs} refused`), SOON);
  await first.stop();
  isDown = false;
  await begin();
  await vi.waitFor(() => expect(tried).toContain(`s-${nextMs} taken`), SOON);
  expect(tried.filter((each) => each === `s-${nextMs} taken`)).toHaveLength(1);
});

test("a task that can never be submitted shows as the schedule's error, and the schedule continues", async () => {
  const { begin, set, show } = await setupFiring(async () => {
    throw new SwarmError("unknown_capability", "nobody offers echo");
  });
  await begin();
  await set();
  await vi.waitFor(async () => {
    expect(await show()).toMatchObject([{ lastError: "unknown_capability: nobody offers echo" }]);
  }, SOON);
});

test("a schedule in a time zone that this machine does not know does not stop the other schedules", async () => {
  const tasks: TaskInput[] = [];
  const { begin, set } = await setupFiring(async (task) => tasks.push(task));
  const { office } = await begin();
  await set();
  await office.submit("k", {
    type: "schedule-set",
    id: "a",
    when: { cron: "* * * * *", timezone: "Mars/Base" },
    task: { capability: "echo", input: null },
    nextMs: 1,
  });
  const before = tasks.length;
  await vi.waitFor(() => expect(tasks.length).toBeGreaterThan(before + 1), SOON);
  expect(tasks.map(({ id }) => id)).toEqual(tasks.map(() => expect.stringMatching(/^s-/)));
});

test("an expression that never fires is refused with the reason", () => {
  expect(() => firstTickMs({ cron: "0 0 30 2 *", timezone: "UTC" }, 0)).toThrow(
    'when must be a cron expression that matches a date, got "0 0 30 2 *", which never fires; check its day and its month',
  );
});

test.each([
  [{ everyMs: 10 }, "when"],
  [{ cron: "nonsense" }, "when"],
  [{ cron: "0 0 31 2 *" }, "when"],
  [{ cron: "0 0 30 2 *", timezone: "Europe/Berlin" }, "when"],
  [{ cron: "0 0 31 4,6,9,11 *" }, "when"],
])("a schedule of %j is refused at the border", async (when, field) => {
  const { start, client } = await setupOffice();
  await start("c1", ["c1"]);
  const task = { capability: "echo", input: null };
  await expect(client.write("schedule-set", { id: "s", when, task })).rejects.toMatchObject({
    code: "invalid_input",
    field: expect.stringContaining(field),
  });
});
