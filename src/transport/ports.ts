// The ports of the transport: bus, log, queue, bucket, blobs and objects. Other rooms send and store messages only
// through these types; only `nats/` calls NATS. This file states the promises of each port, and one conformance suite
// tests the two implementations, NATS and in-memory.
import type { BucketKey, StreamKey, SwarmError } from "../protocol/index.ts";
import type { SwarmClock } from "./swarm-clock.ts";

/** Headers to send. Names and values must not contain CR or LF; names are sent in the given case. */
export type Headers = Readonly<Record<string, string>>;

/** A received message. The receiver must not change `data`. */
export interface Incoming {
  readonly subject: string;
  readonly data: Uint8Array;
  /**
   * The first value of a header; undefined when the message has no such header. Upper and lower case are equal in
   * names.
   */
  header(name: string): string | undefined;
}

/** A received request. */
export interface IncomingRequest extends Incoming {
  /** True when the sender waits for a reply, on a subject below `_INBOX.`. */
  readonly wantsReply: boolean;
  /**
   * Sends a reply; does nothing when the sender does not wait for one, or wants it on another subject than one below
   * `_INBOX.`. The transport reports such a message to `Transport.onReplyRefused`. A reply is best effort: without a
   * connection, lost or closed, it is dropped.
   * `onUnheard` is called when the server tells that no connection listens for the reply any more, as far as it tells.
   * @throws SwarmError `payload_too_large`, `invalid_input` as `Bus.publish`.
   */
  respond(data: Uint8Array, headers?: Headers, options?: { onUnheard?: (() => void) | undefined }): void;
}

/** A running subscription. */
export interface Subscription {
  /** Ends the subscription at once; safe to repeat. */
  close(): void;
}

/** A subscription that answers requests, so that its end must leave no request without an answer. */
export interface RequestSubscription extends Subscription {
  /**
   * Ends the subscription, and still gives `onMessage` the messages that the server sent before it knew of the end: a request
   * among them would else wait for its whole timeout. Resolves after the last one, and after {@link DRAIN_LIMIT_MS} when the
   * server does not answer. Never rejects; safe to repeat.
   */
  drain(): Promise<void>;
}

/** Request/reply and broadcast: best effort, without storage. */
export interface Bus {
  /**
   * Sends to all present subscribers. Without a connection the message is dropped, not kept for later.
   * @throws SwarmError `payload_too_large` over the server's limit (body and headers); `invalid_input` for a header
   *   with a line break; `unavailable` when the transport is closed.
   */
  publish(subject: string, data: Uint8Array, options?: { headers?: Headers | undefined }): void;
  /**
   * Calls `onMessage` for each message on a subject (wildcards `*` and `>` allowed). With `queue`, one member of
   * that group gets each message. An exception in `onMessage` is a bug of the handler: the transport logs it and
   * continues. Subscriptions survive a reconnect.
   */
  subscribe(
    subject: string,
    onMessage: (message: IncomingRequest) => void,
    options?: { queue?: string },
  ): RequestSubscription;
  /**
   * Sends a request to one subscriber. Without a connection it waits for one, within `timeoutMs`.
   * @throws SwarmError `unavailable` at once when the subject has no subscriber, and after `timeoutMs` without a
   *   reply; the signal's reason when it aborts.
   */
  request(
    subject: string,
    data: Uint8Array,
    options: { timeoutMs: number; headers?: Headers | undefined; signal?: AbortSignal | undefined },
  ): Promise<Incoming>;
  /**
   * Sends a request to one subscriber, and calls `onReply` for each of its replies until the conversation is closed. Calls
   * `onLost` at most once, and `onReply` not again after it: the subject has no subscriber, NATS forbids the request, or the
   * connection broke. An exception in `onReply` is a bug of the caller, as in `subscribe`.
   * @throws SwarmError `unavailable` without a connection; `payload_too_large` and `invalid_input` as `publish`.
   */
  converse(
    subject: string,
    data: Uint8Array,
    options: {
      headers?: Headers | undefined;
      onReply: (reply: Incoming) => void;
      onLost: (error: SwarmError) => void;
    },
  ): Subscription;
  /**
   * Sends a request to every subscriber and collects the replies. Ends after `max` replies, after `timeoutMs`, or when
   * no further reply has come for `stallMs` after the latest one. Without a subscriber it resolves at once to an empty
   * list. When nothing has answered, not even the server, it waits for the server for at least 1 s.
   * @throws SwarmError `unavailable` without a connection, when it breaks first, or when the server does not answer: too few
   *   replies would look like too few subscribers; `payload_too_large` and `invalid_input` as `publish`.
   */
  scatter(
    subject: string,
    data: Uint8Array,
    options: { timeoutMs: number; stallMs?: number; max?: number; headers?: Headers },
  ): Promise<Incoming[]>;
  /**
   * Resolves when every message published so far has reached the server.
   * @throws SwarmError `unavailable` without a connection, when the connection breaks first, or when the server does not
   *   answer within 5 s.
   */
  flush(): Promise<void>;
}

/** The options of an append. If an expectation about the stream does not hold, the server stores nothing. */
export interface AppendOptions {
  headers?: Headers | undefined;
  /**
   * Deduplication id. The server does not store a repeat within the stream's window, and replies `duplicate: true`.
   * This reply does not prove that the message is stored.
   */
  messageId?: string | undefined;
  /** Expects this last sequence of the stream. */
  expectedLastSeq?: number | undefined;
  /** Expects this last sequence of the subject itself; 0 means that the subject has no message. */
  expectedLastSubjectSeq?: number | undefined;
  /** The server drops the message after this time, in ms; rounded up to whole seconds, at least 1,000. */
  ttlMs?: number | undefined;
  /** The server drops all earlier messages of the subject in the same write. */
  rollup?: boolean | undefined;
  /** The longest wait for the acknowledgement, in ms; default {@link APPEND_TIMEOUT_MS}. */
  timeoutMs?: number | undefined;
}

/**
 * The default wait for an append's acknowledgement, in ms: longer than a stream leader's fail-over (4–6 s measured).
 */
export const APPEND_TIMEOUT_MS = 10_000;

/** A stored message. */
export interface Stored extends Incoming {
  readonly seq: number;
  readonly storedAtMs: number;
}

/** A stored message without its body. */
export type StoredHead = Omit<Stored, "data">;

/** The counts of one stream. */
export interface LogInfo {
  messages: number;
  bytes: number;
  /** The sequence of the oldest stored message; `lastSeq + 1` when empty. */
  firstSeq: number;
  lastSeq: number;
  /** The most bytes that the stream may store; null without a limit of its own. */
  limitBytes: number | null;
}

/** One stream as a log. */
export interface Log {
  /**
   * Appends one message.
   * @throws SwarmError `conflict`: an expectation does not hold (see {@link lastSeqOf}), or the subject already holds its
   *   one message; in both cases the message is not stored. `payload_too_large`: over the stream's message limit.
   *   `rate_limited`: the stream is full. `invalid_input`: a header, TTL, rollup or schedule that the stream does not
   *   accept. `unavailable`: no stream, or no acknowledgement in time (**the message may be stored or not**).
   */
  append(
    subject: string,
    data: Uint8Array,
    options?: AppendOptions,
  ): Promise<{ seq: number; duplicate: boolean }>;
  /**
   * The last message whose subject matches `filter`, or null. By default any replica answers: fast, but it may lag
   * behind an acknowledged append by a moment. `fresh: true` asks the stream's leader.
   */
  last(filter: string, options?: { fresh?: boolean }): Promise<Stored | null>;
  /** The message with this sequence, or null. */
  get(seq: number): Promise<Stored | null>;
  /** The first message that matches `filter` and has at least this sequence, from the stream's leader; null when there is none. */
  next(filter: string, fromSeq: number): Promise<Stored | null>;
  /**
   * Reads stored messages in order, in pages, from `fromSeq` (default 1). Ends at the last message that was stored
   * when the read began, or after `limit` messages. Creates no consumer, so it also works on work queues.
   */
  read(options?: { filter?: string; fromSeq?: number; limit?: number }): AsyncIterable<Stored>;
  /**
   * Delivers every stored message after `afterSeq` in order, then every new message. Resolves when all messages that
   * were stored at the start are delivered. Survives reconnects and restarts of the server without gaps or repeats.
   * If another, shorter stream replaces the stream, the tail does not read the new one from its start: check `info`.
   * @throws SwarmError `unavailable` when it cannot start.
   */
  tail(options: { afterSeq: number; onStored: (stored: Stored) => void }): Promise<Subscription>;
  /**
   * Calls `onLast` with the last message of each subject that matches `filter`, without its body, in the order of the stream. Resolves after
   * the last one; true when there are more than `max`. A message that is stored meanwhile may come, too, as a second one of its subject.
   * @throws SwarmError `unavailable` when it cannot start, and when the transport is closed first.
   */
  lasts(options: { filter: string; max: number; onLast: (stored: StoredHead) => void }): Promise<boolean>;
  /** The number of messages of each subject that matches `filter`; at most `max` subjects (default 10,000). */
  subjects(filter: string, options?: { max?: number }): Promise<Map<string, number>>;
  /** The counts of the stream now. */
  info(): Promise<LogInfo>;
  /**
   * Removes the messages that match `filter` (default: all) and have a sequence below `beforeSeq` (default: no bound),
   * and returns their number. Without a filter and with a `beforeSeq` above the last sequence, it empties the stream,
   * and the next message gets the sequence `beforeSeq`.
   * @throws SwarmError `not_permitted`: this stream does not allow removals.
   */
  purge(options?: { filter?: string; beforeSeq?: number }): Promise<number>;
  /**
   * Removes one message by its sequence; false when there is none.
   * @throws SwarmError `not_permitted`: this stream does not allow removals.
   */
  delete(seq: number): Promise<boolean>;
}

/** A delivery of a queued message. The receiver calls exactly one of `ack` and `nak`. */
export interface Delivery extends Incoming {
  readonly seq: number;
  /** 1 for the first delivery. Rises with every redelivery, for any reason, so it is no attempt counter. */
  readonly deliveryCount: number;
  /** The consumer's backlog when this delivery left the server. */
  readonly pending: number;
  readonly storedAtMs: number;
  /** Removes the message from the queue. Fire and forget. */
  ack(): void;
  /** Gives the message back for a redelivery after `delayMs` (0: at once). */
  nak(delayMs: number): void;
  /** Reports that the work continues, so the server restarts the ack-wait. */
  working(): void;
}

/**
 * The reason why a pull ended. `gone`: the consumer or stream was deleted. `lost`: the connection broke, or the server
 * went silent.
 */
export type PullEnd = "filled" | "expired" | "gone" | "lost" | "cancelled";

/** A pull that is open on the server. */
export interface Pull {
  /** The number of deliveries that may still come. */
  readonly remaining: number;
  /** Stops the pull. Deliveries in flight go back to the queue, for a redelivery at once. */
  cancel(): void;
}

/** Takes the deliveries of a pull. */
export interface PullSink {
  onDelivery(delivery: Delivery): void;
  onEnd(end: PullEnd): void;
  /** Called when a delivery is given back by its `nak`. */
  onNak?(delivery: Delivery): void;
}

/** A durable, single-filter pull consumer. An ack removes the message from a work queue; another stream keeps it. */
export interface QueueConsumer {
  readonly name: string;
  readonly filter: string;
  /**
   * Asks for up to `max` messages. Calls `onDelivery` for each delivery as it arrives, then `onEnd` exactly once.
   * `expiresMs` is at least 1,000, or 0. With 0 the pull delivers the waiting messages and ends at once.
   */
  pull(request: { max: number; expiresMs: number }, sink: PullSink): Pull;
  /** The server's counts of waiting messages, unacked deliveries and open pulls; null when the consumer does not exist. */
  info(): Promise<{ pending: number; ackPending: number; openPulls: number } | null>;
}

/** A consumer to create. A name always belongs to the same filter. */
export interface ConsumerSpec {
  name: string;
  filter: string;
  /**
   * The server deletes the consumer after this time without an open pull, in ms; the messages stay. Default: the
   * consumer stays until it is deleted.
   */
  inactiveMs?: number | undefined;
  /** The time until the server redelivers an unanswered message, in ms; default {@link ACK_WAIT_MS} of the protocol. */
  ackWaitMs?: number | undefined;
  /** A consumer that does not exist yet begins paused until then, in ms since 1970. An existing one is not changed. */
  pausedUntilMs?: number | undefined;
}

/** A consumer of a work queue as {@link Queue.consumers} reports it. */
export interface QueueConsumerInfo {
  name: string;
  filter: string;
  pending: number;
  ackPending: number;
  deliveredSeq: number;
  /** The end of its pause, in ms since 1970; null while it delivers. */
  pausedUntilMs: number | null;
}

/** The consumers of one work-queue stream. */
export interface Queue {
  /**
   * Creates the consumer unless it exists (idempotent), and returns it.
   * @throws SwarmError `conflict` when its filter overlaps the filter of another consumer; `unavailable`.
   */
  consumer(spec: ConsumerSpec): Promise<QueueConsumer>;
  /**
   * The consumer as it exists now, or null. Creates nothing: a process that may not create consumers uses this call.
   * @throws SwarmError `conflict` when the consumer has another filter; `unavailable`, `not_permitted`.
   */
  existing(spec: Pick<ConsumerSpec, "name" | "filter">): Promise<QueueConsumer | null>;
  /**
   * All consumers of the stream, with the counts of waiting messages (`pending`) and unacked deliveries (`ackPending`), and
   * the highest sequence that each has delivered (`deliveredSeq`; 0: none). A consumer delivers in the order of the
   * sequences, so it never delivered a message with a higher one.
   */
  consumers(): Promise<QueueConsumerInfo[]>;
  /** Deletes a consumer; false when there is none. */
  deleteConsumer(name: string): Promise<boolean>;
  /**
   * Pauses a consumer until `untilMs` (ms since 1970), or resumes it (null); false when there is none. A paused consumer
   * delivers nothing, and its open pulls stay open; acks, naks and work reports of earlier deliveries count. The pause
   * survives restarts of the server, and a repeated {@link Queue.consumer} does not end it.
   * @throws SwarmError `unavailable`.
   */
  pauseConsumer(name: string, untilMs: number | null): Promise<boolean>;
}

/** A value of a bucket. `revision` rises with every write; compare-and-set compares it. */
export interface BucketEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
}

/**
 * A small key-value store with compare-and-set. Keys are tokens joined by dots; any other key is `invalid_input`. Where a
 * permission of NATS must bind a key to its owner, the key begins with the kind and the owner: `task.<capability>.…`.
 */
export interface Bucket {
  /**
   * The entry of a key, or null. Any replica answers, so in a cluster the entry may lag behind a finished write by a moment;
   * {@link Bucket.update} notices that. NATS names the key in the subject of the request, so a permission can bind it.
   */
  get(key: string): Promise<BucketEntry | null>;
  /** Writes without a condition, and returns the new revision. */
  put(key: string, value: Uint8Array): Promise<number>;
  /**
   * Writes only when the key's revision is still `revision` (0: the key is absent), and returns the new revision.
   * @throws SwarmError `conflict` when the revision is another one.
   */
  update(key: string, value: Uint8Array, revision: number): Promise<number>;
  /** Deletes a key; does nothing when the key is absent. */
  delete(key: string): Promise<void>;
  /** All present keys, in no order. */
  keys(): Promise<string[]>;
  /**
   * Calls `onEntry` for every stored key, then for every change (`null` value: deleted). Resolves when all stored keys
   * are delivered. Survives reconnects; after an outage it delivers the last change of each key. It does not report a
   * key that the bucket removes because of its age.
   */
  watch(onEntry: (key: string, value: Uint8Array | null) => void): Promise<Subscription>;
}

/** Large bodies, named by their hash. */
export interface Blobs {
  /**
   * Stores `data` under its SHA-256 hash. Storing the same bytes again is cheap.
   * @throws SwarmError `payload_too_large` over 64 MiB.
   */
  put(data: Uint8Array): Promise<{ $blob: string; bytes: number }>;
  /** Reads a blob and verifies its hash. @throws SwarmError `not_found`; `internal` when the bytes do not match the hash. */
  get(ref: { $blob: string; bytes: number }): Promise<Uint8Array>;
  /**
   * Makes sure that a stored blob is in the first half of its time, without the caller having its bytes: stores it again when half of
   * {@link Blobs.ttlMs} has passed.
   * @returns `renewed`: stored again; `fresh`: it was young enough; `missing`: it is not stored (any more).
   * @throws SwarmError `unavailable`; `internal` when the bytes do not match the hash.
   */
  renew(ref: { $blob: string; bytes: number }): Promise<BlobRenewal>;
  /** How long a blob is kept after it was last stored, in ms. */
  readonly ttlMs: number;
}

/** The outcome of {@link Blobs.renew}. */
export type BlobRenewal = "renewed" | "fresh" | "missing";

/** Named large bodies, kept until they are deleted. Reads see every finished write. */
export interface Objects {
  /**
   * Stores `data`, in one piece or in several, under `name`, and replaces an earlier object of that name.
   * @throws SwarmError `payload_too_large` over 256 MiB; `unavailable` (**the object may be stored or not**).
   */
  put(name: string, data: Uint8Array | readonly Uint8Array[]): Promise<void>;
  /** Reads an object; null when there is none. @throws SwarmError `internal` when the object is damaged; `unavailable`. */
  get(name: string): Promise<Uint8Array | null>;
  /** The names of all objects, in no order. */
  names(): Promise<string[]>;
  /** Removes an object; does nothing when there is none. */
  delete(name: string): Promise<void>;
}

/** The state of the connection. */
export type ConnectionState = "connected" | "disconnected" | "closed";

/** A setting of a stream or bucket that is not as its definition says. */
export interface StreamDifference {
  /** The name of the stream or bucket, as JetStream knows it. */
  readonly stream: string;
  readonly setting: string;
  readonly expected: string;
  readonly found: string;
  /** The difference as a clause about the stream. */
  readonly clause: string;
  /** The whole difference for people, with the next step. */
  readonly text: string;
  /** `init` with `apply` makes this change. False: NATS does not allow it, or messages could be lost, so a person decides. */
  readonly canApply: boolean;
  /** The swarm cannot work correctly with it. */
  readonly isBlocking: boolean;
}

/** The deeds and the findings of `init`. */
export interface InitReport {
  /** The names of the streams and buckets that it created. */
  created: string[];
  /** The differences that `apply` removed. */
  applied: StreamDifference[];
  /** The names of the streams and buckets that are as their definitions say. */
  verified: string[];
  /** The differences that are left. */
  differences: StreamDifference[];
  /** Settings that work and could be better. */
  warnings: string[];
}

/** A message that wants this process to publish where only others may decide; see `Transport.onReplyRefused`. */
export interface RefusedReply {
  /** `reply`: an answer to a request; `ack`: of a delivery; `flow`: of flow control. */
  readonly kind: "reply" | "ack" | "flow";
  /** The subject of the message, at most 256 characters. */
  readonly subject: string;
  /** The subject that it wants the answer on, at most 256 characters. */
  readonly reply: string;
}

/** An operation that the server did not permit the user of this process; see `Transport.onViolation`. */
export interface Violation {
  readonly operation: "publish" | "subscribe";
  readonly subject: string;
  /** The way to permit the operation, as the program of this connection knows it. */
  readonly advice?: string;
}

/** A stream or bucket as `Transport.inspect` finds it. */
export interface Inspected {
  readonly key: StreamKey | BucketKey;
  readonly name: string;
  readonly exists: boolean;
  readonly problem: string | null;
  readonly advice: readonly string[];
}

/** An operation whose permission is tried; see `Transport.tryPermissions`. */
export type Trial = Violation;
/** The outcome of one attempt. `untried`: the server does not judge messages without delivering them, so none was sent. */
export type PermissionTrial = "allowed" | "refused" | "untried";

/** All messaging of one process. */
export interface Transport {
  readonly prefix: string;
  readonly bus: Bus;
  /** The time of the server, as far as it is measured: see {@link SwarmClock.sync} and {@link SwarmClock.keep}. */
  readonly clock: SwarmClock;
  log(stream: StreamKey): Log;
  /** The classes that have a stream of placed tasks, sorted. @throws SwarmError `unavailable`. */
  placedClasses(): Promise<string[]>;
  queue(stream: StreamKey): Queue;
  bucket(bucket: Exclude<BucketKey, "blobs" | "snapshots" | "entries">): Bucket;
  readonly blobs: Blobs;
  /** The snapshots of the control state. */
  readonly snapshots: Objects;
  /** The large entries of the logs of workflows. */
  readonly entries: Objects;
  /** How long this process keeps the journal of an ended task, in ms; undefined: the default of the journal. */
  readonly journalAgeMs: number | undefined;
  /** The largest message that the server accepts, in bytes. */
  readonly maxPayloadBytes: number;
  readonly state: ConnectionState;
  /**
   * Reconnects to another server of the cluster. Call it when this server accepts messages but is cut off from the other
   * servers, so that it cannot store them. Requests and pulls in flight end as they do when a connection breaks. Does
   * nothing without a connection, or without a cluster.
   */
  changeServer(): void;
  /** Calls `onState` at every change of `state`. */
  onState(onState: (state: ConnectionState) => void): Subscription;
  /**
   * Calls `onRefused` for each received message whose reply subject this process does not publish to: a reply must go below
   * `_INBOX.`, the ack of a delivery to its own consumer, the answer to flow control below `$JS.FC.`.
   */
  onReplyRefused(onRefused: (refused: RefusedReply) => void): Subscription;
  /**
   * Calls `onViolation` for each operation that the server did not permit. A request that waits for the answer to such a
   * message rejects at once with `not_permitted`.
   */
  onViolation(onViolation: (violation: Violation) => void): Subscription;
  /**
   * Creates the missing streams and buckets of the swarm, and compares the others with their definitions. It changes an existing
   * one only with `apply`, and then only where a difference says so; only a shorter age removes stored messages. `warnings` lists
   * settings that work but could be better, for example fewer copies than the cluster could hold. `classes`: the agent classes that
   * need a stream of placed tasks, default `default`; the streams of other classes are compared. `hasPermissions`: NATS has a user for
   * each role, so the store of blobs refuses roll-ups; default: it may do either.
   * @throws SwarmError `conflict` when another stream holds a subject; `unavailable` when the server is older than 2.12 or has no
   *   JetStream.
   */
  init(options?: {
    apply?: boolean | undefined;
    classes?: readonly string[] | undefined;
    hasPermissions?: boolean | undefined;
  }): Promise<InitReport>;
  /**
   * Checks the swarm's streams and buckets without changing them; `classes` as for `init`. `problem` is null for a correct stream or bucket;
   * `advice` lists the settings that work and that `init` with `apply` would change.
   * @throws SwarmError `unavailable` when the server is older than 2.12, has no JetStream, or does not answer.
   */
  inspect(options?: { classes?: readonly string[] | undefined }): Promise<Inspected[]>;
  /**
   * Checks the server by the facts that it sent when this process connected; sends nothing.
   * @throws SwarmError `unavailable` when the server is older than 2.12 or has no JetStream.
   */
  checkServer(): void;
  /** The problem of a stream that acknowledges no message although NATS answers, such as a full disk; null without one. */
  readonly silentStream: string | null;
  /** The weakness of the server's version that an operator must know of; null without one. */
  readonly serverRisk: string | null;
  /**
   * Asks the server whether it permits these operations, without their effect: no message is delivered, and a subscription ends at
   * once. The server logs a violation for each attempt to publish. `control`: a subject that no program listens on and that the user may
   * publish; a server that would deliver such an attempt shows it there, and then all attempts to publish stay untried. Subjects of
   * attempts differ from `control`. Outcomes are in the order of the attempts.
   * @throws SwarmError `unavailable`: the connection was lost.
   */
  tryPermissions(control: string, attempts: readonly Trial[]): Promise<PermissionTrial[]>;
  /**
   * Flushes (for at most 500 ms) and closes the connection, also while it is lost or the server hangs. Everything that
   * still waits on the connection fails at once with `unavailable`; open pulls end as `lost`. Safe to repeat.
   */
  close(): Promise<void>;
}
