import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PRIORITIES } from "../../src/protocol/index.ts";
import {
  AGEING_MS,
  createLane,
  decidePulls,
  noteDelivery,
  noteEnd,
  type QueueFeed,
  STANDING_MAX,
} from "../../src/work/worker/pulls.ts";

function setup(backlogs: Partial<Record<(typeof PRIORITIES)[number], number>> = {}) {
  const lanes = PRIORITIES.map((priority) => createLane("echo", priority));
  for (const lane of lanes) lane.backlog = backlogs[lane.priority] ?? 0;
  return { lanes, lane: (priority: string) => lanes.find((lane) => lane.priority === priority)! };
}

const slots = (total: number) => ({ total, of: () => total });

/** Serves every order at once from the lanes' backlogs; returns how many tasks each lane started. */
function serve(lanes: readonly QueueFeed[], free: number, nowMs: number): Map<string, number> {
  const started = new Map<string, number>();
  for (const order of decidePulls(lanes, slots(free), nowMs)) {
    const brought = Math.min(order.max, order.lane.backlog);
    let left = order.lane.backlog;
    for (let index = 0; index < brought; index++)
      noteDelivery(order.lane, order, { pending: --left, storedAtMs: order.lane.oldestAtMs });
    noteEnd(order.lane, order, order.max - brought, nowMs);
    started.set(order.lane.priority, (started.get(order.lane.priority) ?? 0) + brought);
  }
  return started;
}

describe("deciding pulls", () => {
  it("opens one standing pull per idle lane", () => {
    const { lanes } = setup();
    const orders = decidePulls(lanes, slots(8), 0);
    expect(orders.map(({ lane, max, standing }) => [lane.priority, max, standing])).toEqual(
      PRIORITIES.map((priority) => [priority, 1, true]),
    );
    expect(decidePulls(lanes, slots(8), 1)).toEqual([]);
  });

  it("asks for nothing when nothing is free", () => {
    expect(decidePulls(setup({ urgent: 5 }).lanes, slots(0), 0)).toEqual([]);
  });

  it("deals slots 8:4:2:1 among lanes with waiting tasks", () => {
    const { lanes } = setup({ urgent: 9_999, high: 9_999, normal: 9_999, low: 9_999 });
    const started = new Map<string, number>();
    for (let turn = 0; turn < 150; turn++) {
      for (const [priority, count] of serve(lanes, 1, turn))
        started.set(priority, (started.get(priority) ?? 0) + count);
    }
    expect(Object.fromEntries(started)).toEqual({ urgent: 80, high: 40, normal: 20, low: 10 });
  });

  it("gives a lane whose oldest task waited too long an urgent lane's share, and no more", () => {
    const { lanes, lane } = setup({ urgent: 9_999, low: 9_999 });
    lane("urgent").oldestAtMs = 2 * AGEING_MS;
    let low = 0;
    for (let turn = 0; turn < 100; turn++) low += serve(lanes, 1, AGEING_MS + 1).get("low") ?? 0;
    expect(low).toBe(50);
  });

  it("does not let a lane that was empty catch up for its idle time", () => {
    const { lanes, lane } = setup({ urgent: 9_999 });
    for (let turn = 0; turn < 100; turn++) serve(lanes, 1, turn);
    lane("low").backlog = 9_999;
    let low = 0;
    for (let turn = 100; turn < 190; turn++) low += serve(lanes, 1, turn).get("low") ?? 0;
    expect(low).toBeLessThanOrEqual(11);
  });

  it("grows the standing pull of a hot lane and shrinks that of a quiet one", () => {
    const { lanes, lane } = setup();
    const normal = lane("normal");
    for (let round = 0; round < 10; round++) {
      for (const order of decidePulls(lanes, slots(256), round)) {
        if (order.lane !== normal) continue;
        for (let index = 0; index < order.max; index++)
          noteDelivery(normal, order, { pending: 0, storedAtMs: round });
        noteEnd(normal, order, 0, round);
      }
    }
    expect(normal.standingSize).toBe(STANDING_MAX);
    noteEnd(normal, { standing: true }, 3, 60_000);
    expect(normal.standingSize).toBe(STANDING_MAX / 2);
  });

  it("never asks for more waiting tasks than are free, in total or for a capability", () => {
    const lane = fc.record({
      capability: fc.constantFrom("a", "b", "c"),
      priority: fc.constantFrom(...PRIORITIES),
      backlog: fc.nat(50),
    });
    const property = fc.property(
      fc.array(lane, { maxLength: 12 }),
      fc.nat(40),
      fc.nat(20),
      fc.nat(30_000),
      (specs, total, own, nowMs) => {
        const lanes = specs.map(({ capability, priority, backlog }) =>
          Object.assign(createLane(capability, priority), { backlog }),
        );
        const orders = [
          ...decidePulls(lanes, { total, of: () => own }, 0),
          ...decidePulls(lanes, { total, of: () => own }, nowMs),
        ];
        const asked = orders.filter((order) => !order.standing);
        const sum = (of: typeof asked) => of.reduce((count, order) => count + order.max, 0);
        expect(sum(asked)).toBeLessThanOrEqual(total);
        for (const capability of ["a", "b", "c"]) {
          expect(sum(asked.filter((order) => order.lane.capability === capability))).toBeLessThanOrEqual(own);
        }
        for (const order of asked) expect(order.lane.asked).toBeLessThanOrEqual(order.lane.backlog);
      },
    );
    fc.assert(property, { numRuns: 2_000 });
  });
});
