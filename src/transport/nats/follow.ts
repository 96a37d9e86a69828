// Follows a stream live with an ordered push consumer without acks. The follower creates a new consumer whenever the old
// one may have missed a message.
// I1: each message is delivered once and in order of sequence, also across reconnects and restarts of the server.
// I2: the follower listens only to its newest consumer; the server removes older consumers by itself.
import { createInbox, type Msg } from "@nats-io/nats-core";
import { type BackoffPolicy, backoffDelayMs, newId, systemChance } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import type { Stored, StoredHead, Subscription } from "../ports.ts";
import { isFlowSubject } from "../reply-subjects.ts";
import { readAckSubject } from "./ack-subject.ts";
import type { Link } from "./link.ts";
import { headerOf } from "./message-headers.ts";

/** The times after which a follower notices a dead consumer, and the waits before it creates a new one. */
interface Pace {
  /** The time between the server's idle heartbeats. */
  readonly heartbeatMs: number;
  /** The wait for the creation of a consumer. */
  readonly createTimeoutMs: number;
  /** The waits between attempts to create a new consumer. Attempts never end, because the follower must not end silently. */
  readonly retry: BackoffPolicy;
}

const RETRY: BackoffPolicy = { backoffMs: 100, factor: 2, maxBackoffMs: 5_000, jitter: 0.2 };
/** The pace of bucket watchers. Every process of a swarm has some. */
const WATCH_PACE: Pace = { heartbeatMs: 5_000, createTimeoutMs: 5_000, retry: RETRY };
/**
 * The pace of log tails. Only a few processes have one (coordinators), and they must take over within seconds when a
 * server dies. The creation times out soon, because a cluster that elects a leader never answers some requests.
 */
const TAIL_PACE: Pace = {
  heartbeatMs: 1_000,
  createTimeoutMs: 2_000,
  retry: { ...RETRY, maxBackoffMs: 1_000 },
};
/** The silence that means a dead consumer: two missed heartbeats, and a second for the network. */
const silenceMs = ({ heartbeatMs }: Pace) => 2 * heartbeatMs + 1_000;
/** The server removes a consumer after this time without a subscriber. */
const INACTIVE_MS = 60_000;
const NANOS_PER_MS = 1_000_000;

/**
 * Delivers the last message of each subject that matches `filter`, then every new message. Resolves when all messages that
 * were stored at the start are delivered.
 * @throws SwarmError `unavailable` when the first consumer cannot be created.
 */
export async function follow(
  link: Link,
  options: { stream: string; filter: string; headersOnly?: boolean; onMessage: (message: Msg) => void },
): Promise<Subscription> {
  const follower = new Follower(link, { ...options, pace: WATCH_PACE });
  await follower.start();
  await follower.caughtUp;
  return follower;
}

/**
 * Delivers every message after `afterSeq`, then every new message. Resolves when all messages that were stored at the start
 * are delivered. When the stream now ends below the last delivered sequence, the tail retries until the stream has reached it;
 * the tail never reads the stream again from its start.
 * @throws SwarmError `unavailable` when the first consumer cannot be created.
 */
export async function tail(
  link: Link,
  options: { stream: string; afterSeq: number; onStored: (stored: Stored) => void },
): Promise<Subscription> {
  const { stream, afterSeq, onStored } = options;
  const onMessage = (message: Msg, at: { seq: number; storedAtMs: number }) =>
    onStored({
      ...at,
      subject: message.subject,
      data: message.data,
      header: (name) => headerOf(message, name),
    });
  const follower = new Follower(link, { stream, filter: ">", afterSeq, onMessage, pace: TAIL_PACE });
  await follower.start();
  await follower.caughtUp;
  return follower;
}

/**
 * Delivers the last message of each subject, without bodies, and ends; true when there are more than `max`.
 * @throws SwarmError `unavailable` when the consumer cannot be created, and when the connection is closed first.
 */
export async function readLasts(
  link: Link,
  options: { stream: string; filter: string; max: number; onLast: (stored: StoredHead) => void },
): Promise<boolean> {
  const { stream, filter, max, onLast } = options;
  const cut = Promise.withResolvers<true>();
  let left = max;
  const onMessage = (message: Msg, at: { seq: number; storedAtMs: number }) => {
    if (--left < 0) cut.resolve(true);
    else onLast({ ...at, subject: message.subject, header: (name) => headerOf(message, name) });
  };
  const follower = new Follower(link, { stream, filter, headersOnly: true, onMessage, pace: WATCH_PACE });
  try {
    await follower.start();
    const isCut = await Promise.race([follower.caughtUp.then(() => false), cut.promise]);
    if (link.state === "closed")
      throw new SwarmError("unavailable", `read the last messages of ${stream}: the connection is closed`);
    return isCut;
  } finally {
    follower.close();
  }
}

interface FollowerOptions {
  stream: string;
  filter: string;
  headersOnly?: boolean;
  pace: Pace;
  /** Start after this sequence, and never before it. Default: start with the last message of each subject. */
  afterSeq?: number;
  onMessage(message: Msg, at: { seq: number; storedAtMs: number }): void;
}

class Follower implements Subscription {
  readonly caughtUp: Promise<void>;
  readonly #link: Link;
  readonly #options: FollowerOptions;
  readonly #states: Subscription;
  #setCaughtUp: () => void = () => undefined;
  #subscription: { unsubscribe(): void } | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #generation = 0;
  #failures = 0;
  #lastSeq = 0;
  #consumerSeq = 0;
  #isOpen = true;

  constructor(link: Link, options: FollowerOptions) {
    this.#link = link;
    this.#options = options;
    this.#lastSeq = options.afterSeq ?? 0;
    this.caughtUp = new Promise((resolve) => {
      this.#setCaughtUp = resolve;
    });
    this.#states = link.onState((state) => {
      if (state === "connected") this.#restart();
      else if (state === "closed") this.close();
    });
  }

  close(): void {
    this.#isOpen = false;
    this.#dropConsumer();
    this.#states.close();
    this.#setCaughtUp();
  }

  async start(): Promise<void> {
    try {
      await this.#createConsumer();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async #createConsumer(): Promise<void> {
    this.#dropConsumer(); // I2
    const generation = ++this.#generation;
    const isNewest = () => this.#isOpen && generation === this.#generation;
    this.#consumerSeq = 0;
    const deliverTo = createInbox(this.#link.inboxPrefix);
    this.#subscription = this.#link.subscribe(deliverTo, {
      callback: (error, message) => {
        if (error === null && isNewest()) this.#onMessage(message);
      },
    });
    const { stream, filter, headersOnly, afterSeq, pace } = this.#options;
    const name = `follow-${newId()}`;
    if (this.#lastSeq > 0) await this.#noticeReplacedStream();
    if (!isNewest()) return;
    const from =
      this.#lastSeq === 0 && afterSeq === undefined
        ? { deliver_policy: "last_per_subject" }
        : { deliver_policy: "by_start_sequence", opt_start_seq: this.#lastSeq + 1 };
    const created = await this.#link.api<{ num_pending: number }>(
      `CONSUMER.CREATE.${stream}.${name}.${filter}`,
      {
        stream_name: stream,
        action: "create",
        config: {
          name,
          ...from,
          deliver_subject: deliverTo,
          filter_subject: filter,
          headers_only: headersOnly === true,
          ack_policy: "none",
          max_deliver: 1,
          replay_policy: "instant",
          flow_control: true,
          idle_heartbeat: pace.heartbeatMs * NANOS_PER_MS,
          inactive_threshold: INACTIVE_MS * NANOS_PER_MS,
          mem_storage: true,
          num_replicas: 1,
        },
      },
      { doing: `follow ${stream}`, timeoutMs: pace.createTimeoutMs },
    );
    if (!isNewest()) return;
    this.#failures = 0;
    this.#watchdog = setTimeout(() => this.#restart(), silenceMs(pace));
    if (created.num_pending === 0) this.#setCaughtUp();
  }

  /** Notices a stream that ends below the last delivered sequence: it was replaced, so all its messages are new. */
  async #noticeReplacedStream(): Promise<void> {
    const { stream, pace } = this.#options;
    const { state } = await this.#link.api<{ state: { last_seq: number } }>(
      `STREAM.INFO.${stream}`,
      undefined,
      { doing: `follow ${stream}`, timeoutMs: pace.createTimeoutMs },
    );
    if (state.last_seq >= this.#lastSeq) return;
    if (this.#options.afterSeq === undefined) this.#lastSeq = 0;
    else {
      throw new SwarmError(
        "unavailable",
        `follow ${stream}: it ends at ${state.last_seq}, below the sequence ${this.#lastSeq} that was already read`,
      );
    }
  }

  #onMessage(message: Msg): void {
    this.#watchdog?.refresh();
    if (message.headers?.code === 100) this.#onHeartbeat(message);
    else {
      const { seq, consumerSeq, storedAtMs, pending } = readAckSubject(message.reply ?? "");
      if (consumerSeq !== this.#consumerSeq + 1) {
        this.#restart(); // I1: a message was lost
        return;
      }
      this.#consumerSeq++;
      this.#lastSeq = seq;
      this.#options.onMessage(message, { seq, storedAtMs });
      if (pending === 0) this.#setCaughtUp();
    }
  }

  /** Answers flow control. A heartbeat that counts more deliveries than arrived means that the last ones were lost. */
  #onHeartbeat(message: Msg): void {
    const stalled = headerOf(message, "Nats-Consumer-Stalled") ?? message.reply;
    if (stalled !== undefined && stalled !== "") {
      if (isFlowSubject(stalled)) this.#link.publish(stalled, new Uint8Array());
      else this.#link.refused.report({ kind: "flow", subject: message.subject, reply: stalled });
    }
    const delivered = headerOf(message, "Nats-Last-Consumer");
    if (delivered !== undefined && Number(delivered) !== this.#consumerSeq) this.#restart(); // I1
  }

  #restart(): void {
    if (!this.#isOpen || this.#link.state !== "connected") return; // the reconnect calls this again
    const creating = this.#createConsumer();
    const generation = this.#generation;
    creating.catch(() => {
      if (!this.#isOpen || generation !== this.#generation) return; // a newer attempt has started
      const delayMs = backoffDelayMs(this.#options.pace.retry, ++this.#failures, systemChance);
      this.#retry = setTimeout(() => this.#restart(), delayMs);
    });
  }

  #dropConsumer(): void {
    clearTimeout(this.#watchdog);
    clearTimeout(this.#retry);
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
  }
}
