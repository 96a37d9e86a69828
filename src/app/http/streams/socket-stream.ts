// One stream of events on a WebSocket (RFC 6455): each event is a text message `{ event, data }`. The bounds are those of event-stream.ts,
// and a close code with a reason tells the end.
// I1: at most BUFFER_BYTES and one event wait for a reader; a slower reader is cut, and told.
// I2: the messages and pings of a client are dropped; a client that sends many is cut.
// I3: a client that answers no ping for two beats has left.
import type { WebSocket } from "ws";
import type { SwarmError } from "../../../protocol/index.ts";
import {
  BUFFER_BYTES,
  COMMENT_INTERVAL_MS,
  cutFor,
  type OpenStream,
  SLOW_READER_MS,
  type StreamedEvent,
  type StreamTimes,
} from "./event-stream.ts";
import { Room } from "./room.ts";

/** The most frames that a client may send between two beats: a ping each second, and room for clients that send more. */
export const MAX_CLIENT_FRAMES = 100;
/** The beats without an answer after which a client counts as gone (I3). */
const MAX_SILENT_BEATS = 2;
/** How long a reader may take for the rest of a stream that has ended, in ms; then its socket is destroyed. */
const LAST_READ_MS = 10_000;
/** The longest reason in a close frame, in bytes (RFC 6455, 5.5.1: 125 with the code). */
const MAX_REASON_BYTES = 123;

/** The close codes (RFC 6455, 7.4.1, and the registry of IANA) by the last event of a stream. */
export const CLOSE_CODES = {
  /** The operation ended. */
  end: 1000,
  /** The reader is too slow or sends too much, or the caller lost its right. */
  cut: 1008,
  /** The operation failed. */
  error: 1011,
  /** The process stops: another one answers. */
  stop: 1012,
} as const;

/** See the opening comment. */
export class SocketStream implements OpenStream {
  readonly #socket: WebSocket;
  readonly #times: StreamTimes;
  readonly #left = new AbortController();
  readonly #over = Promise.withResolvers<void>();
  readonly #beats: NodeJS.Timeout;
  #isOver = false;
  #silentBeats = 0;
  #frames = 0;
  readonly #waiting = new Room();

  /** `onBeat` gives the reason to end a stream, or null. */
  constructor(
    socket: WebSocket,
    onBeat: () => SwarmError | null,
    times: StreamTimes = { beatMs: COMMENT_INTERVAL_MS, slowReaderMs: SLOW_READER_MS },
  ) {
    this.#socket = socket;
    this.#times = times;
    socket.on("error", () => undefined); // a frame that breaks the protocol: ws closes the socket with the code for it
    socket.once("close", () => this.#finish());
    socket.on("message", () => this.#countFrame());
    socket.on("ping", () => this.#countFrame());
    socket.on("pong", () => {
      this.#silentBeats = 0;
      this.#countFrame();
    });
    this.#beats = setInterval(() => this.#beat(onBeat()), times.beatMs);
    this.#beats.unref();
  }

  get left(): AbortSignal {
    return this.#left.signal;
  }

  get over(): Promise<void> {
    return this.#over.promise;
  }

  async send(event: StreamedEvent): Promise<void> {
    if (!this.#isOver && !this.#hasRoom) await this.#room();
    if (!this.#isOver) this.#write(event);
  }

  end(last?: StreamedEvent): void {
    if (this.#isOver) return;
    if (last !== undefined) this.#write(last);
    const { code, reason } = closingOf(last);
    this.#socket.close(code, reason);
    const timer = setTimeout(() => this.#socket.terminate(), LAST_READ_MS);
    timer.unref();
    this.#socket.once("close", () => clearTimeout(timer));
    this.#finish();
  }

  get #hasRoom(): boolean {
    return this.#socket.bufferedAmount < BUFFER_BYTES;
  }

  /** Waits until the reader has taken enough, or cuts it (I1). */
  #room(): Promise<void> {
    const { slowReaderMs } = this.#times;
    return this.#waiting.wait({
      ...{ hasRoom: () => this.#hasRoom, left: this.left, limitMs: slowReaderMs },
      cut: () => this.end(cutFor(slowReaderMs)),
    });
  }

  #write({ event, data }: StreamedEvent): void {
    this.#socket.send(JSON.stringify({ event, data }), () => this.#waiting.change());
  }

  #countFrame(): void {
    this.#frames++;
    if (this.#frames <= MAX_CLIENT_FRAMES || this.#isOver) return;
    const message = `a client may send ${MAX_CLIENT_FRAMES} frames in ${this.#times.beatMs} ms; streams take no messages`;
    this.end({ event: "cut", data: { error: { code: "rate_limited", message } } });
    this.#socket.pause(); // nothing more of it is read
  }

  #beat(reason: SwarmError | null): void {
    this.#frames = 0;
    if (reason !== null) this.end({ event: "error", data: { error: reason.toWire() } });
    else if (this.#silentBeats >= MAX_SILENT_BEATS)
      this.#socket.terminate(); // I3
    else {
      this.#silentBeats++;
      this.#socket.ping();
    }
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#beats);
    this.#left.abort();
    this.#over.resolve();
  }
}

/** The close code and the reason of a stream whose last event this is. */
function closingOf(last: StreamedEvent | undefined): { code: number; reason: string } {
  if (last === undefined) return { code: CLOSE_CODES.end, reason: "the operation ended" };
  const { error, reason } = last.data as { error?: { code?: string; message?: string }; reason?: string };
  const name = error?.code === "not_permitted" ? "cut" : last.event;
  const code = CLOSE_CODES[name as keyof typeof CLOSE_CODES] ?? CLOSE_CODES.end;
  return { code, reason: cutText(reason ?? error?.message ?? "") };
}

/** The beginning of a text that fits a close frame. */
function cutText(text: string): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= MAX_REASON_BYTES) return text;
  return new TextDecoder().decode(bytes.subarray(0, MAX_REASON_BYTES)).replace(/\uFFFD+$/, "");
}
