// Purges many tasks for client.ts: selects them by a filter, then changes one at a time.
// I1: a waiting task that is purged ends as `cancelled`, with a stored result. A purge removes no message without a result.
// I2: a running task stays. The stored result decides the race with a host that starts the task in the same instant.
// I3: a result is removed only when no message of its task is stored: else a redelivery would perform the task again.
import type { Subjects, TaskState } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { lastPlaced, placedStreams } from "../stores/placed-streams.ts";
import type { FoundTask, ScanProgress } from "./list.ts";
import type { TaskReader } from "./reader.ts";
import type { TaskFilter } from "./task-filter.ts";

/** The states of tasks that wait. */
export const WAITING_STATES = ["pending", "scheduled", "retrying"] as const satisfies readonly TaskState[];
/** The states of ended tasks. */
export const ENDED_STATES = ["completed", "failed", "cancelled"] as const satisfies readonly TaskState[];
/** A state whose tasks can be purged. */
export type PurgeState = (typeof WAITING_STATES)[number] | (typeof ENDED_STATES)[number];

/** The most tasks that one selection holds: their facts take some 50 MB of memory. */
const MAX_SELECTED = 100_000;
/** The most entries that one selection looks at: some minutes of work. */
const MAX_SCANNED = 1_000_000;

/** A task that a purge selected. */
export type PurgeTask = FoundTask & { taskId: string };

/** The tasks that a filter selects for a purge. */
export interface PurgeSelection {
  found: PurgeTask[];
  /** Tasks that the filter selects and that run: they stay (I2). */
  running: number;
  /** Entries that were not looked at, because there are too many. */
  unseen: number;
  /** Entries that could not be judged, because a fact that the filter needs is not stored. */
  unknown: number;
}

/** Selects and purges tasks. */
export interface TaskPurge {
  /** The tasks in `state`, by default all that wait, the newest first. Yields its progress. @throws SwarmError `unavailable`. */
  select(
    filter: TaskFilter,
    options?: { state?: PurgeState | undefined; signal?: AbortSignal | undefined },
  ): AsyncGenerator<ScanProgress, PurgeSelection>;
  /**
   * Cancels a waiting task (I1), or removes the result of an ended one. False when nothing was changed: the task runs, has
   * ended, or is gone (I2, I3). @throws SwarmError `unavailable`.
   */
  purge(task: PurgeTask): Promise<boolean>;
}

/** Makes the purge. `cancelWaiting` cancels a task that does not run; false when it runs or has ended. */
export function createTaskPurge(parts: {
  transport: Transport;
  subjects: Subjects;
  reader: Pick<TaskReader, "scan">;
  cancelWaiting(taskId: string): Promise<boolean>;
}): TaskPurge {
  const { transport, reader } = parts;
  const { filters } = parts.subjects;
  const [tasks, later, results] = [transport.log("tasks"), transport.log("later"), transport.log("results")];

  async function isStillStored(taskId: string): Promise<boolean> {
    const fresh = { fresh: true };
    const messages = await Promise.all([
      tasks.last(filters.taskById(taskId), fresh),
      later.last(filters.laterById(taskId), fresh),
      later.last(filters.dueById(taskId), fresh),
    ]);
    if (messages.some((message) => message !== null)) return true;
    return (await lastPlaced(transport, filters.placedById(taskId), fresh)).length > 0;
  }

  return {
    async *select(filter, { state, signal } = {}) {
      const isEnded = ENDED_STATES.some((ended) => ended === state);
      const states: readonly TaskState[] = isEnded ? [state!] : [...WAITING_STATES, "running"];
      const bounds = { limit: MAX_SELECTED, maxSeen: MAX_SCANNED };
      const scan = yield* reader.scan({ ...filter, ...bounds, states, signal, withoutResults: true });
      const wanted = scan.found.filter(({ status }) => state === undefined || status.state === state);
      const found = wanted.filter(({ status }) => status.state !== "running");
      const placed = isEnded ? [] : (await placedStreams(transport)).map(({ log }) => log);
      const infos = await Promise.all(
        (isEnded ? [results] : [tasks, later, ...placed]).map((log) => log.info()),
      );
      const stored = infos.reduce((sum, { messages }) => sum + messages, 0);
      return {
        found: found.map((task) => ({ ...task, taskId: task.status.taskId })),
        running: scan.found.filter(({ status }) => status.state === "running").length,
        unseen: scan.next === null ? 0 : Math.max(0, stored - scan.seen),
        unknown: scan.hidden.unknown,
      };
    },
    async purge({ taskId, place, seq }) {
      if (place !== "ended") return parts.cancelWaiting(taskId);
      if (await isStillStored(taskId)) return false; // I3
      return results.delete(seq);
    },
  };
}
