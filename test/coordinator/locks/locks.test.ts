import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type LockCommand,
  locks,
  MAX_ALL_WAITERS,
  MAX_LOCKS,
  MAX_WAITERS,
  viewLocks,
} from "../../../src/coordinator/locks/locks.ts";
import { LOG_TICK_MS, leaseTicks } from "../../../src/coordinator/time.ts";

const TTL_MS = 1_000;
const TTL = leaseTicks(TTL_MS);

function setup() {
  const state = locks.empty();
  const decide = (command: LockCommand, at: number) => locks.decide(state, command, at);
  return {
    state,
    acquire: (owner: string, at: number, patienceMs = 0) =>
      decide({ type: "lock-acquire", name: "l", owner, ttlMs: TTL_MS, patienceMs }, at),
    renew: (owner: string, token: number, at: number) =>
      decide({ type: "lock-renew", name: "l", owner, token, ttlMs: TTL_MS }, at),
    release: (owner: string, token: number, at: number) =>
      decide({ type: "lock-release", name: "l", owner, token }, at),
  };
}

describe("a lock", () => {
  it("has one holder until it is released, and tokens only rise", () => {
    const { acquire, release } = setup();
    expect(acquire("a", 0)).toEqual({ acquired: true, token: 1 });
    expect(acquire("b", 1)).toMatchObject({ acquired: false, position: null, holder: { owner: "a" } });
    expect(release("a", 1, 2)).toEqual({ released: true });
    expect(acquire("b", 3)).toEqual({ acquired: true, token: 2 });
  });

  it("gives its holder, who asks again, the same token and the same end", () => {
    const { state, acquire } = setup();
    acquire("a", 0);
    expect(acquire("a", 5)).toEqual({ acquired: true, token: 1 });
    expect(viewLocks(state, 5)).toMatchObject([{ owner: "a", expiresInMs: (TTL - 5) * LOG_TICK_MS }]);
  });

  it("ends with its lease: it can be neither renewed nor released, and the next holder gets a new token", () => {
    const { state, acquire, renew, release } = setup();
    acquire("a", 0);
    expect(viewLocks(state, TTL)).toEqual([]);
    expect(renew("a", 1, TTL)).toMatchObject({ error: { code: "conflict", field: "token" } });
    expect(release("a", 1, TTL)).toMatchObject({ error: { code: "conflict" } });
    expect(acquire("b", TTL)).toEqual({ acquired: true, token: 2 });
  });

  it("stays held when it is renewed in time", () => {
    const { acquire, renew } = setup();
    acquire("a", 0);
    expect(renew("a", 1, TTL - 1)).toEqual({ renewed: true, token: 1 });
    expect(acquire("b", TTL)).toMatchObject({ acquired: false });
  });

  it("goes to the waiters in the order of their requests, and drops a waiter that stopped asking", () => {
    const { acquire, release } = setup();
    acquire("a", 0);
    expect(acquire("b", 0, 100)).toMatchObject({ acquired: false, position: 1 });
    expect(acquire("c", 0, 10_000)).toMatchObject({ acquired: false, position: 2 });
    expect(acquire("d", 0, 10_000)).toMatchObject({ acquired: false, position: 3 });
    release("a", 1, leaseTicks(100));
    expect(acquire("b", leaseTicks(100))).toMatchObject({ acquired: false, holder: { owner: "c" } });
    expect(acquire("c", leaseTicks(100))).toEqual({ acquired: true, token: 2 });
  });

  it("lets a waiter leave by a request without patience", () => {
    const { acquire, release } = setup();
    acquire("a", 0);
    acquire("b", 0, 10_000);
    acquire("b", 1, 0);
    release("a", 1, 2);
    expect(acquire("c", 3)).toEqual({ acquired: true, token: 2 });
  });

  it("refuses more waiters than its limit", () => {
    const { acquire } = setup();
    acquire("a", 0);
    for (let index = 0; index < MAX_WAITERS; index++) acquire(`w${index}`, 0, 60_000);
    expect(acquire("late", 0, 60_000)).toMatchObject({ error: { code: "conflict" } });
  });
});

describe("the table of locks", () => {
  function setupTable() {
    const state = locks.empty();
    return {
      state,
      acquire: (name: string, owner: string, at: number, patienceMs = 0) =>
        locks.decide(state, { type: "lock-acquire", name, owner, ttlMs: TTL_MS, patienceMs }, at),
    };
  }

  it("refuses locks above its limit, and has room again when leases have expired without a release", () => {
    const { acquire } = setupTable();
    for (let index = 0; index < MAX_LOCKS; index++) acquire(`l${index}`, "a", 0);
    expect(acquire("late", "a", TTL - 1)).toMatchObject({ error: { code: "conflict", field: "name" } });
    expect(acquire("late", "a", TTL)).toMatchObject({ acquired: true });
  });

  it("keeps an expired lock for its waiter when it makes room", () => {
    const { state, acquire } = setupTable();
    for (let index = 0; index < MAX_LOCKS; index++) acquire(`l${index}`, "a", 0);
    acquire("l7", "b", 0, 60_000);
    acquire("late", "a", TTL);
    expect([...state.byName.keys()]).toEqual(["l7", "late"]);
    expect(acquire("l7", "c", TTL)).toMatchObject({ acquired: false, holder: { owner: "b" } });
  });

  it("refuses more waiters in total than its limit, and has room again when their patience has passed", () => {
    const { state, acquire } = setupTable();
    const names = Array.from({ length: MAX_ALL_WAITERS / MAX_WAITERS }, (_, index) => `l${index}`);
    for (const name of names) {
      acquire(name, "a", 0);
      for (let index = 0; index < MAX_WAITERS; index++) acquire(name, `w${index}`, 0, 500);
    }
    acquire("late", "a", 0);
    expect(acquire("late", "b", 1, 500)).toMatchObject({ error: { code: "conflict", field: "name" } });
    expect(acquire("late", "b", leaseTicks(500), 500)).toMatchObject({ position: 1 });
    expect(state.waiters).toBe(1);
    expect(locks.fromJson(locks.toJson(state)).waiters).toBe(1);
  });
});

it("in any order of events, tokens rise, and no owner gets a lock before its lease has expired or it was released", () => {
  const step = fc.record({
    what: fc.constantFrom("acquire", "renew", "release"),
    owner: fc.constantFrom("a", "b", "c"),
    wait: fc.integer({ min: 0, max: 2_000 }),
    patienceMs: fc.constantFrom(0, 500, 5_000),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { acquire, renew, release, state } = setup();
      const tokens = new Map<string, number>();
      let at = 0;
      let held: { owner: string; until: number } | null = null;
      let last = 0;
      for (const { what, owner, wait, patienceMs } of steps) {
        at += Math.floor(wait / LOG_TICK_MS);
        const token = tokens.get(owner) ?? 1;
        const result = (
          what === "acquire"
            ? acquire(owner, at, patienceMs)
            : what === "renew"
              ? renew(owner, token, at)
              : release(owner, token, at)
        ) as { acquired?: boolean; renewed?: boolean; released?: boolean; token?: number };
        if (result.acquired === true && result.token !== tokens.get(owner)) {
          expect(result.token).toBeGreaterThan(last);
          last = Math.max(last, result.token!);
          tokens.set(owner, result.token!);
        }
        const now = viewLocks(state, at)[0];
        if (held !== null && held.until > at && now !== undefined && what !== "release") {
          expect(now.owner).toBe(held.owner);
        }
        held = now === undefined ? null : { owner: now.owner, until: at + now.expiresInMs / LOG_TICK_MS };
        last = Math.max(last, now?.token ?? 0);
        if (now !== undefined && now.token > (tokens.get(now.owner) ?? 0)) tokens.set(now.owner, now.token);
      }
    }),
    { numRuns: 300 },
  );
});
