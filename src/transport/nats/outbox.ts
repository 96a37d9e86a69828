// Collects the messages of one turn of the event loop and sends them in one write. Without the outbox, the NATS client
// writes after every microtask: a thousand tasks in one turn would cost a thousand system calls. link.ts uses it.
// I1: messages leave in the order of their `put` calls, also relative to a flush.
// I2: the outbox is empty at the end of the turn, and sends earlier when it holds FULL_BYTES.
import type { MsgHdrs, NatsConnection } from "@nats-io/nats-core";
import { SwarmError } from "../../protocol/index.ts";
import type { Headers } from "../ports.ts";

/**
 * The number of bytes at which the outbox sends at once: a socket write of this size gains nothing from a larger batch.
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

/** The messages of one turn. `onError` gets the subject and the error of each message that the NATS client rejects. */
export class Outbox {
  readonly #nc: NatsConnection;
  readonly #onError: (subject: string, error: unknown) => void;
  #pending: Outgoing[] = [];
  #bytes = 0;

  constructor(nc: NatsConnection, onError: (subject: string, error: unknown) => void) {
    this.#nc = nc;
    this.#onError = onError;
  }

  put(message: Outgoing): void {
    if (this.#pending.length === 0) setImmediate(() => this.send());
    this.#pending.push(message);
    this.#bytes += message.data.length;
    if (this.#bytes >= FULL_BYTES) this.send();
  }

  /** Passes all messages to the client now. */
  send(): void {
    const messages = this.#pending;
    this.#pending = [];
    this.#bytes = 0;
    for (const { subject, data, headers, reply } of messages) {
      const options: { headers?: MsgHdrs; reply?: string } = {};
      // Of the headers object, the client calls only `encode`.
      if (headers !== undefined) options.headers = { encode: () => headers } as unknown as MsgHdrs;
      if (reply !== undefined) options.reply = reply;
      try {
        this.#nc.publish(subject, data, options);
      } catch (error) {
        this.#onError(subject, error);
      }
    }
  }

  /** Drops the messages that were not sent. */
  clear(): void {
    this.#pending = [];
    this.#bytes = 0;
  }
}
