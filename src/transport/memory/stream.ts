// One stream in memory: what JetStream 2.14 does with an append, in its order (measured, and held to it by the
// conformance suite). Owns messages, limits and expiry; leaves deliveries to consumer.ts.
// I1: a message that is refused leaves no trace: nothing stored, remembered, republished or delivered.
// I2: sequences rise by one for each stored message and are never used again.
import { HEADERS, type StreamSpec, SwarmError } from "../../protocol/index.ts";
import type { ConsumerSpec, LogInfo, Stored } from "../ports.ts";
import { STREAM_HEADERS } from "../stream-headers.ts";
import { MemoryConsumer } from "./consumer.ts";
import { fits, headerOf, overlap, type RawMessage, sizeOf } from "./message.ts";
import type { Timers } from "./timers.ts";

/** JetStream's dedup window when a stream names none (nats-server `StreamDefaultDuplicatesWindow`). */
const DEFAULT_DEDUP_WINDOW_MS = 120_000;

/** A stored message with what the stream needs to forget it. */
export interface Kept {
  readonly seq: number;
  readonly storedAtMs: number;
  readonly message: RawMessage;
  readonly bytes: number;
  cancelTimer: (() => void) | undefined;
}

/** One stream. */
export class MemoryStream {
  readonly spec: StreamSpec;
  readonly consumers = new Map<string, MemoryConsumer>();
  readonly #timers: Timers;
  readonly #broadcast: (message: RawMessage) => void;
  readonly #takes: ((subject: string) => boolean)[];
  readonly #republishes: (subject: string) => boolean;
  /** In order of sequence. */
  readonly #kept = new Map<number, Kept>();
  /** The sequences of each subject, rising. */
  readonly #bySubject = new Map<string, number[]>();
  /** Message ids in order of arrival; bounded by the window. */
  readonly #ids = new Map<string, { seq: number; atMs: number }>();
  readonly #tails = new Set<(stored: Stored) => void>();
  #lastSeq = 0;
  #bytes = 0;

  constructor(spec: StreamSpec, timers: Timers, broadcast: (message: RawMessage) => void) {
    this.spec = spec;
    this.#timers = timers;
    this.#broadcast = broadcast;
    this.#takes = spec.subjects.map(fits);
    this.#republishes = spec.republish === undefined ? () => false : fits(spec.republish.from);
  }

  takes(subject: string): boolean {
    return this.#takes.some((take) => take(subject));
  }

  /** Stores a message or throws, as `Log.append` promises. */
  append(message: RawMessage): { seq: number; duplicate: boolean } {
    this.#expire();
    const refuse = (code: "conflict" | "rate_limited" | "payload_too_large", why: string) =>
      new SwarmError(code, `append to ${message.subject}: ${why}`);
    const bytes = sizeOf(message);
    const { maxMessageBytes = 0, maxBytes = 0, maxPerSubject = 0, discard } = this.spec;
    if (maxMessageBytes > 0 && bytes > maxMessageBytes)
      throw refuse("payload_too_large", `${bytes} bytes; ${this.spec.name} takes at most ${maxMessageBytes}`);

    const id = headerOf(message, HEADERS.messageId);
    const known = id === undefined ? undefined : this.#recall(id);
    if (known !== undefined) return { seq: known, duplicate: true };

    const earlier = this.#bySubject.get(message.subject) ?? [];
    const expectedLast = numberOf(message, STREAM_HEADERS.expectedLastSeq);
    if (expectedLast !== undefined && expectedLast !== this.#lastSeq)
      throw refuse("conflict", `wrong last sequence: ${this.#lastSeq}: another write came first`);
    const expectedOfSubject = numberOf(message, STREAM_HEADERS.expectedLastSubjectSeq);
    if (expectedOfSubject !== undefined && expectedOfSubject !== (earlier.at(-1) ?? 0))
      throw refuse("conflict", `wrong last sequence: ${earlier.at(-1) ?? 0}: another write came first`);

    const { ttlMs, dueMs, rollup } = this.#readInstructions(message);
    if (discard === "new" && maxPerSubject > 0 && earlier.length >= maxPerSubject && !rollup)
      throw refuse("conflict", "the subject holds its one message already");
    if (discard === "new" && maxBytes > 0 && this.#bytes + bytes > maxBytes)
      throw refuse("rate_limited", "the stream is full; wait until agents have taken some work");

    const seq = this.#keep(message, bytes, rollup ? [...earlier] : []);
    if (id !== undefined) this.#ids.set(id, { seq, atMs: this.#timers.now() });
    const kept = this.#kept.get(seq)!;
    if (dueMs !== undefined)
      kept.cancelTimer = this.#timers.after(dueMs - this.#timers.now(), () => this.#fire(kept));
    else if (ttlMs !== undefined) kept.cancelTimer = this.#timers.after(ttlMs, () => this.remove(seq));
    this.#republish(kept, earlier.at(-2) ?? 0);
    for (const consumer of this.consumers.values()) consumer.offer(kept);
    for (const onStored of this.#tails) onStored(toStored(kept));
    return { seq, duplicate: false };
  }

  last(filter: string): Stored | null {
    this.#expire();
    let lastSeq = 0;
    for (const seqs of this.#subjectsFitting(filter)) lastSeq = Math.max(lastSeq, seqs.at(-1)!);
    return this.get(lastSeq);
  }

  get(seq: number): Stored | null {
    this.#expire();
    const kept = this.#kept.get(seq);
    return kept === undefined ? null : toStored(kept);
  }

  *read(options: {
    filter?: string | undefined;
    fromSeq?: number | undefined;
    limit?: number | undefined;
  }): Iterable<Stored> {
    this.#expire();
    const { filter = ">", fromSeq = 1, limit = Number.POSITIVE_INFINITY } = options;
    const until = this.#lastSeq;
    const wanted = fits(filter);
    let left = limit;
    for (const kept of this.#kept.values()) {
      if (kept.seq > until || left <= 0) return;
      if (kept.seq < fromSeq || !wanted(kept.message.subject)) continue;
      left--;
      yield toStored(kept);
    }
  }

  /** Gives every message behind `afterSeq`, then every new one; the returned function ends it. */
  tail(afterSeq: number, onStored: (stored: Stored) => void): () => void {
    for (const stored of this.read({ fromSeq: afterSeq + 1 })) onStored(stored);
    this.#tails.add(onStored);
    return () => this.#tails.delete(onStored);
  }

  subjects(filter: string, max: number): Map<string, number> {
    this.#expire();
    const counts = new Map<string, number>();
    const wanted = fits(filter);
    for (const [subject, seqs] of this.#bySubject) {
      if (counts.size >= max) break;
      if (wanted(subject)) counts.set(subject, seqs.length);
    }
    return counts;
  }

  info(): LogInfo {
    this.#expire();
    const firstSeq = this.#kept.keys().next().value ?? this.#lastSeq + 1;
    return { messages: this.#kept.size, bytes: this.#bytes, firstSeq, lastSeq: this.#lastSeq };
  }

  purge(options: { filter?: string | undefined; beforeSeq?: number | undefined }): number {
    this.#expire();
    const { filter = ">", beforeSeq = Number.POSITIVE_INFINITY } = options;
    const doomed = [...this.#subjectsFitting(filter)].flat().filter((seq) => seq < beforeSeq);
    for (const seq of doomed) this.remove(seq);
    if (options.filter === undefined && options.beforeSeq !== undefined) {
      this.#lastSeq = Math.max(this.#lastSeq, options.beforeSeq - 1);
    }
    return doomed.length;
  }

  /** Removes a message everywhere; false when it was not there. */
  remove(seq: number): boolean {
    const kept = this.#kept.get(seq);
    if (kept === undefined) return false;
    kept.cancelTimer?.();
    this.#kept.delete(seq);
    this.#bytes -= kept.bytes;
    const { subject } = kept.message;
    const seqs = this.#bySubject.get(subject)!;
    seqs.splice(seqs.indexOf(seq), 1);
    if (seqs.length === 0) this.#bySubject.delete(subject);
    for (const consumer of this.consumers.values()) consumer.forget(seq);
    return true;
  }

  /** Creates a consumer, or finds the one that is there. @throws SwarmError `conflict` when filters of two overlap. */
  consumer(spec: ConsumerSpec): MemoryConsumer {
    const existing = this.consumers.get(spec.name);
    if (existing?.filter === spec.filter) return existing;
    const rival = [...this.consumers.values()].find((other) => overlap(other.filter, spec.filter));
    if (rival !== undefined) {
      throw new SwarmError(
        "conflict",
        `create consumer ${spec.name} on ${this.spec.name}: its filter ${spec.filter} overlaps ${rival.filter} of ${rival.name}`,
        { field: "filter" },
      );
    }
    const consumer = new MemoryConsumer(spec, this, this.#timers);
    this.consumers.set(spec.name, consumer);
    const wanted = fits(spec.filter);
    for (const kept of this.#kept.values()) if (wanted(kept.message.subject)) consumer.offer(kept);
    return consumer;
  }

  deleteConsumer(name: string): boolean {
    const consumer = this.consumers.get(name);
    this.consumers.delete(name);
    consumer?.end();
    return consumer !== undefined;
  }

  *#subjectsFitting(filter: string): Iterable<number[]> {
    const exact = this.#bySubject.get(filter);
    if (exact !== undefined) yield exact;
    else {
      const wanted = fits(filter);
      for (const [subject, seqs] of this.#bySubject) if (wanted(subject)) yield seqs;
    }
  }

  #keep(message: RawMessage, bytes: number, replaced: readonly number[]): number {
    const seq = ++this.#lastSeq; // I2
    this.#kept.set(seq, { seq, storedAtMs: this.#timers.now(), message, bytes, cancelTimer: undefined });
    this.#bytes += bytes;
    const seqs = this.#bySubject.get(message.subject);
    if (seqs === undefined) this.#bySubject.set(message.subject, [seq]);
    else seqs.push(seq);
    for (const old of replaced) this.remove(old);
    const { discard, maxPerSubject = 0, maxBytes = 0 } = this.spec;
    if (discard === "old") {
      if (maxPerSubject > 0 && seqs !== undefined && seqs.length > maxPerSubject) this.remove(seqs[0]!);
      while (maxBytes > 0 && this.#bytes > maxBytes) this.remove(this.#kept.keys().next().value!);
    }
    return seq;
  }

  /** TTL, schedule and rollup of an append. @throws SwarmError `invalid_input` when the stream or the value forbids it. */
  #readInstructions(message: RawMessage): {
    ttlMs: number | undefined;
    dueMs: number | undefined;
    rollup: boolean;
  } {
    const refuse = (why: string) =>
      new SwarmError("invalid_input", `append to ${message.subject}: ${why}`, { field: "headers" });
    const ttl = headerOf(message, STREAM_HEADERS.ttl);
    if (ttl !== undefined && this.spec.allowTtl !== true) throw refuse("per-message TTL is disabled");
    const ttlSeconds = ttl === undefined ? undefined : Number(/^([1-9]\d*)s?$/.exec(ttl)?.[1]);
    if (Number.isNaN(ttlSeconds)) throw refuse(`invalid per-message TTL ${JSON.stringify(ttl)}`);

    const schedule = headerOf(message, HEADERS.schedule);
    if (schedule !== undefined && this.spec.allowSchedules !== true)
      throw refuse("message schedules are disabled");
    const dueMs = schedule === undefined ? undefined : Date.parse(/^@at (.+)$/.exec(schedule)?.[1] ?? "");
    if (Number.isNaN(dueMs)) throw refuse(`message schedule ${JSON.stringify(schedule)} is not "@at <time>"`);
    if (dueMs !== undefined && !this.takes(headerOf(message, HEADERS.scheduleTarget) ?? ""))
      throw refuse("the schedule's target must be a subject of the same stream");

    const rollup = headerOf(message, STREAM_HEADERS.rollup);
    if (rollup !== undefined && this.spec.allowRollup !== true) throw refuse("rollup not permitted");
    if (rollup !== undefined && rollup !== "sub") throw refuse(`rollup ${rollup} is not "sub"`);
    return {
      ttlMs: ttlSeconds === undefined ? undefined : ttlSeconds * 1_000,
      dueMs,
      rollup: rollup !== undefined || dueMs !== undefined, // a schedule replaces the one before it
    };
  }

  /** A schedule has come due: its message moves to the target subject, without the headers that steered it. */
  #fire(kept: Kept): void {
    this.remove(kept.seq);
    const target = headerOf(kept.message, HEADERS.scheduleTarget)!;
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(kept.message.headers ?? {})) {
      if (!/^nats-/i.test(name)) headers[name] = value;
    }
    headers[STREAM_HEADERS.scheduler] = kept.message.subject;
    headers[STREAM_HEADERS.scheduleNext] = "purge";
    this.append({ subject: target, data: kept.message.data, headers });
  }

  #republish(kept: Kept, lastOfSubject: number): void {
    const { subject, data, headers } = kept.message;
    const { republish, name } = this.spec;
    if (republish === undefined || !this.#republishes(subject)) return;
    const fixed = republish.from.slice(0, -1); // both ends are `<…>.>`: the rest of the subject moves over
    this.#broadcast({
      subject: republish.to.slice(0, -1) + subject.slice(fixed.length),
      data,
      headers: {
        ...headers,
        [STREAM_HEADERS.stream]: name,
        [STREAM_HEADERS.subject]: subject,
        [STREAM_HEADERS.sequence]: String(kept.seq),
        [STREAM_HEADERS.timestamp]: new Date(kept.storedAtMs).toISOString(),
        [STREAM_HEADERS.lastSequence]: String(lastOfSubject),
      },
    });
  }

  #recall(id: string): number | undefined {
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
    for (const kept of this.#kept.values()) {
      if (kept.storedAtMs > sinceMs) break;
      this.remove(kept.seq);
    }
  }
}

function numberOf(message: RawMessage, header: string): number | undefined {
  const value = headerOf(message, header);
  return value === undefined ? undefined : Number(value);
}

function toStored(kept: Kept): Stored {
  const { message, seq, storedAtMs } = kept;
  return {
    seq,
    storedAtMs,
    subject: message.subject,
    data: message.data,
    header: (name) => headerOf(message, name),
  };
}
