// The attempt records of running tasks. Only the last record of a task matters for counting attempts, so one read
// and one fenced append are enough; a task that never fails and is delivered once writes nothing here.
import {
  CONTENT_TYPES,
  decode,
  encode,
  type HandedOff,
  type HandOffRecord,
  HEADERS,
  type Hop,
  type JournalRecord,
  journalRecordSchema,
  parse,
  type Subjects,
  SwarmError,
} from "../../protocol/index.ts";
import type { Log, Stored } from "../../transport/index.ts";

/** How long the closing record of a finished task is kept, in ms. Long enough for late readers of its state. */
export const TOMBSTONE_TTL_MS = 600_000;

/** A task's last hand-off and its sequence in the journal stream. */
export interface KnownHandOff {
  readonly record: HandOffRecord;
  readonly seq: number;
}

/** A task's last record and its sequence in the journal stream; sequence 0 when there is none. */
export interface JournalTip {
  record: JournalRecord | null;
  seq: number;
  /** The last hand-off; null of a task that nobody handed off. */
  handed: KnownHandOff | null;
}

/** The journal of a task that wrote nothing. */
export const NO_RECORDS: JournalTip = Object.freeze({ record: null, seq: 0, handed: null });

/** Reads and writes the journal of single tasks. */
export interface Journal {
  tip(capability: string, taskId: string): Promise<JournalTip>;
  /** The tip when only the id is known. */
  tipById(taskId: string): Promise<JournalTip>;
  /** Appends after the tip and gives the new one. @throws SwarmError `conflict` when another process wrote first. */
  append(capability: string, taskId: string, record: JournalRecord, tip: JournalTip): Promise<JournalTip>;
  /** Replaces all records by a closing one that vanishes after {@link TOMBSTONE_TTL_MS}. */
  close(capability: string, taskId: string, attempt: number, nowMs: number): Promise<void>;
}

/** The journal over its stream. */
export function createJournal(log: Log, subjects: Subjects): Journal {
  const headers = { [HEADERS.contentType]: CONTENT_TYPES.json };
  async function tip(filter: string): Promise<JournalTip> {
    for (let lookedAt = 0; ; ) {
      const stored = await log.last(filter, { fresh: true });
      if (stored === null) return NO_RECORDS;
      const { seq } = stored;
      const record = read(stored);
      const handed = await readHandOff(record, seq);
      if (handed !== "gone") return { record, seq, handed };
      // A task that ended between the two reads has taken its records with it: then there is another tip.
      if (seq === lookedAt) {
        throw new SwarmError(
          "unavailable",
          `the hand-off that journal record ${seq} names cannot be read now`,
        );
      }
      lookedAt = seq;
    }
  }

  /** The hand-off that a record is, or names. */
  async function readHandOff(record: JournalRecord, seq: number): Promise<KnownHandOff | null | "gone"> {
    if (record.type === "handed") return { record, seq };
    if (record.type === "finished" || record.handOff === undefined) return null;
    const stored = await log.get(record.handOff);
    const named = stored === null ? null : read(stored);
    return named?.type === "handed" ? { record: named, seq: record.handOff } : "gone";
  }
  return {
    tip: (capability, taskId) => tip(subjects.journal(capability, taskId)),
    tipById: (taskId) => tip(subjects.filters.journalById(taskId)),
    async append(capability, taskId, what, tip) {
      const isPlain = tip.handed === null || what.type === "handed" || what.type === "finished";
      const record = isPlain ? what : { ...what, handOff: tip.handed?.seq };
      const { seq } = await log.append(subjects.journal(capability, taskId), encode(record), {
        headers,
        expectedLastSubjectSeq: tip.seq,
      });
      return { record, seq, handed: record.type === "handed" ? { record, seq } : tip.handed };
    },
    async close(capability, taskId, attempt, nowMs) {
      const record: JournalRecord = { type: "finished", attempt, at: new Date(nowMs).toISOString() };
      await log.append(subjects.journal(capability, taskId), encode(record), {
        headers,
        rollup: true,
        ttlMs: TOMBSTONE_TTL_MS,
      });
    },
  };
}

/** The number of the next attempt, from the last record. A `started` without an outcome is an attempt that died. */
export function nextAttempt(record: JournalRecord | null): { number: number; died: boolean } {
  if (record === null) return { number: 1, died: false };
  switch (record.type) {
    case "returned":
      return { number: record.attempt, died: false };
    case "started":
      return { number: record.attempt + 1, died: true };
    case "failed":
    case "handed":
    case "finished":
      return { number: record.attempt + 1, died: false };
    default:
      return record satisfies never;
  }
}

/** What a task's journal tells the agent that performs it next. */
export function handedOffOf({ handed }: JournalTip): HandedOff | undefined {
  if (handed === null) return undefined;
  const { agent, context, hops } = handed.record;
  return { from: agent, context, hops };
}

/** Who handed the task off, as a result and a state tell it. */
export function handOffsOf({ handed }: JournalTip): { handOffs?: Hop[] } {
  return handed === null ? {} : { handOffs: handed.record.hops };
}

function read(stored: Stored): JournalRecord {
  const { value } = decode(stored.data, stored.header(HEADERS.contentType));
  return parse(journalRecordSchema, value, "journal record");
}
