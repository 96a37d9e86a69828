import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import type { Amount } from "../../../src/coordinator/budgets/amounts.ts";
import {
  type BudgetCommand,
  budgets,
  MAX_BUDGETS,
  MAX_RESERVATIONS,
  viewBudgets,
} from "../../../src/coordinator/budgets/budgets.ts";
import { createBudgetClient, measureBudgets } from "../../../src/coordinator/index.ts";
import { LOG_TICK_MS, leaseTicks } from "../../../src/coordinator/time.ts";
import { setupOffice } from "../support.ts";

const TTL_MS = 1_000;
const HOUR_MS = 3_600_000;

function setup(limit: Partial<Amount> = { tokens: 100 }, window?: "hour" | "day") {
  let state = budgets.empty();
  const decide = (command: BudgetCommand, at = 0) =>
    budgets.decide(state, command, at) as Record<string, unknown>;
  decide({ type: "budget-set", name: "b", limit, ...(window === undefined ? {} : { window }), nowMs: 0 });
  return {
    decide,
    reserve: (tokens: number, at = 0, nowMs = 0) =>
      decide({ type: "budget-reserve", name: "b", amount: { tokens }, ttlMs: TTL_MS, nowMs }, at),
    settle: (reservation: number, tokens: number, at = 0, nowMs = 0) =>
      decide({ type: "budget-settle", reservation, actual: { tokens }, nowMs }, at),
    release: (reservation: number, at = 0, nowMs = 0) =>
      decide({ type: "budget-release", reservation, nowMs }, at),
    view: (at = 0, nowMs = 0) => viewBudgets(state, at, nowMs)[0]!,
    reload: () => {
      state = budgets.fromJson(JSON.parse(JSON.stringify(budgets.toJson(state))));
    },
  };
}

describe("a budget", () => {
  it("grants reservations while they fit, and refuses the first that does not fit", () => {
    const { reserve } = setup();
    expect(reserve(60)).toEqual({ reserved: true, reservation: 1 });
    expect(reserve(41)).toMatchObject({ error: { code: "budget_exceeded", field: "amount.tokens" } });
    expect(reserve(40)).toEqual({ reserved: true, reservation: 2 });
  });

  it("counts the used amount when a reservation is settled, also above the reserved amount", () => {
    const { reserve, settle, view } = setup();
    reserve(60);
    reserve(40);
    settle(1, 10);
    settle(2, 50);
    expect(view()).toMatchObject({ spent: { tokens: 60 }, reserved: { tokens: 0 }, reservations: 0 });
    expect(reserve(41)).toMatchObject({ error: { code: "budget_exceeded" } });
  });

  it("counts nothing for a released reservation", () => {
    const { reserve, release, view } = setup();
    reserve(100);
    expect(release(1)).toEqual({ released: true });
    expect(view()).toMatchObject({ spent: { tokens: 0 }, reserved: { tokens: 0 } });
    expect(release(1)).toMatchObject({ error: { code: "conflict", field: "reservation" } });
  });

  it("counts an expired reservation in full, and refuses to settle it later", () => {
    const { reserve, settle, view } = setup();
    reserve(100);
    const over = leaseTicks(TTL_MS);
    expect(view(over - 1)).toMatchObject({ reserved: { tokens: 100 } });
    expect(view(over)).toMatchObject({ spent: { tokens: 100 }, reserved: { tokens: 0 } });
    expect(settle(1, 5, over)).toMatchObject({ error: { code: "conflict" } });
    expect(reserve(1, over)).toMatchObject({ error: { code: "budget_exceeded" } });
  });

  it("counts a dimension that a settlement omits as reserved", () => {
    const { decide, reserve, view } = setup();
    reserve(60);
    decide({ type: "budget-settle", reservation: 1, actual: { calls: 1 }, nowMs: 0 });
    expect(view()).toMatchObject({ spent: { tokens: 60, calls: 1 } });
  });

  it("requires a reservation to name every limited dimension", () => {
    const { reserve } = setup({ tokens: 100, calls: 5 });
    expect(reserve(1)).toMatchObject({ error: { code: "conflict", field: "amount.calls" } });
  });

  it("starts again from zero with its window; open reservations count in the new window", () => {
    const { reserve, settle, view } = setup({ tokens: 100 }, "hour");
    reserve(60, 0, HOUR_MS - 100);
    settle(1, 60, 0, HOUR_MS - 90);
    reserve(40, 0, HOUR_MS - 80);
    expect(view(0, HOUR_MS)).toMatchObject({
      spent: { tokens: 0 },
      reserved: { tokens: 40 },
      windowEndMs: 2 * HOUR_MS,
    });
    expect(reserve(61, 0, HOUR_MS)).toMatchObject({ error: { code: "budget_exceeded" } });
    settle(2, 40, 0, HOUR_MS);
    expect(view(0, HOUR_MS)).toMatchObject({ spent: { tokens: 40 } });
  });

  it("counts a reservation that expired long ago in the window of its expiry", () => {
    const { reserve, view } = setup({ tokens: 100 }, "hour");
    reserve(100, 0, 0);
    expect(view(leaseTicks(TTL_MS), 5 * HOUR_MS)).toMatchObject({ spent: { tokens: 0 } });
  });

  it("does not start a window twice for a clock that is behind", () => {
    const { reserve, settle, view } = setup({ tokens: 100 }, "hour");
    reserve(100, 0, HOUR_MS);
    settle(1, 100, 0, HOUR_MS);
    expect(reserve(1, 0, 0)).toMatchObject({ error: { code: "budget_exceeded" } });
    expect(view(0, 0)).toMatchObject({ spent: { tokens: 100 } });
  });

  it("keeps its spent amount when its limits change, and loses it when it is removed", () => {
    const { decide, reserve, settle, view } = setup();
    reserve(100);
    settle(1, 100);
    decide({ type: "budget-set", name: "b", limit: { tokens: 150 }, nowMs: 0 });
    expect(view()).toMatchObject({ limit: { tokens: 150 }, spent: { tokens: 100 } });
    reserve(50);
    expect(decide({ type: "budget-remove", name: "b" })).toEqual({ removed: true });
    expect(settle(2, 1)).toMatchObject({ error: { code: "conflict" } });
    expect(reserve(1)).toMatchObject({ error: { code: "not_found" } });
  });

  it("is refused when there are too many budgets or reservations", () => {
    const { decide, reserve } = setup({ calls: 1 });
    for (let index = 1; index < MAX_BUDGETS; index++) {
      decide({ type: "budget-set", name: `b${index}`, limit: { tokens: 1 }, nowMs: 0 });
    }
    expect(decide({ type: "budget-set", name: "late", limit: { tokens: 1 }, nowMs: 0 })).toMatchObject({
      error: { code: "conflict" },
    });
    decide({ type: "budget-set", name: "b", limit: { tokens: 1_000_000 }, nowMs: 0 });
    for (let index = 0; index < MAX_RESERVATIONS; index++) reserve(1);
    expect(reserve(1)).toMatchObject({ error: { code: "conflict" } });
    expect(reserve(1, leaseTicks(TTL_MS))).toMatchObject({ reserved: true });
  });
});

/** The events of a budget. `use` is the used share of a reservation. */
const step = fc.record({
  what: fc.constantFrom("reserve", "reserve", "settle", "release", "set", "reload"),
  tokens: fc.integer({ min: 0, max: 60 }),
  which: fc.integer({ min: 0, max: 30 }),
  use: fc.double({ min: 0, max: 2, noNaN: true }),
  waitMs: fc.constantFrom(0, 0, 200, 1_500),
  skipMs: fc.constantFrom(0, 0, 0, HOUR_MS, -HOUR_MS),
});

it("in any order of events, a window spends at most k times its limit when no holder uses more than k times its reservation", () => {
  const LIMIT = 100;
  const K = 2;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const { decide, reserve, settle, release, view, reload } = setup({ tokens: LIMIT }, "hour");
      const open = new Map<number, { tokens: number; overAt: number }>();
      let at = 0;
      let nowMs = 0;
      for (const { what, tokens, which, use, waitMs, skipMs } of steps) {
        at += Math.floor(waitMs / LOG_TICK_MS);
        nowMs = Math.max(0, nowMs + waitMs + skipMs);
        for (const [id, { overAt }] of open) if (overAt <= at) open.delete(id);
        const before = view(at, nowMs);
        const id = [...open.keys()][which % Math.max(1, open.size)];
        if (what === "reload") reload();
        else if (what === "set") {
          decide({ type: "budget-set", name: "b", limit: { tokens: LIMIT }, window: "hour", nowMs }, at);
        } else if (what === "reserve") {
          const fits = before.spent.tokens + before.reserved.tokens + tokens <= LIMIT;
          const { reserved, reservation } = reserve(tokens, at, nowMs);
          expect(reserved === true).toBe(fits);
          if (fits) open.set(reservation as number, { tokens, overAt: at + leaseTicks(TTL_MS) });
        } else if (id !== undefined) {
          const used = Math.floor(open.get(id)!.tokens * use);
          if (what === "settle") expect(settle(id, used, at, nowMs)).toEqual({ settled: true });
          else expect(release(id, at, nowMs)).toEqual({ released: true });
          open.delete(id);
        }
        const { spent, reserved } = view(at, nowMs);
        const openTokens = [...open.values()].reduce((sum, each) => sum + each.tokens, 0);
        expect(reserved.tokens).toBe(openTokens);
        expect(spent.tokens + K * reserved.tokens).toBeLessThanOrEqual(K * LIMIT);
      }
    }),
    { numRuns: 500 },
  );
});

test("over the wire, money is USD outside and exact inside, refusals are errors, and the gauge shows sums", async () => {
  const { start, client } = await setupOffice();
  const { office, meter } = await start("c1", ["c1"]);
  const models = createBudgetClient(client);
  await models.set("models", { limit: { costUsd: 0.3 }, window: "day" });
  const { reservation } = await models.reserve("models", { costUsd: 0.1 }, { ttlMs: 60_000 });
  await models.reserve("models", { costUsd: 0.2 }, { ttlMs: 60_000 });
  await expect(models.reserve("models", { costUsd: 1e-7 }, { ttlMs: 60_000 })).rejects.toMatchObject({
    code: "budget_exceeded",
    field: "amount.costUsd",
  });
  await models.settle(reservation, { costUsd: 0.07, tokens: 12 });
  expect(await models.list()).toMatchObject([
    {
      name: "models",
      spent: { costUsd: 0.07, tokens: 12 },
      reserved: { costUsd: 0.2 },
      limit: { calls: null },
    },
  ]);
  measureBudgets(office, meter);
  const metrics = await meter.registry.metrics();
  expect(metrics).toContain('murmur_budget_usd{state="limit"} 0.3');
  expect(metrics).toContain('murmur_budget_usd{state="spent"} 0.07');
  await models.set("calls", { limit: { tokens: 1_000, calls: 10 } });
  await models.reserve("calls", { tokens: 100, calls: 9 }, { ttlMs: 60_000 });
  measureBudgets(office, meter);
  const { values } = await meter.budgetUsed.get();
  expect(values.map(({ labels, value }) => [labels.budget, Math.round(value * 1_000) / 1_000])).toEqual([
    ["calls", 0.9], // nine of ten calls, and a tenth of the tokens
    ["models", 0.9],
  ]);
  await expect(models.settle(reservation, {})).rejects.toMatchObject({ code: "conflict" });
  await expect(models.set("models", { limit: {} })).rejects.toMatchObject({ code: "invalid_input" });
  await expect(models.set("models", { limit: { costUsd: -1 } })).rejects.toMatchObject({
    code: "invalid_input",
    field: "limit.costUsd",
  });
});
