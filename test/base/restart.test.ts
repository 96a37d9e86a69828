import fc from "fast-check";
import { expect, test } from "vitest";
import { DEFAULT_RESTART_POLICY, decideRestart } from "../../src/base/index.ts";

const policy = { budget: 3, windowMs: 1_000, backoffMs: 50, maxBackoffMs: 80 };

/** Decides about a death at each of the times `deaths`, and returns the decisions. */
function live(deaths: number[]) {
  let history: readonly number[] = [];
  return deaths.map((atMs) => {
    const decision = decideRestart(history, atMs, policy);
    history = decision.history;
    return decision.restart ? decision.delayMs : "failed";
  });
}

test("the first restart is immediate, and later restarts wait longer up to the cap", () => {
  expect(live([0, 10, 20])).toEqual([0, 50, 80]);
});

test("a death beyond the budget within the window is final", () => {
  expect(live([0, 10, 20, 30])).toEqual([0, 50, 80, "failed"]);
});

test("restarts older than the window are forgotten", () => {
  expect(live([0, 10, 20, 1_021])).toEqual([0, 50, 80, 0]);
});

test("a budget of zero never restarts", () => {
  expect(decideRestart([], 0, { ...policy, budget: 0 })).toEqual({ restart: false, history: [] });
});

test("no window has more restarts than the budget, and neither has the history", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(200), { maxLength: 200 }), (gaps) => {
      let history: readonly number[] = [];
      const restarts: number[] = [];
      let nowMs = 0;
      for (const gap of gaps) {
        nowMs += gap;
        const decision = decideRestart(history, nowMs, policy);
        history = decision.history;
        if (decision.restart) restarts.push(nowMs);
        expect(history.length).toBeLessThanOrEqual(policy.budget);
        expect(restarts.filter((atMs) => atMs > nowMs - policy.windowMs).length).toBeLessThanOrEqual(
          policy.budget,
        );
      }
    }),
  );
});

test("a process that dies at every start uses up the default budget within half a minute", () => {
  let history: readonly number[] = [];
  let nowMs = 0;
  for (;;) {
    const decision = decideRestart(history, nowMs, DEFAULT_RESTART_POLICY);
    if (!decision.restart) break;
    history = decision.history;
    nowMs += decision.delayMs;
  }
  expect(nowMs).toBeGreaterThan(20_000);
  expect(nowMs).toBeLessThan(30_000);
});
