// The trail of a task: its journal, and the places that hold it now. A host reads it for a redelivered or handed-off task only.
// T1  The reads have wildcards, or bodies that name what they read, so no permission of NATS can bind them to a capability. A
//     host that may read its own subjects only asks an api process for the trail: it gives the worker another reader.
// T2  The records are those of the stream's leader: a reader that misses the newest one would start an attempt twice.
import { sleep } from "../../base/index.ts";
import { type Subjects, SwarmError } from "../../protocol/index.ts";
import type { Stored, Transport } from "../../transport/index.ts";
import type { TrailReader, TrailRecord } from "../ports.ts";
import { readJournalRecord } from "./journal.ts";
import { lastPlaced, placedAt } from "./placed-streams.ts";

/** The most reads of a journal whose replica lags behind its leader, and the pause between two, in ms (T2). */
const LAG_READS = 5;
const LAG_PAUSE_MS = 200;

/** Makes the reader of a process that may read all streams (T1). */
export function createTrailReader(transport: Transport, subjects: Subjects): TrailReader {
  const journal = transport.log("journal");
  const [tasks, later] = [transport.log("tasks"), transport.log("later")];
  const fresh = { fresh: true };
  const isStored = (stored: Stored | null) => stored !== null;

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
        const tip = await journal.last(subject, fresh);
        if (tip === null) return [];
        const records = await readAll(subject);
        if (records.at(-1)?.seq === tip.seq) return records;
        if (reads === LAG_READS) break;
        await sleep(LAG_PAUSE_MS);
      }
      throw new SwarmError("unavailable", `the journal of task ${taskId} changes, or its replica lags`);
    },
    async places(at) {
      const { placedById, laterById, dueById } = subjects.filters;
      const first = await lastPlaced(transport, placedById(at.taskId), fresh);
      const isLater =
        isStored(await later.last(laterById(at.taskId), fresh)) ||
        isStored(await later.last(dueById(at.taskId), fresh));
      const isQueued = isStored(await tasks.last(subjects.task(at), fresh));
      // The task may have left its queue for an agent between the first read and this one.
      const last = await lastPlaced(transport, placedById(at.taskId), fresh);
      const readable = [...first, ...last].filter(({ subject }) => subjects.readPlaced(subject) !== null);
      const placed = readable.map((stored) => placedAt(subjects, stored));
      return { placed, isLater, isQueued };
    },
  };
}
