// One NATS connection with our own request multiplexer: one inbox subscription receives the replies to all requests,
// appends and reads of the process; each pull has its own channel. Owns the state of the connection; leaves the meaning
// of messages to bus.ts, log.ts and queue.ts. Why Murmur has its own multiplexer:
// docs/decisions/0014-own-jetstream-client.md.
// I1: an open inbox is closed exactly once: by its owner, by its timeout, or by the loss of the connection.
// I2: the link never resends a message after the connection broke. The outcome of such a message is unknown; the link
//     reports the loss at once, so that the caller can decide.
// I3: the link queues nothing while disconnected: requests wait within their own timeout, other messages are dropped.
import { createInbox, type Msg, type NatsConnection } from "@nats-io/nats-core";
import { type Logger, utf8Bytes, utf8Text } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import type { ApiError } from "../jetstream-errors.ts";
import type { ConnectionState, Headers, Subscription, Violation } from "../ports.ts";
import { RefusedReplies } from "../reply-subjects.ts";
import type { Dialer } from "./dial.ts";
import { fromApiError } from "./errors.ts";
import { encodeHeaders, Outbox } from "./outbox.ts";
import {
  afterArrived,
  type Inbox,
  type Receiver,
  Request,
  type RequestOp,
  type RequestOptions,
} from "./request.ts";
import { readViolation, Violations } from "./violations.ts";

/**
 * An inbox for one pull. Its deliveries keep the subject of the stored message, so the shared inbox cannot receive
 * them.
 */
export interface Channel {
  /** The reply subject of this pull. Status messages arrive on it. */
  readonly subject: string;
  /**
   * Closes the channel. `isQuiet: true` means that the server sends nothing more for this pull; then a later pull may
   * reuse the subscription. `onLate` gets the messages that the server sent before it knew of the end.
   */
  close(options: { isQuiet: boolean; onLate?: ((message: Msg) => void) | undefined }): void;
}

/** A subscription that serves one channel after another. `uses` is the number of channels so far. */
interface PullSubscription {
  readonly base: string;
  readonly subscription: { unsubscribe(): void; drain(): Promise<void> };
  uses: number;
  receiver: Receiver | undefined;
  /** Gets what still arrives, once the last channel is closed. */
  onLate?: (message: Msg) => void;
}

/** The longest wait of `close` for its flush, in ms: a server that hangs must not keep a process from ending. */
const CLOSE_FLUSH_TIMEOUT_MS = 500;
/**
 * The longest wait for the server's answer to a flush, in ms. A live server answers within a few ms, also while it stores
 * much; the pings of the connection would notice a server that hangs only after 30–45 s.
 */
const FLUSH_TIMEOUT_MS = 5_000;
/**
 * The time between two checks for overdue requests with a long timeout, in ms. Only requests with a short timeout have
 * a timer of their own: a timer for every append cost 3 % of a core.
 */
const OVERDUE_INTERVAL_MS = 100;
/**
 * The time without an answer to any append after which the link changes to another server, in ms. It is longer than a
 * stream's election of a new leader (4–9 s), because during an election no other server would be better.
 */
const DEFAULT_LEAVE_AFTER_MS = 10_000;
/**
 * The most idle subscriptions that the link keeps for later pulls: more than a process opens in one turn of its event
 * loop.
 */
const MAX_IDLE_SUBSCRIPTIONS = 64;

/** The kind of a request to JetStream's API, by its path. */
function opOf(path: string): RequestOp {
  if (path.startsWith("STREAM.MSG.GET.")) return "get";
  if (path.startsWith("STREAM.")) return "stream";
  return path.startsWith("CONSUMER.") ? "consumer" : "other";
}

/**
 * Parses the JSON body of a reply.
 * @throws SwarmError `unavailable` for a body that is not JSON: JetStream did not send it.
 */
export function parseReply<T>(reply: Msg, doing: string): T {
  try {
    return JSON.parse(utf8Text(reply.data)) as T;
  } catch (cause) {
    throw new SwarmError(
      "unavailable",
      `${doing}: the reply is not JSON: check that no other program answers JetStream's subjects`,
      {
        cause,
      },
    );
  }
}

/** One connection, with all its open inboxes and channels. */
export class Link {
  readonly nc: NatsConnection;
  /** The prefix of reply and delivery subjects; undefined means the client's default. */
  readonly inboxPrefix: string | undefined;
  /** The reply subjects that this connection did not publish to. */
  readonly refused = new RefusedReplies();
  readonly violations = new Violations();
  /** The user of this connection, for people. */
  readonly #user: string;
  readonly #advise: ((violation: Violation) => string | undefined) | undefined;
  readonly #log: Logger;
  readonly #receivers = new Map<string, Receiver>();
  readonly #base: string;
  readonly #listeners = new Set<(state: ConnectionState) => void>();
  readonly #errorListeners = new Set<(error: Error) => void>();
  readonly #busySubscriptions = new Set<PullSubscription>();
  readonly #idleSubscriptions: PullSubscription[] = [];
  readonly #outbox: Outbox;
  readonly #dialer: Pick<Dialer, "end" | "write">;
  readonly #onRequest: ((op: RequestOp, seconds: number) => void) | undefined;
  #overdueTimer: NodeJS.Timeout | undefined;
  readonly #leaveAfterMs: number;
  /** The first and the latest of the consecutive appends without an answer. */
  #unanswered: { readonly sinceMs: number; readonly lastMs: number } | undefined;
  #counter = 0;
  #state: ConnectionState = "connected";
  #closing: Promise<void> | undefined;

  constructor(
    nc: NatsConnection,
    options: {
      /** Owns the sockets of the connection. */
      dialer: Pick<Dialer, "end" | "write">;
      log: Logger;
      inboxPrefix?: string | undefined;
      leaveAfterMs?: number | undefined;
      /** The user of the connection, for people. Default: the process itself. */
      user?: string | undefined;
      /** Hears how long each request to JetStream took, in seconds, also of the failed ones. */
      onRequest?: ((op: RequestOp, seconds: number) => void) | undefined;
      /** The advice about a violation, for people: the way to permit the operation. */
      advise?: ((violation: Violation) => string | undefined) | undefined;
    },
  ) {
    this.nc = nc;
    this.#dialer = options.dialer;
    this.#leaveAfterMs = options.leaveAfterMs ?? DEFAULT_LEAVE_AFTER_MS;
    this.#log = options.log;
    this.#user = options.user ?? "this process";
    this.#advise = options.advise;
    this.#onRequest = options.onRequest;
    this.inboxPrefix = options.inboxPrefix;
    this.#base = `${createInbox(options.inboxPrefix)}.`;
    this.#outbox = new Outbox({
      write: (frame) => this.#dialer.write(frame),
      onError: (subject, err) => this.#log.warn({ err, subject }, "message cannot be sent; dropped"),
    });
    nc.subscribe(`${this.#base}*`, {
      callback: (error, message) => {
        if (error !== null) return;
        this.#receivers.get(message.subject.slice(this.#base.length))?.onMessage(message);
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
   * Notes the outcome of an append that was sent at `sentAtMs` (`performance.now()`). `isAnswered` means that the stream
   * accepted or rejected it. A server that is cut off from the rest of its cluster still takes appends, but never answers
   * them. So the link changes to another server when no append was answered for `leaveAfterMs`.
   */
  noteAppend(isAnswered: boolean, sentAtMs: number): void {
    if (isAnswered) {
      this.#unanswered = undefined;
      return;
    }
    const nowMs = performance.now();
    // Without an append for `leaveAfterMs`, an earlier unanswered append belongs to an earlier outage and does not
    // count.
    const isSameOutage =
      this.#unanswered !== undefined && sentAtMs - this.#unanswered.lastMs < this.#leaveAfterMs;
    const sinceMs = isSameOutage ? this.#unanswered!.sinceMs : sentAtMs;
    this.#unanswered = { sinceMs, lastMs: nowMs };
    if (nowMs - sinceMs < this.#leaveAfterMs) return;
    this.#unanswered = undefined;
    this.changeServer();
  }

  /** Calls `listener` for each error that the server reports on this connection. */
  onServerError(listener: (error: Error) => void): Subscription {
    this.#errorListeners.add(listener);
    return { close: () => this.#errorListeners.delete(listener) };
  }

  /** See `Transport.changeServer`. The client tries its servers in turn, so it connects to another one. */
  changeServer(): void {
    const { info } = this.nc;
    if (this.#state !== "connected" || info?.cluster === undefined) return;
    this.#log.warn(
      { server: info.server_name },
      "server seems cut off from its cluster; reconnecting to another one",
    );
    this.reconnect();
  }

  /** Ends the connection and makes it anew, with the credentials and certificates of now. Without a connection, the next one uses them. */
  reconnect(): void {
    if (this.#state !== "connected") return;
    this.nc.reconnect().catch(() => undefined); // rejects only when the connection is closed by now
  }

  /** Opens a reply subject. When the connection breaks, the link calls `onLost`, and no further message follows (I2). */
  openInbox(receiver: Receiver): Inbox {
    const token = (this.#counter++).toString(36);
    this.#receivers.set(token, receiver);
    return { subject: this.#base + token, close: () => this.#receivers.delete(token) };
  }

  /**
   * Opens a channel. A pull cannot use the shared inbox: a delivery has the subject of the stored message, so only the
   * subscription shows which pull the delivery belongs to. The link reuses subscriptions, because the cluster must
   * announce each new one to all its servers.
   */
  openChannel(receiver: Receiver): Channel {
    const pulls = this.#idleSubscriptions.pop() ?? this.#subscribeForPulls();
    pulls.receiver = receiver;
    this.#busySubscriptions.add(pulls);
    return {
      subject: `${pulls.base}.${++pulls.uses}`,
      close: ({ isQuiet, onLate }) => {
        if (pulls.receiver !== receiver) return; // I1
        pulls.receiver = undefined;
        this.#busySubscriptions.delete(pulls);
        if (isQuiet && this.#idleSubscriptions.length < MAX_IDLE_SUBSCRIPTIONS)
          this.#idleSubscriptions.push(pulls);
        else if (onLate === undefined || this.#state !== "connected") pulls.subscription.unsubscribe();
        else {
          pulls.onLate = onLate;
          // The server answers the drain's flush after the last message that it sent before it knew of the end.
          pulls.subscription.drain().catch(() => undefined); // a closed connection: nothing more arrives
        }
      },
    };
  }

  #subscribeForPulls(): PullSubscription {
    const base = `${this.#base}pull.${(this.#counter++).toString(36)}`;
    const subscription = this.nc.subscribe(`${base}.*`, {
      callback: (error, message) => {
        if (error !== null) return;
        const isStale = message.subject.startsWith(base) && message.subject !== `${base}.${pulls.uses}`;
        if (isStale) return;
        if (pulls.onLate === undefined) pulls.receiver?.onMessage(message);
        else pulls.onLate(message);
      },
    });
    const pulls: PullSubscription = { base, subscription, uses: 0, receiver: undefined };
    return pulls;
  }

  /**
   * Sends a message without waiting. While disconnected it drops the message: the NATS client would keep any number of
   * messages, and send them when they are stale.
   * @throws SwarmError `unavailable` when the connection is closed; `payload_too_large`; `invalid_input` for a header
   *   with a line break.
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

  /** Sends one request and waits for one reply. While disconnected it first waits for the connection, within `timeoutMs`. */
  request(subject: string, data: Uint8Array, options: RequestOptions): Promise<Msg> {
    const startedMs = performance.now();
    if (this.#state === "connected") return this.#send(subject, data, options, startedMs);
    return this.#waitForConnection(options).then(
      () => this.#send(subject, data, options, startedMs),
      (error) => {
        this.noteRequest(options.op, startedMs);
        throw error;
      },
    );
  }

  /** Measures a request to JetStream that has ended. */
  noteRequest(op: RequestOp | undefined, startedMs: number): void {
    if (op !== undefined) this.#onRequest?.(op, (performance.now() - startedMs) / 1_000);
  }

  #send(subject: string, data: Uint8Array, options: RequestOptions, startedMs: number): Promise<Msg> {
    return new Promise<Msg>((resolve, reject) => {
      new Request(this, subject, options, startedMs, resolve, reject).send(data);
    });
  }

  /** Checks for overdue receivers at intervals, until no receiver with an `overdueAtMs` is left. */
  watchOverdue(): void {
    this.#overdueTimer ??= setInterval(() => afterArrived(() => this.#findOverdue()), OVERDUE_INTERVAL_MS);
  }

  #findOverdue(): void {
    const nowMs = performance.now();
    let timedReceivers = 0;
    for (const receiver of this.#receivers.values()) {
      if (receiver.overdueAtMs === undefined) continue;
      timedReceivers++;
      if (nowMs >= receiver.overdueAtMs) receiver.onOverdue?.();
    }
    if (timedReceivers > 0) return;
    clearInterval(this.#overdueTimer);
    this.#overdueTimer = undefined;
  }

  /** Calls the JetStream API. @throws SwarmError as `fromApiError` maps it. */
  async api<T>(path: string, body: unknown, options: { doing: string; timeoutMs?: number }): Promise<T> {
    const payload = body === undefined ? new Uint8Array() : utf8Bytes(JSON.stringify(body));
    const reply = await this.request(`$JS.API.${path}`, payload, {
      op: opOf(path),
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
      `a message to ${subject} has ${bytes} bytes; the server accepts at most ${this.maxPayloadBytes}`,
    );
  }

  /** Subscribes on the connection. @throws SwarmError `unavailable` when it is closed. */
  subscribe(
    subject: string,
    options: { queue?: string; callback: (error: Error | null, message: Msg) => void },
  ): { unsubscribe(): void; drain(): Promise<void> } {
    try {
      return this.nc.subscribe(subject, options);
    } catch (cause) {
      throw new SwarmError("unavailable", `cannot subscribe to ${subject}: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  /**
   * Resolves when every message sent so far has reached the server.
   * @throws SwarmError `unavailable` without a connection, when it breaks, or after `timeoutMs` without an answer.
   */
  flush(timeoutMs = FLUSH_TIMEOUT_MS): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        watch.close();
        clearTimeout(timer);
      };
      const fail = (why: string) => {
        settle();
        reject(new SwarmError("unavailable", `cannot flush: ${why}`));
      };
      const timer = setTimeout(
        () => afterArrived(() => fail(`the server did not answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
      const watch = this.openInbox({
        onMessage: () => undefined,
        onLost: () => fail("the connection broke"),
      });
      if (this.#state !== "connected") return fail(`the connection is ${this.#state}`);
      // After the client has written the subscriptions of this turn (I3 of the outbox).
      queueMicrotask(() => {
        this.#outbox.send();
        this.nc.flush().then(
          () => {
            settle();
            resolve();
          },
          (error: Error) => fail(error.message),
        );
      });
    });
  }

  /**
   * Flushes for at most {@link CLOSE_FLUSH_TIMEOUT_MS}, closes the connection and destroys its sockets. Everything that
   * still waits on the connection fails at once. Safe to repeat.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#state === "connected") await this.flush(CLOSE_FLUSH_TIMEOUT_MS).catch(() => undefined);
    this.#setState("closed");
    await this.nc.close(); // waits for nothing of the peer
    this.#dialer.end(); // ends an attempt to reconnect too, which `nc.close` leaves to itself
  }

  #waitForConnection(options: {
    timeoutMs: number;
    doing: string;
    signal?: AbortSignal | undefined;
  }): Promise<void> {
    if (this.#state === "closed") {
      return Promise.reject(new SwarmError("unavailable", `${options.doing}: the connection is closed`));
    }
    return new Promise((resolve, reject) => {
      const settle = () => {
        stateListener.close();
        clearTimeout(timer);
        options.signal?.removeEventListener("abort", onAbort);
      };
      const fail = (error: unknown) => {
        settle();
        reject(error);
      };
      const onAbort = () => fail(options.signal?.reason);
      const stateListener = this.onState((state) => {
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
          this.#onError(status.error);
          break;
        case "close":
          this.#setState("closed");
          break;
      }
    }
    this.#setState("closed");
  }

  #onError(err: Error): void {
    for (const listener of [...this.#errorListeners]) listener(err);
    const found = readViolation(err);
    if (found === null) {
      this.#log.warn({ err }, "NATS reported an error");
      return;
    }
    const advice = this.#advise?.(found);
    const violation = advice === undefined ? found : { ...found, advice };
    if (violation.operation === "publish") {
      const asking = [
        ...this.#receivers.values(),
        ...[...this.#busySubscriptions].map((pulls) => pulls.receiver),
      ];
      for (const receiver of asking) {
        if (receiver?.subject === violation.subject) receiver.onForbidden?.(violation, this.#user);
      }
    }
    this.violations.report(violation);
  }

  #setState(state: ConnectionState): void {
    if (this.#state === state || this.#state === "closed") return;
    this.#state = state;
    if (state === "closed") clearInterval(this.#overdueTimer);
    if (state !== "connected") {
      this.#outbox.clear(); // I3
      const lost = [
        ...this.#receivers.values(),
        ...[...this.#busySubscriptions].map((pulls) => pulls.receiver),
      ];
      this.#receivers.clear();
      for (const receiver of lost) receiver?.onLost();
    }
    for (const listener of [...this.#listeners]) listener(state);
  }
}
