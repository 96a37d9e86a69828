// The tasks that wait for a person, because a step that runs once never told how it ended. Such a task lies in the later stream, and the last
// record of its journal tells the wait; so the ids in the later stream are looked up there, some at a time.
import { createSubjects, lastToken } from "../../protocol/index.ts";
import { isStreamMissing, type Transport } from "../../transport/index.ts";
import { readJournalRecord } from "../../work/index.ts";

/** The most delayed tasks whose ids are read in one look: the server sends all of them, some 60 bytes each. */
const MAX_DELAYED_IDS = 2_000;
/** The most journals that one look reads: a look takes some 10 ms then. */
const MAX_JOURNAL_LOOKS = 100;
/** How long an answer of a journal counts, in ms: a retried task may come back to the later stream as a waiting one. */
const JOURNAL_LOOK_MS = 30_000;

/** A task that waits for a person. */
export interface WaitingTask {
  readonly taskId: string;
  readonly capability: string;
  /** The steps that the person must settle. */
  readonly steps: readonly string[];
  /** When the wait began, Unix ms. */
  readonly sinceMs: number;
}

/** The waiting tasks, as far as they were looked for. */
export interface PeopleFacts {
  readonly tasks: readonly WaitingTask[];
  /** Delayed tasks that were not looked at yet, or are beyond the bound. */
  readonly unseen: number;
}

/** Makes the reader. It remembers the answers of journals for {@link JOURNAL_LOOK_MS}. */
export function createPeopleReader(transport: Transport): () => Promise<PeopleFacts> {
  const subjects = createSubjects(transport.prefix);
  const seen = new Map<string, { atMs: number; waiting: WaitingTask | null }>();

  return async () => {
    const { ids, left } = await delayedIds();
    if (left === 0) for (const id of seen.keys()) if (!ids.has(id)) seen.delete(id);
    const nowMs = transport.clock.now();
    const due = [...ids].filter(
      (id) => nowMs - (seen.get(id)?.atMs ?? Number.NEGATIVE_INFINITY) >= JOURNAL_LOOK_MS,
    );
    const isNew = (id: string) => !seen.has(id);
    const chosen = [...due.filter(isNew), ...due.filter((id) => !isNew(id))].slice(0, MAX_JOURNAL_LOOKS);
    await Promise.all(
      chosen.map(async (id) => void seen.set(id, { atMs: nowMs, waiting: await lookAt(id) })),
    );
    const tasks = [...seen.values()].flatMap(({ waiting }) => waiting ?? []);
    return {
      tasks: tasks.sort((one, other) => one.sinceMs - other.sinceMs || (one.taskId < other.taskId ? -1 : 1)),
      unseen: left + [...ids].filter(isNew).length,
    };
  };

  /** The ids of the delayed tasks; with more than the bound, the ids of known waiting tasks, and the number of all. */
  async function delayedIds(): Promise<{ ids: Set<string>; left: number }> {
    const log = transport.log("later");
    try {
      const { messages } = await log.info();
      if (messages === 0) return { ids: new Set(), left: 0 };
      if (messages > MAX_DELAYED_IDS) {
        const known = [...seen].flatMap(([id, { waiting }]) => (waiting === null ? [] : [id]));
        return { ids: new Set(known), left: messages };
      }
      const counts = await log.subjects(subjects.filters.allLater, { max: MAX_DELAYED_IDS });
      return { ids: new Set([...counts.keys()].map(lastToken)), left: 0 };
    } catch (error) {
      if (isStreamMissing(error)) return { ids: new Set(), left: 0 };
      throw error;
    }
  }

  async function lookAt(taskId: string): Promise<WaitingTask | null> {
    const last = await transport.log("journal").last(subjects.filters.journalById(taskId));
    if (last === null) return null;
    const record = readJournalRecord(last);
    if (record?.type !== "waiting") return null;
    const capability = subjects.readTaskIdentity(last.subject)?.capability ?? "-";
    return { taskId, capability, steps: record.steps, sinceMs: Date.parse(record.at) };
  }
}
