// Lists tasks with their states for reader.ts: reads the newest messages of each stream and the open ballots. status.ts
// derives the state of each task.
import type { Subjects, TaskState, TaskStatus } from "../../protocol/index.ts";
import type { Log, Stored, Transport } from "../../transport/index.ts";
import { ballotIdOf } from "../stores/messages.ts";
import type { TaskLocator } from "./locate.ts";
import type { OpenBallots } from "./open-ballots.ts";
import type { StatusReader } from "./status.ts";

/** How many tasks `list` shows when the caller names no limit. */
export const DEFAULT_LIST_LIMIT = 50;
/** The most tasks that `list` shows. */
export const MAX_LIST_LIMIT = 1_000;

/** The selection of a list. */
export interface ListOptions {
  state?: TaskState | undefined;
  capability?: string | undefined;
  /** Default {@link DEFAULT_LIST_LIMIT}, at most {@link MAX_LIST_LIMIT}. */
  limit?: number | undefined;
  /** Also lists the questions that ballots ask their seats, judges and verifiers. Default false: the ballot represents them. */
  seats?: boolean | undefined;
  /** Only tasks that no process can take; default false. */
  stray?: boolean | undefined;
}

/** Lists tasks. */
export class TaskLister {
  readonly #transport: Transport;
  readonly #subjects: Subjects;
  readonly #locator: TaskLocator;
  readonly #statuses: StatusReader;
  readonly #ballots: OpenBallots;

  constructor(parts: {
    transport: Transport;
    subjects: Subjects;
    locator: TaskLocator;
    statuses: StatusReader;
    ballots: OpenBallots;
  }) {
    this.#transport = parts.transport;
    this.#subjects = parts.subjects;
    this.#locator = parts.locator;
    this.#statuses = parts.statuses;
    this.#ballots = parts.ballots;
  }

  /** Returns live tasks first (newest first), then ended tasks (newest first). @throws SwarmError `unavailable`. */
  async list(options: ListOptions = {}): Promise<TaskStatus[]> {
    const limit = Math.max(1, Math.min(MAX_LIST_LIMIT, options.limit ?? DEFAULT_LIST_LIMIT));
    const { state } = options;
    // All streams are read at once; the order of the parts is the order of the list.
    const parts = await Promise.all([
      this.#listBallots(options, limit),
      this.#listLive(options, limit),
      this.#listLater(options, limit),
      this.#listEnded(options, limit),
    ]);
    const found = new Map<string, TaskStatus>();
    for (const status of parts.flat()) {
      // A task that moved between two reads appears twice: its first place in the list counts.
      const isWanted = state === undefined || status.state === state;
      if (options.stray === true && status.stray === undefined) continue;
      if (!found.has(status.taskId) && isWanted) found.set(status.taskId, status);
    }
    return [...found.values()].slice(0, limit);
  }

  async #listBallots(options: ListOptions, limit: number): Promise<TaskStatus[]> {
    if (!wants(options, "running")) return [];
    const open = await this.#ballots.list();
    const shown = open.filter(({ capability }) => fits(options, capability)).slice(0, limit);
    return Promise.all(shown.map((line) => this.#statuses.ofListedBallot(line)));
  }

  async #listLive(options: ListOptions, limit: number): Promise<TaskStatus[]> {
    if (!wants(options, "pending", "running", "retrying")) return [];
    const log = this.#transport.log("tasks");
    const { prefix, filters } = this.#subjects;
    const { capability } = options;
    const ofTasks = capability === undefined ? filters.allTasks : `${prefix}.task.${capability}.>`;
    const [queued, placed, view] = await Promise.all([
      newest(log, ofTasks, limit, options),
      newest(log, filters.allPlaced, limit, options),
      this.#statuses.viewQueue(),
    ]);
    // Both kinds are in one stream, so their sequences give their order. A task in a hand-over has two messages; the newer one,
    // which is placed, comes first.
    const statuses: Promise<TaskStatus>[] = [];
    for (const stored of [...queued, ...placed].sort((a, b) => b.seq - a.seq)) {
      const live = this.#locator.readLive(stored);
      if (live === null || !fits(options, live.location.capability)) continue;
      const status = this.#statuses.ofQueue(live.taskId, live.location, view.delivering.has(live.consumer));
      statuses.push(
        status.then((known) =>
          known.state === "pending"
            ? { ...known, ...this.#statuses.describeStray(live.location, view) }
            : known,
        ),
      );
    }
    return Promise.all(statuses);
  }

  async #listLater(options: ListOptions, limit: number): Promise<TaskStatus[]> {
    if (!wants(options, "scheduled", "retrying")) return [];
    const log = this.#transport.log("later");
    const { prefix, filters } = this.#subjects;
    const [due, later] = await Promise.all([
      newest(log, `${prefix}.due.${options.capability ?? "*"}.>`, limit, options),
      newest(log, filters.allLater, limit, options),
    ]);
    const statuses: Promise<TaskStatus>[] = [];
    for (const stored of [...due, ...later]) {
      const task = this.#locator.readLater(stored);
      if (task === null || !fits(options, task.location.capability)) continue;
      statuses.push(this.#statuses.ofLater(task.taskId, task.location));
    }
    return Promise.all(statuses);
  }

  async #listEnded(options: ListOptions, limit: number): Promise<TaskStatus[]> {
    if (!wants(options, "completed", "failed", "cancelled")) return [];
    const filter = `${this.#subjects.prefix}.result.${options.capability ?? "*"}.>`;
    const statuses: Promise<TaskStatus>[] = [];
    for (const stored of await newest(this.#transport.log("results"), filter, limit, options)) {
      const taskId = this.#subjects.readTaskIdentity(stored.subject)?.taskId;
      if (taskId === undefined) continue;
      statuses.push(this.#statuses.ofResult(taskId, this.#locator.locateResult(stored)));
    }
    return Promise.all(statuses);
  }
}

/** True when the list shows tasks in one of these states. */
function wants({ state }: ListOptions, ...states: TaskState[]): boolean {
  return state === undefined || states.includes(state);
}

/** True when the list shows tasks of this capability. */
function fits({ capability: wanted = "*" }: ListOptions, capability: string): boolean {
  return wanted === "*" || wanted === capability;
}

/** The newest messages that fit, newest first: reads a window at the stream's end and enlarges it until it holds enough. */
async function newest(
  log: Log,
  filter: string,
  limit: number,
  { seats = false }: ListOptions,
): Promise<Stored[]> {
  const { firstSeq, lastSeq, messages } = await log.info();
  if (messages === 0) return [];
  for (let window = limit * 2; ; window *= 4) {
    const fromSeq = Math.max(firstSeq, lastSeq - window + 1);
    const found: Stored[] = [];
    for await (const stored of log.read({ filter, fromSeq })) {
      if (!seats && ballotIdOf(stored) !== undefined) continue;
      found.push(stored);
      if (found.length > limit * 2) found.shift();
    }
    if (found.length >= limit || fromSeq <= firstSeq) return found.slice(-limit).reverse();
  }
}
