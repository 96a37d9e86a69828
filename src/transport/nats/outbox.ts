// Collects the messages of one turn of the event loop and sends them in one write. Without the outbox, the NATS client
// writes after every microtask: a thousand tasks in one turn would cost a thousand system calls. The outbox also encodes the
// messages, all of a turn into one buffer: the client's `publish` makes several objects and buffers for each message, which
// cost 10 % of the CPU time of a worker. link.ts uses it.
// I1: messages leave in the order of their `put` calls, also relative to a flush.
// I2: the outbox is empty at the end of the turn, and sends earlier when it holds FULL_BYTES.
// I3: a message leaves after the subscriptions that were made before its `put`. The client writes those at the end of the
//     present microtasks, so the outbox never sends before that.
import { SwarmError } from "../../protocol/index.ts";
import type { Headers } from "../ports.ts";

/**
 * The number of bytes at which the outbox does not wait for the end of the turn: a socket write of this size gains nothing
 * from a larger batch.
 */
const FULL_BYTES = 256 * 1024;

const HEADER_BREAK = /[\r\n]/;

/** A message to send, with its headers encoded. */
interface Outgoing {
  subject: string;
  data: Uint8Array;
  headers: Uint8Array | undefined;
  reply: string | undefined;
}

const encodedHeaders = new WeakMap<Headers, Uint8Array>();

/**
 * Encodes headers for the wire (NATS client protocol, HPUB). Frozen headers are encoded only once.
 * @throws SwarmError `invalid_input` for a name or value with a line break.
 */
export function encodeHeaders(headers: Headers): Uint8Array {
  const cached = encodedHeaders.get(headers);
  if (cached !== undefined) return cached;
  let text = "NATS/1.0\r\n";
  for (const name in headers) {
    const value = headers[name]!;
    if (HEADER_BREAK.test(value) || HEADER_BREAK.test(name)) {
      throw new SwarmError("invalid_input", `header ${JSON.stringify(name)} must not contain a line break`, {
        field: "headers",
      });
    }
    text += `${name}: ${value}\r\n`;
  }
  const bytes = Buffer.from(`${text}\r\n`);
  if (Object.isFrozen(headers)) encodedHeaders.set(headers, bytes);
  return bytes;
}

/** A blank or a control character in a subject would end it on the wire, so that the rest counts as a command. */
const UNSENDABLE = /[\s\0]/;

/** The most bytes of a message's first line besides its subject and its reply subject: the verb, blanks, two lengths, line ends. */
const LINE_BYTES = 64;
const CR = 0x0d;
const LF = 0x0a;

/** The parts of an outbox. */
interface OutboxParts {
  /** Writes bytes to the socket; drops them when there is none. */
  write(frame: Uint8Array): void;
  /** Gets the subject and the error of each message that cannot be sent. */
  onError(subject: string, error: unknown): void;
}

/** The messages of one turn. */
export class Outbox {
  readonly #parts: OutboxParts;
  #pending: Outgoing[] = [];
  #bytes = 0;
  #isFull = false;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  put(message: Outgoing): void {
    const { subject, reply } = message;
    if (subject === "" || UNSENDABLE.test(subject) || (reply !== undefined && UNSENDABLE.test(reply))) {
      const error = new SwarmError("invalid_input", "a subject must not be empty or contain blanks");
      this.#parts.onError(subject, error);
      return;
    }
    if (this.#pending.length === 0) setImmediate(() => this.send());
    this.#pending.push(message);
    this.#bytes += message.data.length;
    if (this.#bytes < FULL_BYTES || this.#isFull) return;
    this.#isFull = true;
    queueMicrotask(() => this.send()); // I3
  }

  /** Writes all messages now. The caller makes sure of I3. */
  send(): void {
    const messages = this.#pending;
    this.clear();
    if (messages.length > 0) this.#parts.write(encodeFrame(messages));
  }

  /** Drops the messages that were not sent. */
  clear(): void {
    this.#pending = [];
    this.#bytes = 0;
    this.#isFull = false;
  }
}

/** Encodes messages as PUB and HPUB commands (NATS client protocol), one behind the other. */
function encodeFrame(messages: readonly Outgoing[]): Uint8Array {
  let size = 0;
  for (const { subject, data, headers, reply } of messages) {
    // A UTF-16 code unit has at most 3 bytes in UTF-8.
    size += LINE_BYTES + 3 * (subject.length + (reply?.length ?? 0)) + data.length + (headers?.length ?? 0);
  }
  const frame = Buffer.allocUnsafe(size);
  let at = 0;
  for (const { subject, data, headers, reply } of messages) {
    const to = reply === undefined ? subject : `${subject} ${reply}`;
    if (headers === undefined) at += frame.write(`PUB ${to} ${data.length}\r\n`, at);
    else {
      const total = headers.length + data.length;
      at += frame.write(`HPUB ${to} ${headers.length} ${total}\r\n`, at);
      frame.set(headers, at);
      at += headers.length;
    }
    frame.set(data, at);
    at += data.length;
    frame[at++] = CR;
    frame[at++] = LF;
  }
  return frame.subarray(0, at);
}
