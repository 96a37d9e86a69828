// Reads the records of tasks from the journal stream.
// I1: the records are those of the stream's leader. A reader that misses the newest one would start an attempt twice.
import { sleep } from "../../base/index.ts";
import {
  decode,
  HEADERS,
  type JournalRecord,
  journalRecordSchema,
  parse,
  type Subjects,
  SwarmError,
} from "../../protocol/index.ts";
import type { Log, Stored } from "../../transport/index.ts";
import type { TrailReader, TrailRecord } from "../ports.ts";

/** The most reads of a journal whose replica lags behind its leader, and the pause between two, in ms (I1). */
const LAG_READS = 5;
const LAG_PAUSE_MS = 200;

/** Makes the reader of the records of tasks from the journal stream (I1). */
export function createRecordReader(journal: Log, subjects: Subjects): Pick<TrailReader, "records"> {
  async function readAll(filter: string): Promise<TrailRecord[]> {
    const records: TrailRecord[] = [];
    for await (const stored of journal.read({ filter })) {
      records.push({ seq: stored.seq, record: readJournalRecord(stored) });
    }
    return records;
  }

  return {
    async records({ capability, taskId }) {
      const subject = subjects.journal(capability, taskId);
      for (let reads = 1; ; reads++) {
        const tip = await journal.last(subject, { fresh: true });
        if (tip === null) return [];
        const records = await readAll(subject);
        if (records.at(-1)?.seq === tip.seq) return records;
        if (reads === LAG_READS) break;
        await sleep(LAG_PAUSE_MS);
      }
      throw new SwarmError("unavailable", `the journal of task ${taskId} changes, or its replica lags`);
    },
  };
}

/** Parses a stored record. @throws SwarmError `invalid_input`. */
export function readJournalRecord(stored: Stored): JournalRecord {
  const { value } = decode(stored.data, stored.header(HEADERS.contentType));
  return parse(journalRecordSchema, value, "journal record");
}
