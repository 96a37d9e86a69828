import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PRIORITIES } from "../../../src/protocol/index.ts";
import {
  AGEING_MS,
  createQueueFeed,
  decidePulls,
  noteDelivery,
  noteEnd,
  type QueueFeed,
  STANDING_MAX,
} from "../../../src/work/worker/pulls.ts";

function setup(backlogs: Partial<Record<(typeof PRIORITIES)[number], number>> = {}) {
  const feeds = PRIORITIES.map((priority) => createQueueFeed("echo", priority));
  for (const feed of feeds) feed.backlog = backlogs[feed.priority] ?? 0;
  return { feeds, feed: (priority: string) => feeds.find((feed) => feed.priority === priority)! };
}

const slots = (total: number) => ({ total, of: () => total });

/** Serves every order at once from the feeds' backlogs; returns the number of tasks that each feed started. */
function serve(feeds: readonly QueueFeed[], free: number, nowMs: number): Map<string, number> {
  const started = new Map<string, number>();
  for (const order of decidePulls(feeds, slots(free), nowMs)) {
    const brought = Math.min(order.max, order.feed.backlog);
    let left = order.feed.backlog;
    for (let index = 0; index < brought; index++)
      noteDelivery(order.feed, order, { pending: --left, storedAtMs: order.feed.oldestAtMs });
    noteEnd(order.feed, order, order.max - brought, nowMs);
    started.set(order.feed.priority, (started.get(order.feed.priority) ?? 0) + brought);
  }
  return started;
}

describe("deciding pulls", () => {
  it("each idle feed gets one standing pull", () => {
    const { feeds } = setup();
    const orders = decidePulls(feeds, slots(8), 0);
    expect(orders.map(({ feed, max, standing }) => [feed.priority, max, standing])).toEqual(
      PRIORITIES.map((priority) => [priority, 1, true]),
    );
    expect(decidePulls(feeds, slots(8), 1)).toEqual([]);
  });

  it("no pull is opened when no slot is free", () => {
    expect(decidePulls(setup({ urgent: 5 }).feeds, slots(0), 0)).toEqual([]);
  });

  it("slots are dealt 8:4:2:1 among feeds with waiting tasks", () => {
    const { feeds } = setup({ urgent: 9_999, high: 9_999, normal: 9_999, low: 9_999 });
    const started = new Map<string, number>();
    for (let turn = 0; turn < 150; turn++) {
      for (const [priority, count] of serve(feeds, 1, turn))
        started.set(priority, (started.get(priority) ?? 0) + count);
    }
    expect(Object.fromEntries(started)).toEqual({ urgent: 80, high: 40, normal: 20, low: 10 });
  });

  it("a feed whose oldest task waited too long gets an urgent feed's share, and no more", () => {
    const { feeds, feed } = setup({ urgent: 9_999, low: 9_999 });
    feed("urgent").oldestAtMs = 2 * AGEING_MS;
    let low = 0;
    for (let turn = 0; turn < 100; turn++) low += serve(feeds, 1, AGEING_MS + 1).get("low") ?? 0;
    expect(low).toBe(50);
  });

  it("a feed that was empty does not catch up for its idle time", () => {
    const { feeds, feed } = setup({ urgent: 9_999 });
    for (let turn = 0; turn < 100; turn++) serve(feeds, 1, turn);
    feed("low").backlog = 9_999;
    let low = 0;
    for (let turn = 100; turn < 190; turn++) low += serve(feeds, 1, turn).get("low") ?? 0;
    expect(low).toBeLessThanOrEqual(11);
  });

  it("the standing pull of a busy feed grows, and the standing pull of a quiet feed shrinks", () => {
    const { feeds, feed } = setup();
    const normal = feed("normal");
    for (let round = 0; round < 10; round++) {
      for (const order of decidePulls(feeds, slots(256), round)) {
        if (order.feed !== normal) continue;
        for (let index = 0; index < order.max; index++)
          noteDelivery(normal, order, { pending: 0, storedAtMs: round });
        noteEnd(normal, order, 0, round);
      }
    }
    expect(normal.standingSize).toBe(STANDING_MAX);
    noteEnd(normal, { standing: true }, 3, 60_000);
    expect(normal.standingSize).toBe(STANDING_MAX / 2);
  });

  it("pulls for waiting tasks never ask for more than the free slots, in total or for a capability", () => {
    const feed = fc.record({
      capability: fc.constantFrom("a", "b", "c"),
      priority: fc.constantFrom(...PRIORITIES),
      backlog: fc.nat(50),
    });
    const property = fc.property(
      fc.array(feed, { maxLength: 12 }),
      fc.nat(40),
      fc.nat(20),
      fc.nat(30_000),
      (specs, total, own, nowMs) => {
        const feeds = specs.map(({ capability, priority, backlog }) =>
          Object.assign(createQueueFeed(capability, priority), { backlog }),
        );
        const orders = [
          ...decidePulls(feeds, { total, of: () => own }, 0),
          ...decidePulls(feeds, { total, of: () => own }, nowMs),
        ];
        const asked = orders.filter((order) => !order.standing);
        const sum = (of: typeof asked) => of.reduce((count, order) => count + order.max, 0);
        expect(sum(asked)).toBeLessThanOrEqual(total);
        for (const capability of ["a", "b", "c"]) {
          expect(sum(asked.filter((order) => order.feed.capability === capability))).toBeLessThanOrEqual(own);
        }
        for (const order of asked) expect(order.feed.asked).toBeLessThanOrEqual(order.feed.backlog);
      },
    );
    fc.assert(property, { numRuns: 2_000 });
  });
});
