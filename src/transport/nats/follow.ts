// Following a stream live: an ordered, unacked push consumer that is made anew whenever it may have missed something.
// I1: each message is delivered once and in order of sequence, also over reconnects and restarts of the server.
// I2: only the newest server-side consumer is listened to; older ones expire on the server by themselves.
import { createInbox, type Msg } from "@nats-io/nats-core";
import { type BackoffPolicy, backoffDelayMs, newId, systemChance } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import type { Stored, Subscription } from "../ports.ts";
import { readAckSubject } from "./ack-subject.ts";
import type { Link } from "./link.ts";
import { headerOf } from "./message-headers.ts";

/** How soon a follower notices that it hears nothing any more, and how it begins anew. */
interface Pace {
  /** How often the server says that it is still there. */
  readonly heartbeatMs: number;
  /** How long the making of a consumer is waited for. */
  readonly makeTimeoutMs: number;
  /** Waits between attempts to make it anew; for ever, because the follower must not end silently. */
  readonly retry: BackoffPolicy;
}

const RETRY: BackoffPolicy = { backoffMs: 100, factor: 2, maxBackoffMs: 5_000, jitter: 0.2 };
/** Of watchers, of which every process of a swarm has some. */
const WATCH_PACE: Pace = { heartbeatMs: 5_000, makeTimeoutMs: 5_000, retry: RETRY };
/**
 * Of those who read a log to its end: few do, and they are to take over within seconds when a server died. A cluster that
 * elects a leader never answers some requests.
 */
const TAIL_PACE: Pace = {
  heartbeatMs: 1_000,
  makeTimeoutMs: 2_000,
  retry: { ...RETRY, maxBackoffMs: 1_000 },
};
/** Two missed heartbeats and a second for the way mean a dead consumer. */
const silenceMs = ({ heartbeatMs }: Pace) => 2 * heartbeatMs + 1_000;
/** When the server forgets a consumer that nobody listens to. */
const INACTIVE_MS = 60_000;
const NANOS_PER_MS = 1_000_000;

/**
 * Delivers the last message of each subject that fits `filter`, then every new one; resolves when those that were
 * stored at the beginning have been delivered.
 * @throws SwarmError `unavailable` when the first consumer cannot be made.
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
 * Delivers every message behind `afterSeq`, then every new one; resolves when those that were stored at the beginning
 * have been delivered. A stream that ends below what was delivered is waited for, never read anew.
 * @throws SwarmError `unavailable` when the first consumer cannot be made.
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

interface FollowerOptions {
  stream: string;
  filter: string;
  headersOnly?: boolean;
  pace: Pace;
  /** Begin behind this sequence and never before it; without it: with the last message of each subject. */
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
  #open = true;

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
    this.#open = false;
    this.#forget();
    this.#states.close();
    this.#setCaughtUp();
  }

  async start(): Promise<void> {
    try {
      await this.#make();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async #make(): Promise<void> {
    this.#forget(); // I2
    const generation = ++this.#generation;
    const isNewest = () => this.#open && generation === this.#generation;
    this.#consumerSeq = 0;
    const deliverTo = createInbox(this.#link.inboxPrefix);
    this.#subscription = this.#link.subscribe(deliverTo, {
      callback: (error, message) => {
        if (error === null && isNewest()) this.#onMessage(message);
      },
    });
    const { stream, filter, headersOnly, afterSeq, pace } = this.#options;
    const name = `follow-${newId()}`;
    if (this.#lastSeq > 0) await this.#noticeNewStream();
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
      { doing: `follow ${stream}`, timeoutMs: pace.makeTimeoutMs },
    );
    if (!isNewest()) return;
    this.#failures = 0;
    this.#watchdog = setTimeout(() => this.#restart(), silenceMs(pace));
    if (created.num_pending === 0) this.#setCaughtUp();
  }

  /** A stream that ends below what we saw is another one: everything in it is new. */
  async #noticeNewStream(): Promise<void> {
    const { stream, pace } = this.#options;
    const { state } = await this.#link.api<{ state: { last_seq: number } }>(
      `STREAM.INFO.${stream}`,
      undefined,
      { doing: `follow ${stream}`, timeoutMs: pace.makeTimeoutMs },
    );
    if (state.last_seq >= this.#lastSeq) return;
    if (this.#options.afterSeq === undefined) this.#lastSeq = 0;
    else {
      throw new SwarmError(
        "unavailable",
        `follow ${stream}: it ends at ${state.last_seq}, below ${this.#lastSeq} that was read`,
      );
    }
  }

  #onMessage(message: Msg): void {
    this.#watchdog?.refresh();
    if (message.headers?.code === 100) this.#onHeartbeat(message);
    else {
      const { seq, consumerSeq, storedAtMs, pending } = readAckSubject(message.reply ?? "");
      if (consumerSeq !== this.#consumerSeq + 1) {
        this.#restart(); // I1: something was lost on the way
        return;
      }
      this.#consumerSeq++;
      this.#lastSeq = seq;
      this.#options.onMessage(message, { seq, storedAtMs });
      if (pending === 0) this.#setCaughtUp();
    }
  }

  /** Answers flow control; a heartbeat that counts more deliveries than came means that the last ones were lost. */
  #onHeartbeat(message: Msg): void {
    const stalled = headerOf(message, "Nats-Consumer-Stalled") ?? message.reply;
    if (stalled !== undefined && stalled !== "") this.#link.publish(stalled, new Uint8Array());
    const delivered = headerOf(message, "Nats-Last-Consumer");
    if (delivered !== undefined && Number(delivered) !== this.#consumerSeq) this.#restart(); // I1
  }

  #restart(): void {
    if (!this.#open || this.#link.state !== "connected") return; // the reconnect restarts it
    const making = this.#make();
    const generation = this.#generation;
    making.catch(() => {
      if (!this.#open || generation !== this.#generation) return; // a newer attempt is under way
      const delayMs = backoffDelayMs(this.#options.pace.retry, ++this.#failures, systemChance);
      this.#retry = setTimeout(() => this.#restart(), delayMs);
    });
  }

  #forget(): void {
    clearTimeout(this.#watchdog);
    clearTimeout(this.#retry);
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
  }
}
