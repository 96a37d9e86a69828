// The streams that an API has open: their number, their bound, and their end when the process stops.
import type { Meter } from "../../../base/index.ts";
import { SwarmError } from "../../../protocol/index.ts";
import { type OpenStream, RECONNECT_MS } from "./event-stream.ts";

/** The most streams of one process: each holds a socket, a subscription and up to 64 KiB. */
export const MAX_STREAMS = 2_048;

/** The ways of a stream to its reader, as `murmur_http_streams` names them: server-sent events, or a WebSocket. */
export const STREAM_KINDS = ["sse", "websocket"] as const;
/** One of {@link STREAM_KINDS}. */
export type StreamKind = (typeof STREAM_KINDS)[number];

/** All open streams of one process. */
export class OpenStreams {
  readonly #meter: Pick<Meter, "httpStreams">;
  readonly #open = new Map<OpenStream, StreamKind>();
  readonly #stopping: AbortSignal;

  constructor(meter: Pick<Meter, "httpStreams">, stopping: AbortSignal) {
    this.#meter = meter;
    this.#stopping = stopping;
    for (const kind of STREAM_KINDS) this.#count(kind);
    stopping.addEventListener("abort", () => this.#endAll(), { once: true });
  }

  /** @throws SwarmError `rate_limited` when there are too many. */
  requireRoom(): void {
    if (this.#open.size < MAX_STREAMS) return;
    throw new SwarmError("rate_limited", `${MAX_STREAMS} streams are open here already`, {
      retryAfterMs: RECONNECT_MS,
    });
  }

  add(stream: OpenStream, kind: StreamKind): void {
    this.#open.set(stream, kind);
    this.#count(kind);
    void stream.over.then(() => {
      this.#open.delete(stream);
      this.#count(kind);
    });
    if (this.#stopping.aborted) this.#endAll();
  }

  #endAll(): void {
    const data = {
      retryAfterMs: RECONNECT_MS,
      reason: "this api process stops; connect again, another one answers",
    };
    for (const stream of this.#open.keys()) stream.end({ event: "stop", data });
  }

  #count(kind: StreamKind): void {
    const count = [...this.#open.values()].filter((each) => each === kind).length;
    this.#meter.httpStreams.set({ kind }, count);
  }
}
