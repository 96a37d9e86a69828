// Lists tasks with their states for reader.ts: reads the open ballots and the streams from their newest messages on, and judges
// each entry by the filter. status.ts derives the state of each task.
// I1: each entry that a page looked at is shown, or counted with the reason.
import {
  isLaneOf,
  NO_SCOPE,
  type Subjects,
  SwarmError,
  type TaskState,
  type TaskStatus,
  toSwarmError,
} from "../../protocol/index.ts";
import type { Stored, Transport } from "../../transport/index.ts";
import { unpackStored } from "../stores/bodies.ts";
import type { Journal } from "../stores/journal.ts";
import { ballotIdOf, queuedAtMs } from "../stores/messages.ts";
import { placedStreams } from "../stores/placed-streams.ts";
import type { TaskLocation, TaskLocator } from "./locate.ts";
import { readNewest } from "./newest.ts";
import type { OpenBallotLine, OpenBallots } from "./open-ballots.ts";
import type { QueueView, StatusReader } from "./status.ts";
import { selects, type TaskFacts, type TaskFilter } from "./task-filter.ts";

/** How many tasks `list` shows when the caller names no limit. */
export const DEFAULT_LIST_LIMIT = 50;
/** The most tasks that `list` shows. */
export const MAX_LIST_LIMIT = 1_000;
/** The most stored entries that one page looks at: some seconds of work. The next page goes on behind them. */
export const MAX_LOOKED_AT = 10_000;
/** The entries whose states are derived at once: each may need an answer of the hosts, which takes up to 150 ms. */
const JUDGED_AT_ONCE = 64;
/** A stream is in the order of its times but for this much, in ms: the clocks of NATS servers differ. */
const ORDER_MARGIN_MS = 60_000;

/** The selection of a list. */
export interface ListOptions extends TaskFilter {
  state?: TaskState | undefined;
  /** Default {@link DEFAULT_LIST_LIMIT}, at most {@link MAX_LIST_LIMIT}. */
  limit?: number | undefined;
  /** Also lists the questions that ballots ask their seats, judges and verifiers. Default false: the ballot represents them. */
  seats?: boolean | undefined;
  /** Only tasks that no process can take; default false. */
  stray?: boolean | undefined;
}

/** The selection of one page. */
export interface PageOptions extends ListOptions {
  /** The cursor that the page before named: the page goes on behind it. */
  after?: string | undefined;
}

/** The reasons why a page does not show an entry that it looked at. */
export const HIDDEN_REASONS = {
  filter: "do not match the filter",
  seat: "are questions of ballots to their seats (with seats they are shown)",
  twice: "are further messages of tasks that are shown",
  unknown: "could not be judged: the labels, scope or time that the filter needs are not stored",
  unreadable: "are not readable as a task or a result",
} as const;
type Hidden = keyof typeof HIDDEN_REASONS;

/** One page of a list. */
export interface TaskPage {
  tasks: TaskStatus[];
  /** The cursor of the next page; null when nothing is left. A page may be empty and have a next one. */
  next: string | null;
  /** The entries that the page looked at. Each is shown, or in `hidden`. */
  seen: number;
  hidden: Record<Hidden, number>;
  /** True: no coordinator answered, so open ballots are missing, and nothing counts them. */
  missesBallots: boolean;
}

/** A task that a scan found, and its message. */
export interface FoundTask {
  status: TaskStatus;
  place: Place;
  /** Its sequence in the stream of its place; 0 for an open ballot, which has no message. */
  seq: number;
}

/** The progress of a scan. */
export interface ScanProgress {
  seen: number;
  found: number;
}

/** The end of a scan. */
export type Scan = Omit<TaskPage, "tasks"> & { found: FoundTask[] };

/** The places of tasks, in the order of a list. */
const PLACES = ["ballots", "placed", "live", "later", "ended"] as const;
type Place = (typeof PLACES)[number];
const STATES_AT: Readonly<Record<Place, readonly TaskState[]>> = {
  ballots: ["running"],
  placed: ["pending", "running", "retrying"],
  live: ["pending", "running", "retrying"],
  later: ["scheduled", "retrying"],
  ended: ["completed", "failed", "cancelled"],
};

/** The selection of a scan: a page, or more than a page. */
export interface ScanOptions extends Omit<PageOptions, "state" | "limit"> {
  /** Default: every state. */
  states?: readonly TaskState[] | undefined;
  limit: number;
  maxSeen: number;
  /** True: the tasks that are found have no results, whose outputs would fill the memory. */
  withoutResults?: boolean | undefined;
  /** Ends the scan after the present entry. */
  signal?: AbortSignal | undefined;
}

/** One entry: its place in the order, and its judge. */
interface Entry {
  /** The key of its place in the order; the next page goes on behind it. */
  key: string;
  seq: number;
  judge(): Promise<TaskStatus | Hidden>;
}

/** Lists tasks. */
export class TaskLister {
  readonly #parts: ListerParts;

  constructor(parts: ListerParts) {
    this.#parts = parts;
  }

  /** Returns live tasks first (newest first), then ended tasks (newest first). @throws SwarmError `unavailable`. */
  async list(options: ListOptions = {}): Promise<TaskStatus[]> {
    const { found } = await finish(this.scan(scanOf(options, Number.POSITIVE_INFINITY)));
    return found.map(({ status }) => status);
  }

  /** Reads one page; yields its progress after each batch. @throws SwarmError `unavailable`; `invalid_input` for a cursor. */
  async *page(options: PageOptions = {}): AsyncGenerator<ScanProgress, TaskPage> {
    const { found, ...rest } = yield* this.scan(scanOf(options, MAX_LOOKED_AT));
    return { tasks: found.map(({ status }) => status), ...rest };
  }

  /** Looks at entries until `limit` are found, `maxSeen` are looked at, or nothing is left. @throws as {@link page}. */
  async *scan(options: ScanOptions): AsyncGenerator<ScanProgress, Scan> {
    const { states, limit, maxSeen, withoutResults = false, signal } = options;
    const keep = (status: TaskStatus) => (withoutResults ? { ...status, result: undefined } : status);
    const found = new Map<string, FoundTask>();
    const hidden = { filter: 0, seat: 0, twice: 0, unknown: 0, unreadable: 0 };
    let seen = 0;
    let missesBallots = false;
    const onMissing = () => {
      missesBallots = true;
    };
    const start = readCursor(options.after);
    const end = (next: string | null): Scan => ({
      ...{ found: [...found.values()], next, seen, hidden, missesBallots },
    });
    for (const place of PLACES.slice(PLACES.indexOf(start.place))) {
      if (states !== undefined && !STATES_AT[place].some((state) => states.includes(state))) continue;
      const behind = place === start.place ? start.key : undefined;
      for await (const batch of this.#read(place, options, behind, onMissing)) {
        for (let index = 0; index < batch.length; index += JUDGED_AT_ONCE) {
          const slice = batch.slice(index, index + JUDGED_AT_ONCE);
          const answers = await Promise.all(slice.map((entry) => entry.judge()));
          for (const [at, { key, seq }] of slice.entries()) {
            const answer = answers[at]!;
            seen++;
            if (typeof answer === "string") hidden[answer]++;
            else if (!isWanted(options, answer)) hidden.filter++;
            // A task that moved between two reads appears twice: its first place in the list counts.
            else if (found.has(answer.taskId)) hidden.twice++;
            else found.set(answer.taskId, { status: keep(answer), place, seq });
            if (found.size >= limit || seen >= maxSeen || signal?.aborted === true)
              return end(`${place}.${key}`);
          }
          yield { seen, found: found.size };
        }
      }
    }
    return end(null);
  }

  #read(
    place: Place,
    options: ScanOptions,
    behind: string | undefined,
    onMissing: () => void,
  ): AsyncGenerator<Entry[], void> {
    if (place === "ballots") return this.#readBallots(options, behind, onMissing);
    if (place === "placed") return this.#readPlaced(options, behind);
    const belowSeq = behind === undefined ? undefined : Number(behind);
    if (place === "live") return this.#readLive(options, belowSeq);
    return place === "later" ? this.#readLater(options, belowSeq) : this.#readEnded(options, belowSeq);
  }

  /** Open ballots by their ids, the highest first: the order holds while ballots come and go. */
  async *#readBallots(
    options: ScanOptions,
    behind: string | undefined,
    onMissing: () => void,
  ): AsyncGenerator<Entry[], void> {
    const lines = await this.#parts.ballots.list();
    if (lines === null) return onMissing();
    const open = lines.filter(({ id }) => behind === undefined || id < behind);
    const judge = async (line: OpenBallotLine): Promise<TaskStatus | Hidden> => {
      const facts: TaskFacts = { taskId: line.id, capability: line.capability, agent: null, code: null };
      const answer = selects(options, facts);
      if (answer === true) return this.#parts.statuses.ofListedBallot(line);
      return answer === null ? "unknown" : "filter";
    };
    const sorted = open.sort((a, b) => (a.id < b.id ? 1 : -1));
    yield sorted.map((line) => ({ key: line.id, seq: 0, judge: () => judge(line) }));
  }

  async *#readLive(options: ScanOptions, belowSeq: number | undefined): AsyncGenerator<Entry[], void> {
    const { transport, subjects } = this.#parts;
    const { capability } = options;
    const ofTasks =
      capability === undefined ? subjects.filters.allTasks : `${subjects.prefix}.task.${capability}.>`;
    yield* this.#readQueued(options, readNewest(transport.log("tasks"), [ofTasks], belowSeq));
  }

  /**
   * Placed tasks, class by class. They come before the queued ones: a task in a hand-over has two messages, and its placed message
   * counts. The key of an entry has its class, because each class has a stream with sequences of its own.
   */
  async *#readPlaced(options: ScanOptions, behind: string | undefined): AsyncGenerator<Entry[], void> {
    const { transport, subjects } = this.#parts;
    const [firstClass = "", seq] = behind?.split("-") ?? [];
    for (const stream of await placedStreams(transport)) {
      if (stream.class < firstClass) continue;
      const belowSeq = stream.class === firstClass ? Number(seq) : undefined;
      const messages = readNewest(stream.log, [subjects.filters.allPlaced], belowSeq);
      for await (const batch of this.#readQueued(options, messages))
        yield batch.map((entry) => ({ ...entry, key: `${stream.class}-${entry.key}` }));
    }
  }

  async *#readQueued(
    options: ScanOptions,
    messages: AsyncGenerator<Stored[], void>,
  ): AsyncGenerator<Entry[], void> {
    const { statuses, locator } = this.#parts;
    for await (const batch of messages) {
      const young = batch.filter((stored) => isYoung(options, stored));
      const view = await statuses.viewQueue();
      yield young.map((stored) =>
        this.#entryOf(options, stored, locator.readLive(stored), async ({ taskId, location }) => {
          const isDelivered = view.isDelivered(stored);
          return this.#withStray(await statuses.ofQueue(taskId, location, isDelivered), location, view);
        }),
      );
      if (young.length < batch.length) return;
    }
  }

  #withStray(status: TaskStatus, location: TaskLocation, view: QueueView): TaskStatus {
    if (status.state !== "pending") return status;
    return { ...status, ...this.#parts.statuses.describeStray(location, view) };
  }

  async *#readLater(options: ScanOptions, belowSeq: number | undefined): AsyncGenerator<Entry[], void> {
    const { transport, subjects, statuses, locator } = this.#parts;
    const { prefix, filters } = subjects;
    const due = `${prefix}.due.${options.capability ?? "*"}.>`;
    for await (const batch of readNewest(transport.log("later"), [due, filters.allLater], belowSeq)) {
      const young = batch.filter((stored) => isYoung(options, stored));
      yield young.map((stored) =>
        this.#entryOf(options, stored, locator.readLater(stored), ({ taskId, location }) =>
          statuses.ofLater(taskId, location),
        ),
      );
      if (young.length < batch.length) return;
    }
  }

  /** The entry of a task that has not ended. Its body has the labels. */
  #entryOf<T extends { taskId: string; location: TaskLocation }>(
    options: ScanOptions,
    stored: Stored,
    task: T | null,
    readStatus: (task: T) => Promise<TaskStatus>,
  ): Entry {
    const judge = async (): Promise<TaskStatus | Hidden> => {
      if (options.seats !== true && ballotIdOf(stored) !== undefined) return "seat";
      if (task === null) return "unreadable";
      const { taskId, location } = task;
      const { capability, placement } = location;
      const known = { taskId, capability, scope: location.scope ?? undefined };
      const facts: TaskFacts = { ...known, atMs: queuedAtMs(stored, placement) };
      if (selects(options, facts) === false) return "filter";
      if (options.labels !== undefined) facts.labels = await this.#readLabels(stored);
      if (selects(options, facts) === false) return "filter";
      const status = await readStatus(task);
      facts.agent = status.agent;
      if (options.code !== undefined) facts.code = await this.#readCode(status, capability);
      const answer = selects(options, facts);
      if (answer === true) return status;
      return answer === null ? "unknown" : "filter";
    };
    return { key: String(stored.seq), seq: stored.seq, judge };
  }

  /** The labels in a task's body; undefined when the body cannot be read. */
  async #readLabels(stored: Stored): Promise<Record<string, string> | undefined> {
    try {
      const { value } = await unpackStored(stored, this.#parts.transport.blobs);
      return (value as { labels?: Record<string, string> } | null)?.labels ?? {};
    } catch (error) {
      if (toSwarmError(error).code === "unavailable") throw error;
      return undefined;
    }
  }

  /** The code of the last error of a task that waits for its retry; null for every other live task. */
  async #readCode({ state, taskId }: TaskStatus, capability: string): Promise<string | null> {
    if (state !== "retrying") return null;
    const { record } = await this.#parts.journal.tip(capability, taskId);
    return record?.type === "failed" ? record.error.code : null;
  }

  async *#readEnded(options: ScanOptions, belowSeq: number | undefined): AsyncGenerator<Entry[], void> {
    const { transport, subjects } = this.#parts;
    const filter = `${subjects.prefix}.result.${options.capability ?? "*"}.>`;
    for await (const batch of readNewest(transport.log("results"), [filter], belowSeq)) {
      const young = batch.filter((stored) => isYoung(options, stored));
      yield young.map((stored) => ({
        key: String(stored.seq),
        seq: stored.seq,
        judge: () => this.#judgeEnded(options, stored),
      }));
      if (young.length < batch.length) return;
    }
  }

  /** Judges a result. A result has no labels, and its subject has no scope but `-`; only the dead letter of a failed task has. */
  async #judgeEnded(options: ScanOptions, stored: Stored): Promise<TaskStatus | Hidden> {
    const { subjects, statuses, locator } = this.#parts;
    if (options.seats !== true && ballotIdOf(stored) !== undefined) return "seat";
    const identity = subjects.readTaskIdentity(stored.subject);
    if (identity === null) return "unreadable";
    const { taskId, capability } = identity;
    const lane = stored.subject.split(".")[3] ?? NO_SCOPE;
    if (options.scope !== undefined && !isLaneOf(lane, options.scope)) return "filter";
    const scope = lane === NO_SCOPE ? NO_SCOPE : undefined;
    const facts: TaskFacts = { taskId, capability, scope, atMs: stored.storedAtMs };
    if (selects(options, facts) === false) return "filter";
    let status: TaskStatus;
    try {
      status = await statuses.ofResult(taskId, locator.locateResult(stored));
    } catch (error) {
      if (toSwarmError(error).code === "unavailable") throw error;
      return "unreadable"; // a foreign body, or a blob that is gone
    }
    facts.agent = status.agent;
    facts.code = status.result?.error?.code ?? null;
    let answer = isWanted(options, status) && selects(options, facts);
    if (answer === null && status.state === "failed") {
      answer = selects(options, { ...facts, ...(await this.#parts.factsOfDead(taskId)) });
    }
    if (answer === true) return status;
    return answer === null ? "unknown" : "filter";
  }
}

interface ListerParts {
  transport: Transport;
  subjects: Subjects;
  locator: TaskLocator;
  statuses: StatusReader;
  ballots: OpenBallots;
  journal: Pick<Journal, "tip">;
  /** The scope and labels in the dead letter of a task; null when there is none. */
  factsOfDead(taskId: string): Promise<Pick<TaskFacts, "scope" | "labels"> | null>;
}

function scanOf({ state, limit = DEFAULT_LIST_LIMIT, ...rest }: PageOptions, maxSeen: number): ScanOptions {
  const states = state === undefined ? undefined : [state];
  return { ...rest, states, limit: Math.max(1, Math.min(MAX_LIST_LIMIT, limit)), maxSeen };
}

/** True when the selection has the state, and the strays that it asks for. */
function isWanted({ states, stray }: ScanOptions, status: TaskStatus): boolean {
  if (stray === true && status.stray === undefined) return false;
  return states === undefined || states.includes(status.state);
}

/** False for a message that is too old for the filter: all messages behind it are older. */
function isYoung({ sinceMs }: TaskFilter, { storedAtMs }: Stored): boolean {
  return sinceMs === undefined || storedAtMs >= sinceMs - ORDER_MARGIN_MS;
}

function readCursor(after: string | undefined): { place: Place; key: string | undefined } {
  if (after === undefined) return { place: "ballots", key: undefined };
  const [, name, key] = /^([a-z]{1,10})\.([A-Za-z0-9_-]{1,64})$/.exec(after) ?? [];
  const place = PLACES.find((known) => known === name);
  const form = place === "placed" ? /^[a-z0-9]{1,16}-\d{1,16}$/ : /^\d{1,16}$/;
  if (place !== undefined && (place === "ballots" || form.test(key ?? ""))) return { place, key };
  throw new SwarmError(
    "invalid_input",
    `after must be the "next" of an earlier page, such as live.120, got ${JSON.stringify(after.slice(0, 80))}`,
    { field: "after" },
  );
}

/** Runs a generator to its end, without its events. */
export async function finish<T>(running: AsyncGenerator<unknown, T>): Promise<T> {
  for (;;) {
    const step = await running.next();
    if (step.done === true) return step.value;
  }
}
