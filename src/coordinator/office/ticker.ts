// Ticks at a steady pace, by a clock that no one sets. Owns the pace and what is made of a pause.
import { ELECTION_TIMES, LOG_TICK_MS } from "../time.ts";

/** Ticks counted after a pause, at most: enough to step down and to be ready for a new election; more adds nothing. */
const MAX_BURST_TICKS = 2 * ELECTION_TIMES.electionTicks;

/**
 * Calls `onTick` every {@link LOG_TICK_MS}; ticks that were missed come in one burst. Two on time are never closer than
 * that: the pace is counted from when a tick came and not from when it was due, so that a count of ticks from any moment
 * on is at most one ahead of the time that passed. Leases rest on it.
 */
export class Ticker {
  readonly #onTick: (isLate: boolean) => void;
  readonly #onPause: (pausedMs: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #tickedAtMs = 0;
  #isStopped = false;

  /**
   * All ticks of a burst but the last are late: they were due before what arrived meanwhile, and come behind it. `onPause`
   * is told before a burst that is longer than an election timeout.
   */
  constructor(parts: { onTick: (isLate: boolean) => void; onPause: (pausedMs: number) => void }) {
    this.#onTick = parts.onTick;
    this.#onPause = parts.onPause;
  }

  start(): void {
    this.#tickedAtMs = performance.now();
    this.#wait();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    const leftMs = this.#tickedAtMs + LOG_TICK_MS - performance.now();
    // Timers come before arrived messages in a turn of the event loop: they must not outvote what is there already.
    this.#timer = setTimeout(() => setImmediate(() => this.#tick()), Math.max(1, Math.ceil(leftMs)));
  }

  #tick(): void {
    if (this.#isStopped) return;
    const nowMs = performance.now();
    const due = Math.floor((nowMs - this.#tickedAtMs) / LOG_TICK_MS);
    if (due > 0) this.#tickedAtMs = nowMs;
    if (due > ELECTION_TIMES.electionTicks) this.#onPause(due * LOG_TICK_MS);
    const burst = Math.min(due, MAX_BURST_TICKS);
    for (let count = 1; count <= burst; count++) this.#onTick(count < burst);
    if (!this.#isStopped) this.#wait();
  }
}
