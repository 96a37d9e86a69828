// One request and its reply. Resolves or rejects the request exactly once; leaves inboxes, sending and the connection
// to link.ts, which makes the request.
// I1: a request settles once, by the first of these: reply, loss of the connection, timeout, abort.
// I2: a reply that has already arrived wins over the timeout. After a long pause of the process both are due, and the
//     event loop runs timers first.
import type { Msg } from "@nats-io/nats-core";
import { SwarmError } from "../../protocol/index.ts";
import type { Headers, Violation } from "../ports.ts";
import { noResponders } from "./errors.ts";
import { statusOf } from "./message-headers.ts";
import { notPermitted } from "./violations.ts";

/** An open reply subject. */
export interface Inbox {
  readonly subject: string;
  close(): void;
}

/** The receiver of the messages of an inbox or a channel. */
export interface Receiver {
  onMessage(message: Msg): void;
  /** Called when the connection breaks. */
  onLost(): void;
  /** The subject of the message that asks for these messages. */
  readonly subject?: string;
  /** Called when the server does not permit this process to publish to `subject`: no message will come. */
  onForbidden?(violation: Violation, user: string): void;
  /** The time after which `onOverdue` is called, by `performance.now()`. Default: never. */
  readonly overdueAtMs?: number;
  onOverdue?(): void;
}

/** The kinds of requests to JetStream, as `murmur_nats_request_seconds` tells them apart. */
export type RequestOp = "append" | "get" | "stream" | "consumer" | "other";

/** The options of a request. `doing` names the action in errors. */
export interface RequestOptions {
  timeoutMs: number;
  doing: string;
  headers?: Headers | undefined;
  signal?: AbortSignal | undefined;
  /** The kind of a request to JetStream: its time is measured. Other requests have none. */
  op?: RequestOp | undefined;
}

/** The part of the link that a request uses. */
export interface RequestLink {
  openInbox(receiver: Receiver): Inbox;
  publish(subject: string, data: Uint8Array, headers?: Headers, reply?: string): void;
  /** Makes the link call `onOverdue` of each receiver some time after its `overdueAtMs`. */
  watchOverdue(): void;
  /** Measures a request that has ended, and began at `startedMs` (`performance.now()`). */
  noteRequest(op: RequestOp | undefined, startedMs: number): void;
}

/**
 * Runs `act` after the handlers of all messages that have already arrived. In one turn of the event loop, Node.js runs
 * timers before it reads messages.
 */
export function afterArrived(act: () => void): void {
  setImmediate(act);
}

/**
 * The shortest timeout, in ms, that the link's common check of overdue requests handles. The check runs every 100 ms,
 * and for such a timeout 100 ms more do not matter.
 */
const LONG_WAIT_MS = 2_000;

/** One request with its inbox (I1). */
export class Request implements Receiver {
  readonly #link: RequestLink;
  readonly subject: string;
  readonly #options: RequestOptions;
  readonly #resolve: (reply: Msg) => void;
  readonly #reject: (error: unknown) => void;
  readonly #inbox: Inbox;
  readonly #startedMs: number;
  #timer: NodeJS.Timeout | undefined;
  #onAbort: (() => void) | undefined;
  #isSettled = false;
  overdueAtMs = Number.POSITIVE_INFINITY;

  constructor(
    link: RequestLink,
    subject: string,
    options: RequestOptions,
    startedMs: number,
    resolve: (reply: Msg) => void,
    reject: (error: unknown) => void,
  ) {
    this.#link = link;
    this.subject = subject;
    this.#options = options;
    this.#startedMs = startedMs;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#inbox = link.openInbox(this);
  }

  send(data: Uint8Array): void {
    const { signal, headers, timeoutMs } = this.#options;
    if (signal?.aborted === true) {
      this.#fail(signal.reason);
      return;
    }
    if (timeoutMs >= LONG_WAIT_MS) {
      this.overdueAtMs = this.#startedMs + timeoutMs;
      this.#link.watchOverdue();
    } else {
      const leftMs = Math.max(1, this.#startedMs + timeoutMs - performance.now());
      this.#timer = setTimeout(() => afterArrived(() => this.onOverdue()), leftMs);
    }
    if (signal !== undefined) {
      this.#onAbort = () => this.#fail(signal.reason);
      signal.addEventListener("abort", this.#onAbort, { once: true });
    }
    try {
      this.#link.publish(this.subject, data, headers, this.#inbox.subject);
    } catch (error) {
      this.#fail(error);
    }
  }

  onMessage(message: Msg): void {
    if (statusOf(message) === 503) {
      this.#fail(noResponders(this.subject, this.#options.doing));
      return;
    }
    this.#settle();
    this.#resolve(message);
  }

  onLost(): void {
    this.#fail(
      new SwarmError("unavailable", `${this.#options.doing}: the connection broke before a reply came`),
    );
  }

  onForbidden(violation: Violation, user: string): void {
    this.#fail(notPermitted(violation, this.#options.doing, user));
  }

  onOverdue(): void {
    if (this.#isSettled) return;
    const { doing, timeoutMs } = this.#options;
    this.#fail(new SwarmError("unavailable", `${doing}: no reply within ${timeoutMs} ms`));
  }

  #fail(error: unknown): void {
    this.#settle();
    this.#reject(error);
  }

  #settle(): void {
    if (!this.#isSettled) this.#link.noteRequest(this.#options.op, this.#startedMs);
    this.#isSettled = true;
    this.#inbox.close();
    clearTimeout(this.#timer);
    if (this.#onAbort !== undefined) this.#options.signal?.removeEventListener("abort", this.#onAbort);
  }
}
