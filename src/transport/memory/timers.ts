// Timers of the in-memory server: they rest while nobody is connected, so that a test process can end, and go on with
// the next connection, as a stored schedule does on a real server.
import type { Clock } from "../../base/index.ts";

interface Timer {
  readonly dueMs: number;
  readonly run: () => void;
  disarm: (() => void) | undefined;
}

/** A set of timers on one clock. */
export class Timers {
  readonly #clock: Clock;
  readonly #timers = new Set<Timer>();
  #armed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  /** Calls `run` once when `delayMs` passed; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void {
    const timer: Timer = { dueMs: this.#clock.now() + delayMs, run, disarm: undefined };
    this.#timers.add(timer);
    if (this.#armed) this.#arm(timer);
    return () => {
      timer.disarm?.();
      this.#timers.delete(timer);
    };
  }

  /** Starts or rests all timers; what came due meanwhile runs at once. */
  setArmed(armed: boolean): void {
    if (this.#armed === armed) return;
    this.#armed = armed;
    for (const timer of this.#timers) {
      if (armed) this.#arm(timer);
      else timer.disarm?.();
    }
  }

  #arm(timer: Timer): void {
    timer.disarm = this.#clock.after(timer.dueMs - this.#clock.now(), () => {
      // The platform's timers are clamped to 24.8 days: a longer wait is armed again.
      if (this.#clock.now() < timer.dueMs) {
        this.#arm(timer);
        return;
      }
      this.#timers.delete(timer);
      timer.run();
    });
  }
}
