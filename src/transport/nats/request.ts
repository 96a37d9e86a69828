// One request and its one reply, over whatever opens inboxes and sends. Owns its settling; leaves the connection to link.ts.
// I1: it settles once, by whatever comes first: reply, loss of the connection, timeout or abort.
// I2: a reply that is there already comes before the timeout: a process that stood still finds both, and timers first.
import type { Msg } from "@nats-io/nats-core";
import { SwarmError } from "../../protocol/index.ts";
import type { Headers } from "../ports.ts";
import { noResponders } from "./errors.ts";

/** A place that replies come to. */
export interface Inbox {
  readonly subject: string;
  close(): void;
}

/** Who waits on an inbox. */
export interface Receiver {
  onMessage(message: Msg): void;
  onLost(): void;
  /** When `onOverdue` is called, by the clock of `performance.now()`; without it, never. */
  readonly overdueAtMs?: number;
  onOverdue?(): void;
}

/** How a request is made. `doing` says what it is for, in errors. */
export interface RequestOptions {
  timeoutMs: number;
  doing: string;
  headers?: Headers | undefined;
  signal?: AbortSignal | undefined;
}

/** What a request needs of its connection. */
export interface RequestLink {
  openInbox(waiting: Receiver): Inbox;
  publish(subject: string, data: Uint8Array, headers?: Headers, reply?: string): void;
  /** Has `onOverdue` called of what waits beyond its `overdueAtMs`, some time after it. */
  watchOverdue(): void;
}

/** Runs `act` when the messages that have arrived by now were taken: in a turn of the event loop they come behind timers. */
export function afterArrived(act: () => void): void {
  setImmediate(act);
}

/** From this timeout on, a tenth of a second more does not matter. */
const LONG_WAIT_MS = 2_000;

/** One request (I1). */
export class Request implements Receiver {
  readonly #link: RequestLink;
  readonly #subject: string;
  readonly #options: RequestOptions;
  readonly #resolve: (reply: Msg) => void;
  readonly #reject: (error: unknown) => void;
  readonly #inbox: Inbox;
  #timer: NodeJS.Timeout | undefined;
  #onAbort: (() => void) | undefined;
  #isSettled = false;
  overdueAtMs = Number.POSITIVE_INFINITY;

  constructor(
    link: RequestLink,
    subject: string,
    options: RequestOptions,
    resolve: (reply: Msg) => void,
    reject: (error: unknown) => void,
  ) {
    this.#link = link;
    this.#subject = subject;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#inbox = link.openInbox(this);
  }

  send(data: Uint8Array, leftMs: number): void {
    const { signal, headers } = this.#options;
    if (signal?.aborted === true) {
      this.#fail(signal.reason);
      return;
    }
    if (leftMs >= LONG_WAIT_MS) {
      this.overdueAtMs = performance.now() + leftMs;
      this.#link.watchOverdue();
    } else this.#timer = setTimeout(() => afterArrived(() => this.onOverdue()), leftMs);
    if (signal !== undefined) {
      this.#onAbort = () => this.#fail(signal.reason);
      signal.addEventListener("abort", this.#onAbort, { once: true });
    }
    try {
      this.#link.publish(this.#subject, data, headers, this.#inbox.subject);
    } catch (error) {
      this.#fail(error);
    }
  }

  onMessage(message: Msg): void {
    if (message.data.length === 0 && message.headers?.code === 503) {
      this.#fail(noResponders(this.#subject, this.#options.doing));
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
    this.#isSettled = true;
    this.#inbox.close();
    clearTimeout(this.#timer);
    if (this.#onAbort !== undefined) this.#options.signal?.removeEventListener("abort", this.#onAbort);
  }
}
