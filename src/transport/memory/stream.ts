// One stream in memory, used by the connections of the in-memory server. An append checks its conditions in the same order as
// JetStream 2.14 (measured; the conformance suite checks it). Owns messages, limits and expiry; leaves deliveries to
// consumer.ts.
// I1: a rejected message leaves no trace: it is not stored, its id is not remembered, and it is not republished or delivered.
// I2: sequences rise by one for each stored message and are never reused.
import { HEADERS, type StreamSpec, SwarmError } from "../../protocol/index.ts";
import { ROLLUP_REFUSED } from "../jetstream-errors.ts";
import type { ConsumerSpec, LogInfo, Stored } from "../ports.ts";
import { STREAM_HEADERS } from "../stream-headers.ts";
import { MemoryConsumer } from "./consumer.ts";
import { compileFilter, filtersOverlap, headerOf, type RawMessage, sizeOf } from "./message.ts";
import type { Timers } from "./timers.ts";

/** JetStream's dedup window for a stream without one of its own (nats-server `StreamDefaultDuplicatesWindow`). */
const DEFAULT_DEDUP_WINDOW_MS = 120_000;

/** A stored message, its size, and the timer that removes it (TTL) or publishes it to its target (schedule). */
export interface StoredMessage {
  readonly seq: number;
  readonly storedAtMs: number;
  readonly message: RawMessage;
  readonly bytes: number;
  cancelTimer: (() => void) | undefined;
}

/** The wait before a schedule fires again whose message the stream did not take, in ms. */
const FIRE_RETRY_MS = 250;

/** One stream. */
export class MemoryStream {
  readonly spec: StreamSpec;
  readonly consumers = new Map<string, MemoryConsumer>();
  readonly #timers: Timers;
  readonly #broadcast: (message: RawMessage) => void;
  readonly #subjectMatchers: ((subject: string) => boolean)[];
  readonly #isRepublished: (subject: string) => boolean;
  /** The messages in order of sequence. */
  readonly #stored = new Map<number, StoredMessage>();
  /** The sequences of each subject, in rising order. */
  readonly #bySubject = new Map<string, number[]>();
  /** Message ids in order of arrival. The dedup window bounds them. */
  readonly #ids = new Map<string, { seq: number; atMs: number }>();
  readonly #tails = new Set<(stored: Stored) => void>();
  #lastSeq = 0;
  #bytes = 0;

  constructor(spec: StreamSpec, timers: Timers, broadcast: (message: RawMessage) => void) {
    this.spec = spec;
    this.#timers = timers;
    this.#broadcast = broadcast;
    this.#subjectMatchers = spec.subjects.map(compileFilter);
    this.#isRepublished = spec.republish === undefined ? () => false : compileFilter(spec.republish.from);
  }

  /** Whether messages on this subject are stored in this stream. */
  takes(subject: string): boolean {
    return this.#subjectMatchers.some((matches) => matches(subject));
  }

  /** Stores a message, or throws the errors of `Log.append`. */
  append(message: RawMessage): { seq: number; duplicate: boolean } {
    this.#expire();
    const reject = (code: "conflict" | "rate_limited" | "payload_too_large", why: string) =>
      new SwarmError(code, `append to ${message.subject}: ${why}`);
    const bytes = sizeOf(message);
    const { maxMessageBytes = 0, maxBytes = 0, maxPerSubject = 0, discard } = this.spec;
    if (maxMessageBytes > 0 && bytes > maxMessageBytes)
      throw reject("payload_too_large", `${bytes} bytes; ${this.spec.name} takes at most ${maxMessageBytes}`);

    const id = headerOf(message, HEADERS.messageId);
    const duplicateSeq = id === undefined ? undefined : this.#findDuplicate(id);
    if (duplicateSeq !== undefined) return { seq: duplicateSeq, duplicate: true };

    const earlier = this.#bySubject.get(message.subject) ?? [];
    const expectedLast = numberOf(message, STREAM_HEADERS.expectedLastSeq);
    if (expectedLast !== undefined && expectedLast !== this.#lastSeq)
      throw reject("conflict", `wrong last sequence: ${this.#lastSeq}: another write came first`);
    const expectedOfSubject = numberOf(message, STREAM_HEADERS.expectedLastSubjectSeq);
    if (expectedOfSubject !== undefined && expectedOfSubject !== (earlier.at(-1) ?? 0))
      throw reject("conflict", `wrong last sequence: ${earlier.at(-1) ?? 0}: another write came first`);

    const { ttlMs, dueMs, rollup } = this.#readInstructions(message);
    if (discard === "new" && maxPerSubject === 1 && earlier.length > 0 && !rollup)
      throw reject("conflict", "the subject already holds its one message");
    if (
      discard === "new" &&
      maxBytes > 0 &&
      this.#bytes + bytes > maxBytes &&
      !this.#makesRoom(earlier, bytes)
    )
      throw reject(
        "rate_limited",
        "the stream is full; retry when some of its messages are gone, or give it more bytes",
      );

    const seq = this.#store(message, bytes, rollup ? [...earlier] : []);
    if (id !== undefined) this.#ids.set(id, { seq, atMs: this.#timers.now() });
    const stored = this.#stored.get(seq)!;
    if (dueMs !== undefined)
      stored.cancelTimer = this.#timers.after(dueMs - this.#timers.now(), () => this.#fire(stored));
    else if (ttlMs !== undefined) stored.cancelTimer = this.#timers.after(ttlMs, () => this.remove(seq));
    this.#republish(stored, earlier.at(-2) ?? 0);
    for (const consumer of this.consumers.values()) consumer.offer(stored);
    for (const onStored of this.#tails) onStored(toStored(stored));
    return { seq, duplicate: false };
  }

  last(filter: string): Stored | null {
    this.#expire();
    let lastSeq = 0;
    for (const seqs of this.#sequencesMatching(filter)) lastSeq = Math.max(lastSeq, seqs.at(-1)!);
    return this.get(lastSeq);
  }

  get(seq: number): Stored | null {
    this.#expire();
    const stored = this.#stored.get(seq);
    return stored === undefined ? null : toStored(stored);
  }

  /** The last message of each matching subject, in the order of the stream. */
  lasts(filter: string): Stored[] {
    this.#expire();
    const seqs = [...this.#sequencesMatching(filter)].map((found) => found.at(-1)!).sort((a, b) => a - b);
    return seqs.map((seq) => toStored(this.#stored.get(seq)!));
  }

  *read(options: {
    filter?: string | undefined;
    fromSeq?: number | undefined;
    limit?: number | undefined;
  }): Iterable<Stored> {
    this.#expire();
    const { filter = ">", fromSeq = 1, limit = Number.POSITIVE_INFINITY } = options;
    const until = this.#lastSeq;
    const matches = compileFilter(filter);
    let left = limit;
    for (const stored of this.#stored.values()) {
      if (stored.seq > until || left <= 0) return;
      if (stored.seq < fromSeq || !matches(stored.message.subject)) continue;
      left--;
      yield toStored(stored);
    }
  }

  /** Delivers every message after `afterSeq`, then every new one, until the returned function is called. */
  tail(afterSeq: number, onStored: (stored: Stored) => void): () => void {
    for (const stored of this.read({ fromSeq: afterSeq + 1 })) onStored(stored);
    this.#tails.add(onStored);
    return () => this.#tails.delete(onStored);
  }

  /** The number of messages of each matching subject, for at most `max` subjects. */
  subjects(filter: string, max: number): Map<string, number> {
    this.#expire();
    const counts = new Map<string, number>();
    const matches = compileFilter(filter);
    for (const [subject, seqs] of this.#bySubject) {
      if (counts.size >= max) break;
      if (matches(subject)) counts.set(subject, seqs.length);
    }
    return counts;
  }

  info(): LogInfo {
    this.#expire();
    const firstSeq = this.#stored.keys().next().value ?? this.#lastSeq + 1;
    return {
      messages: this.#stored.size,
      bytes: this.#bytes,
      firstSeq,
      lastSeq: this.#lastSeq,
      limitBytes: this.spec.maxBytes ?? null,
    };
  }

  /** Removes the messages that match `filter` and are older than `beforeSeq`; returns their number. */
  purge(options: { filter?: string | undefined; beforeSeq?: number | undefined }): number {
    this.#expire();
    const { filter = ">", beforeSeq = Number.POSITIVE_INFINITY } = options;
    const removed = [...this.#sequencesMatching(filter)].flat().filter((seq) => seq < beforeSeq);
    for (const seq of removed) this.remove(seq);
    if (options.filter === undefined && options.beforeSeq !== undefined) {
      this.#lastSeq = Math.max(this.#lastSeq, options.beforeSeq - 1);
    }
    return removed.length;
  }

  /** Removes a message from the stream and its consumers; false when there is none. */
  remove(seq: number): boolean {
    const stored = this.#stored.get(seq);
    if (stored === undefined) return false;
    stored.cancelTimer?.();
    this.#stored.delete(seq);
    this.#bytes -= stored.bytes;
    const { subject } = stored.message;
    const seqs = this.#bySubject.get(subject)!;
    seqs.splice(seqs.indexOf(seq), 1);
    if (seqs.length === 0) this.#bySubject.delete(subject);
    for (const consumer of this.consumers.values()) consumer.forget(seq);
    return true;
  }

  /**
   * Creates a consumer, or returns the existing consumer with this name and filter.
   * @throws SwarmError `conflict` when the filter overlaps another consumer's.
   */
  consumer(spec: ConsumerSpec): MemoryConsumer {
    const existing = this.consumers.get(spec.name);
    if (existing?.filter === spec.filter) return existing;
    const overlapping = [...this.consumers.values()].find((other) =>
      filtersOverlap(other.filter, spec.filter),
    );
    if (overlapping !== undefined) {
      throw new SwarmError(
        "conflict",
        `create consumer ${spec.name} on ${this.spec.name}: its filter ${spec.filter} overlaps ${overlapping.filter} of ${overlapping.name}`,
        { field: "filter" },
      );
    }
    const consumer = new MemoryConsumer(
      spec,
      this,
      this.#timers,
      this.spec.retention === "workqueue" ? "remove" : "keep",
    );
    this.consumers.set(spec.name, consumer);
    const matches = compileFilter(spec.filter);
    for (const stored of this.#stored.values()) if (matches(stored.message.subject)) consumer.offer(stored);
    return consumer;
  }

  deleteConsumer(name: string): boolean {
    const consumer = this.consumers.get(name);
    this.consumers.delete(name);
    consumer?.end();
    return consumer !== undefined;
  }

  *#sequencesMatching(filter: string): Iterable<number[]> {
    const exact = this.#bySubject.get(filter);
    if (exact !== undefined) yield exact;
    else {
      const matches = compileFilter(filter);
      for (const [subject, seqs] of this.#bySubject) if (matches(subject)) yield seqs;
    }
  }

  #store(message: RawMessage, bytes: number, replaced: readonly number[]): number {
    const seq = ++this.#lastSeq; // I2
    this.#stored.set(seq, { seq, storedAtMs: this.#timers.now(), message, bytes, cancelTimer: undefined });
    this.#bytes += bytes;
    const seqs = this.#bySubject.get(message.subject);
    if (seqs === undefined) this.#bySubject.set(message.subject, [seq]);
    else seqs.push(seq);
    for (const old of replaced) this.remove(old);
    const { discard, maxPerSubject = 0, maxBytes = 0 } = this.spec;
    if (maxPerSubject > 0 && seqs !== undefined && seqs.length > maxPerSubject) this.remove(seqs[0]!);
    while (discard === "old" && maxBytes > 0 && this.#bytes > maxBytes)
      this.remove(this.#stored.keys().next().value!);
    return seq;
  }

  /** Whether a full stream takes a message all the same: it drops the oldest message of the subject, which is at least as large. */
  #makesRoom(earlier: readonly number[], bytes: number): boolean {
    const { maxPerSubject = 0 } = this.spec;
    if (maxPerSubject < 2 || earlier.length < maxPerSubject) return false;
    return (this.#stored.get(earlier[0]!)?.bytes ?? 0) >= bytes;
  }

  /**
   * Reads the headers of an append for TTL, schedule and rollup.
   * @throws SwarmError `invalid_input` when the stream does not allow such a header, or its value is wrong.
   */
  #readInstructions(message: RawMessage): {
    ttlMs: number | undefined;
    dueMs: number | undefined;
    rollup: boolean;
  } {
    const reject = (why: string) =>
      new SwarmError("invalid_input", `append to ${message.subject}: ${why}`, { field: "headers" });
    const ttl = headerOf(message, STREAM_HEADERS.ttl);
    if (ttl !== undefined && this.spec.allowTtl !== true) throw reject("per-message TTL is disabled");
    const ttlSeconds = ttl === undefined ? undefined : Number(/^([1-9]\d*)s?$/.exec(ttl)?.[1]);
    if (Number.isNaN(ttlSeconds)) throw reject(`invalid per-message TTL ${JSON.stringify(ttl)}`);

    const schedule = headerOf(message, HEADERS.schedule);
    if (schedule !== undefined && this.spec.allowSchedules !== true)
      throw reject("message schedules are disabled");
    const dueMs = schedule === undefined ? undefined : Date.parse(/^@at (.+)$/.exec(schedule)?.[1] ?? "");
    if (Number.isNaN(dueMs)) throw reject(`message schedule ${JSON.stringify(schedule)} is not "@at <time>"`);
    if (dueMs !== undefined && !this.takes(headerOf(message, HEADERS.scheduleTarget) ?? ""))
      throw reject("the schedule's target must be a subject of the same stream");

    const rollup = headerOf(message, STREAM_HEADERS.rollup);
    if (rollup !== undefined && this.spec.allowRollup !== true) throw reject(ROLLUP_REFUSED);
    if (rollup !== undefined && rollup !== "sub") throw reject(`rollup ${rollup} is not "sub"`);
    return {
      ttlMs: ttlSeconds === undefined ? undefined : ttlSeconds * 1_000,
      dueMs,
      rollup: rollup !== undefined || dueMs !== undefined, // a new schedule replaces the earlier one
    };
  }

  /**
   * Fires a schedule that is due: moves its message to the target subject, without its `Nats-` headers. A stream that does
   * not take it keeps the schedule, and fires it again later.
   */
  #fire(stored: StoredMessage): void {
    const target = headerOf(stored.message, HEADERS.scheduleTarget)!;
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(stored.message.headers ?? {})) {
      if (!/^nats-/i.test(name)) headers[name] = value;
    }
    headers[STREAM_HEADERS.scheduler] = stored.message.subject;
    headers[STREAM_HEADERS.scheduleNext] = "purge";
    this.#bytes -= stored.bytes; // the schedule makes room for its message
    try {
      this.append({ subject: target, data: stored.message.data, headers });
    } catch (error) {
      if (!(error instanceof SwarmError)) throw error;
      stored.cancelTimer = this.#timers.after(FIRE_RETRY_MS, () => this.#fire(stored));
      return;
    } finally {
      this.#bytes += stored.bytes;
    }
    this.remove(stored.seq);
  }

  #republish(stored: StoredMessage, lastOfSubject: number): void {
    const { subject, data, headers } = stored.message;
    const { republish, name } = this.spec;
    if (republish === undefined || !this.#isRepublished(subject)) return;
    const fixed = republish.from.slice(0, -1); // both subjects end in `.>`: the rest of the subject stays the same
    this.#broadcast({
      subject: republish.to.slice(0, -1) + subject.slice(fixed.length),
      data,
      headers: {
        ...headers,
        [STREAM_HEADERS.stream]: name,
        [STREAM_HEADERS.subject]: subject,
        [STREAM_HEADERS.sequence]: String(stored.seq),
        [STREAM_HEADERS.timestamp]: new Date(stored.storedAtMs).toISOString(),
        [STREAM_HEADERS.lastSequence]: String(lastOfSubject),
      },
    });
  }

  #findDuplicate(id: string): number | undefined {
    const windowMs = this.spec.dedupWindowMs ?? DEFAULT_DEDUP_WINDOW_MS;
    const sinceMs = this.#timers.now() - windowMs;
    for (const [old, { atMs }] of this.#ids) {
      if (atMs > sinceMs) break;
      this.#ids.delete(old);
    }
    return this.#ids.get(id)?.seq;
  }

  #expire(): void {
    const { maxAgeMs = 0 } = this.spec;
    if (maxAgeMs === 0) return;
    const sinceMs = this.#timers.now() - maxAgeMs;
    for (const stored of this.#stored.values()) {
      if (stored.storedAtMs > sinceMs) break;
      this.remove(stored.seq);
    }
  }
}

function numberOf(message: RawMessage, header: string): number | undefined {
  const value = headerOf(message, header);
  return value === undefined ? undefined : Number(value);
}

function toStored(stored: StoredMessage): Stored {
  const { message, seq, storedAtMs } = stored;
  return {
    seq,
    storedAtMs,
    subject: message.subject,
    data: message.data,
    header: (name) => headerOf(message, name),
  };
}
