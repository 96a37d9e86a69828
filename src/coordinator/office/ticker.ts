// Ticks at a steady pace, by a clock that no one sets. Owns the pace and what is made of a pause.
import { ELECTION_TIMES, LOG_TICK_MS } from "../time.ts";

/** Ticks counted after a pause, at most: enough to step down and to be ready for a new election; more adds nothing. */
const MAX_BURST_TICKS = 2 * ELECTION_TIMES.electionTicks;

/** Calls `onTick` every {@link LOG_TICK_MS}; ticks that were missed come in one burst. */
export class Ticker {
  readonly #onTick: (isLate: boolean) => void;
  readonly #onPause: (pausedMs: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #tickedAtMs = 0;
  #isScheduled = false;

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
    this.#timer = setInterval(() => this.#schedule(), LOG_TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Timers come before arrived messages in a turn of the event loop: they must not outvote what is there already. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const due = Math.floor((performance.now() - this.#tickedAtMs) / LOG_TICK_MS);
      this.#tickedAtMs += due * LOG_TICK_MS;
      if (due > ELECTION_TIMES.electionTicks) this.#onPause(due * LOG_TICK_MS);
      const burst = Math.min(due, MAX_BURST_TICKS);
      for (let count = 1; count <= burst; count++) this.#onTick(count < burst);
    });
  }
}
