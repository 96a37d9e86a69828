// The permits of one process. It takes them in blocks from the limits that all processes share, which are values in a bucket.
// Performs the changes that permits.ts decides; worker.ts and delivery.ts take the permits.
// I1: at most one attempt at a time uses a permit; the limiter gives a leased permit back when no attempt needs it.
// I2: every change of the shared value is a compare-and-set; after a lost race the limiter decides again on the new value.
// I3: for each limit, at most one change by this process is in flight; a change that failed is retried later.
// I4: the limiter decides how many permits to hold when it makes the change, not when the change is requested. It stops using
//     permits before it gives them back in the shared value.
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

/** After this many lost compare-and-sets in a row, the limiter gives the change up; it tries again with the next request. */
const MAX_RACES = 32;
/**
 * The shortest wait, in ms, before the limiter reads a used-up limit again, when it cannot compute the time of the next
 * permit. A random part of at most the same length is added.
 */
const FULL_WAIT_MS = 200;
/** The longest random addition to the wait for a rate permit, in ms, so that not all processes ask at the same moment. */
const RATE_JITTER_MS = 20;
/** One request leases at most a quarter of a limit's concurrency, so that the first process does not get all of it. */
const LEASE_SHARE = 4;
/** How long a leased permit may stay unused, in ms, before it is given back. */
const TRIM_MS = 250;
/** A limiter that was unused for this long, in ms, is forgotten, so that many keys cost no memory. */
const FORGET_MS = 60_000;

/** The right to run one attempt. */
export interface Permit {
  /** Gives the permit back; safe to repeat. `unused`: no attempt was started with it, so another attempt may use it. */
  release(unused?: boolean): void;
}

/** One limit: of a capability, or of one key of a capability. */
export interface Limit {
  concurrency?: number | undefined;
  rate?: RateLimit | undefined;
}

/** The permits of one limit in this process. */
export interface Limiter {
  /** The number of attempts that could start now. */
  ready(): number;
  /**
   * Sets the number of permits that the caller wants now. When too few are ready, the limiter asks for more, and calls
   * `onReady` when it got some or when the caller should call again. It gives a surplus back after {@link TRIM_MS}.
   */
  want(count: number): void;
  /** Takes one permit that is ready, or returns null. */
  take(): Permit | null;
  /** Takes one permit. If none is ready, takes one from the shared value; resolves to a permit, or to the wait in ms. */
  acquire(): Promise<Permit | { waitMs: number }>;
}

/** The limiters of one process. */
export interface Limiters {
  /** The limiter of a capability, or of one key of it. The same arguments give the same limiter. */
  of(capability: string, key: string | undefined, limit: Limit): Limiter;
  /** Gives all leased permits back and stops renewing. */
  stop(): Promise<void>;
}

/** The parts of the limiters. `holder` names this process in leases. */
interface LimitersParts {
  bucket: Bucket;
  holder: string;
  clock: Clock;
  chance: Chance;
  log: Logger;
  /** Called when permits came, or when the caller should call `want` again. */
  onReady: () => void;
}

/** Makes the limiters of one process. `bucket` has the shared values of the limits. Begins to renew the leases. */
export function createLimiters(parts: LimitersParts): Limiters {
  return new ProcessLimiters(parts);
}

class ProcessLimiters implements Limiters {
  readonly #parts: LimitersParts;
  readonly #limiters = new Map<string, ProcessLimiter>();
  readonly #renewing: NodeJS.Timeout;

  constructor(parts: LimitersParts) {
    this.#parts = parts;
    this.#renewing = setInterval(() => this.#renew(), LEASE_RENEW_MS);
    this.#renewing.unref();
  }

  of(capability: string, key: string | undefined, limit: Limit): Limiter {
    const id = limitId(capability, key);
    let limiter = this.#limiters.get(id);
    if (limiter === undefined) {
      limiter = new ProcessLimiter({ ...this.#parts, id, limit });
      this.#limiters.set(id, limiter);
    }
    return limiter;
  }

  async stop(): Promise<void> {
    clearInterval(this.#renewing);
    await Promise.all([...this.#limiters.values()].map((limiter) => limiter.stop()));
  }

  #renew(): void {
    const sinceMs = this.#parts.clock.now() - FORGET_MS;
    for (const [id, limiter] of this.#limiters) {
      if (limiter.isForgettable(sinceMs)) this.#limiters.delete(id);
      else limiter.renew();
    }
  }
}

/** The start of the keys of limits on tasks; the owner, a capability, follows it, so that a permission of NATS can bind the key. */
const TASK_LIMITS = "task";

/** The bucket's key of a limit. A task's key is hashed, because it may hold characters that a bucket rejects. */
function limitId(capability: string, key: string | undefined): string {
  const id = `${TASK_LIMITS}.${capability}`;
  if (key === undefined) return id;
  return `${id}.${createHash("sha256").update(key).digest("hex").slice(0, 32)}`;
}

interface LimiterParts extends LimitersParts {
  id: string;
  limit: Limit;
}

/** Decides one change of the shared value. The limiter calls `done` once the new state is stored, or when nothing changes. */
type Decide = (state: LimitState, nowMs: number) => { state: LimitState; done: () => void };

class ProcessLimiter implements Limiter {
  readonly #parts: LimiterParts;
  /** The rate permits that this process has taken and not used. */
  #rated = 0;
  /** The leased concurrency permits, and the end of the lease: after it, another process may hold them. */
  #held = 0;
  #heldUntilMs = 0;
  /** The permits that the shared value has for this process: more than `#held` after a give-back that failed. */
  #shared = 0;
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

  /** The concurrency permits that this process holds and does not use. */
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
      this.#trimLater();
    }
  }

  /**
   * Gives surplus permits back after {@link TRIM_MS}, because another process may need them. Not at once: a slot that was
   * freed in this turn of the event loop is often used again in the next.
   */
  #trimLater(): void {
    this.#cancelTrim ??= this.#parts.clock.after(TRIM_MS, () => {
      this.#cancelTrim = undefined;
      if (this.#wanted < this.#held - this.#running) {
        void this.#lease(() => Math.min(this.#held, this.#running + this.#wanted));
      }
    });
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
    if (this.#parts.limit.concurrency === undefined) return;
    // Also after a give-back of all permits that failed: other processes would wait for the end of the lease.
    if (this.#held > 0 || this.#shared > 0) void this.#lease(() => this.#held);
  }

  isForgettable(sinceMs: number): boolean {
    const hasPermits = this.#running > 0 || this.#held > 0 || this.#shared > 0;
    return !hasPermits && this.#wanted === 0 && this.#usedAtMs < sinceMs;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelPause?.();
    this.#cancelTrim?.();
    await this.#changing;
    if (this.#held > 0 || this.#shared > 0) await this.#lease(() => 0);
  }

  #pause(waitMs: number): void {
    if (this.#stopped) return;
    this.#cancelPause = this.#parts.clock.after(waitMs, () => {
      this.#cancelPause = undefined;
      this.#parts.onReady();
    });
  }

  /** Takes more permits from the shared value. Resolves to the wait in ms before the next try. Never rejects. */
  async #ask(count: number): Promise<number> {
    const { limit, chance } = this.#parts;
    const { concurrency, rate } = limit;
    const fullMs = FULL_WAIT_MS + integerBetween(chance, 0, FULL_WAIT_MS);
    if (concurrency !== undefined && this.#leased() <= 0) {
      if (this.#running >= concurrency) return fullMs; // this process holds and uses all of them
      const more = Math.min(count, Math.max(1, Math.floor(concurrency / LEASE_SHARE)));
      await this.#lease(() => Math.max(this.#held, this.#running + more));
      if (this.#leased() <= 0) return fullMs;
    }
    if (rate === undefined || this.#rated > 0) return fullMs;
    return (await this.#takeRateBlock(rate)) ?? fullMs;
  }

  /** Takes a block of rate permits; resolves to the wait in ms, or to undefined when the change failed. */
  async #takeRateBlock(rate: RateLimit): Promise<number | undefined> {
    let waitMs: number | undefined;
    await this.#change((state, nowMs) => {
      const taken = takeRate(state, rate, blockSize(rate), nowMs);
      return {
        state: taken.state,
        done: () => {
          this.#rated += taken.granted;
          waitMs = taken.waitMs + integerBetween(this.#parts.chance, 0, RATE_JITTER_MS);
        },
      };
    });
    return waitMs;
  }

  /** Sets how many permits this process holds; `wanted` is called when the change is made (I4). */
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
          this.#shared = taken.held;
          this.#heldUntilMs = nowMs + LEASE_MS;
        },
      };
    });
  }

  /**
   * Changes the shared value (I2), one change after the other (I3). Never rejects: a failed change is logged, and `done` is not
   * called. Permits that were to be given back stay out of use (I4), until a later change or the next renewal gives them back.
   */
  #change(decide: Decide): Promise<void> {
    const before = this.#changing;
    const changing = (before ?? Promise.resolve())
      .then(() => this.#changeOnce(decide))
      .catch((error: unknown) => {
        this.#parts.log.warn(
          { err: toSwarmError(error), limit: this.#parts.id },
          "shared limit not changed; retrying later",
        );
      })
      .finally(() => {
        if (this.#changing === changing) this.#changing = undefined;
      });
    this.#changing = changing;
    return changing;
  }

  async #changeOnce(decide: Decide): Promise<void> {
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
