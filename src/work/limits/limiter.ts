// Permits of one process, taken from the shared limits in blocks. The driver of permits.ts.
// I1: a permit is used by at most one attempt at a time; a lease that is not needed is given back.
// I2: every change of the shared value is a compare-and-set; a lost race is decided anew on the fresh value.
// I3: at most one change of a limit is on its way per process; what failed or was refused is tried again, later.
// I4: how many permits to hold is decided when the change is made, not when it is asked for, and what is to be given
//     back is out of use before the shared value is told.
import { createHash } from "node:crypto";
import {
  type Chance,
  type Clock,
  integerBetween,
  type Logger,
  sleep,
  utf8Bytes,
  utf8Text,
} from "../../base/index.ts";
import { SwarmError, toSwarmError } from "../../protocol/index.ts";
import type { Bucket } from "../../transport/index.ts";
import {
  blockSize,
  LEASE_MS,
  LEASE_RENEW_MS,
  type LimitState,
  type RateLimit,
  takeLease,
  takeRate,
  UNUSED_LIMIT,
} from "./permits.ts";

/** Compare-and-set races lost in a row before a change is given up until later. */
const MAX_RACES = 32;
/** The wait before a full limit is looked at again when nothing says when a permit is due, in ms, doubled by chance. */
const FULL_WAIT_MS = 200;
/** Spread of the waits for a rate permit, in ms, so that processes do not all ask at the same moment. */
const RATE_JITTER_MS = 20;
/** A process leases at most this part of a concurrency at once: a quarter, so that the first does not get all. */
const LEASE_SHARE = 4;
/** How long a leased permit may stay unused before it is given back, in ms. */
const TRIM_MS = 250;
/** A limiter that nobody used for this long is forgotten, so that many keys cost no memory. */
const FORGET_MS = 60_000;

/** The right to run one attempt. */
export interface Permit {
  /** Safe to repeat. `unused`: no attempt was started with it; another may be. */
  release(unused?: boolean): void;
}

/** One limit: a capability's, or that of one key of it. */
export interface Limit {
  concurrency?: number | undefined;
  rate?: RateLimit | undefined;
}

/** The permits of one limit in this process. */
export interface Limiter {
  /** How many attempts could start now. */
  ready(): number;
  /**
   * Says how many permits are wanted: too few are asked for, and `onReady` is called when more came or when it is
   * time to say so again; a surplus is given back after a moment.
   */
  want(count: number): void;
  /** Uses one permit, or null. */
  take(): Permit | null;
  /** Waits for an answer of the shared value: one permit, or how long to wait. */
  acquire(): Promise<Permit | { waitMs: number }>;
}

/** The limiters of one process. */
export interface Limiters {
  /** The limiter of a capability, or of one key of it. The same arguments give the same limiter. */
  of(capability: string, key: string | undefined, limit: Limit): Limiter;
  /** Gives everything back and stops renewing. */
  stop(): Promise<void>;
}

/** Limiters over the bucket of limits. `holder` names this process in leases. */
export function createLimiters(parts: {
  bucket: Bucket;
  holder: string;
  clock: Clock;
  chance: Chance;
  log: Logger;
  onReady: () => void;
}): Limiters {
  const limiters = new Map<string, ProcessLimiter>();
  const renewing = setInterval(() => {
    for (const [id, limiter] of limiters) {
      if (limiter.isForgettable(parts.clock.now() - FORGET_MS)) limiters.delete(id);
      else limiter.renew();
    }
  }, LEASE_RENEW_MS);
  renewing.unref();
  return {
    of(capability, key, limit) {
      const id =
        key === undefined
          ? capability
          : `${capability}.${createHash("sha256").update(key).digest("hex").slice(0, 32)}`;
      let limiter = limiters.get(id);
      if (limiter === undefined) {
        limiter = new ProcessLimiter({ ...parts, id, limit });
        limiters.set(id, limiter);
      }
      return limiter;
    },
    async stop() {
      clearInterval(renewing);
      await Promise.all([...limiters.values()].map((limiter) => limiter.stop()));
    },
  };
}

interface LimiterParts {
  bucket: Bucket;
  holder: string;
  clock: Clock;
  chance: Chance;
  log: Logger;
  onReady: () => void;
  id: string;
  limit: Limit;
}

class ProcessLimiter implements Limiter {
  readonly #parts: LimiterParts;
  /** Rate permits in hand. */
  #rated = 0;
  /** Concurrency permits leased, and until when: after it they may be another's. */
  #held = 0;
  #heldUntilMs = 0;
  #running = 0;
  #usedAtMs: number;
  #changing: Promise<void> | undefined;
  #cancelPause: (() => void) | undefined;
  #cancelTrim: (() => void) | undefined;
  #wanted = 0;
  #stopped = false;

  constructor(parts: LimiterParts) {
    this.#parts = parts;
    this.#usedAtMs = parts.clock.now();
  }

  ready(): number {
    const rated = this.#parts.limit.rate === undefined ? Number.POSITIVE_INFINITY : this.#rated;
    return Math.max(0, Math.min(this.#leased(), rated));
  }

  /** Concurrency permits that are ours and not in use. */
  #leased(): number {
    const { limit, clock } = this.#parts;
    if (limit.concurrency === undefined) return Number.POSITIVE_INFINITY;
    return clock.now() < this.#heldUntilMs ? this.#held - this.#running : 0;
  }

  want(count: number): void {
    this.#wanted = count;
    if (count > this.ready()) {
      if (this.#changing !== undefined || this.#cancelPause !== undefined || this.#stopped) return; // I3
      void this.#ask(count).then((waitMs) => {
        if (this.ready() > 0) this.#parts.onReady();
        else this.#pause(waitMs);
      });
    } else if (this.#parts.limit.concurrency !== undefined && count < this.#held - this.#running) {
      // Another process may need it; but a slot that was freed this turn is often wanted again in the next.
      this.#cancelTrim ??= this.#parts.clock.after(TRIM_MS, () => {
        this.#cancelTrim = undefined;
        if (this.#wanted < this.#held - this.#running) {
          void this.#lease(() => Math.min(this.#held, this.#running + this.#wanted));
        }
      });
    }
  }

  take(): Permit | null {
    if (this.ready() <= 0) return null;
    this.#usedAtMs = this.#parts.clock.now();
    this.#running++;
    if (this.#parts.limit.rate !== undefined) this.#rated--;
    let released = false;
    return {
      release: (unused = false) => {
        if (released) return;
        released = true;
        this.#running--;
        if (unused && this.#parts.limit.rate !== undefined) this.#rated++;
      },
    };
  }

  async acquire(): Promise<Permit | { waitMs: number }> {
    const permit = this.take();
    if (permit !== null) return permit;
    await this.#changing;
    const waitMs = this.ready() > 0 ? 0 : await this.#ask(1);
    const taken = this.take();
    if (taken === null) return { waitMs: Math.max(1, waitMs) };
    return {
      release: (unused) => {
        taken.release(unused);
        this.want(0);
      },
    };
  }

  renew(): void {
    if (this.#parts.limit.concurrency !== undefined && this.#held > 0) void this.#lease(() => this.#held);
  }

  isForgettable(sinceMs: number): boolean {
    return this.#running === 0 && this.#held === 0 && this.#wanted === 0 && this.#usedAtMs < sinceMs;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelPause?.();
    this.#cancelTrim?.();
    await this.#changing;
    if (this.#held > 0) await this.#lease(() => 0);
  }

  #pause(waitMs: number): void {
    if (this.#stopped) return;
    this.#cancelPause = this.#parts.clock.after(waitMs, () => {
      this.#cancelPause = undefined;
      this.#parts.onReady();
    });
  }

  /** Asks the shared value for more permits; resolves to the wait when that gave none. Never rejects. */
  async #ask(count: number): Promise<number> {
    const { limit, chance } = this.#parts;
    const { concurrency, rate } = limit;
    const fullMs = FULL_WAIT_MS + integerBetween(chance, 0, FULL_WAIT_MS);
    if (concurrency !== undefined && this.#leased() <= 0) {
      if (this.#running >= concurrency) return fullMs; // all of it is ours, and in use
      const more = Math.min(count, Math.max(1, Math.floor(concurrency / LEASE_SHARE)));
      await this.#lease(() => Math.max(this.#held, this.#running + more));
      if (this.#leased() <= 0) return fullMs;
    }
    if (rate === undefined || this.#rated > 0) return fullMs;
    let waitMs = fullMs;
    await this.#change((state, nowMs) => {
      const taken = takeRate(state, rate, blockSize(rate), nowMs);
      return {
        state: taken.state,
        done: () => {
          this.#rated += taken.granted;
          waitMs = taken.waitMs + integerBetween(chance, 0, RATE_JITTER_MS);
        },
      };
    });
    return waitMs;
  }

  /** Holds as many permits as `wanted` says when its turn comes (I4). */
  #lease(wanted: () => number): Promise<void> {
    const { limit, holder } = this.#parts;
    return this.#change((state, nowMs) => {
      const target = wanted();
      this.#held = Math.min(this.#held, target);
      const taken = takeLease(state, limit.concurrency!, holder, target, nowMs);
      return {
        state: taken.state,
        done: () => {
          this.#held = taken.held;
          this.#heldUntilMs = nowMs + LEASE_MS;
        },
      };
    });
  }

  /** Changes the shared value (I2), one change after the other (I3). A failure leaves things as they were. */
  #change(
    decide: (state: LimitState, nowMs: number) => { state: LimitState; done: () => void },
  ): Promise<void> {
    const before = this.#changing;
    const changing = (before ?? Promise.resolve())
      .then(() => this.#changeOnce(decide))
      .catch((error: unknown) => {
        this.#parts.log.warn(
          { err: toSwarmError(error), limit: this.#parts.id },
          "a shared limit could not be changed",
        );
      })
      .finally(() => {
        if (this.#changing === changing) this.#changing = undefined;
      });
    this.#changing = changing;
    return changing;
  }

  async #changeOnce(
    decide: (state: LimitState, nowMs: number) => { state: LimitState; done: () => void },
  ): Promise<void> {
    const { bucket, clock, chance, id } = this.#parts;
    for (let race = 0; race < MAX_RACES; race++) {
      const entry = await bucket.get(id);
      const state = entry === null ? UNUSED_LIMIT : (JSON.parse(utf8Text(entry.value)) as LimitState);
      const decided = decide(state, clock.now());
      try {
        if (decided.state !== state) {
          await bucket.update(id, utf8Bytes(JSON.stringify(decided.state)), entry?.revision ?? 0);
        }
        decided.done();
        return;
      } catch (error) {
        if (!(error instanceof SwarmError) || error.code !== "conflict") throw error;
        await sleep(integerBetween(chance, 0, 2 * race), { clock });
      }
    }
    throw new SwarmError(
      "rate_limited",
      `${MAX_RACES} compare-and-sets in a row were lost to other processes`,
    );
  }
}
