// The streams that an API has open: their number, their bound, and their end when the process stops.
import type { Meter } from "../../../base/index.ts";
import { SwarmError } from "../../../protocol/index.ts";
import { type EventStream, RECONNECT_MS } from "./event-stream.ts";

/** The most streams of one process: each holds a socket, a subscription and up to 64 KiB. */
export const MAX_STREAMS = 2_048;

/** All open streams of one process. */
export class OpenStreams {
  readonly #meter: Pick<Meter, "httpStreams">;
  readonly #open = new Set<EventStream>();
  readonly #stopping: AbortSignal;

  constructor(meter: Pick<Meter, "httpStreams">, stopping: AbortSignal) {
    this.#meter = meter;
    this.#stopping = stopping;
    this.#meter.httpStreams.set({ kind: "sse" }, 0);
    stopping.addEventListener("abort", () => this.#endAll(), { once: true });
  }

  /** @throws SwarmError `rate_limited` when there are too many. */
  requireRoom(): void {
    if (this.#open.size < MAX_STREAMS) return;
    throw new SwarmError("rate_limited", `${MAX_STREAMS} streams are open here already`, {
      retryAfterMs: RECONNECT_MS,
    });
  }

  add(stream: EventStream): void {
    this.#open.add(stream);
    this.#count();
    void stream.over.then(() => {
      this.#open.delete(stream);
      this.#count();
    });
    if (this.#stopping.aborted) this.#endAll();
  }

  #endAll(): void {
    const data = {
      retryAfterMs: RECONNECT_MS,
      reason: "this api process stops; connect again, another one answers",
    };
    for (const stream of this.#open) stream.end({ event: "stop", data });
  }

  #count(): void {
    this.#meter.httpStreams.set({ kind: "sse" }, this.#open.size);
  }
}
