// Ticks at a steady pace, by a monotonic clock. Owns the pace, and the burst of ticks after a pause of the process.
import { ELECTION_TIMES, LOG_TICK_MS } from "../time.ts";

/** The most ticks after a pause: enough to step down and to be ready for a new election; more would add nothing. */
const MAX_BURST_TICKS = 2 * ELECTION_TIMES.electionTicks;

/**
 * Calls `onTick` every {@link LOG_TICK_MS}; missed ticks come in one burst. Two ticks on time are never closer than the
 * interval: it counts from when the last tick came, not from when it was due. So from any moment on, the number of ticks
 * is at most one ahead of the elapsed time. Leases depend on that.
 */
export class Ticker {
  readonly #onTick: (isLate: boolean) => void;
  readonly #onPause: (pausedMs: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #tickedAtMs = 0;
  #isStopped = false;

  /**
   * All ticks of a burst except the last are late: they were due before the messages that arrived during the pause, and come
   * after them. `onPause` is called before a burst that is longer than an election timeout.
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
    // In a turn of the event loop, timers run before arrived messages. `setImmediate` lets the messages go first, so that
    // no tick starts an election against a heartbeat that is already here.
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
