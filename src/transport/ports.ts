// The ports: how a message travels, in our words. Two implementations, NATS and in-memory, run one conformance suite.
// What the ports promise is written here; what NATS calls it is known only in `nats/`.
import type { BucketKey, StreamKey } from "../protocol/index.ts";

/** Headers to send. Values must not hold CR or LF; names are written as given. */
export type Headers = Readonly<Record<string, string>>;

/** A message that came in. `data` must not be changed. */
export interface Incoming {
  readonly subject: string;
  readonly data: Uint8Array;
  /** The first value of a header, its name compared without case; undefined when it is not there. */
  header(name: string): string | undefined;
}

/** A request that came in. */
export interface IncomingRequest extends Incoming {
  /** True when the sender waits for a reply. */
  readonly wantsReply: boolean;
  /** Sends a reply; does nothing when the sender does not wait. */
  respond(data: Uint8Array, headers?: Headers): void;
}

/** A running subscription. */
export interface Subscription {
  /** Ends it at once; safe to repeat. */
  close(): void;
}

/** Request/reply and broadcast: best effort, nothing is stored. */
export interface Bus {
  /**
   * Sends to whoever listens now. Without a connection the message is dropped: nothing is kept for later.
   * @throws SwarmError `payload_too_large` over the server's limit (body and headers); `invalid_input` for a header
   *   with a line break; `unavailable` when the transport is closed.
   */
  publish(subject: string, data: Uint8Array, options?: { headers?: Headers | undefined }): void;
  /**
   * Calls `onMessage` for each message on a subject (wildcards `*` and `>` allowed). With `queue`, one member of
   * that group gets each message. An exception in `onMessage` is the handler's bug: it is logged, never thrown on.
   * Subscriptions survive a reconnect.
   */
  subscribe(
    subject: string,
    onMessage: (message: IncomingRequest) => void,
    options?: { queue?: string },
  ): Subscription;
  /**
   * Asks one listener. Without a connection it waits for one, within `timeoutMs`.
   * @throws SwarmError `unavailable` when nobody listens (at once) or nobody answers within `timeoutMs`; the
   *   signal's reason when it aborts.
   */
  request(
    subject: string,
    data: Uint8Array,
    options: { timeoutMs: number; headers?: Headers | undefined; signal?: AbortSignal | undefined },
  ): Promise<Incoming>;
  /**
   * Asks every listener and collects replies until `max` came, `timeoutMs` passed, or, once one came, none came for
   * `stallMs`. Nobody listening is an empty answer, at once.
   */
  scatter(
    subject: string,
    data: Uint8Array,
    options: { timeoutMs: number; stallMs?: number; max?: number; headers?: Headers },
  ): Promise<Incoming[]>;
  /**
   * Resolves when all that was published so far has reached the server.
   * @throws SwarmError `unavailable` without a connection, or when it breaks before.
   */
  flush(): Promise<void>;
}

/** What may be expected of the stream at the moment of an append. */
export interface AppendOptions {
  headers?: Headers | undefined;
  /** Deduplication id: a repeat within the window stores nothing and answers `duplicate: true`. Never a promise. */
  messageId?: string | undefined;
  /** The stream's last sequence. */
  expectedLastSeq?: number | undefined;
  /** The last sequence of this very subject; 0 means that it holds no message. */
  expectedLastSubjectSeq?: number | undefined;
  /** Drops the message after this long; whole seconds, at least 1,000 ms. */
  ttlMs?: number | undefined;
  /** Drops all earlier messages of the subject in the same write. */
  rollup?: boolean | undefined;
  /** How long to wait for the acknowledgement, in ms; default {@link APPEND_TIMEOUT_MS}. */
  timeoutMs?: number | undefined;
}

/** The default wait for an append's acknowledgement: longer than a stream leader's fail-over (4–6 s measured). */
export const APPEND_TIMEOUT_MS = 10_000;

/** A stored message. */
export interface Stored extends Incoming {
  readonly seq: number;
  readonly storedAtMs: number;
}

/** The counts of one stream. */
export interface LogInfo {
  messages: number;
  bytes: number;
  /** The sequence of the oldest stored message; `lastSeq + 1` when empty. */
  firstSeq: number;
  lastSeq: number;
}

/** One stream as a log. */
export interface Log {
  /**
   * Appends one message.
   * @throws SwarmError `conflict`: an expectation does not hold (see {@link lastSeqOf}), or the subject holds its one
   *   message already (the message is not stored); `payload_too_large`: over the stream's message limit; `rate_limited`: the stream is
   *   full; `invalid_input`: a header, TTL, rollup or schedule that the stream does not take; `unavailable`: no
   *   stream, or no acknowledgement in time (**the message may be stored or not**).
   */
  append(
    subject: string,
    data: Uint8Array,
    options?: AppendOptions,
  ): Promise<{ seq: number; duplicate: boolean }>;
  /**
   * The last message whose subject fits `filter`, or null. By default any replica answers (fast, may lag behind an
   * acknowledged append by a moment); `fresh: true` asks the stream's leader.
   */
  last(filter: string, options?: { fresh?: boolean }): Promise<Stored | null>;
  /** The message with this sequence, or null. */
  get(seq: number): Promise<Stored | null>;
  /**
   * Reads stored messages in order, in pages, from `fromSeq` (default 1). Ends at the last message that was stored
   * when the reading began, or after `limit`. Never creates a consumer, so it works on work queues too.
   */
  read(options?: { filter?: string; fromSeq?: number; limit?: number }): AsyncIterable<Stored>;
  /**
   * Delivers every stored message behind `afterSeq` in order, then every new one; resolves when those that were stored
   * at the beginning have been delivered. Survives reconnects and restarts of the server without gaps or repeats. A
   * stream that came back shorter than what was delivered is not read anew: look at `info`.
   * @throws SwarmError `unavailable` when it cannot begin.
   */
  tail(options: { afterSeq: number; onStored: (stored: Stored) => void }): Promise<Subscription>;
  /** How many messages each subject that fits `filter` holds; at most `max` subjects (default 10,000). */
  subjects(filter: string, options?: { max?: number }): Promise<Map<string, number>>;
  info(): Promise<LogInfo>;
  /**
   * Removes the messages that fit `filter` (all without one) and have a sequence below `beforeSeq` (if given). Without a
   * filter and with a `beforeSeq` above the last sequence, the stream is emptied and goes on at `beforeSeq`.
   * @throws SwarmError `not_permitted`: nothing may be removed from this stream.
   */
  purge(options?: { filter?: string; beforeSeq?: number }): Promise<number>;
  /**
   * Removes one message by its sequence; false when it was not there.
   * @throws SwarmError `not_permitted`: nothing may be removed from this stream.
   */
  delete(seq: number): Promise<boolean>;
}

/** A delivery of a queued message. Exactly one of `ack` and `nak` should be called. */
export interface Delivery extends Incoming {
  readonly seq: number;
  /** 1 for the first delivery. Rises for every reason; it is not an attempt counter. */
  readonly deliveryCount: number;
  /** How many more messages the consumer had waiting when this one left the server. */
  readonly pending: number;
  readonly storedAtMs: number;
  /** Done: removes the message from the queue. Fire and forget. */
  ack(): void;
  /** Give it back, to be delivered again after `delayMs` (0: at once). */
  nak(delayMs: number): void;
  /** Still at work: starts the ack-wait anew. */
  working(): void;
}

/** Why a pull ended. `gone`: the consumer or stream vanished. `lost`: the connection broke, or the server went silent. */
export type PullEnd = "filled" | "expired" | "gone" | "lost" | "cancelled";

/** A pull that is open on the server. */
export interface Pull {
  /** How many deliveries it may still bring. */
  readonly remaining: number;
  /** Stops listening. Messages on their way are given back to the queue when their ack-wait ends. */
  cancel(): void;
}

/** A durable, single-filter pull consumer of a work queue. */
export interface QueueConsumer {
  readonly name: string;
  readonly filter: string;
  /**
   * Asks for up to `max` messages. Deliveries come to `onDelivery` one by one as they arrive; then `onEnd` is called
   * exactly once. `expiresMs` ≥ 1,000, or 0: answer with what is there and end at once.
   */
  pull(
    request: { max: number; expiresMs: number },
    sink: { onDelivery(delivery: Delivery): void; onEnd(end: PullEnd): void },
  ): Pull;
  /** Waiting, delivered-but-unacked and open-pull counts, from the server. null when the consumer is gone. */
  info(): Promise<{ pending: number; ackPending: number; openPulls: number } | null>;
}

/** A consumer to be made. A name stands for one filter, always. */
export interface ConsumerSpec {
  name: string;
  filter: string;
  /**
   * The server removes the consumer by itself when no pull was open for this long, in ms; its messages stay. Without
   * it the consumer stays until it is deleted.
   */
  inactiveMs?: number | undefined;
}

/** One work-queue stream's consumers. */
export interface Queue {
  /**
   * Creates the consumer if it is not there (idempotent) and returns it.
   * @throws SwarmError `conflict` when the filter overlaps that of another consumer; `unavailable`.
   */
  consumer(spec: ConsumerSpec): Promise<QueueConsumer>;
  /** The names and filters of all consumers of the stream. */
  consumers(): Promise<{ name: string; filter: string; pending: number; ackPending: number }[]>;
  /** Removes a consumer; false when it was not there. */
  deleteConsumer(name: string): Promise<boolean>;
}

/** A value of a bucket. `revision` rises with every write and is what compare-and-set compares. */
export interface BucketEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
}

/**
 * A small key-value store with compare-and-set. Keys are tokens joined by dots; any other is refused as
 * `invalid_input`. Reads see every finished write.
 */
export interface Bucket {
  get(key: string): Promise<BucketEntry | null>;
  /** Writes whatever is there. */
  put(key: string, value: Uint8Array): Promise<number>;
  /**
   * Writes only when the key's revision is still `revision` (0: the key is absent).
   * @throws SwarmError `conflict` when it is not.
   */
  update(key: string, value: Uint8Array, revision: number): Promise<number>;
  delete(key: string): Promise<void>;
  keys(): Promise<string[]>;
  /**
   * Calls `onEntry` for every key now stored and then for every change (`null` value: deleted); resolves when the
   * stored ones were delivered. Survives reconnects; the last of the changes made meanwhile is delivered after. What
   * goes because of its age is not told.
   */
  watch(onEntry: (key: string, value: Uint8Array | null) => void): Promise<Subscription>;
}

/** Large bodies by their hash. */
export interface Blobs {
  /**
   * Stores `data` under its sha256; storing the same bytes again is cheap.
   * @throws SwarmError `payload_too_large` over 64 MiB.
   */
  put(data: Uint8Array): Promise<{ $blob: string; bytes: number }>;
  /** Reads a blob and verifies its hash. @throws SwarmError `not_found`, or `internal` when the bytes are not the hash's. */
  get(ref: { $blob: string; bytes: number }): Promise<Uint8Array>;
}

/** Named large bodies, kept until they are deleted. Reads see every finished write. */
export interface Objects {
  /**
   * Stores `data`, in one piece or in several, under `name`, in place of what was there.
   * @throws SwarmError `payload_too_large` over 256 MiB; `unavailable` (**it may be stored or not**).
   */
  put(name: string, data: Uint8Array | readonly Uint8Array[]): Promise<void>;
  /** Reads an object; null when there is none. @throws SwarmError `internal` when it is damaged; `unavailable`. */
  get(name: string): Promise<Uint8Array | null>;
  /** The names of all objects, in no order. */
  names(): Promise<string[]>;
  /** Removes an object; does nothing when there is none. */
  delete(name: string): Promise<void>;
}

/** The state of the connection. */
export type ConnectionState = "connected" | "disconnected" | "closed";

/** What one process needs of the wire. */
export interface Transport {
  readonly prefix: string;
  readonly bus: Bus;
  log(stream: StreamKey): Log;
  queue(stream: StreamKey): Queue;
  bucket(bucket: Exclude<BucketKey, "blobs" | "snapshots">): Bucket;
  readonly blobs: Blobs;
  /** The office's snapshots. */
  readonly snapshots: Objects;
  /** The largest message that the server takes, in bytes. */
  readonly maxPayloadBytes: number;
  readonly state: ConnectionState;
  /**
   * Leaves the server for another one of its cluster, for who sees that it is cut off from the others: then it takes
   * messages and nothing comes of them. What is under way ends as when a connection breaks. Does nothing without a
   * connection, or where there is one server only.
   */
  changeServer(): void;
  /** Calls `onState` at every change. */
  onState(onState: (state: ConnectionState) => void): Subscription;
  /**
   * Creates what is missing of the swarm's streams and buckets and verifies the rest. `warnings` tells what works and
   * is less than it could be, for example fewer copies than the cluster could hold.
   * @throws SwarmError `conflict` naming stream, setting, expected and found value when one that matters differs;
   *   `unavailable` when the server is older than 2.12 or has no JetStream.
   */
  init(): Promise<{ created: string[]; verified: string[]; warnings: string[] }>;
  /**
   * Looks at the swarm's streams and buckets and changes nothing: each with what is wrong with it, or null.
   * @throws SwarmError `unavailable` when the server is older than 2.12, has no JetStream, or does not answer.
   */
  inspect(): Promise<{ name: string; problem: string | null }[]>;
  /** Flushes (2 s at most) and closes; open pulls end as `lost`; safe to repeat. */
  close(): Promise<void>;
}
