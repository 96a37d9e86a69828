// The replies to one request at the front door: one reply, or numbered ones for a caller that named its request.
// I1: never more than OPERATE_WINDOW events and pieces are on their way to a caller; a caller that confirms none of them for
//     SLOW_CALLER_MS is cut, and told.
import { type Clock, systemClock } from "../../base/index.ts";
import {
  CONTENT_TYPES,
  type Encoding,
  encode,
  HEADERS,
  OPERATE_PIECE_BYTES,
  OPERATE_WINDOW,
  type OperateReply,
  SwarmError,
} from "../../protocol/index.ts";
import type { Headers, IncomingRequest } from "../../transport/index.ts";
import { errorReply } from "../../work/index.ts";

/** How long a full window waits for a receipt, in ms: longer than the pause of a program that writes to a slow disk or terminal. */
export const SLOW_CALLER_MS = 30_000;
/** The bytes of a message beside its body: headers, and the text of an error. */
const HEADER_ROOM_BYTES = 4 * 1024;

/** The replies to one request. */
export interface Replies {
  /** True: the caller reads events. */
  readonly takesEvents: boolean;
  /** Sends one event, as soon as the caller can take it. @throws SwarmError `rate_limited` for a caller that is too slow (I1). */
  event(value: unknown): Promise<void>;
  /** Sends the output. @throws SwarmError `payload_too_large`; `rate_limited` as `event`. */
  output(value: unknown): Promise<void>;
  /** Ends with an error, at once. */
  error(error: SwarmError): void;
}

/** The one reply to a request without an id. */
export class OneReply implements Replies {
  readonly takesEvents = false;
  readonly #request: IncomingRequest;
  readonly #encoding: Encoding;
  readonly #maxBytes: number;
  #isEnded = false;

  constructor(
    request: IncomingRequest,
    { encoding, maxPayloadBytes }: { encoding: Encoding; maxPayloadBytes: number },
  ) {
    this.#request = request;
    this.#encoding = encoding;
    this.#maxBytes = maxPayloadBytes - HEADER_ROOM_BYTES;
  }

  async event(): Promise<void> {}

  async output(value: unknown): Promise<void> {
    const data = encode(value, this.#encoding);
    if (data.length > this.#maxBytes) {
      throw new SwarmError(
        "payload_too_large",
        `the answer has ${data.length} bytes, and one reply takes ${this.#maxBytes}: send the header ${HEADERS.request} to get it in pieces`,
      );
    }
    this.#end(data, { [HEADERS.contentType]: CONTENT_TYPES[this.#encoding] });
  }

  error(error: SwarmError): void {
    const { body, headers } = errorReply(error, this.#encoding);
    this.#end(body, headers);
  }

  #end(data: Uint8Array, headers: Headers): void {
    if (this.#isEnded) return;
    this.#request.respond(data, headers);
    this.#isEnded = true;
  }
}

/** The numbered replies to a request with an id. */
export class NumberedReplies implements Replies {
  readonly takesEvents = true;
  readonly #request: IncomingRequest;
  readonly #requestId: string;
  readonly #encoding: Encoding;
  readonly #clock: Clock;
  #sent = 0;
  #read = 0;
  #wake: () => void = () => undefined;
  #cut: SwarmError | undefined;
  #isEnded = false;

  constructor(
    request: IncomingRequest,
    { requestId, encoding, clock = systemClock }: { requestId: string; encoding: Encoding; clock?: Clock },
  ) {
    this.#request = request;
    this.#requestId = requestId;
    this.#encoding = encoding;
    this.#clock = clock;
  }

  /** The caller has read all replies up to `read`. A number that was not sent yet is ignored. */
  confirm(read: number): void {
    if (read <= this.#read || read > this.#sent) return;
    this.#read = read;
    this.#wake();
  }

  /** Ends the replies: every later event and output throws `reason`. */
  cut(reason: SwarmError): void {
    this.#cut ??= reason;
    this.#wake();
  }

  /** Tells the caller that the operation runs; `onUnheard` is called when the caller's connection is gone. */
  alive(onUnheard: () => void): void {
    const headers = { [HEADERS.request]: this.#requestId, [HEADERS.reply]: "alive" satisfies OperateReply };
    this.#request.respond(new Uint8Array(), headers, { onUnheard });
  }

  async event(value: unknown): Promise<void> {
    await this.#room();
    this.#send("event", encode(value, this.#encoding));
  }

  async output(value: unknown): Promise<void> {
    const data = encode(value, this.#encoding);
    let from = 0;
    for (; data.length - from > OPERATE_PIECE_BYTES; from += OPERATE_PIECE_BYTES) {
      await this.#room();
      this.#send("piece", data.subarray(from, from + OPERATE_PIECE_BYTES));
    }
    await this.#room();
    this.#send("end", data.subarray(from));
  }

  error(error: SwarmError): void {
    const { body, headers } = errorReply(error, this.#encoding);
    this.#send("end", body, headers);
  }

  #send(kind: OperateReply, data: Uint8Array, more: Headers = {}): void {
    if (this.#isEnded) return; // the last reply is out; an error that came later is not told
    this.#request.respond(data, {
      [HEADERS.contentType]: CONTENT_TYPES[this.#encoding],
      ...more,
      [HEADERS.request]: this.#requestId,
      [HEADERS.reply]: kind,
      [HEADERS.part]: String(this.#sent + 1),
    });
    this.#sent++;
    this.#isEnded = kind === "end";
  }

  /** Waits until the window has room (I1). */
  async #room(): Promise<void> {
    if (this.#cut !== undefined) throw this.#cut;
    while (this.#sent - this.#read >= OPERATE_WINDOW) {
      const woken = Promise.withResolvers<void>();
      this.#wake = woken.resolve;
      const cancel = this.#clock.after(SLOW_CALLER_MS, () => woken.reject(this.#tooSlow()));
      try {
        await woken.promise;
      } finally {
        cancel();
      }
      if (this.#cut !== undefined) throw this.#cut;
    }
  }

  #tooSlow(): SwarmError {
    return new SwarmError(
      "rate_limited",
      `the caller confirmed none of the last ${this.#sent - this.#read} replies for ${SLOW_CALLER_MS} ms; it must send a receipt after every few replies`,
    );
  }
}
