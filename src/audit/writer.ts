// Writes the notes of one process into the audit log, as one chain under `<role>.<processId>`. Owns the queue of notes, and
// what an append came to; what an entry is, is chain.ts.
//
// A1  A note is taken at once. Nobody waits for it, and nothing fails because of it: an operation goes on, whatever becomes
//     of its note. What finds no room is counted, and how much that was is itself an entry.
// A2  One entry is on its way at a time. It is sealed once, and its bytes are sent again until their fate is known.
// A3  An entry is stored once: each append expects the subject's last sequence to be that of the entry before. So what was
//     stored by an append of unknown fate is the first message behind that, and a late copy of it is refused.
// A4  A message of somebody else on the own subject stops nothing: the chain goes on behind it, and a check finds it.
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
 * Notes that wait for their append: at most 16 MiB, and mostly below 1 MiB. A second's worth of refused votes of all agents
 * that lie at once, or some hours without NATS of what happens otherwise.
 */
export const MAX_WAITING_NOTES = 1_024;
/** Room for everything in an entry but its facts. */
const ENTRY_FRAME_BYTES = 512;
/** How long one try of an append may take, in ms; then its fate is unknown (A2). A stream's new leader needs 4–6 s. */
const APPEND_TIMEOUT_MS = 5_000;
/** The pause before an append is tried again. */
const RETRY_BACKOFF: BackoffPolicy = { backoffMs: 100, factor: 2, maxBackoffMs: 5_000, jitter: 0.2 };
/** How long a process that stops waits for its last entries, in ms: a fraction of the grace that supervisors give. */
const FLUSH_MS = 2_000;

/** Writes one process's part of the audit log. */
export interface AuditWriter {
  readonly audit: Audit;
  /** Stop it behind everything that writes notes: it waits up to 2 s until they are stored. */
  readonly service: Service;
  /** Resolves to whether every note is stored, at the latest after `timeoutMs`. */
  flush(timeoutMs: number): Promise<boolean>;
}

interface WriterParts {
  readonly transport: Transport;
  /** Tokens: the subject is `<prefix>.audit.<role>.<processId>`. */
  readonly role: string;
  readonly processId: string;
  readonly version: string;
  readonly log: Logger;
  readonly meter: Meter;
  readonly clock?: Clock;
}

/** Makes the writer of one process. Nothing is written before the first note. */
export function createAuditWriter(parts: WriterParts): AuditWriter {
  return new Writer(parts);
}

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
  /** The stream's sequence of this subject's last message, as far as it is known. */
  #subjectSeq = 0;
  #dropped: { count: number; fromMs: number } | null = null;
  #storing: Promise<void> | null = null;
  #isFailing = false;
  #hasMetOthers = false;
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
    await Promise.race([this.#storing, late.promise]);
    cancel();
    return this.#waiting.length === 0;
  }

  async #stop(): Promise<void> {
    if (this.#key !== undefined) this.#put(this.#key, "writer-ended", {});
    this.#state = "ending";
    if (!(await this.flush(FLUSH_MS))) {
      this.#parts.log.warn(
        { lost: this.#waiting.length },
        "the last entries of the audit log were not stored",
      );
    }
    this.#state = "stopped";
  }

  /** Never throws (A1). */
  #take(note: AuditNote): void {
    try {
      this.#enqueue(note);
    } catch (error) {
      this.#parts.log.error({ err: error, kind: note.kind }, "a note for the audit log could not be taken");
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
    this.#tellDropped();
    this.#key ??= this.#begin();
    this.#put(this.#key, kind, boundFacts(facts));
  }

  /** The chain begins with its first note, so a process that has none to write leaves nothing behind. */
  #begin(): AuditKey {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const facts = { pid: process.pid, host: hostname(), version: this.#parts.version };
    this.#waiting.push({ at: toIsoTime(this.#clock.now()), kind: "writer-started", facts });
    return { privateKey, publicKey: publicKey.export({ format: "jwk" }).x! };
  }

  #put(key: AuditKey, kind: AuditNote["kind"], facts: JsonObject): void {
    this.#waiting.push({ at: toIsoTime(this.#clock.now()), kind, facts });
    this.#noteWaiting();
    this.#storing ??= this.#storeAll(key).finally(() => {
      this.#storing = null;
    });
  }

  /** What was dropped is told behind what found room (A1). */
  #tellDropped(): void {
    if (this.#dropped === null || this.#state !== "open") return;
    const { count, fromMs } = this.#dropped;
    this.#dropped = null;
    const [from, to] = [toIsoTime(fromMs), toIsoTime(this.#clock.now())];
    this.#waiting.push({ at: to, kind: "entries-dropped", facts: { count, from, to } });
    this.#parts.log.error(
      { alert: "audit_dropped", count },
      "notes found no room on their way to the audit log",
    );
  }

  #noteWaiting(): void {
    this.#parts.meter.auditWaiting.set(this.#waiting.length);
  }

  /** Stores what waits, one after the other (A2). Begins at once, in the turn of the note. Never rejects. */
  async #storeAll(key: AuditKey): Promise<void> {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const { text, tip } = sealEntry(this.#tip, { writer: this.#writer, key, content: next });
      const outcome = await this.#store(utf8Bytes(text));
      if (outcome === "stopped") return;
      if (outcome === "stored") {
        this.#tip = tip;
        this.#parts.meter.auditEntries.inc({ kind: next.kind });
      }
      this.#waiting.shift();
      if (this.#waiting.length === 0) this.#tellDropped();
      this.#noteWaiting();
    }
  }

  /** Appends until the fate of the entry is known. `refused`: the stream will never take it. */
  async #store(data: Uint8Array): Promise<"stored" | "refused" | "stopped"> {
    for (let failures = 1; this.#state !== "stopped"; failures++) {
      try {
        if (await this.#tryAppend(data)) {
          this.#noteFailure(null);
          return "stored";
        }
      } catch (error) {
        const { code, retryable } = toSwarmError(error);
        if (!retryable) {
          this.#parts.meter.auditDropped.inc();
          this.#parts.log.error({ err: error, code }, "the audit log does not take an entry");
          return "refused";
        }
        this.#noteFailure(error);
      }
      await sleep(backoffDelayMs(RETRY_BACKOFF, failures, systemChance), { clock: this.#clock });
    }
    return "stopped";
  }

  /** True when the entry is stored. @throws SwarmError when that is not known, or cannot be. */
  async #tryAppend(data: Uint8Array): Promise<boolean> {
    try {
      const expected = { expectedLastSubjectSeq: this.#subjectSeq, timeoutMs: APPEND_TIMEOUT_MS };
      this.#subjectSeq = (await this.#log.append(this.#subject, data, expected)).seq;
      return true;
    } catch (error) {
      if (!(error instanceof SwarmError) || error.code !== "conflict") throw error;
      const lastSeq = lastSeqOf(error) ?? (await this.#log.last(this.#subject, { fresh: true }))?.seq ?? 0;
      return this.#settle(data, lastSeq);
    }
  }

  /** The subject ends at `lastSeq` and not where it was expected to: because of this very entry (A3), or of others (A4). */
  async #settle(data: Uint8Array, lastSeq: number): Promise<boolean> {
    if (lastSeq <= this.#subjectSeq) {
      const facts = { alert: "audit_lost", expected: this.#subjectSeq, found: lastSeq };
      this.#parts.log.error(
        facts,
        "the audit log lost entries of this process: murmur audit verify tells which",
      );
      this.#subjectSeq = lastSeq;
      return false;
    }
    const behind = { filter: this.#subject, fromSeq: this.#subjectSeq + 1, limit: 1 };
    for await (const first of this.#log.read(behind)) {
      const isOwn = Buffer.compare(first.data, data) === 0;
      this.#subjectSeq = isOwn ? first.seq : lastSeq;
      if (!isOwn) this.#noteOthers(first.seq);
      return isOwn;
    }
    return false; // this copy of the stream is behind: look again
  }

  /** Told once: whoever may write here can do so without end, and a check names every such message. */
  #noteOthers(streamSeq: number): void {
    if (this.#hasMetOthers) return;
    this.#hasMetOthers = true;
    const { log } = this.#parts;
    log.error(
      { alert: "audit_foreign", streamSeq },
      "something else wrote to the audit log in this process's name",
    );
    this.#take({ kind: "foreign-message", facts: { streamSeq } });
  }

  /** An outage is told once when it begins, and once when it is over. */
  #noteFailure(error: unknown): void {
    const { log } = this.#parts;
    if (error !== null && !this.#isFailing)
      log.warn({ err: error }, "the audit log does not answer; entries wait for it");
    if (error === null && this.#isFailing) log.info("the audit log answers again");
    this.#isFailing = error !== null;
  }
}

/** Facts as they stand in an entry; of too large ones only their size and hash. */
function boundFacts(facts: AuditNote["facts"]): JsonObject {
  const plain = JSON.parse(JSON.stringify(facts)) as JsonObject;
  const text = canonicalJson(plain);
  const bytes = Buffer.byteLength(text);
  if (bytes <= AUDIT_ENTRY_LIMIT_BYTES - ENTRY_FRAME_BYTES) return plain;
  return { tooLarge: { bytes, sha256: sha256(text) } };
}
