// Queues the broadcasts for one agent's handlers: bounded, one at a time, in order. Each life of the agent has its own
// inbox, so that a handler that never ends cannot block the life after a restart.
import type { Logger } from "../../base/index.ts";

/**
 * The most broadcasts that wait. When the inbox is full it drops new broadcasts and logs their number: broadcasts are best
 * effort.
 */
export const INBOX_LIMIT = 1_000;

/** A broadcast on a topic that the agent handles. */
export interface Broadcast {
  topic: string;
  value: unknown;
}

export class Inbox {
  readonly #handle: (broadcast: Broadcast) => Promise<void> | void;
  readonly #log: Logger;
  readonly #waiting: Broadcast[] = [];
  #state: "unopened" | "open" | "busy" | "closed" = "unopened";
  #dropped = 0;

  /** `handle` must not throw. The inbox handles no broadcast before {@link open}. */
  constructor(handle: (broadcast: Broadcast) => Promise<void> | void, log: Logger) {
    this.#handle = handle;
    this.#log = log;
  }

  push(broadcast: Broadcast): void {
    if (this.#waiting.length >= INBOX_LIMIT) {
      if (this.#dropped++ === 0) {
        this.#log.warn(
          { topic: broadcast.topic, limit: INBOX_LIMIT },
          "inbox full, because the handlers are slower than the topics; dropping new broadcasts",
        );
      }
      return;
    }
    this.#waiting.push(broadcast);
    if (this.#state === "open") void this.#handleAll();
  }

  /** Begins to handle the queued broadcasts. */
  open(): void {
    if (this.#state !== "unopened") return;
    this.#state = "open";
    void this.#handleAll();
  }

  /** Stops handling broadcasts, for good. A handler that runs now is not interrupted. */
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
    this.#log.warn(
      { dropped: this.#dropped },
      "inbox empty again after dropped broadcasts; handling new ones",
    );
    this.#dropped = 0;
  }

  #hasClosed(): boolean {
    return this.#state === "closed";
  }
}
