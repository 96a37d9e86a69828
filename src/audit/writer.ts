// Writes the notes of one process to the audit log, as one chain on `<role>.<processId>`. Owns the queue of notes and the
// retries of appends; chain.ts makes the entries. app/processes/frame.ts and
// app/office/operator.ts make one writer for each process.
//
// A1  The writer takes a note at once. The caller never waits for it and never fails because of it. If the queue is full, the
//     writer drops the note, counts it, and writes the number of dropped notes as an entry when the queue has room
//     again, unless the process stops before that.
// A2  One append is in flight at a time. The writer seals an entry once, and sends the same bytes again until it knows
//     whether they are stored.
// A3  An entry is stored once: each append expects the subject's last sequence to be that of the previous entry. So if an
//     append with an unknown result was stored, its entry is the first message after the previous entry, and the server
//     rejects a late copy of it.
// A4  A foreign message on the writer's subject does not stop the writer. The chain continues after it, and
//     `murmur audit verify` reports it.
import { generateKeyPairSync } from "node:crypto";
import { hostname } from "node:os";
import {
  type BackoffPolicy,
  backoffDelayMs,
  type Clock,
  createService,
  type Logger,
  type Meter,
  type Service,
  singleFlight,
  sleep,
  systemChance,
  systemClock,
  toIsoTime,
  utf8Bytes,
} from "../base/index.ts";
import {
  AUDIT_ENTRY_LIMIT_BYTES,
  type Audit,
  type AuditNote,
  canonicalJson,
  createSubjects,
  type JsonObject,
  SwarmError,
  sha256,
  toSwarmError,
} from "../protocol/index.ts";
import { type Log, lastSeqOf, type Transport } from "../transport/index.ts";
import { type AuditKey, type ChainTip, NO_ENTRIES, sealEntry } from "./chain.ts";

/**
 * The most notes that wait for their append: at most 16 MiB, and usually below 1 MiB. This is room for the notes of one
 * second while all agents send bad votes, or of some hours of ordinary work without NATS.
 */
export const MAX_WAITING_NOTES = 1_024;
/** The bytes reserved for all fields of an entry except its facts. */
const ENTRY_FRAME_BYTES = 512;
/** The timeout of one append, in ms. After it, the result is unknown (A2). A stream needs 4–6 s to elect a new leader. */
const NOTE_APPEND_TIMEOUT_MS = 5_000;
/** The pauses before the retries of an append. */
const RETRY_BACKOFF: BackoffPolicy = { backoffMs: 100, factor: 2, maxBackoffMs: 5_000, jitter: 0.2 };
/** The longest wait for the last entries when the process stops, in ms. Supervisors allow much more time for a stop. */
const FLUSH_MS = 2_000;

/** Writes one process's part of the audit log. */
export interface AuditWriter {
  readonly audit: Audit;
  /** Stop it after all services that write notes. Its stop waits up to 2 s until all notes are stored. */
  readonly service: Service;
  /** Waits up to `timeoutMs` until all notes are stored. Resolves to true if they are. */
  flush(timeoutMs: number): Promise<boolean>;
}

/** The ports of a writer. */
interface WriterParts {
  readonly transport: Transport;
  /** Role and process id are tokens of the subject `<prefix>.audit.<role>.<processId>`. */
  readonly role: string;
  readonly processId: string;
  readonly version: string;
  readonly log: Logger;
  readonly meter: Meter;
  readonly clock?: Clock;
}

/** Makes the writer of one process. It writes nothing before the first note. */
export function createAuditWriter(parts: WriterParts): AuditWriter {
  return new Writer(parts);
}

/** A note that waits for its append. */
interface WaitingNote {
  readonly at: string;
  readonly kind: AuditNote["kind"];
  readonly facts: JsonObject;
}

class Writer implements AuditWriter {
  readonly audit: Audit = (note) => this.#take(note);
  readonly service: Service;
  readonly #parts: WriterParts;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #subject: string;
  readonly #writer: string;
  readonly #waiting: WaitingNote[] = [];
  #key: AuditKey | undefined;
  #tip: ChainTip = NO_ENTRIES;
  /** The stream sequence of this subject's last message that the writer knows. */
  #subjectSeq = 0;
  #dropped: { count: number; fromMs: number } | null = null;
  readonly #storeWaiting = singleFlight(() => this.#storeAll());
  #isFailing = false;
  #hasSeenForeign = false;
  #state: "open" | "ending" | "stopped" = "open";

  constructor(parts: WriterParts) {
    const { transport, role, processId } = parts;
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
    this.#log = transport.log("audit");
    this.#subject = createSubjects(transport.prefix).audit(role, processId);
    this.#writer = `${role}.${processId}`;
    this.service = createService({
      name: "audit",
      start: () => undefined,
      stop: () => this.#stop(),
    });
  }

  async flush(timeoutMs: number): Promise<boolean> {
    const late = Promise.withResolvers<void>();
    const cancel = this.#clock.after(timeoutMs, late.resolve);
    await Promise.race([this.#storeWaiting(), late.promise]);
    cancel();
    return this.#waiting.length === 0;
  }

  async #stop(): Promise<void> {
    this.#recordDropped(); // also while the queue is still full: two entries more do not matter
    if (this.#key !== undefined) this.#put("writer-ended", {});
    this.#state = "ending";
    if (!(await this.flush(FLUSH_MS))) {
      this.#parts.log.warn({ lost: this.#waiting.length }, "audit entries not stored in time; they are lost");
    }
    this.#state = "stopped";
    if (this.#dropped !== null)
      this.#parts.log.warn({ lost: this.#dropped.count }, "audit notes taken during the stop; they are lost");
  }

  /** Queues a note, or drops it when the queue is full. Never throws (A1). */
  #take(note: AuditNote): void {
    try {
      this.#enqueue(note);
    } catch (error) {
      this.#parts.log.error({ err: error, kind: note.kind }, "audit note could not be queued; note dropped");
      this.#parts.meter.auditDropped.inc();
    }
  }

  #enqueue({ kind, facts }: AuditNote): void {
    if (this.#state !== "open" || this.#waiting.length >= MAX_WAITING_NOTES) {
      this.#parts.meter.auditDropped.inc();
      this.#dropped ??= { count: 0, fromMs: this.#clock.now() };
      this.#dropped.count++;
      return;
    }
    this.#recordDropped();
    this.#key ??= this.#begin();
    this.#put(kind, boundFacts(facts));
  }

  /**
   * Makes the key of the chain and queues the first entry. Called with the first note: a process without notes writes
   * nothing.
   */
  #begin(): AuditKey {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const facts = { pid: process.pid, host: hostname(), version: this.#parts.version };
    this.#waiting.push({ at: toIsoTime(this.#clock.now()), kind: "writer-started", facts });
    return { privateKey, publicKey: publicKey.export({ format: "jwk" }).x! };
  }

  #put(kind: AuditNote["kind"], facts: JsonObject): void {
    this.#waiting.push({ at: toIsoTime(this.#clock.now()), kind, facts });
    this.#showWaiting();
    void this.#storeWaiting();
  }

  /** Queues an entry with the number of dropped notes, after the notes that were queued before (A1). */
  #recordDropped(): void {
    if (this.#dropped === null || this.#state !== "open") return;
    const { count, fromMs } = this.#dropped;
    this.#dropped = null;
    const [from, to] = [toIsoTime(fromMs), toIsoTime(this.#clock.now())];
    this.#waiting.push({ at: to, kind: "entries-dropped", facts: { count, from, to } });
    this.#parts.log.error({ alert: "audit_dropped", count }, "audit queue was full; notes dropped");
  }

  #showWaiting(): void {
    this.#parts.meter.auditWaiting.set(this.#waiting.length);
  }

  /** Stores all waiting notes, one after the other (A2). The first append starts in the same turn as its note. Never rejects. */
  async #storeAll(): Promise<void> {
    const key = this.#key;
    if (key === undefined) return;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const { text, tip } = sealEntry(this.#tip, { writer: this.#writer, key, content: next });
      const outcome = await this.#store(utf8Bytes(text));
      if (outcome === "stopped") return;
      if (outcome === "stored") {
        this.#tip = tip;
        this.#parts.meter.auditEntries.inc({ kind: next.kind });
      }
      this.#waiting.shift();
      if (this.#waiting.length === 0) this.#recordDropped();
      this.#showWaiting();
    }
  }

  /** Appends the entry until it is stored or rejected for good. `refused`: the stream will never accept it. */
  async #store(data: Uint8Array): Promise<"stored" | "refused" | "stopped"> {
    for (let failures = 1; this.#state !== "stopped"; failures++) {
      try {
        if (await this.#tryAppend(data)) {
          this.#reportOutage(null);
          return "stored";
        }
      } catch (error) {
        const { code, retryable } = toSwarmError(error);
        if (!retryable) {
          this.#parts.meter.auditDropped.inc();
          this.#parts.log.error({ err: error, code }, "audit entry rejected by the stream; entry dropped");
          return "refused";
        }
        this.#reportOutage(error);
      }
      await sleep(backoffDelayMs(RETRY_BACKOFF, failures, systemChance), { clock: this.#clock });
    }
    return "stopped";
  }

  /** Resolves to true if the entry is stored. @throws SwarmError if that is unknown, or if the stream rejects the entry. */
  async #tryAppend(data: Uint8Array): Promise<boolean> {
    try {
      const expected = { expectedLastSubjectSeq: this.#subjectSeq, timeoutMs: NOTE_APPEND_TIMEOUT_MS };
      this.#subjectSeq = (await this.#log.append(this.#subject, data, expected)).seq;
      return true;
    } catch (error) {
      if (!(error instanceof SwarmError) || error.code !== "conflict") throw error;
      const lastSeq = lastSeqOf(error);
      // Only a cluster gives no number: then the append is sent again, until an answer has one.
      return lastSeq === undefined ? false : this.#settle(data, lastSeq);
    }
  }

  /**
   * Settles an append that the server rejected because the subject ends at `lastSeq`. The reason is either this same entry,
   * stored by an earlier try (A3), or a foreign message (A4). Resolves to true if the entry is stored.
   */
  async #settle(data: Uint8Array, lastSeq: number): Promise<boolean> {
    if (lastSeq <= this.#subjectSeq) {
      const facts = { alert: "audit_lost", expected: this.#subjectSeq, found: lastSeq };
      this.#parts.log.error(
        facts,
        "audit log lost entries of this process; run murmur audit verify to see which",
      );
      this.#subjectSeq = lastSeq;
      return false;
    }
    // The read of the last entry names its one subject, so a permission of NATS can bind it; only a foreign message needs more.
    const last = await this.#log.last(this.#subject);
    if (last === null || last.seq < lastSeq) return false; // The replica that answered is behind: the caller appends again.
    if (Buffer.compare(last.data, data) === 0) {
      this.#subjectSeq = last.seq;
      return true;
    }
    const next = { filter: this.#subject, fromSeq: this.#subjectSeq + 1, limit: 1 };
    for await (const first of this.#log.read(next)) {
      const isOwn = Buffer.compare(first.data, data) === 0;
      this.#subjectSeq = isOwn ? first.seq : lastSeq;
      if (!isOwn) this.#reportForeign(first.seq);
      return isOwn;
    }
    return false; // The replica that answered is behind: the caller appends again.
  }

  /** Reports only the first foreign message: there may be very many, and `murmur audit verify` names each of them. */
  #reportForeign(streamSeq: number): void {
    if (this.#hasSeenForeign) return;
    this.#hasSeenForeign = true;
    const { log } = this.#parts;
    log.error(
      { alert: "audit_foreign", streamSeq },
      "foreign message on this process's audit subject; the chain continues after it",
    );
    this.#take({ kind: "foreign-message", facts: { streamSeq } });
  }

  /** Logs an outage once at its start, and once at its end (`error` is null). */
  #reportOutage(error: unknown): void {
    const { log } = this.#parts;
    if (error !== null && !this.#isFailing)
      log.warn({ err: error }, "audit log does not answer; retrying, notes wait");
    if (error === null && this.#isFailing) log.info("audit log answers again");
    this.#isFailing = error !== null;
  }
}

/**
 * Returns the facts for an entry, as plain JSON. In place of facts that are too large, it returns their size and hash.
 */
function boundFacts(facts: AuditNote["facts"]): JsonObject {
  const plain = JSON.parse(JSON.stringify(facts)) as JsonObject;
  const text = canonicalJson(plain);
  const bytes = Buffer.byteLength(text);
  if (bytes <= AUDIT_ENTRY_LIMIT_BYTES - ENTRY_FRAME_BYTES) return plain;
  return { tooLarge: { bytes, sha256: sha256(text) } };
}
