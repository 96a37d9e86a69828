// The reader of task states: one object that joins status.ts, list.ts, locate.ts and open-ballots.ts. The task client
// (client.ts, submit.ts, cancel.ts) uses it.
import type { Clock } from "../../base/index.ts";
import type { Subjects, TaskStatus, WhereReply } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { Journal } from "../stores/journal.ts";
import {
  type ListOptions,
  type PageOptions,
  type Scan,
  type ScanOptions,
  type ScanProgress,
  TaskLister,
  type TaskPage,
} from "./list.ts";
import { type TaskLocation, TaskLocator } from "./locate.ts";
import { createOpenBallots, type OpenBallotReply } from "./open-ballots.ts";
import { StatusReader } from "./status.ts";
import type { TaskFacts } from "./task-filter.ts";

/** Reads the states of tasks. */
export interface TaskReader {
  /**
   * The state of one task.
   * @throws SwarmError `not_found`; `unavailable`, also while no coordinator knows whether the id is an open ballot.
   */
  status(taskId: string): Promise<TaskStatus>;
  /** The state of one task with the history of its attempts. @throws as {@link status}. */
  statusWithHistory(taskId: string): Promise<TaskStatus>;
  /** Lists live tasks first (newest first), then ended tasks (newest first). @throws SwarmError `unavailable`. */
  list(options?: ListOptions): Promise<TaskStatus[]>;
  /** Reads one page of the list; yields its progress. @throws SwarmError `unavailable`; `invalid_input` for a cursor. */
  page(options?: PageOptions): AsyncGenerator<ScanProgress, TaskPage>;
  /** Looks at more entries than a page, for changes of many tasks. @throws SwarmError `unavailable`. */
  scan(options: ScanOptions): AsyncGenerator<ScanProgress, Scan>;
  /** The place where a task is stored, or null. */
  locate(taskId: string): Promise<TaskLocation | null>;
  /**
   * The running attempt of a task, or null. Asks the hosts only when the stored task may have reached one; without a location it always
   * asks them.
   */
  findRunning(taskId: string, location: TaskLocation | null): Promise<WhereReply | null>;
  /** The open ballot with this id, or null: see {@link OpenBallots.find}. */
  findBallot(taskId: string): Promise<OpenBallotReply | null>;
}

/** Makes the reader. `journal` has the newest attempt of each live task. */
export function createTaskReader(parts: {
  transport: Transport;
  subjects: Subjects;
  clock: Clock;
  journal: Journal;
  traceOfDead(taskId: string): Promise<string | undefined>;
  factsOfDead(taskId: string): Promise<Pick<TaskFacts, "scope" | "labels"> | null>;
}): TaskReader {
  const locator = new TaskLocator(parts.transport, parts.subjects);
  const ballots = createOpenBallots(parts);
  const statuses = new StatusReader({ ...parts, locator, ballots });
  const lister = new TaskLister({ ...parts, locator, ballots, statuses });
  return {
    status: (taskId) => statuses.read(taskId),
    statusWithHistory: (taskId) => statuses.readWithHistory(taskId),
    list: (options) => lister.list(options),
    page: (options) => lister.page(options),
    scan: (options) => lister.scan(options),
    locate: (taskId) => locator.locate(taskId),
    findRunning: (taskId, location) => statuses.findRunning(taskId, location),
    findBallot: (taskId) => ballots.find(taskId),
  };
}
