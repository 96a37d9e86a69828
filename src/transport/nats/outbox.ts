// What is sent in one turn of the event loop leaves in one write: the client by itself writes after every microtask,
// which costs a system call for each of a thousand tasks that go on in the same turn.
// I1: messages leave in the order in which they were put in, also relative to a flush.
// I2: nothing stays in the box beyond the end of the turn, and at most FULL_BYTES within it.
import type { MsgHdrs, NatsConnection } from "@nats-io/nats-core";
import { SwarmError } from "../../protocol/index.ts";
import type { Headers } from "../ports.ts";

/** A box with this many bytes is sent at once: a socket write of that size gains nothing from waiting. */
const FULL_BYTES = 256 * 1024;

const HEADER_BREAK = /[\r\n]/;

interface Outgoing {
  subject: string;
  data: Uint8Array;
  headers: Uint8Array | undefined;
  reply: string | undefined;
}

const encoded = new WeakMap<Headers, Uint8Array>();

/**
 * Headers as they stand on the wire (NATS client protocol, HPUB). Frozen ones are encoded once.
 * @throws SwarmError `invalid_input` for a name or value with a line break.
 */
export function encodeHeaders(headers: Headers): Uint8Array {
  const known = encoded.get(headers);
  if (known !== undefined) return known;
  let text = "NATS/1.0\r\n";
  for (const name in headers) {
    const value = headers[name]!;
    if (HEADER_BREAK.test(value) || HEADER_BREAK.test(name)) {
      throw new SwarmError("invalid_input", `header ${JSON.stringify(name)} must not hold a line break`, {
        field: "headers",
      });
    }
    text += `${name}: ${value}\r\n`;
  }
  const bytes = Buffer.from(`${text}\r\n`);
  if (Object.isFrozen(headers)) encoded.set(headers, bytes);
  return bytes;
}

/** Collects a turn's messages. `onError` is told of a message that the client refused after all. */
export class Outbox {
  readonly #nc: NatsConnection;
  readonly #onError: (subject: string, error: unknown) => void;
  #waiting: Outgoing[] = [];
  #bytes = 0;

  constructor(nc: NatsConnection, onError: (subject: string, error: unknown) => void) {
    this.#nc = nc;
    this.#onError = onError;
  }

  put(message: Outgoing): void {
    if (this.#waiting.length === 0) setImmediate(() => this.send());
    this.#waiting.push(message);
    this.#bytes += message.data.length;
    if (this.#bytes >= FULL_BYTES) this.send();
  }

  /** Hands everything to the client now. */
  send(): void {
    const messages = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    for (const { subject, data, headers, reply } of messages) {
      const options: { headers?: MsgHdrs; reply?: string } = {};
      // The client asks its headers for their bytes and for nothing else.
      if (headers !== undefined) options.headers = { encode: () => headers } as unknown as MsgHdrs;
      if (reply !== undefined) options.reply = reply;
      try {
        this.#nc.publish(subject, data, options);
      } catch (error) {
        this.#onError(subject, error);
      }
    }
  }

  /** Forgets what has not been sent. */
  clear(): void {
    this.#waiting = [];
    this.#bytes = 0;
  }
}
