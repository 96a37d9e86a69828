// Finds the stored message of a task by the task's id, and reads the location of a stored message. Reads no journal and
// asks no host; status.ts computes the state of the task from the location. Callers: status.ts and reader.ts.
import { NO_SCOPE, type Placement, type Subjects, type TaskAddress } from "../../protocol/index.ts";
import type { Log, Stored, Transport } from "../../transport/index.ts";
import { readPlacedTask, readStray, readTaskAddress, UNREADABLE, unreadableId } from "../stores/messages.ts";
import { lastPlaced } from "../stores/placed-streams.ts";

/** The place of a task in the streams, and its stored message. */
export interface TaskLocation {
  capability: string;
  /** Null when the subject does not contain the scope: the result of a scoped task is under a lane (`w00`…`w07`). */
  scope: string | null;
  place: "result" | "later" | "queue";
  stored: Stored;
  /** Set when the task is in the queue and was placed on an agent. */
  placement?: Placement | undefined;
  /** The reason why no process can take the message; undefined for every task that runs some day. */
  stray?: string | undefined;
}

/** The most subjects that are searched for a message without a task id: one answer of the server for each 100,000. */
const MAX_SEARCHED_SUBJECTS = 1_000_000;

/** A stored task with its id. */
export interface LocatedTask {
  taskId: string;
  location: TaskLocation;
}

/** Locates tasks in the streams of results, later tasks and tasks. */
export class TaskLocator {
  readonly #transport: Transport;
  readonly #subjects: Subjects;
  readonly #results: Log;
  readonly #later: Log;
  readonly #tasks: Log;

  constructor(transport: Transport, subjects: Subjects) {
    this.#transport = transport;
    this.#subjects = subjects;
    this.#results = transport.log("results");
    this.#later = transport.log("later");
    this.#tasks = transport.log("tasks");
  }

  /**
   * The location of a task, or null when no stream has it. A stored result comes first, because then the task has
   * ended.
   */
  async locate(taskId: string): Promise<TaskLocation | null> {
    const { filters } = this.#subjects;
    const [result, later, due, task, placed] = await Promise.all([
      this.#results.last(filters.resultById(taskId)),
      this.#later.last(filters.laterById(taskId)),
      this.#later.last(filters.dueById(taskId)),
      this.#tasks.last(filters.taskById(taskId)),
      lastPlaced(this.#transport, filters.placedById(taskId)),
    ]);
    if (result !== null) return this.locateResult(result);
    // During a hand-over both the queued message and the placed message are stored. The placed message is newer, so it
    // wins. Of several placed messages, the message after the last hand-off wins, then the newest one.
    const newest = placed.flatMap((message) => this.locatePlaced(message) ?? []).sort(byNewest)[0];
    const live = newest ?? this.#locateTask(task, "queue");
    const found = live ?? this.#locateTask(due ?? later, "later");
    return found === null && taskId.startsWith(`${UNREADABLE}-`) ? this.#locateUnreadable(taskId) : found;
  }

  /** The location of a message whose subject has no task id; its id is a digest of the subject. */
  async #locateUnreadable(id: string): Promise<TaskLocation | null> {
    const { allTasks, allLater } = this.#subjects.filters;
    for (const [log, filter, place] of [
      [this.#tasks, allTasks, "queue"],
      [this.#later, allLater, "later"],
    ] as const) {
      const names = await log.subjects(filter, { max: MAX_SEARCHED_SUBJECTS });
      for (const name of names.keys()) {
        if (unreadableId(name) === id) return this.#locateTask(await log.last(name), place);
      }
    }
    return null;
  }

  /** The location of a stored result. */
  locateResult(stored: Stored): TaskLocation {
    const capability = this.#subjects.readTaskIdentity(stored.subject)?.capability ?? "";
    const lane = stored.subject.split(".")[3];
    return { capability, scope: lane === NO_SCOPE ? NO_SCOPE : null, place: "result", stored };
  }

  /** The location of a placed task, or null when the message is no placed task. */
  locatePlaced(stored: Stored): TaskLocation | null {
    const task = readPlacedTask(this.#subjects, stored);
    if (task === null) return null;
    const { capability, scope } = task.at;
    return { capability, scope, place: "queue", stored, placement: task.placement };
  }

  /** A scheduled or due task, or null when the message is no task. */
  readLater(stored: Stored): LocatedTask | null {
    const at = this.readAddress(stored);
    const location = this.#locateTask(stored, "later");
    return at === null || location === null ? null : { taskId: at.taskId, location };
  }

  /** The address of a queued, scheduled or due task, also of a stray one; null for every other message. */
  readAddress(stored: Stored): TaskAddress | null {
    return readStray(this.#subjects, stored)?.at ?? readTaskAddress(this.#subjects, stored);
  }

  /** A queued or placed task, or null when the message is no task. */
  readLive(stored: Stored): LocatedTask | null {
    const placed = readPlacedTask(this.#subjects, stored);
    const at = placed?.at ?? this.readAddress(stored);
    const location = this.locatePlaced(stored) ?? this.#locateTask(stored, "queue");
    if (at === null || location === null) return null;
    return { taskId: at.taskId, location };
  }

  #locateTask(stored: Stored | null, place: "later" | "queue"): TaskLocation | null {
    const stray = stored === null ? null : readStray(this.#subjects, stored);
    const at = stored === null ? null : (stray?.at ?? readTaskAddress(this.#subjects, stored));
    if (stored === null || at === null) return null;
    const { capability, scope } = at;
    return { capability, scope, place, stored, ...(stray === null ? {} : { stray: stray.reason }) };
  }
}

/** Orders placed messages of one task: the message after the last hand-off first, then the newest. */
function byNewest(one: TaskLocation, other: TaskLocation): number {
  const hop = ({ placement }: TaskLocation) => placement?.handOff ?? 0;
  return hop(other) - hop(one) || other.stored.storedAtMs - one.stored.storedAtMs;
}
