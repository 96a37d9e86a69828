import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { integerBetween, ManualClock, seededChance } from "../../../src/base/index.ts";
import { SwarmError } from "../../../src/protocol/index.ts";
import type { Bucket } from "../../../src/transport/index.ts";
import { createLimiters, type Permit } from "../../../src/work/limits/limiter.ts";
import { LEASE_MS, LEASE_RENEW_MS } from "../../../src/work/limits/permits.ts";
import { scaled } from "../../support/scale.ts";
import { signal } from "../support.ts";

/** The orders of takes, releases and writes. */
const SEEDS = scaled(60, 400);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] }); // renewal, by the real clock
});
afterEach(() => {
  vi.useRealTimers();
});

/** The bucket of limits, shared by the processes of a test. `hold` delays writes until the returned function is called. */
class SharedBucket {
  readonly #entries = new Map<string, { value: Uint8Array; revision: number }>();
  #gate: Promise<void> | undefined;
  /** True: no write reaches the bucket. */
  isCutOff = false;

  hold(): () => void {
    const go = signal();
    this.#gate = go.promise;
    return () => {
      this.#gate = undefined;
      go.resolve();
    };
  }

  async get(key: string) {
    return this.#entries.get(key) ?? null;
  }

  async update(key: string, value: Uint8Array, revision: number) {
    await this.#gate;
    if (this.isCutOff) throw new SwarmError("unavailable", "no answer");
    if ((this.#entries.get(key)?.revision ?? 0) !== revision) throw new SwarmError("conflict", "changed");
    this.#entries.set(key, { value, revision: revision + 1 });
    return revision + 1;
  }
}

function twoProcesses(concurrency: number) {
  const bucket = new SharedBucket();
  const clock = new ManualClock(1_000_000);
  const log = { warn() {} };
  const [one, other] = ["one", "other"].map((holder, index) =>
    createLimiters({
      bucket: bucket as unknown as Bucket,
      holder,
      clock,
      chance: seededChance(index + 1),
      log: log as never,
      onReady() {},
    }).of("review", undefined, { concurrency }),
  );
  return { bucket, clock, one: one!, other: other! };
}

/** Runs enough turns of the event loop for all work that waits only for them. */
async function settle(clock: ManualClock): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    await new Promise(setImmediate);
    clock.advance(0);
  }
}

const isPermit = (answer: Permit | { waitMs: number }): answer is Permit => "release" in answer;

it("a permit that is being given back starts no attempt", async () => {
  const { bucket, clock, one, other } = twoProcesses(1);
  const first = await one.acquire();
  if (!isPermit(first)) throw new Error("the first permit was refused");
  first.release();
  const letGo = bucket.hold();
  clock.advance(300); // the permit was not needed again, so the limiter gives it back
  await settle(clock);
  const taken = one.take();
  letGo();
  await settle(clock);
  const others = await other.acquire();
  expect([taken !== null, isPermit(others)]).toEqual([false, true]);
});

it("a give-back of all permits that failed is repeated at the next renewal, not left to the end of the lease", async () => {
  const { bucket, clock, one, other } = twoProcesses(1);
  const first = await one.acquire();
  if (!isPermit(first)) throw new Error("the first permit was refused");
  bucket.isCutOff = true;
  first.release();
  clock.advance(300); // the limiter tries to give the permit back, in vain
  await settle(clock);
  bucket.isCutOff = false;
  expect(isPermit(await other.acquire())).toBe(false);
  clock.advance(LEASE_RENEW_MS);
  vi.advanceTimersByTime(LEASE_RENEW_MS);
  await settle(clock);
  expect(isPermit(await other.acquire())).toBe(true);
});

it("attempts never exceed the limit in any order of takes, releases and writes", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const chance = seededChance(seed);
    const concurrency = integerBetween(chance, 1, 4);
    const { bucket, clock, one, other } = twoProcesses(concurrency);
    const running: Permit[] = [];
    let most = 0;
    let started = 0;
    const note = (permit: Permit | null) => {
      if (permit === null) return;
      started++;
      running.push(permit);
      most = Math.max(most, running.length);
    };
    let letGo = () => {};
    for (let step = 0; step < 80; step++) {
      const limiter = integerBetween(chance, 0, 1) === 0 ? one : other;
      const action = integerBetween(chance, 0, 6);
      if (action === 0) void limiter.acquire().then((answer) => isPermit(answer) && note(answer));
      else if (action === 1) note(limiter.take());
      else if (action === 2) limiter.want(integerBetween(chance, 0, 3));
      else if (action === 3) running.splice(integerBetween(chance, 0, 3), 1)[0]?.release(step % 3 === 0);
      else if (action === 4) vi.advanceTimersByTime(LEASE_RENEW_MS);
      else if (action === 5) clock.advance(integerBetween(chance, 0, 200));
      else {
        letGo();
        letGo = integerBetween(chance, 0, 1) === 0 ? bucket.hold() : () => {};
      }
      for (let turn = integerBetween(chance, 0, 3); turn > 0; turn--) await new Promise(setImmediate);
    }
    letGo();
    await settle(clock);
    expect(most, `seed ${seed}`).toBeLessThanOrEqual(concurrency);
    expect(started, `seed ${seed}`).toBeGreaterThan(0);
  }
});

it("an expired lease starts no attempt, and the limiter asks for it again", async () => {
  const { clock, one, other } = twoProcesses(1);
  const first = await one.acquire();
  if (!isPermit(first)) throw new Error("the first permit was refused");
  clock.advance(LEASE_MS + 1); // this process was suspended and renewed nothing
  const others = await other.acquire();
  expect(isPermit(others)).toBe(true);
  first.release();
  expect(one.take()).toBeNull();
  expect(isPermit(await one.acquire())).toBe(false);
  if (isPermit(others)) others.release();
  clock.advance(LEASE_MS + 1);
  const again = one.acquire();
  await settle(clock);
  expect(isPermit(await again)).toBe(true);
});
