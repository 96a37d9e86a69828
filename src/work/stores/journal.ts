// The journal: records about the attempts and hand-offs of tasks. A host counts attempts from the last record of a task, so
// it needs one read and one fenced append. A task that is delivered once and does not fail has no record. At a task's end
// one closing record with the history replaces all others. in-flight.ts writes it; status.ts reads it.
// J1  With permissions the stream refuses roll-ups, which could remove the journals of other tasks. Then a process that may purge
//     removes the records before the closing record; until then, and after a crash in between, readers see both, and the last one counts.
import {
  CONTENT_TYPES,
  type Encoding,
  encode,
  type HandedOff,
  type HandOffRecord,
  HEADERS,
  type Hop,
  type JournalRecord,
  type Subjects,
  SwarmError,
  type TaskHistory,
} from "../../protocol/index.ts";
import { isRollupRefused, type Log } from "../../transport/index.ts";
import type { JournalTrimmer, TrailReader, TrailRecord } from "../ports.ts";
import { HistoryFold, type LastAttempt } from "./history.ts";
import { createRecordReader, readJournalRecord } from "./records.ts";

/** How long the closing record of an ended task is kept by default, in ms: 7 days, as long as the task's result. */
export const ENDED_JOURNAL_MS = 7 * 86_400_000;

/** A task's last hand-off and its sequence in the journal stream. */
export interface KnownHandOff {
  readonly record: HandOffRecord;
  readonly seq: number;
}

/** The tip: a task's last record, and its sequence in the journal stream; 0 when the task has no record. */
export interface JournalTip {
  record: JournalRecord | null;
  seq: number;
  /** The last hand-off; null when no agent handed the task off. */
  handed: KnownHandOff | null;
}

/** The tip of a task without records. */
export const NO_RECORDS: JournalTip = Object.freeze({ record: null, seq: 0, handed: null });

const HEADERS_OF = {
  json: Object.freeze({ [HEADERS.contentType]: CONTENT_TYPES.json }),
  msgpack: Object.freeze({ [HEADERS.contentType]: CONTENT_TYPES.msgpack }),
};

/** Reads and writes the journal of single tasks. */
export interface Journal {
  /** Reads the task's tip. @throws SwarmError `unavailable` when its hand-off is not readable. */
  tip(capability: string, taskId: string): Promise<JournalTip>;
  /**
   * Appends a record after the tip, and resolves to the new tip. Default encoding: JSON; a record of steps may need MessagePack.
   * @throws SwarmError `conflict` when the tip is stale.
   */
  append(
    capability: string,
    taskId: string,
    record: JournalRecord,
    tip: JournalTip,
    encoding?: Encoding,
  ): Promise<JournalTip>;
  /** The task's attempts, from its records; no attempts for a task without records. */
  history(capability: string, taskId: string): Promise<TaskHistory>;
  /**
   * Replaces all records of the task with a closing record that has its history, up to the last attempt `last`. The record
   * expires after the time for ended journals, {@link ENDED_JOURNAL_MS} by default. Does nothing for a task without records.
   */
  close(
    capability: string,
    taskId: string,
    last: LastAttempt,
    nowMs: number,
    /** The history so far, where the caller knows every record: then the journal is not read. */
    known?: HistoryFold,
  ): Promise<void>;
  /** Reads the whole journal of a task from the stream's leader. @throws SwarmError `unavailable`. */
  records(capability: string, taskId: string): Promise<readonly TrailRecord[]>;
}

/**
 * Makes the journal over its stream.
 * @param options.endedMs how long the closing record of an ended task is kept, in ms.
 * @param options.trail reads the records in place of the stream, for a process that may only append to it.
 * @param options.trimmer removes the records before a closing record, for such a process. Without it the closing record is a roll-up; where
 *   the stream refuses roll-ups (J1), this process removes the records itself.
 */
export function createJournal(
  log: Log,
  subjects: Subjects,
  {
    endedMs = ENDED_JOURNAL_MS,
    trail,
    trimmer,
  }: {
    endedMs?: number | undefined;
    trail?: Pick<TrailReader, "records"> | undefined;
    trimmer?: JournalTrimmer | undefined;
  } = {},
): Journal {
  /** False once the stream has refused a roll-up. */
  let takesRollups = trimmer === undefined;

  /** Stores a closing record, and removes the records before it. */
  async function replaceWith(
    record: JournalRecord,
    { capability, taskId }: { capability: string; taskId: string },
  ): Promise<void> {
    const subject = subjects.journal(capability, taskId);
    const options = { headers: HEADERS_OF.json, ttlMs: endedMs };
    const body = encode(record);
    if (takesRollups) {
      try {
        await log.append(subject, body, { ...options, rollup: true });
        return;
      } catch (error) {
        if (!isRollupRefused(error)) throw error;
        takesRollups = false;
      }
    }
    const { seq } = await log.append(subject, body, options);
    if (trimmer === undefined) await log.purge({ filter: subject, beforeSeq: seq });
    else await trimmer.trim({ capability, taskId });
  }

  async function tip(filter: string): Promise<JournalTip> {
    for (let readSeq = 0; ; ) {
      const stored = await log.last(filter, { fresh: true });
      if (stored === null) return NO_RECORDS;
      const { seq } = stored;
      const record = readJournalRecord(stored);
      const handed = await readHandOff(record, seq);
      if (handed !== "gone") return { record, seq, handed };
      // If the task ended between the two reads, a closing record replaced all others, and the next read finds a newer
      // tip.
      if (seq === readSeq) {
        throw new SwarmError(
          "unavailable",
          `the hand-off that journal record ${seq} names cannot be read now`,
        );
      }
      readSeq = seq;
    }
  }

  /** The hand-off that the record itself is, or that it names by sequence. */
  async function readHandOff(record: JournalRecord, seq: number): Promise<KnownHandOff | null | "gone"> {
    if (record.type === "handed") return { record, seq };
    if (record.type === "finished" || record.handOff === undefined) return null;
    const stored = await log.get(record.handOff);
    const named = stored === null ? null : readJournalRecord(stored);
    return named?.type === "handed" ? { record: named, seq: record.handOff } : "gone";
  }
  async function fold(capability: string, taskId: string): Promise<HistoryFold> {
    const records = new HistoryFold();
    if (trail === undefined) {
      const filter = subjects.journal(capability, taskId);
      for await (const stored of log.read({ filter })) records.add(readJournalRecord(stored));
    } else for (const { record } of await trail.records({ capability, taskId })) records.add(record);
    return records;
  }
  return {
    tip: async (capability, taskId) =>
      trail === undefined
        ? tip(subjects.journal(capability, taskId))
        : tipOf(await trail.records({ capability, taskId })),
    async append(capability, taskId, facts, tip, encoding = "json") {
      const isPlain = tip.handed === null || facts.type === "handed" || facts.type === "finished";
      const record = isPlain ? facts : { ...facts, handOff: tip.handed?.seq };
      const { seq } = await log.append(subjects.journal(capability, taskId), encode(record, encoding), {
        headers: HEADERS_OF[encoding],
        expectedLastSubjectSeq: tip.seq,
      });
      return { record, seq, handed: record.type === "handed" ? { record, seq } : tip.handed };
    },
    history: async (capability, taskId) => (await fold(capability, taskId)).history(),
    records: (capability, taskId) =>
      (trail ?? createRecordReader(log, subjects)).records({ capability, taskId }),
    async close(capability, taskId, last, nowMs, known) {
      const records = known ?? (await fold(capability, taskId));
      if (records.isEmpty || records.isEnded) return;
      const { attempt } = last;
      const history = records.close(last);
      const record: JournalRecord = { type: "finished", attempt, at: new Date(nowMs).toISOString(), history };
      await replaceWith(record, { capability, taskId });
    },
  };
}

/** The tip of a whole journal. @throws SwarmError `unavailable` when its last record names a hand-off that is not there. */
function tipOf(records: readonly TrailRecord[]): JournalTip {
  const last = records.at(-1);
  if (last === undefined) return NO_RECORDS;
  const { record, seq } = last;
  if (record.type === "handed") return { record, seq, handed: { record, seq } };
  if (record.type === "finished" || record.handOff === undefined) return { record, seq, handed: null };
  const named = records.find((each) => each.seq === record.handOff);
  if (named?.record.type === "handed") {
    return { record, seq, handed: { record: named.record, seq: named.seq } };
  }
  throw new SwarmError("unavailable", `the hand-off that journal record ${seq} names is not in the journal`);
}

/** Removes the records of a task before its closing record (J1). Does nothing for a task without one. */
export async function trimJournal(
  log: Log,
  subjects: Subjects,
  { capability, taskId }: { capability: string; taskId: string },
): Promise<void> {
  const filter = subjects.journal(capability, taskId);
  const last = await log.last(filter, { fresh: true });
  if (last === null || readJournalRecord(last).type !== "finished") return;
  await log.purge({ filter, beforeSeq: last.seq });
}

/**
 * The number of the task's next attempt, from its last record. `died`: the last record is a `started`, or has steps, without an
 * outcome, so the process of that attempt died.
 */
export function nextAttempt(record: JournalRecord | null): { number: number; died: boolean } {
  if (record === null) return { number: 1, died: false };
  switch (record.type) {
    case "returned":
    case "waiting":
    case "settled":
      return { number: record.attempt, died: false };
    case "started":
    case "steps":
      return { number: record.attempt + 1, died: true };
    case "failed":
    case "handed":
      return { number: record.attempt + 1, died: false };
    case "finished":
      // A task with a result never gets here. So this is a new task with the id of an ended one whose result is gone, or a
      // task that has come back to a capability that it had left.
      return { number: 1, died: false };
    default:
      return record satisfies never;
  }
}

/** The hand-off as the next agent sees it: the sender, the context and all earlier agents. */
export function handedOffTo({ handed }: JournalTip): HandedOff | undefined {
  if (handed === null) return undefined;
  const { agent, context, hops } = handed.record;
  return { from: agent, context, hops };
}

/** The agents that handed the task off, as a result and a state show them. */
export function hopsOf({ handed }: JournalTip): { handOffs?: Hop[] } {
  return handed === null ? {} : { handOffs: handed.record.hops };
}
