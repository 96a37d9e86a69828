// Timers of the in-memory server: ack-waits, TTLs, schedules, idle consumers. They pause while no client is connected, so
// that a test process can end. With the next connection they resume, and timers that came due run at once.
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
  #isArmed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  /** Calls `run` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void {
    const timer: Timer = { dueMs: this.#clock.now() + delayMs, run, disarm: undefined };
    this.#timers.add(timer);
    if (this.#isArmed) this.#arm(timer);
    return () => {
      timer.disarm?.();
      this.#timers.delete(timer);
    };
  }

  /** Starts or pauses all timers. Timers that came due during the pause run at once. */
  setArmed(isArmed: boolean): void {
    if (this.#isArmed === isArmed) return;
    this.#isArmed = isArmed;
    for (const timer of this.#timers) {
      if (isArmed) this.#arm(timer);
      else timer.disarm?.();
    }
  }

  #arm(timer: Timer): void {
    timer.disarm = this.#clock.after(timer.dueMs - this.#clock.now(), () => {
      // The platform limits timers to 24.8 days, so a longer wait is armed again.
      if (this.#clock.now() < timer.dueMs) {
        this.#arm(timer);
        return;
      }
      this.#timers.delete(timer);
      timer.run();
    });
  }
}
