// The attempt records of running tasks. Only the last record of a task matters for counting attempts, so one read
// and one fenced append are enough; a task that never fails and is delivered once writes nothing here.
import {
  CONTENT_TYPES,
  decode,
  encode,
  HEADERS,
  type JournalRecord,
  journalRecordSchema,
  parse,
  type Subjects,
} from "../protocol/index.ts";
import type { Log } from "../transport/index.ts";

/** How long the closing record of a finished task is kept, in ms. Long enough for late readers of its state. */
export const TOMBSTONE_TTL_MS = 600_000;

/** A task's last record and its sequence in the journal stream; sequence 0 when there is none. */
export interface JournalTip {
  record: JournalRecord | null;
  seq: number;
}

/** Reads and writes the journal of single tasks. */
export interface Journal {
  tip(capability: string, taskId: string): Promise<JournalTip>;
  /** The tip when only the id is known. */
  tipById(taskId: string): Promise<JournalTip>;
  /** Appends after `afterSeq`. @throws SwarmError `conflict` when another process wrote first. */
  append(capability: string, taskId: string, record: JournalRecord, afterSeq: number): Promise<number>;
  /** Replaces all records by a closing one that vanishes after {@link TOMBSTONE_TTL_MS}. */
  close(capability: string, taskId: string, attempt: number, nowMs: number): Promise<void>;
}

/** The journal over its stream. */
export function createJournal(log: Log, subjects: Subjects): Journal {
  const headers = { [HEADERS.contentType]: CONTENT_TYPES.json };
  async function tip(filter: string): Promise<JournalTip> {
    const stored = await log.last(filter, { fresh: true });
    if (stored === null) return { record: null, seq: 0 };
    const { value } = decode(stored.data, stored.header(HEADERS.contentType));
    return { record: parse(journalRecordSchema, value, "journal record"), seq: stored.seq };
  }
  return {
    tip: (capability, taskId) => tip(subjects.journal(capability, taskId)),
    tipById: (taskId) => tip(subjects.filters.journalById(taskId)),
    async append(capability, taskId, record, afterSeq) {
      const { seq } = await log.append(subjects.journal(capability, taskId), encode(record), {
        headers,
        expectedLastSubjectSeq: afterSeq,
      });
      return seq;
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
    case "finished":
      return { number: record.attempt + 1, died: false };
    default:
      return record satisfies never;
  }
}
