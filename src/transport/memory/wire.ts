// How messages get from one side to the other in memory: in order, never inside the sender's call, and without
// starving the event loop.
import type { Logger } from "../../base/index.ts";

/** A first-in, first-out line of deliveries. */
export class Wire {
  #waiting: (() => void)[] = [];
  #scheduled = false;
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Runs `deliver` in a later turn of the event loop, after all that was sent before. What it throws is logged. */
  send(deliver: () => void): void {
    this.#waiting.push(deliver);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#drain());
  }

  /** Resolves when all that was sent before has been delivered. */
  flush(): Promise<void> {
    return new Promise((resolve) => this.send(resolve));
  }

  #drain(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    this.#scheduled = false;
    for (const deliver of batch) {
      try {
        deliver();
      } catch (cause) {
        this.#log.error({ err: cause }, "a message handler threw");
      }
    }
  }
}
