// Holds a lock for a program: waits in line, renews the lease, and reports its loss. Measures the lease by the holder's
// clocks; the office decides about the lock (locks.ts). Callers: `murmur lock`, and the locks of agents
// (app/processes/frame.ts).
//
// K1  The holder counts its lease from a moment before the office granted it: from the start of the wait, or from the
//     start of the last request whose answer was "held by another". After a confirmed renewal, it counts from the start
//     of that request. Log time never runs ahead of a clock, so the office ends the lease later than the holder does.
// K2  A lease that may have expired is lost for good: a late confirmation of a renewal does not bring it back.
// K3  A caller that stops waiting leaves the line, and releases a lock that it was granted in between. This is best
//     effort: if it fails, the lock is free when its lease expires.
import { type Clock, type Logger, sleep, systemClock } from "../../base/index.ts";
import { SwarmError, toSwarmError } from "../../protocol/index.ts";
import type { OfficeClient } from "../client.ts";

/** The time that a waiter keeps its place in line without a request, in ms: longer than an election. */
const PLACE_MS = 5_000;
/**
 * The pause between two requests of the first waiter in line, in ms; the second waiter pauses twice as long, and so on.
 */
const ASK_PAUSE_MS = 200;
/** The longest such pause, in ms: well below {@link PLACE_MS}. */
const MAX_ASK_PAUSE_MS = 2_000;
/** The shortest timeout of a request, in ms, also when `patienceMs` is 0. A healthy office answers within a few ms. */
const MIN_ASK_MS = 1_000;
/** The share of a lease after which the holder renews it: the rest is time to repeat the request. */
const RENEW_AT = 1 / 3;
/** The largest relative drift between two clocks: NTP slews each by at most 500 ppm (ntpd manual, "slew rate"). */
const CLOCK_DRIFT = 1 / 1_000;
/** The timeout of a release, in ms. If the release fails, the lock is free when its lease expires. */
const RELEASE_TIMEOUT_MS = 5_000;

/** A request for a lock. */
export interface LeaseRequest {
  name: string;
  /** Unique to this request. */
  owner: string;
  ttlMs: number;
  /** The longest wait in line, in ms. */
  patienceMs: number;
  /** How long the office may take to answer, in ms, also when `patienceMs` has passed; default {@link MIN_ASK_MS}. */
  askTimeoutMs?: number | undefined;
  /** Aborts the wait. */
  signal: AbortSignal;
}

/**
 * A moment by two clocks: an administrator may set the wall clock, and the steady clock may stop while the machine
 * sleeps.
 */
interface Moment {
  readonly wallMs: number;
  readonly steadyMs: number;
}

/** The end of a wait. */
export type Waited =
  | { readonly acquired: true; readonly token: number; readonly since: Moment }
  | { readonly acquired: false; readonly heldBy: string };

/** The ports of a lease keeper. */
export interface LeaseParts {
  office: OfficeClient;
  clock?: Clock | undefined;
  /** A steady clock that is never set, in ms; default: the machine's. */
  steadyMs?: (() => number) | undefined;
}

/** Measures time by both clocks. */
class Timepiece {
  readonly clock: Clock;
  readonly #steadyMs: () => number;

  constructor({ clock = systemClock, steadyMs = () => performance.now() }: LeaseParts) {
    this.clock = clock;
    this.#steadyMs = steadyMs;
  }

  now(): Moment {
    return { wallMs: this.clock.now(), steadyMs: this.#steadyMs() };
  }

  /** The time since `moment` in ms, by the clock that shows more. */
  msSince(moment: Moment): number {
    const { wallMs, steadyMs } = this.now();
    return Math.max(wallMs - moment.wallMs, steadyMs - moment.steadyMs);
  }
}

/**
 * Waits in line for a lock for at most `patienceMs`. The caller must renew the lease.
 * @throws SwarmError `unavailable` when no coordinator decided in time; `invalid_input`; the signal's reason.
 */
export async function waitForLock(parts: LeaseParts, request: LeaseRequest): Promise<Waited> {
  const { office } = parts;
  const { name, owner, ttlMs, patienceMs, askTimeoutMs = MIN_ASK_MS, signal } = request;
  const time = new Timepiece(parts);
  const startedAt = time.now();
  let since = startedAt;
  try {
    for (;;) {
      signal.throwIfAborted();
      const leftMs = patienceMs - time.msSince(startedAt);
      const place = leftMs > 0 ? PLACE_MS : 0;
      const asked = time.now();
      const answer = await office.write(
        "lock-acquire",
        { name, owner, ttlMs, patienceMs: place },
        { timeoutMs: Math.max(leftMs, askTimeoutMs), signal },
      );
      if (answer.acquired) return { acquired: true, token: answer.token, since };
      if (place === 0 || answer.position === null) return { acquired: false, heldBy: answer.holder.owner };
      since = asked; // K1: after this moment the office decided that another owner holds the lock
      const pauseMs = Math.min(ASK_PAUSE_MS * answer.position, MAX_ASK_PAUSE_MS, Math.max(0, leftMs));
      await sleep(pauseMs, { signal, clock: time.clock });
    }
  } catch (error) {
    void leaveLine(office, request);
    throw error;
  }
}

/** Leaves the line, and releases the lock if the office grants it now (K3). */
async function leaveLine(office: OfficeClient, { name, owner, ttlMs }: LeaseRequest): Promise<void> {
  try {
    const options = { timeoutMs: RELEASE_TIMEOUT_MS };
    const answer = await office.write("lock-acquire", { name, owner, ttlMs, patienceMs: 0 }, options);
    if (answer.acquired) {
      await office.write("lock-release", { name, owner, token: answer.token }, options);
    }
  } catch {
    // Best effort: the place in line expires, and so does a granted lease.
  }
}

/** Creates a keeper, which acquires locks and renews them. */
export function createLeaseKeeper(parts: LeaseParts & { log: Logger }) {
  return {
    /**
     * Waits in line for a lock and then renews it until it is released or lost.
     * @throws SwarmError `conflict` (retryable) when another owner holds the lock for all of `patienceMs`; else as
     *   {@link waitForLock}.
     */
    async acquire(request: LeaseRequest): Promise<Lease> {
      const waited = await waitForLock(parts, request);
      if (waited.acquired) return new Lease(parts, request, waited);
      throw new SwarmError(
        "conflict",
        `the lock ${request.name} is held by ${waited.heldBy}; waited ${request.patienceMs} ms: try again later`,
        { field: "name", retryable: true },
      );
    },
  };
}

/** A held lock, until it is released or lost. */
class Lease {
  readonly token: number;
  readonly #parts: LeaseParts & { log: Logger };
  readonly #request: LeaseRequest;
  readonly #time: Timepiece;
  readonly #lost = new AbortController();
  readonly #stopped = new AbortController();
  /** The length of the lease, shortened because this machine's clocks may run slower than the office's. */
  readonly #leaseMs: number;
  #since: Moment;
  #cancelEnd: () => void = () => undefined;
  #cancelRenewal: () => void = () => undefined;
  #releasing: Promise<void> | undefined;

  constructor(
    parts: LeaseParts & { log: Logger },
    request: LeaseRequest,
    { token, since }: { token: number; since: Moment },
  ) {
    this.#parts = parts;
    this.#request = request;
    this.#time = new Timepiece(parts);
    this.token = token;
    this.#since = since;
    this.#leaseMs = request.ttlMs * (1 - CLOCK_DRIFT);
    this.#watchEnd();
    this.#planRenewal();
  }

  /** Aborts when the lock is lost; the reason is a SwarmError. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** Releases the lock. Never throws: without an answer, the lease expires. Safe to repeat. */
  release(): Promise<void> {
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  /** Keeps the lock until its lease expires, and no longer. */
  stopRenewing(): void {
    this.#cancelRenewal();
    this.#stopped.abort();
  }

  get #leftMs(): number {
    return this.#leaseMs - this.#time.msSince(this.#since);
  }

  async #release(): Promise<void> {
    this.stopRenewing();
    this.#cancelEnd();
    const { name, owner } = this.#request;
    const leftMs = this.#leftMs;
    if (this.signal.aborted || leftMs <= 0) return;
    try {
      const body = { name, owner, token: this.token };
      const timeoutMs = Math.min(leftMs, RELEASE_TIMEOUT_MS);
      await this.#parts.office.write("lock-release", body, { timeoutMs });
    } catch (error) {
      this.#parts.log.debug(
        { err: error, lock: name },
        "lock not released; it is free when its lease expires",
      );
    }
  }

  #planRenewal(): void {
    const inMs = Math.max(0, this.#request.ttlMs * RENEW_AT - this.#time.msSince(this.#since));
    this.#cancelRenewal = this.#time.clock.after(inMs, () => void this.#renew());
  }

  async #renew(): Promise<void> {
    if (this.#isOver()) return;
    const { name, owner, ttlMs } = this.#request;
    const asked = this.#time.now();
    try {
      const body = { name, owner, token: this.token, ttlMs };
      await this.#parts.office.write("lock-renew", body, {
        timeoutMs: Math.max(1, this.#leftMs),
        signal: this.#stopped.signal,
      });
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      const failure = toSwarmError(error);
      // Without an answer, the lock is lost when its lease expires.
      if (failure.code !== "unavailable") this.#lose(failure.code, failure.message);
      return;
    }
    if (this.#isOver() || this.#stopped.signal.aborted) return; // K2
    this.#since = asked;
    this.#watchEnd();
    this.#planRenewal();
  }

  /** Sets a timer for the end of the lease. A timer may fire early, so it checks the clocks again. */
  #watchEnd(): void {
    this.#cancelEnd();
    if (this.#isOver()) return;
    this.#cancelEnd = this.#time.clock.after(this.#leftMs, () => this.#watchEnd());
  }

  /** True when the lock is lost. A lease that may have expired makes the lock lost (K2). */
  #isOver(): boolean {
    if (this.#leftMs <= 0) {
      this.#lose(
        "unavailable",
        `the office confirmed no renewal before the lease of ${this.#request.ttlMs} ms expired`,
      );
    }
    return this.signal.aborted;
  }

  #lose(code: SwarmError["code"], why: string): void {
    if (this.signal.aborted || this.#releasing !== undefined) return;
    this.stopRenewing();
    this.#cancelEnd();
    const { name, owner } = this.#request;
    this.#parts.log.warn({ lock: name, owner, token: this.token, why }, "lock lost; its signal aborts");
    this.#lost.abort(
      new SwarmError(code, `the lock ${name} is lost: ${why}`, { field: "name", retryable: true }),
    );
  }
}
