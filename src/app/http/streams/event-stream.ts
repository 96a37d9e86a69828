// One stream of server-sent events (WHATWG HTML, 9.2): a bounded buffer, a comment while nothing happens, and an end with a reason.
// I1: at most BUFFER_BYTES and one event wait for a reader; a reader that is slower is cut, and told when it reads on.
// I2: the reader gets a last event with the reason, unless the reader left or the operation itself ended.
import type { SwarmError } from "../../../protocol/index.ts";
import { Room } from "./room.ts";

/** The media type of a stream. */
export const EVENT_STREAM = "text/event-stream";
/** The bytes that wait for a reader. One event is up to 512 KiB, when a result is that large. */
export const BUFFER_BYTES = 64 * 1024;
/** How long a reader may take nothing, in ms; as a caller of the front door. */
export const SLOW_READER_MS = 30_000;
/** The time between two comments, in ms: proxies end a connection that is silent for 30 s or longer. */
export const COMMENT_INTERVAL_MS = 15_000;
/** When a reader may connect again, in ms: another process has taken over by then, or this one has its connection back. */
export const RECONNECT_MS = 1_000;

/** One event. */
export interface StreamedEvent {
  readonly event: string;
  readonly data: unknown;
  /** The reader sends it as `Last-Event-ID` when it connects again. */
  readonly id?: string | undefined;
}

/** A stream of events to one reader, as its source sees it. */
export interface OpenStream {
  /** Aborts when the reader has left or the stream has ended: nothing more needs to be made for it. */
  readonly left: AbortSignal;
  /** Resolves when the stream has ended, or its reader left. */
  readonly over: Promise<void>;
  /** Sends an event, once the reader has room for it. */
  send(event: StreamedEvent): Promise<void>;
  /** Ends the stream; safe to repeat. */
  end(last?: StreamedEvent): void;
}

/** The times of a stream; a test makes them short. */
export interface StreamTimes {
  readonly beatMs: number;
  readonly slowReaderMs: number;
}

/** See the opening comment. */
export class EventStream implements OpenStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #times: StreamTimes;
  readonly #left = new AbortController();
  readonly #over = Promise.withResolvers<void>();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #isOver = false;
  readonly #waiting = new Room();
  #beats: NodeJS.Timeout | undefined;

  /** `onBeat` gives the reason to end a stream that is quiet, or null. */
  constructor(
    onBeat: () => SwarmError | null,
    times: StreamTimes = { beatMs: COMMENT_INTERVAL_MS, slowReaderMs: SLOW_READER_MS },
  ) {
    this.#times = times;
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#waiting.change(),
        cancel: () => this.#leave(),
      },
      { highWaterMark: BUFFER_BYTES, size: (chunk) => chunk?.byteLength ?? 0 },
    );
    this.#write(`retry: ${RECONNECT_MS}\n\n`);
    this.#beats = setInterval(() => {
      const reason = onBeat();
      if (reason !== null) this.end({ event: "error", data: { error: reason.toWire() } });
      else if (this.#hasRoom) this.#write(": alive\n\n");
    }, times.beatMs);
    this.#beats.unref();
  }

  /** Aborts when the reader has left or the stream has ended: nothing more needs to be made for it. */
  get left(): AbortSignal {
    return this.#left.signal;
  }

  /** Resolves when the stream has ended, or its reader left. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Sends an event, once the reader has room for it (I1). */
  async send(event: StreamedEvent): Promise<void> {
    if (!this.#isOver && !this.#hasRoom) await this.#room();
    if (!this.#isOver) this.#write(render(event));
  }

  /** Sends an event if there is room, for events that only hint. False: it was dropped. */
  offer(event: StreamedEvent): boolean {
    if (this.#isOver || !this.#hasRoom) return false;
    this.#write(render(event));
    return true;
  }

  /** Ends the stream; safe to repeat. */
  end(last?: StreamedEvent): void {
    if (this.#isOver) return;
    if (last !== undefined) this.#write(render(last)); // I2
    this.#controller?.close();
    this.#finish();
  }

  get #hasRoom(): boolean {
    return (this.#controller?.desiredSize ?? 0) > 0;
  }

  #room(): Promise<void> {
    const { slowReaderMs } = this.#times;
    return this.#waiting.wait({
      ...{ hasRoom: () => this.#hasRoom, left: this.left, limitMs: slowReaderMs },
      cut: () => this.end(cutFor(slowReaderMs)),
    });
  }

  #leave(): void {
    if (!this.#isOver) this.#finish();
  }

  #finish(): void {
    this.#isOver = true;
    clearInterval(this.#beats);
    this.#left.abort();
    this.#over.resolve();
  }

  #write(text: string): void {
    this.#controller?.enqueue(new TextEncoder().encode(text));
  }
}

/** The last event of a reader that took nothing for this long, in ms. */
export function cutFor(slowReaderMs: number): StreamedEvent {
  const message = `the reader took nothing for ${slowReaderMs} ms; connect again, and read faster`;
  return { event: "cut", data: { error: { code: "rate_limited", message } } };
}

function render({ event, data, id }: StreamedEvent): string {
  const idLine = id === undefined ? "" : `id: ${id}\n`;
  return `event: ${event}\n${idLine}data: ${JSON.stringify(data)}\n\n`;
}
