// Leases as their holder sees them, with a manual clock and an office whose answers the test gives.
import { expect, onTestFinished, test, vi } from "vitest";
import { ManualClock, silentLogger } from "../../../src/base/index.ts";
import { createLeaseKeeper, type OfficeClient } from "../../../src/coordinator/index.ts";
import { SwarmError } from "../../../src/protocol/index.ts";
import { setupOffice } from "../support.ts";

const TTL_MS = 3_000;

interface Asked {
  name: string;
  body: Record<string, unknown>;
  answer(value: Record<string, unknown>): void;
  fail(error: SwarmError): void;
}

/** An office whose answers the test gives, one at a time. */
function scriptedOffice() {
  const asked: Asked[] = [];
  const office = {
    write: (name: string, body: Record<string, unknown>, options: { signal?: AbortSignal } = {}) =>
      new Promise((resolve, reject) => {
        asked.push({ name, body, answer: resolve, fail: reject });
        options.signal?.addEventListener("abort", () => reject(options.signal?.reason));
      }),
  } as unknown as OfficeClient;
  return {
    office,
    asked,
    next: () =>
      vi.waitFor(() => asked.shift() ?? Promise.reject(new Error("nothing was asked")), {
        interval: 1,
        timeout: 60_000,
      }),
  };
}

function setup(options: { patienceMs?: number } = {}) {
  const clock = new ManualClock(1_000_000);
  let steadyMs = 0;
  const { office, asked, next } = scriptedOffice();
  const keeper = createLeaseKeeper({ office, clock, steadyMs: () => steadyMs, log: silentLogger });
  const controller = new AbortController();
  const request = { name: "crane", owner: "me", ttlMs: TTL_MS, patienceMs: options.patienceMs ?? 0 };
  return {
    clock,
    asked,
    next,
    leave: () => controller.abort(new SwarmError("cancelled", "enough")),
    sleepSteady: (ms: number) => {
      steadyMs += ms;
    },
    acquire: () => keeper.acquire({ ...request, signal: controller.signal }),
    async hold() {
      const acquiring = keeper.acquire({ ...request, signal: controller.signal });
      (await next()).answer({ acquired: true, token: 7 });
      return acquiring;
    },
  };
}

test("a lease is renewed after each third of its length", async () => {
  const { hold, clock, next } = setup();
  const lease = await hold();
  for (let round = 0; round < 3; round++) {
    clock.advance(TTL_MS / 3);
    const renewal = await next();
    expect(renewal).toMatchObject({ name: "lock-renew", body: { name: "crane", owner: "me", token: 7 } });
    renewal.answer({ renewed: true, token: 7 });
    await new Promise(setImmediate);
  }
  expect(lease.signal.aborted).toBe(false);
});

test("a refused renewal loses the lock at once", async () => {
  const { hold, clock, next } = setup();
  const lease = await hold();
  clock.advance(TTL_MS / 3);
  (await next()).fail(new SwarmError("conflict", "it is another's"));
  await vi.waitFor(() => expect(lease.signal.aborted).toBe(true), { timeout: 60_000 });
  expect(lease.signal.reason).toMatchObject({ code: "conflict", retryable: true });
});

test("a lease expires early by the holder's clock, counted from before the renewal request", async () => {
  const { hold, clock, next } = setup();
  const lease = await hold();
  clock.advance(TTL_MS / 3);
  const renewal = await next();
  clock.advance(TTL_MS / 3);
  renewal.answer({ renewed: true, token: 7 });
  await new Promise(setImmediate);
  clock.advance(0);
  await next(); // the next renewal, which is never answered
  clock.advance((TTL_MS * 2) / 3 - 10);
  expect(lease.signal.aborted).toBe(false);
  clock.advance(10);
  expect(lease.signal.reason).toMatchObject({ code: "unavailable" });
});

test("a confirmation that comes after the lease may have expired revives nothing", async () => {
  const { hold, clock, next, sleepSteady } = setup();
  const lease = await hold();
  clock.advance(TTL_MS / 3);
  const renewal = await next();
  sleepSteady(TTL_MS); // the process was paused: timers have not fired yet
  renewal.answer({ renewed: true, token: 7 });
  await vi.waitFor(() => expect(lease.signal.aborted).toBe(true), { timeout: 60_000 });
});

test("the clock that shows more time counts: a wall clock that is set back gives no time", async () => {
  const { hold, clock, sleepSteady } = setup();
  const lease = await hold();
  sleepSteady(TTL_MS);
  clock.advance(TTL_MS / 3 + 1);
  await vi.waitFor(() => expect(lease.signal.aborted).toBe(true), { timeout: 60_000 });
});

test("after a wait in line, the lease counts from before the last request that was answered with no", async () => {
  const { acquire, clock, next } = setup({ patienceMs: 60_000 });
  const acquiring = acquire();
  const first = await next();
  clock.advance(100);
  first.answer({ acquired: false, position: 1, holder: { owner: "other" } });
  await new Promise(setImmediate);
  clock.advance(200);
  const second = await next();
  clock.advance(100);
  second.answer({ acquired: true, token: 8 }); // the office may have granted it right after the first answer
  const lease = await acquiring;
  clock.advance(TTL_MS - 400 - 10);
  expect(lease.signal.aborted).toBe(false);
  clock.advance(10);
  expect(lease.signal.aborted).toBe(true);
});

test("a waiter asks less often the further back it is in line, and leaves the line when its patience has passed", async () => {
  const { acquire, clock, next, asked } = setup({ patienceMs: 1_000 });
  const acquiring = acquire();
  (await next()).answer({ acquired: false, position: 3, holder: { owner: "other" } });
  await new Promise(setImmediate);
  clock.advance(599);
  expect(asked).toEqual([]);
  clock.advance(1);
  const second = await next();
  expect(second.body).toMatchObject({ patienceMs: 5_000 });
  second.answer({ acquired: false, position: 3, holder: { owner: "other" } });
  await new Promise(setImmediate);
  clock.advance(400);
  const last = await next();
  expect(last.body).toMatchObject({ patienceMs: 0 });
  last.answer({ acquired: false, position: null as unknown as number, holder: { owner: "other" } });
  await expect(acquiring).rejects.toMatchObject({
    code: "conflict",
    retryable: true,
    message: /held by other/,
  });
});

test("a caller that stops waiting leaves the line, and gives back a lock that it was granted in between", async () => {
  const { acquire, next, leave } = setup({ patienceMs: 60_000 });
  const acquiring = acquire();
  await next();
  leave();
  await expect(acquiring).rejects.toMatchObject({ code: "cancelled" });
  const left = await next();
  expect(left).toMatchObject({ name: "lock-acquire", body: { patienceMs: 0 } });
  left.answer({ acquired: true, token: 9 });
  expect(await next()).toMatchObject({ name: "lock-release", body: { token: 9 } });
});

test("a released lease is not lost, and is not renewed any more", async () => {
  const { hold, clock, next, asked } = setup();
  const lease = await hold();
  const releasing = lease.release();
  (await next()).answer({ released: true });
  await releasing;
  clock.advance(2 * TTL_MS);
  expect(asked).toEqual([]);
  expect(lease.signal.aborted).toBe(false);
});

test("a lease that is not renewed any more ends on time", async () => {
  const { hold, clock, asked } = setup();
  const lease = await hold();
  lease.stopRenewing();
  clock.advance(TTL_MS - 10);
  expect(lease.signal.aborted).toBe(false);
  clock.advance(10);
  expect(lease.signal.aborted).toBe(true);
  expect(asked).toEqual([]);
});

test("with an office, one holder at a time gets the lock, in the order of requests, with rising tokens", async () => {
  const { start, client } = await setupOffice();
  await start("c1", ["c1"]);
  const keeper = createLeaseKeeper({ office: client, log: silentLogger });
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  const acquire = (owner: string, patienceMs = 20_000) =>
    keeper.acquire({ name: "crane", owner, ttlMs: 10_000, patienceMs, signal: controller.signal });
  const first = await acquire("a");
  await expect(acquire("b", 0)).rejects.toMatchObject({ code: "conflict" });
  const second = acquire("c");
  await first.release();
  expect((await second).token).toBeGreaterThan(first.token);
});

test("without an office, a lock is unavailable when the patience has passed", async () => {
  const { client } = await setupOffice();
  const keeper = createLeaseKeeper({ office: client, log: silentLogger });
  const { signal } = new AbortController();
  const acquiring = keeper.acquire({ name: "crane", owner: "a", ttlMs: 10_000, patienceMs: 1, signal });
  await expect(acquiring).rejects.toMatchObject({ code: "unavailable" });
});
