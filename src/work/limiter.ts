// Permits of one process, taken from the shared limits in blocks. The driver of permits.ts.
// I1: a permit is used by at most one attempt; what is not used is given back when the limit is quiet.
// I2: every change of the shared value is a compare-and-set; a lost race is decided anew on the fresh value.
import { createHash } from "node:crypto";
import { type Chance, type Clock, integerBetween, type Logger, sleep } from "../base/index.ts";
import { SwarmError } from "../protocol/index.ts";
import type { Bucket } from "../transport/index.ts";
import {
  blockSize,
  LEASE_RENEW_MS,
  type LimitState,
  type RateLimit,
  takeLease,
  takeRate,
  UNUSED_LIMIT,
} from "./permits.ts";

/** Compare-and-set races lost before a caller is told to come back later. */
const MAX_RACES = 32;
/** The wait of a task whose limit is full when nothing says when a permit is due, in ms. */
const FULL_WAIT_MS = 200;
/** A limiter of a key that nobody used for this long is forgotten, so that many keys cost no memory. */
const FORGET_MS = 60_000;

/** The right to run one attempt. */
export interface Permit {
  /** Safe to repeat. */
  release(): void;
}

/** One limit: a capability's, or that of one key of it. */
export interface Limit {
  concurrency?: number | undefined;
  rate?: RateLimit | undefined;
}

/** The limiters of one process. */
export interface Limiters {
  /**
   * Asks for the right to start one attempt.
   * @param name the capability. @param key the key within it, if the limit is per key.
   * @returns a permit, or how long to wait before asking again.
   */
  acquire(name: string, key: string | undefined, limit: Limit): Promise<Permit | { waitMs: number }>;
  /** Gives everything back and stops renewing. */
  stop(): Promise<void>;
}

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder();

/** Limiters over the bucket of limits. `holder` names this process in leases. */
export function createLimiters(parts: {
  bucket: Bucket;
  holder: string;
  clock: Clock;
  chance: Chance;
  log: Logger;
}): Limiters {
  const limiters = new Map<string, ReturnType<typeof createLimiter>>();
  const renewing = setInterval(() => {
    for (const [id, limiter] of limiters) {
      if (limiter.isIdle(parts.clock.now() - FORGET_MS)) limiters.delete(id);
      else
        limiter
          .renew()
          .catch((error: unknown) => parts.log.warn({ err: error }, "a limit's lease was not renewed"));
    }
  }, LEASE_RENEW_MS);
  renewing.unref();
  return {
    acquire(name, key, limit) {
      const id =
        key === undefined ? name : `${name}.${createHash("sha256").update(key).digest("hex").slice(0, 32)}`;
      let limiter = limiters.get(id);
      if (limiter === undefined) {
        limiter = createLimiter({ ...parts, id, limit });
        limiters.set(id, limiter);
      }
      return limiter.acquire();
    },
    async stop() {
      clearInterval(renewing);
      await Promise.all([...limiters.values()].map((limiter) => limiter.stop().catch(() => undefined)));
    },
  };
}

function createLimiter(parts: {
  bucket: Bucket;
  holder: string;
  clock: Clock;
  chance: Chance;
  id: string;
  limit: Limit;
}) {
  const { bucket, holder, clock, chance, id, limit } = parts;
  let ratePermits = 0;
  let held = 0;
  let running = 0;
  let usedAtMs = clock.now();
  let turn: Promise<unknown> = Promise.resolve();

  /** Changes the shared value (I2); one change at a time in this process. */
  function change<T>(
    decide: (state: LimitState, nowMs: number) => { state: LimitState; value: T },
  ): Promise<T> {
    const next = turn.then(async () => {
      for (let race = 0; race < MAX_RACES; race++) {
        const entry = await bucket.get(id);
        const state =
          entry === null ? UNUSED_LIMIT : (JSON.parse(textDecoder.decode(entry.value)) as LimitState);
        const decided = decide(state, clock.now());
        if (decided.state === state) return decided.value;
        try {
          await bucket.update(id, textEncoder.encode(JSON.stringify(decided.state)), entry?.revision ?? 0);
          return decided.value;
        } catch (error) {
          if (!(error instanceof SwarmError) || error.code !== "conflict") throw error;
          await sleep(integerBetween(chance, 0, 2 * race), { clock });
        }
      }
      throw new SwarmError(
        "rate_limited",
        `the limit ${id} is contended; ${MAX_RACES} compare-and-sets lost`,
        {
          retryAfterMs: FULL_WAIT_MS,
        },
      );
    });
    turn = next.catch(() => undefined);
    return next;
  }

  async function lease(wanted: number): Promise<void> {
    const concurrency = limit.concurrency!;
    held = await change((state, nowMs) => {
      const taken = takeLease(state, concurrency, holder, wanted, nowMs);
      return { state: taken.state, value: taken.held };
    });
  }

  function release(): void {
    running--;
    // Give back at once: another process may be waiting for exactly this permit.
    if (limit.concurrency !== undefined) void lease(running).catch(() => undefined);
  }

  return {
    async acquire(): Promise<Permit | { waitMs: number }> {
      usedAtMs = clock.now();
      try {
        if (limit.concurrency !== undefined) {
          running++;
          if (running > held) await lease(running);
          if (running > held) {
            running--;
            return { waitMs: FULL_WAIT_MS + integerBetween(chance, 0, FULL_WAIT_MS) };
          }
        }
        if (limit.rate !== undefined && ratePermits === 0) {
          const rate = limit.rate;
          const taken = await change((state, nowMs) => {
            const { state: after, granted, waitMs } = takeRate(state, rate, blockSize(rate), nowMs);
            return { state: after, value: { granted, waitMs } };
          });
          ratePermits += taken.granted;
          if (ratePermits === 0) {
            if (limit.concurrency !== undefined) release();
            return { waitMs: taken.waitMs + integerBetween(chance, 0, 20) };
          }
        }
        if (limit.rate !== undefined) ratePermits--;
      } catch (error) {
        if (error instanceof SwarmError && error.code === "rate_limited") return { waitMs: FULL_WAIT_MS };
        throw error;
      }
      let released = false;
      return {
        release: () => {
          if (released) return;
          released = true;
          if (limit.concurrency !== undefined) release();
        },
      };
    },
    async renew(): Promise<void> {
      if (limit.concurrency !== undefined && running > 0) await lease(running);
    },
    isIdle: (sinceMs: number) => running === 0 && usedAtMs < sinceMs,
    async stop(): Promise<void> {
      if (limit.concurrency !== undefined && held > 0) await lease(0);
    },
  };
}
