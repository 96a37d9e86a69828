import { expect, it } from "vitest";
import { type Chance, seededChance } from "../../../src/base/index.ts";
import { PRIORITIES, type Priority } from "../../../src/protocol/index.ts";
import {
  AGEING_MS,
  createQueueFeed,
  decidePulls,
  noteDelivery,
  noteEnd,
  noteSurplus,
} from "../../../src/work/worker/pulls.ts";

/** The mix of the arriving work, at 90 % of the capacity of the slots. */
const MIX: Record<Priority, number> = { urgent: 0.4, high: 0.3, normal: 0.25, low: 0.05 };
const SLOTS = 8;
const SERVICE_MS = 500;
const LOAD = 0.9;
const STEP_MS = 10;

/** Simulates one process for `durationMs`; returns the longest wait of each priority, in ms. */
function simulate(chance: Chance, durationMs: number): Record<Priority, number> {
  const feeds = PRIORITIES.map((priority) => createQueueFeed("echo", priority));
  const waiting: Record<Priority, number[]> = { urgent: [], high: [], normal: [], low: [] };
  const longest: Record<Priority, number> = { urgent: 0, high: 0, normal: 0, low: 0 };
  let endsAtMs: number[] = [];
  const perStep = (LOAD * SLOTS * STEP_MS) / SERVICE_MS;
  for (let nowMs = 0; nowMs < durationMs; nowMs += STEP_MS) {
    for (const priority of PRIORITIES) {
      for (let share = perStep * MIX[priority]; chance.next() < share; share--) waiting[priority].push(nowMs);
    }
    endsAtMs = endsAtMs.filter((endMs) => endMs > nowMs);
    const free = SLOTS - endsAtMs.length;
    // A feed learns its backlog as in production: from deliveries, or from a standing pull that fills.
    for (const order of decidePulls(feeds, { total: free, of: () => free }, nowMs)) {
      const queue = waiting[order.feed.priority];
      const brought = Math.min(order.max, queue.length, SLOTS - endsAtMs.length);
      for (let index = 0; index < brought; index++) {
        const arrivedMs = queue.shift()!;
        longest[order.feed.priority] = Math.max(longest[order.feed.priority], nowMs - arrivedMs);
        endsAtMs.push(nowMs + SERVICE_MS * (0.5 + chance.next()));
        noteDelivery(order.feed, order, { pending: queue.length, storedAtMs: arrivedMs });
      }
      noteEnd(order.feed, order, order.max - brought, nowMs);
      // Tasks that a standing pull brings beyond the free slots go back, and the feed knows that they wait.
      if (brought < order.max && queue.length > 0) noteSurplus(order.feed, { storedAtMs: queue[0]! });
    }
  }
  return longest;
}

it("every task starts within the ageing bound plus one task's time at 90 % load", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const longest = simulate(seededChance(seed), 600_000);
    expect(Math.max(...Object.values(longest)), `seed ${seed}`).toBeLessThanOrEqual(
      AGEING_MS + 1.5 * SERVICE_MS,
    );
    expect(longest.urgent, `seed ${seed}`).toBeLessThan(longest.normal);
  }
});
