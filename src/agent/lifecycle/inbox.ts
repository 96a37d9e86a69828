// The broadcasts that wait for one agent's handlers: bounded, one at a time, in order. One inbox per life of the agent,
// so that a handler that never ends cannot hold up the life after a restart.
import type { Logger } from "../../base/index.ts";

/** Broadcasts that wait; beyond it the newest are dropped and counted in the log: broadcasts are best effort. */
export const INBOX_LIMIT = 1_000;

/** A broadcast that an agent listens for. */
export interface Broadcast {
  topic: string;
  value: unknown;
}

export class Inbox {
  readonly #handle: (broadcast: Broadcast) => Promise<void> | void;
  readonly #log: Logger;
  readonly #waiting: Broadcast[] = [];
  #state: "shut" | "open" | "busy" | "closed" = "shut";
  #dropped = 0;

  /** `handle` must not throw. Nothing is handled before {@link open}. */
  constructor(handle: (broadcast: Broadcast) => Promise<void> | void, log: Logger) {
    this.#handle = handle;
    this.#log = log;
  }

  push(broadcast: Broadcast): void {
    if (this.#waiting.length >= INBOX_LIMIT) {
      if (this.#dropped++ === 0) {
        this.#log.warn(
          { topic: broadcast.topic, limit: INBOX_LIMIT },
          "broadcasts are dropped: the agent's handlers are slower than its topics",
        );
      }
      return;
    }
    this.#waiting.push(broadcast);
    if (this.#state === "open") void this.#handleAll();
  }

  /** Begins to handle what waits. */
  open(): void {
    if (this.#state !== "shut") return;
    this.#state = "open";
    void this.#handleAll();
  }

  /** Handles nothing more. */
  close(): void {
    this.#state = "closed";
  }

  async #handleAll(): Promise<void> {
    this.#state = "busy";
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      await this.#handle(next);
      if (this.#hasClosed()) return;
    }
    this.#state = "open";
    if (this.#dropped === 0) return;
    this.#log.warn({ dropped: this.#dropped }, "the agent has caught up after broadcasts were dropped");
    this.#dropped = 0;
  }

  #hasClosed(): boolean {
    return this.#state === "closed";
  }
}
