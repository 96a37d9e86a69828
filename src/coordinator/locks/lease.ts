// Holding a lock from outside the office: waits in line, renews, and knows by its own clocks when a lease may be over.
//
// K1  A lease is counted from before the ask that may have granted it: the last one whose answer was not "held by
//     another", or the renewal that was confirmed. Log time never runs ahead of a clock, so the office ends it later.
// K2  After a lease may be over nothing brings it back: neither a late confirmation nor a release.
// K3  Who stops waiting leaves the line, and gives back what it was granted meanwhile; best effort, the lease bounds it.
import { type Clock, type Logger, sleep, systemClock } from "../../base/index.ts";
import { SwarmError, toSwarmError } from "../../protocol/index.ts";
import type { OfficeClient } from "../client.ts";

/** How long a waiter keeps its place without asking, in ms: it may miss an election. */
const PLACE_MS = 5_000;
/** The pause before the first in line asks again, in ms; the second waits twice as long, and so on. */
const ASK_PAUSE_MS = 200;
/** The longest such pause, in ms: well below {@link PLACE_MS}. */
const MAX_ASK_PAUSE_MS = 2_000;
/** An ask may take this long, in ms, also when there is no patience: a healthy office answers within a few ms. */
const MIN_ASK_MS = 1_000;
/** A lease is renewed when a third of it is over: two more tries fit. */
const RENEW_AT = 1 / 3;
/** Two clocks may differ by this share: NTP slews each by at most 500 ppm (ntpd manual, "slew rate"). */
const CLOCK_DRIFT = 1 / 1_000;
/** How long giving back may take, in ms; after that the lease ends it. */
const RELEASE_TIMEOUT_MS = 5_000;

/** Which lock, for whom, and for how long. */
export interface LeaseRequest {
  name: string;
  /** Unique to this request. */
  owner: string;
  ttlMs: number;
  /** How long to wait in line, in ms. */
  patienceMs: number;
  /** How long the office may take to answer, in ms, also when `patienceMs` is over; default {@link MIN_ASK_MS}. */
  askTimeoutMs?: number | undefined;
  /** Ends the waiting. */
  signal: AbortSignal;
}

/** A moment by two clocks: one may be set, the other stands still while the machine sleeps. */
interface Moment {
  readonly wallMs: number;
  readonly steadyMs: number;
}

/** What came of waiting. */
export type Waited =
  | { readonly acquired: true; readonly token: number; readonly since: Moment }
  | { readonly acquired: false; readonly heldBy: string };

/** What a keeper of leases needs. */
export interface LeaseParts {
  office: OfficeClient;
  clock?: Clock | undefined;
  /** A clock that nobody sets, in ms; default: the machine's. */
  steadyMs?: (() => number) | undefined;
}

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

  /** What has passed since, by the clock that says more. */
  msSince(moment: Moment): number {
    const { wallMs, steadyMs } = this.now();
    return Math.max(wallMs - moment.wallMs, steadyMs - moment.steadyMs);
  }
}

/**
 * Waits in line for a lock, as long as `patienceMs` says. It is not renewed.
 * @throws SwarmError `unavailable` when nobody decided it in time; `invalid_input`; the signal's reason.
 */
export async function waitForLock(parts: LeaseParts, request: LeaseRequest): Promise<Waited> {
  const { office } = parts;
  const { name, owner, ttlMs, patienceMs, askTimeoutMs = MIN_ASK_MS, signal } = request;
  const time = new Timepiece(parts);
  const begun = time.now();
  let since = begun;
  try {
    for (;;) {
      signal.throwIfAborted();
      const leftMs = patienceMs - time.msSince(begun);
      const place = leftMs > 0 ? PLACE_MS : 0;
      const asked = time.now();
      const answer = await office.write(
        "lock-acquire",
        { name, owner, ttlMs, patienceMs: place },
        { timeoutMs: Math.max(leftMs, askTimeoutMs), signal },
      );
      if (answer.acquired) return { acquired: true, token: answer.token, since };
      if (place === 0 || answer.position === null) return { acquired: false, heldBy: answer.holder.owner };
      since = asked; // K1: it was decided after this that another one holds it
      const pauseMs = Math.min(ASK_PAUSE_MS * answer.position, MAX_ASK_PAUSE_MS, Math.max(0, leftMs));
      await sleep(pauseMs, { signal, clock: time.clock });
    }
  } catch (error) {
    void leaveLine(office, request);
    throw error;
  }
}

/** K3 */
async function leaveLine(office: OfficeClient, { name, owner, ttlMs }: LeaseRequest): Promise<void> {
  try {
    const options = { timeoutMs: RELEASE_TIMEOUT_MS };
    const answer = await office.write("lock-acquire", { name, owner, ttlMs, patienceMs: 0 }, options);
    if (answer.acquired) {
      await office.write("lock-release", { name, owner, token: answer.token }, options);
    }
  } catch {
    // Its place is forgotten in a while; a lease that it was granted ends by itself.
  }
}

/** Takes locks and keeps them. */
export function createLeaseKeeper(parts: LeaseParts & { log: Logger }) {
  return {
    /**
     * Waits in line for a lock and keeps renewing it.
     * @throws SwarmError `conflict` (retryable) when another one holds it all the time; else as {@link waitForLock}.
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

/** A lock that is held until it is released or lost. */
class Lease {
  readonly token: number;
  readonly #parts: LeaseParts & { log: Logger };
  readonly #request: LeaseRequest;
  readonly #time: Timepiece;
  readonly #lost = new AbortController();
  readonly #stopped = new AbortController();
  /** How long it lasts by clocks that may run faster than the office's. */
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

  /** Aborts when it is lost; the reason is a SwarmError. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** Gives it back. Never throws: what cannot be told is over with the lease. Safe to repeat. */
  release(): Promise<void> {
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  /** Keeps it to the end of its lease and no longer. */
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
      this.#parts.log.debug({ err: error, lock: name }, "a lock could not be given back; its lease ends it");
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
      const told = toSwarmError(error);
      // Without an answer the end of the lease decides.
      if (told.code !== "unavailable") this.#lose(told.code, told.message);
      return;
    }
    if (this.#isOver() || this.#stopped.signal.aborted) return; // K2
    this.#since = asked;
    this.#watchEnd();
    this.#planRenewal();
  }

  #watchEnd(): void {
    this.#cancelEnd();
    if (this.#isOver()) return;
    this.#cancelEnd = this.#time.clock.after(this.#leftMs, () => this.#watchEnd());
  }

  /** Whether it is lost, or may be over by now, which is the same. */
  #isOver(): boolean {
    if (this.#leftMs <= 0) {
      this.#lose(
        "unavailable",
        `no renewal was confirmed before its lease of ${this.#request.ttlMs} ms was over`,
      );
    }
    return this.signal.aborted;
  }

  #lose(code: SwarmError["code"], why: string): void {
    if (this.signal.aborted || this.#releasing !== undefined) return;
    this.stopRenewing();
    this.#cancelEnd();
    const { name, owner } = this.#request;
    this.#parts.log.warn({ lock: name, owner, token: this.token, why }, "a lock was lost");
    this.#lost.abort(
      new SwarmError(code, `the lock ${name} is lost: ${why}`, { field: "name", retryable: true }),
    );
  }
}
