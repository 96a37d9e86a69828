// Time as a dependency. Deciders take `nowMs` as an argument; drivers take a `Clock`, so that tests can drive
// it by hand.

/** Wall-clock time and timers. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Calls `run` once after `delayMs`. The returned function cancels it; calling it twice is safe. */
  after(delayMs: number, run: () => void): () => void;
}

let isoSecond = Number.NaN;
let isoPrefix = "";

/**
 * Formats a time as ISO 8601 in UTC, as messages contain it. Caches the text of the last second, because many calls fall
 * into the same second.
 * @throws RangeError if `ms` is not a valid time.
 */
export function toIsoTime(ms: number): string {
  const second = Math.floor(ms / 1_000);
  if (second !== isoSecond) {
    isoPrefix = new Date(second * 1_000).toISOString().slice(0, -4);
    isoSecond = second;
  }
  const rest = Math.floor(ms) - second * 1_000;
  return `${isoPrefix}${rest < 10 ? "00" : rest < 100 ? "0" : ""}${rest}Z`;
}

/** The longest delay that a Node timer accepts; a longer one would fire at once (Node docs, timers). */
export const MAX_TIMER_MS = 2_147_483_647;

/** The machine's own clock. Delays beyond {@link MAX_TIMER_MS} are clamped to it. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, Math.min(Math.max(0, delayMs), MAX_TIMER_MS));
    return () => clearTimeout(timer);
  },
};

/** A clock that moves only when `advance` is called; timers fire in order of their due time. */
export class ManualClock implements Clock {
  #nowMs: number;
  #timers: { dueMs: number; order: number; run: () => void }[] = [];
  #order = 0;

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves time forward and runs, in order, every timer that comes due, including timers set during the call. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (;;) {
      const next = this.#timers
        .filter((timer) => timer.dueMs <= untilMs)
        .sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = next.dueMs;
      next.run();
    }
    this.#nowMs = untilMs;
  }
}

/** Resolves after `delayMs`, or rejects with the signal's reason if the signal aborts first. */
export function sleep(delayMs: number, options: { signal?: AbortSignal; clock?: Clock } = {}): Promise<void> {
  const { signal, clock = systemClock } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
