// One NATS connection with our own request multiplexer: one inbox subscription carries the replies of every request,
// append and read of the process; pulls have channels of their own. Owns reconnect state; leaves meaning to bus, log and queue.
// I1: an open inbox is closed exactly once: by its owner, by its timeout, or by the loss of the connection.
// I2: what was sent before the connection broke is never sent again by this file: its outcome is unknown and is
//     reported as such at once, so that the caller can decide.
// I3: nothing is queued while there is no connection: requests wait within their own time, all else is dropped.
import { createInbox, type Msg, type NatsConnection } from "@nats-io/nats-core";
import { type Logger, sleep, utf8Bytes, utf8Text } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import type { ApiError } from "../jetstream-errors.ts";
import type { ConnectionState, Headers, Subscription } from "../ports.ts";
import { fromApiError } from "./errors.ts";
import { encodeHeaders, Outbox } from "./outbox.ts";
import { afterArrived, type Inbox, type Receiver, Request, type RequestOptions } from "./request.ts";

/** A place whose replies keep the subject of a stored message, as the deliveries of a pull do. */
export interface Channel {
  /** The reply subject of this use; statuses come to it. */
  readonly subject: string;
  /** Ends this use. `quiet: true` promises that the server sends nothing more, so that the next use may follow. */
  close(options: { quiet: boolean }): void;
}

/** A subscription that serves one channel after the other. */
interface PullSubscription {
  readonly base: string;
  readonly subscription: { unsubscribe(): void };
  uses: number;
  waiting: Receiver | undefined;
}

/** How long a close waits for what was sent to arrive: a server that hangs must not keep a process from ending. */
const CLOSE_FLUSH_TIMEOUT_MS = 2_000;
/** How often long waits are looked at. Shorter ones have a timer each: a timer for every append cost 3 % of a core. */
const OVERDUE_INTERVAL_MS = 100;
/**
 * How long appends stay unheard before the server is left: above the 4–9 s in which a stream elects a new leader, because
 * no other server would be better meanwhile.
 */
const DEFAULT_LEAVE_AFTER_MS = 10_000;
/** How many unused subscriptions are kept for the next pulls: more than a process opens in one turn of its loop. */
const MAX_IDLE_LANES = 64;

/** The JSON body of a reply. @throws SwarmError `unavailable` when it is none: something else answers there. */
export function parseReply<T>(reply: Msg, doing: string): T {
  try {
    return JSON.parse(utf8Text(reply.data)) as T;
  } catch (cause) {
    throw new SwarmError("unavailable", `${doing}: the reply is not JSON; does JetStream answer there?`, {
      cause,
    });
  }
}

/** One connection and everything that waits on it. */
export class Link {
  readonly nc: NatsConnection;
  /** What reply and delivery subjects start with; undefined: the client's own default. */
  readonly inboxPrefix: string | undefined;
  readonly #log: Logger;
  readonly #waiting = new Map<string, Receiver>();
  readonly #base: string;
  readonly #listeners = new Set<(state: ConnectionState) => void>();
  readonly #busyLanes = new Set<PullSubscription>();
  readonly #idleLanes: PullSubscription[] = [];
  readonly #outbox: Outbox;
  #overdueTimer: NodeJS.Timeout | undefined;
  readonly #leaveAfterMs: number;
  /** The first and the last append of those that were not heard of, one soon after the other. */
  #unheard: { readonly sinceMs: number; readonly lastMs: number } | undefined;
  #counter = 0;
  #state: ConnectionState = "connected";
  #closing: Promise<void> | undefined;

  constructor(
    nc: NatsConnection,
    options: { log: Logger; inboxPrefix?: string | undefined; leaveAfterMs?: number | undefined },
  ) {
    this.nc = nc;
    this.#leaveAfterMs = options.leaveAfterMs ?? DEFAULT_LEAVE_AFTER_MS;
    this.#log = options.log;
    this.inboxPrefix = options.inboxPrefix;
    this.#base = `${createInbox(options.inboxPrefix)}.`;
    this.#outbox = new Outbox(nc, (subject, err) =>
      this.#log.warn({ err, subject }, "a message could not be sent"),
    );
    nc.subscribe(`${this.#base}*`, {
      callback: (error, message) => {
        if (error !== null) return;
        this.#waiting.get(message.subject.slice(this.#base.length))?.onMessage(message);
      },
    });
    void this.#followStatus();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  onState(listener: (state: ConnectionState) => void): Subscription {
    this.#listeners.add(listener);
    return { close: () => this.#listeners.delete(listener) };
  }

  /**
   * What an append came to that was asked at `sentAtMs` (`performance.now()`): `isHeard` when the stream accepted or
   * refused it. A server that is cut off from the others of its cluster goes on taking appends, and none is ever heard of
   * again: it is left when no append was heard for `leaveAfterMs`.
   */
  noteAppend(isHeard: boolean, sentAtMs: number): void {
    const nowMs = performance.now();
    // What was not heard of long before, in an outage that is over, says nothing of this one.
    const isGoingOn = this.#unheard !== undefined && sentAtMs - this.#unheard.lastMs < this.#leaveAfterMs;
    const sinceMs = isGoingOn ? this.#unheard!.sinceMs : sentAtMs;
    this.#unheard = isHeard ? undefined : { sinceMs, lastMs: nowMs };
    if (isHeard || nowMs - sinceMs < this.#leaveAfterMs) return;
    this.#unheard = undefined;
    this.changeServer();
  }

  /** See `Transport.changeServer`. The client takes its servers in turn, so the next one is another. */
  changeServer(): void {
    const { info } = this.nc;
    if (this.#state !== "connected" || info?.cluster === undefined) return;
    this.#log.warn({ server: info.server_name }, "leaving this server for another one of its cluster");
    this.nc.reconnect().catch(() => undefined); // closed meanwhile
  }

  /** Opens a reply subject. `onLost` is called instead of further messages when the connection breaks (I2). */
  openInbox(waiting: Receiver): Inbox {
    const token = (this.#counter++).toString(36);
    this.#waiting.set(token, waiting);
    return { subject: this.#base + token, close: () => this.#waiting.delete(token) };
  }

  /**
   * Opens a channel. Its messages cannot share the one inbox: a pull's deliveries carry the subject that they were
   * stored under, so only the subscription tells whose they are. Subscriptions are used again, because each new one
   * must be made known to every server of a cluster.
   */
  openChannel(waiting: Receiver): Channel {
    const lane = this.#idleLanes.pop() ?? this.#makeLane();
    lane.waiting = waiting;
    this.#busyLanes.add(lane);
    return {
      subject: `${lane.base}.${++lane.uses}`,
      close: ({ quiet }) => {
        if (lane.waiting !== waiting) return; // I1
        lane.waiting = undefined;
        this.#busyLanes.delete(lane);
        if (quiet && this.#idleLanes.length < MAX_IDLE_LANES) this.#idleLanes.push(lane);
        else lane.subscription.unsubscribe();
      },
    };
  }

  #makeLane(): PullSubscription {
    const base = `${this.#base}lane.${(this.#counter++).toString(36)}`;
    const subscription = this.nc.subscribe(`${base}.*`, {
      callback: (error, message) => {
        if (error !== null) return;
        const isStale = message.subject.startsWith(base) && message.subject !== `${base}.${lane.uses}`;
        if (!isStale) lane.waiting?.onMessage(message);
      },
    });
    const lane: PullSubscription = { base, subscription, uses: 0, waiting: undefined };
    return lane;
  }

  /**
   * Sends without waiting. While disconnected the message is dropped: the client would keep it, without any bound, and
   * send it into a world that has moved on.
   */
  publish(subject: string, data: Uint8Array, headers?: Headers, reply?: string): void {
    if (this.#state === "disconnected") return; // I3
    if (this.#state === "closed") {
      throw new SwarmError("unavailable", `cannot send to ${subject}: the connection is closed`);
    }
    const encoded = headers === undefined ? undefined : encodeHeaders(headers);
    const bytes = data.length + (encoded?.length ?? 0);
    if (bytes > this.maxPayloadBytes) throw this.#tooLarge(subject, bytes);
    this.#outbox.put({ subject, data, headers: encoded, reply });
  }

  get maxPayloadBytes(): number {
    return this.nc.info?.max_payload ?? 1024 * 1024;
  }

  /** Sends one request and waits for one reply. Waits for the connection first, within `timeoutMs`. */
  async request(subject: string, data: Uint8Array, options: RequestOptions): Promise<Msg> {
    const startedMs = performance.now();
    if (this.#state !== "connected") await this.#connected(options);
    return new Promise<Msg>((resolve, reject) => {
      const leftMs = Math.max(1, options.timeoutMs - (performance.now() - startedMs));
      new Request(this, subject, options, resolve, reject).send(data, leftMs);
    });
  }

  /** Has the overdue looked for until there are none left that could be. */
  watchOverdue(): void {
    this.#overdueTimer ??= setInterval(() => afterArrived(() => this.#findOverdue()), OVERDUE_INTERVAL_MS);
  }

  #findOverdue(): void {
    const nowMs = performance.now();
    let timed = 0;
    for (const waiting of this.#waiting.values()) {
      if (waiting.overdueAtMs === undefined) continue;
      timed++;
      if (nowMs >= waiting.overdueAtMs) waiting.onOverdue?.();
    }
    if (timed > 0) return;
    clearInterval(this.#overdueTimer);
    this.#overdueTimer = undefined;
  }

  /** Calls the JetStream API. @throws SwarmError as `fromApiError` maps it. */
  async api<T>(path: string, body: unknown, options: { doing: string; timeoutMs?: number }): Promise<T> {
    const payload = body === undefined ? new Uint8Array() : utf8Bytes(JSON.stringify(body));
    const reply = await this.request(`$JS.API.${path}`, payload, {
      timeoutMs: options.timeoutMs ?? 5_000,
      doing: options.doing,
    });
    const answer = parseReply<T & { error?: ApiError }>(reply, options.doing);
    if (answer.error !== undefined) throw fromApiError(answer.error, options.doing);
    return answer;
  }

  #tooLarge(subject: string, bytes: number): SwarmError {
    return new SwarmError(
      "payload_too_large",
      `a message to ${subject} has ${bytes} bytes; the server takes at most ${this.maxPayloadBytes}`,
    );
  }

  /** Subscribes on the connection. @throws SwarmError `unavailable` when it is closed. */
  subscribe(
    subject: string,
    options: { queue?: string; callback: (error: Error | null, message: Msg) => void },
  ): { unsubscribe(): void } {
    try {
      return this.nc.subscribe(subject, options);
    } catch (cause) {
      throw new SwarmError("unavailable", `cannot subscribe to ${subject}: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  /** Resolves when all that was sent has reached the server. @throws SwarmError `unavailable` without a connection. */
  flush(): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (why: string) => {
        watch.close();
        reject(new SwarmError("unavailable", `cannot flush: ${why}`));
      };
      const watch = this.openInbox({
        onMessage: () => undefined,
        onLost: () => fail("the connection broke"),
      });
      if (this.#state !== "connected") return fail(`the connection is ${this.#state}`);
      this.#outbox.send();
      this.nc.flush().then(
        () => {
          watch.close();
          resolve();
        },
        (error: Error) => fail(error.message),
      );
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#state === "connected") {
      const enough = new AbortController();
      const timeout = sleep(CLOSE_FLUSH_TIMEOUT_MS, { signal: enough.signal });
      await Promise.race([this.flush(), timeout]).catch(() => undefined);
      enough.abort();
      await timeout.catch(() => undefined);
    }
    await this.nc.close();
    this.#setState("closed");
  }

  #connected(options: { timeoutMs: number; doing: string; signal?: AbortSignal | undefined }): Promise<void> {
    if (this.#state === "closed") {
      return Promise.reject(new SwarmError("unavailable", `${options.doing}: the connection is closed`));
    }
    return new Promise((resolve, reject) => {
      const settle = () => {
        listening.close();
        clearTimeout(timer);
        options.signal?.removeEventListener("abort", onAbort);
      };
      const fail = (error: unknown) => {
        settle();
        reject(error);
      };
      const onAbort = () => fail(options.signal?.reason);
      const listening = this.onState((state) => {
        if (state === "connected") {
          settle();
          resolve();
        } else if (state === "closed") {
          fail(new SwarmError("unavailable", `${options.doing}: the connection is closed`));
        }
      });
      const timer = setTimeout(
        () =>
          fail(
            new SwarmError(
              "unavailable",
              `${options.doing}: not connected to NATS for ${options.timeoutMs} ms`,
            ),
          ),
        options.timeoutMs,
      );
      options.signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  async #followStatus(): Promise<void> {
    for await (const status of this.nc.status()) {
      switch (status.type) {
        case "disconnect":
          this.#log.warn({ server: status.server }, "disconnected from NATS; reconnecting");
          this.#setState("disconnected");
          break;
        case "reconnect":
          this.#log.info({ server: status.server }, "reconnected to NATS");
          this.#setState("connected");
          break;
        case "error":
          this.#log.warn({ err: status.error }, "NATS reports an error");
          break;
        case "close":
          this.#setState("closed");
          break;
      }
    }
    this.#setState("closed");
  }

  #setState(state: ConnectionState): void {
    if (this.#state === state || this.#state === "closed") return;
    this.#state = state;
    if (state === "closed") clearInterval(this.#overdueTimer);
    if (state !== "connected") {
      this.#outbox.clear(); // I3
      const lost = [...this.#waiting.values(), ...[...this.#busyLanes].map((lane) => lane.waiting)];
      this.#waiting.clear();
      for (const waiting of lost) waiting?.onLost();
    }
    for (const listener of [...this.#listeners]) listener(state);
  }
}
