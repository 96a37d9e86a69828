// Carries messages from the sender to the receiver in memory: in order, never inside the sender's call, and without
// starving the event loop.
import type { Logger } from "../../base/index.ts";

/** A first-in, first-out queue of deliveries. */
export class Wire {
  #pending: (() => void)[] = [];
  #isScheduled = false;
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Runs `deliver` in a later turn of the event loop, after all earlier deliveries. An exception in it is logged. */
  send(deliver: () => void): void {
    this.#pending.push(deliver);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#drain());
  }

  /** Resolves after all earlier deliveries. */
  flush(): Promise<void> {
    return new Promise((resolve) => this.send(resolve));
  }

  #drain(): void {
    const batch = this.#pending;
    this.#pending = [];
    this.#isScheduled = false;
    for (const deliver of batch) {
      try {
        deliver();
      } catch (cause) {
        this.#log.error({ err: cause }, "message handler threw; continuing with the next message");
      }
    }
  }
}
