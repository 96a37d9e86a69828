import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blockSize, LEASE_MS, takeLease, takeRate, UNUSED_LIMIT } from "../../../src/work/limits/permits.ts";

describe("rate permits", () => {
  it("one permit is granted per interval, and a burst after a quiet time", () => {
    const rate = { count: 10, windowMs: 1_000, burst: 2 };
    const first = takeRate(UNUSED_LIMIT, rate, 100, 5_000);
    expect(first.granted).toBe(3);
    expect(takeRate(first.state, rate, 1, 5_000)).toMatchObject({ granted: 0, waitMs: 100 });
    expect(takeRate(first.state, rate, 5, 5_100).granted).toBe(1);
  });

  it("the next permit is granted at the time that was announced", () => {
    const property = fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 10, max: 10_000 }),
      fc.nat(5),
      (count, windowMs, burst) => {
        const rate = { count, windowMs, burst };
        let { state } = takeRate(UNUSED_LIMIT, rate, 1_000, 0);
        const { waitMs, granted } = takeRate(state, rate, 1, 0);
        expect(granted).toBe(0);
        state = takeRate(state, rate, 1, waitMs).state;
        expect(takeRate(state, rate, 0, waitMs).granted).toBe(0);
        expect(state.tatMs).toBeGreaterThan(0);
      },
    );
    fc.assert(property);
  });

  it("processes together never start more than rate × window + burst + one block for each process", () => {
    const step = fc.record({ process: fc.nat(3), waitMs: fc.nat(300), starts: fc.nat(6) });
    const property = fc.property(
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: 100, max: 2_000 }),
      fc.nat(10),
      fc.array(step, { maxLength: 120 }),
      (count, windowMs, burst, steps) => {
        const rate = { count, windowMs, burst };
        const permits = [0, 0, 0, 0];
        const startsAtMs: number[] = [];
        let state = UNUSED_LIMIT;
        let nowMs = 1_000_000;
        for (const { process, waitMs, starts } of steps) {
          nowMs += waitMs;
          for (let start = 0; start < starts; start++) {
            if (permits[process] === 0) {
              const taken = takeRate(state, rate, blockSize(rate), nowMs);
              state = taken.state;
              permits[process] = taken.granted;
            }
            if (permits[process]! > 0) {
              permits[process]!--;
              startsAtMs.push(nowMs);
            }
          }
        }
        const bound = count + burst + 4 * blockSize(rate);
        for (const fromMs of startsAtMs) {
          const inWindow = startsAtMs.filter((atMs) => atMs >= fromMs && atMs < fromMs + windowMs).length;
          expect(inWindow).toBeLessThanOrEqual(bound);
        }
      },
    );
    fc.assert(property, { numRuns: 500 });
  });
});

describe("concurrency leases", () => {
  it("a holder gets the permits that the others leave", () => {
    const a = takeLease(UNUSED_LIMIT, 3, "a", 2, 0);
    const b = takeLease(a.state, 3, "b", 5, 0);
    expect([a.held, b.held]).toEqual([2, 1]);
    expect(takeLease(b.state, 3, "a", 0, 0).state.leases).toEqual({ b: { permits: 1, untilMs: LEASE_MS } });
  });

  it("the permits of a silent holder become free when its lease ends", () => {
    const { state } = takeLease(UNUSED_LIMIT, 1, "dead", 1, 0);
    expect(takeLease(state, 1, "b", 1, LEASE_MS - 1).held).toBe(0);
    expect(takeLease(state, 1, "b", 1, LEASE_MS).held).toBe(1);
  });

  it("live holders together never lease more than the limit", () => {
    const step = fc.record({
      holder: fc.constantFrom("a", "b", "c"),
      wanted: fc.nat(5),
      waitMs: fc.nat(LEASE_MS),
    });
    const property = fc.property(fc.integer({ min: 1, max: 6 }), fc.array(step), (concurrency, steps) => {
      let state = UNUSED_LIMIT;
      let nowMs = 0;
      for (const { holder, wanted, waitMs } of steps) {
        nowMs += waitMs;
        state = takeLease(state, concurrency, holder, wanted, nowMs).state;
        const alive = Object.values(state.leases).filter((lease) => lease.untilMs > nowMs);
        expect(alive.reduce((sum, lease) => sum + lease.permits, 0)).toBeLessThanOrEqual(concurrency);
      }
    });
    fc.assert(property, { numRuns: 1_000 });
  });
});
