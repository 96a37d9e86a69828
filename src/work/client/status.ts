// A task's state, derived at the moment of asking from what is stored; nothing keeps it. Readable for any id.
// Order (docs/architecture.md, section 4): result, later, the host that runs it, the journal, the queue.
import type { Clock } from "../../base/index.ts";
import {
  decode,
  encode,
  HEADERS,
  type Placement,
  parse,
  type Subjects,
  SwarmError,
  type TaskState,
  type TaskStatus,
  type Verdict,
  type WhereReply,
  whereReplySchema,
} from "../../protocol/index.ts";
import type { Log, Stored, Transport } from "../../transport/index.ts";
import { queuedAtMs } from "../attempt/settlement.ts";
import { unpackStored } from "../stores/bodies.ts";
import { handOffsOf, type Journal } from "../stores/journal.ts";
import { type ResultStore, readResult } from "../stores/outcome.ts";
import { placedConsumer, readPlacedTask } from "../worker/placed-queue.ts";
import { createOpenBallots, type OpenBallotLine, type OpenBallotReply } from "./open-ballots.ts";

/** How long hosts have to say that they run a task. They answer from memory; a network round trip is what it takes. */
const WHERE_TIMEOUT_MS = 150;
/** How many tasks `list` shows when the caller names no limit. */
export const DEFAULT_LIST_LIMIT = 50;
/** The most that `list` shows. */
export const MAX_LIST_LIMIT = 1_000;

/** Where a task id was found. */
export interface Located {
  capability: string;
  /** null when the place does not tell it (a result of lane `w..`). */
  scope: string | null;
  place: "result" | "later" | "queue";
  stored: Stored;
  /** Of a task in the queue that was placed on an agent. */
  placement?: Placement | undefined;
}

/** What `list` selects. */
export interface ListOptions {
  state?: TaskState | undefined;
  capability?: string | undefined;
  /** Default {@link DEFAULT_LIST_LIMIT}, at most {@link MAX_LIST_LIMIT}. */
  limit?: number | undefined;
  /** Also the questions that ballots put to their seats, judges and verifiers; default false: the ballot stands for them. */
  seats?: boolean | undefined;
}

/** Reads tasks' states. */
export interface TaskReader {
  /** @throws SwarmError `not_found`; `unavailable`, also while nobody knows whether an id is an open ballot's. */
  status(taskId: string): Promise<TaskStatus>;
  /** Live tasks first (newest first), then ended ones (newest first). @throws SwarmError `unavailable`. */
  list(options?: ListOptions): Promise<TaskStatus[]>;
  /** Where an id is stored, or null. */
  locate(taskId: string): Promise<Located | null>;
  /** The attempt of a task that runs now, or null; asks the hosts only about a task that may have reached one. */
  findRunning(taskId: string, found: Located): Promise<WhereReply | null>;
  /** As {@link OpenBallots.find}. */
  findBallot(taskId: string): Promise<OpenBallotReply | null>;
}

/** A reader over the streams. */
export function createTaskReader(parts: {
  transport: Transport;
  subjects: Subjects;
  clock: Clock;
  outcomes: ResultStore;
  journal: Journal;
}): TaskReader {
  const { transport, subjects, clock, journal } = parts;
  const { filters } = subjects;
  const logs = {
    results: transport.log("results"),
    later: transport.log("later"),
    tasks: transport.log("tasks"),
  };

  const ballots = createOpenBallots({ transport, subjects, where });

  async function locate(taskId: string): Promise<Located | null> {
    const [result, later, due, task, placed] = await Promise.all([
      logs.results.last(filters.resultById(taskId)),
      logs.later.last(filters.laterById(taskId)),
      logs.later.last(filters.dueById(taskId)),
      logs.tasks.last(filters.taskById(taskId)),
      logs.tasks.last(filters.placedById(taskId)),
    ]);
    if (result !== null) return locateResult(result);
    const found = placed === null ? null : locatePlaced(placed);
    if (found !== null) return found; // before its task: it is the later of the two while a hand-over goes on
    if (task !== null) return locateTask(task, task.subject, "queue");
    if (due !== null) return locateTask(due, due.subject, "later");
    if (later !== null) return locateTask(later, later.header(HEADERS.scheduleTarget) ?? "", "later");
    return null;
  }

  function locateResult(stored: Stored): Located {
    const capability = subjects.readTaskIdentity(stored.subject)?.capability ?? "";
    const lane = stored.subject.split(".")[3];
    return { capability, scope: lane === "-" ? "-" : null, place: "result", stored };
  }

  function locateTask(stored: Stored, subject: string, place: "later" | "queue"): Located | null {
    const at = subjects.readTask(subject);
    return at === null ? null : { capability: at.capability, scope: at.scope, place, stored };
  }

  function locatePlaced(stored: Stored): Located | null {
    const task = readPlacedTask(subjects, stored);
    if (task === null) return null;
    const { capability, scope } = task.at;
    return { capability, scope, place: "queue", stored, placement: task.placement };
  }

  /** A message of the task stream, with the consumer that delivers it. */
  function readLive(stored: Stored): { taskId: string; found: Located; consumer: string } | null {
    const placed = readPlacedTask(subjects, stored);
    const at = placed?.at ?? subjects.readTask(stored.subject);
    const found = locatePlaced(stored) ?? locateTask(stored, stored.subject, "queue");
    if (at === null || found === null) return null;
    const consumer =
      placed === null ? `${at.capability}-${at.priority}` : placedConsumer(placed.placement.host);
    return { taskId: at.taskId, found, consumer };
  }

  async function where(taskId: string): Promise<WhereReply | null> {
    const [reply] = await transport.bus.scatter(subjects.where(taskId), encode({}), {
      timeoutMs: WHERE_TIMEOUT_MS,
      max: 1,
    });
    if (reply === undefined) return null;
    return parse(
      whereReplySchema,
      decode(reply.data, reply.header(HEADERS.contentType)).value,
      "where reply",
    );
  }

  async function findRunning(taskId: string, { place, stored }: Located): Promise<WhereReply | null> {
    const live = place === "queue" ? readLive(stored) : null;
    return live !== null && (await anyDelivered()).has(live.consumer) ? where(taskId) : null;
  }

  function ofOpenBallot(taskId: string, { ballot, attempt, progress }: OpenBallotReply): TaskStatus {
    const { capability, seats, answered } = ballot;
    return { ...blank(taskId, capability, "running"), attempt, progress, ballot: { seats, answered } };
  }

  /** A ballot of a list, with what its seats said meanwhile where the office tells. */
  async function ofListed({ id, capability, seats, answered }: OpenBallotLine): Promise<TaskStatus> {
    const reply = await where(id);
    if (reply?.ballot !== undefined) return ofOpenBallot(id, { ...reply, ballot: reply.ballot });
    const progress = Math.round((100 * answered) / seats);
    return { ...blank(id, capability, "running"), attempt: 1, progress, ballot: { seats, answered } };
  }

  /** A task that is stored nowhere: of an open ballot, the office knows; else it may have ended meanwhile. */
  async function ofUnlocated(taskId: string): Promise<TaskStatus> {
    const open = await ballots.find(taskId);
    if (open !== null) return ofOpenBallot(taskId, open);
    const found = await locate(taskId);
    if (found !== null) return ofLocated(taskId, found, true);
    throw new SwarmError(
      "not_found",
      `no task ${taskId} is stored here: its result may have aged out, or it was never handed in`,
    );
  }

  async function ofResult(taskId: string, found: Located): Promise<TaskStatus> {
    const result = readResult((await unpackStored(found.stored, transport.blobs)).value);
    return {
      ...blank(taskId, found.capability, result.status),
      attempt: result.attempt,
      progress: result.status === "completed" ? 100 : null,
      agent: result.agent,
      queuedMs: result.queuedMs,
      ...withPlacement(result.placement),
      ...(result.handOffs === undefined ? {} : { handOffs: result.handOffs }),
      ...(result.verdict === undefined ? {} : { ballot: votesOf(result.verdict) }),
      result,
    };
  }

  async function ofLater(taskId: string, found: Located): Promise<TaskStatus> {
    const tip = await journal.tip(found.capability, taskId);
    const { record } = tip;
    const scheduled = found.stored.header(HEADERS.schedule)?.replace(/^@at /, "") ?? null;
    if (record?.type === "failed") {
      return {
        ...blank(taskId, found.capability, "retrying"),
        attempt: record.attempt,
        agent: record.agent,
        dueAt: scheduled,
        ...handOffsOf(tip),
      };
    }
    return { ...blank(taskId, found.capability, "scheduled"), dueAt: scheduled };
  }

  /** A task in the queue: running, retrying or pending. `delivered`: it may have reached a host. */
  async function ofQueue(taskId: string, found: Located, delivered: boolean): Promise<TaskStatus> {
    const sinceMs = queuedAtMs(found.stored, found.placement);
    const waitedMs = Math.max(0, clock.now() - sinceMs);
    const placed = withPlacement(found.placement);
    const pending = {
      ...blank(taskId, found.capability, "pending"),
      agent: found.placement?.agent ?? null,
      queuedMs: waitedMs,
      ...placed,
    };
    if (!delivered) return pending;
    const [running, tip] = await Promise.all([where(taskId), journal.tip(found.capability, taskId)]);
    const seen = { ...placed, ...handOffsOf(tip) };
    if (running !== null) {
      const queuedMs = Math.max(0, Date.parse(running.startedAt) - sinceMs);
      const { attempt, progress, agent } = running;
      return { ...blank(taskId, found.capability, "running"), attempt, progress, agent, queuedMs, ...seen };
    }
    if (tip.record?.type === "failed") {
      const { attempt, agent, retryAt } = tip.record;
      return { ...blank(taskId, found.capability, "retrying"), attempt, agent, dueAt: retryAt, ...seen };
    }
    const isHandedOff = found.stored.seq <= (tip.handed?.record.message ?? 0);
    const agent = isHandedOff ? null : pending.agent;
    return { ...pending, agent, attempt: tip.record?.attempt ?? 0, ...seen };
  }

  async function ofLocated(taskId: string, found: Located, delivered: boolean): Promise<TaskStatus> {
    if (found.place === "result") return ofResult(taskId, found);
    if (found.place === "later") return ofLater(taskId, found);
    const status = await ofQueue(taskId, found, delivered);
    // A task may end, or move, between two reads: what is running nowhere may have its result by now.
    if (status.state !== "pending") return status;
    const again = await locate(taskId);
    return again === null || again.place === "queue" ? status : ofLocated(taskId, again, true);
  }

  /** The newest messages that fit, newest first: reads a window at the end, enlarged until it holds enough. */
  async function newest(log: Log, filter: string, limit: number, withSeats: boolean): Promise<Stored[]> {
    const { firstSeq, lastSeq, messages } = await log.info();
    if (messages === 0) return [];
    for (let window = limit * 2; ; window *= 4) {
      const fromSeq = Math.max(firstSeq, lastSeq - window + 1);
      const found: Stored[] = [];
      for await (const stored of log.read({ filter, fromSeq })) {
        if (!withSeats && stored.header(HEADERS.ballot) !== undefined) continue;
        found.push(stored);
        if (found.length > limit * 2) found.shift();
      }
      if (found.length >= limit || fromSeq <= firstSeq) return found.slice(-limit).reverse();
    }
  }

  /** The consumers with tasks on hosts: a task of any other was never delivered, or came back. */
  async function anyDelivered(): Promise<Set<string>> {
    const consumers = await transport.queue("tasks").consumers();
    return new Set(consumers.filter(({ ackPending }) => ackPending > 0).map(({ name }) => name));
  }

  async function list(options: ListOptions = {}): Promise<TaskStatus[]> {
    const limit = Math.max(1, Math.min(MAX_LIST_LIMIT, options.limit ?? DEFAULT_LIST_LIMIT));
    const capability = options.capability ?? "*";
    const { prefix } = subjects;
    const wants = (...states: TaskState[]) => options.state === undefined || states.includes(options.state);
    const none: Stored[] = [];
    const isLive = wants("pending", "running", "retrying");
    const isLater = wants("scheduled", "retrying");
    const isEnded = wants("completed", "failed", "cancelled");
    const find = (log: Log, filter: string) => newest(log, filter, limit, options.seats === true);
    const [queued, placed, later, due, ended, open, busy] = await Promise.all([
      isLive ? find(logs.tasks, `${prefix}.task.${capability}.>`) : none,
      isLive ? find(logs.tasks, filters.allPlaced) : none,
      isLater ? find(logs.later, filters.allLater) : none,
      isLater ? find(logs.later, `${prefix}.due.${capability}.>`) : none,
      isEnded ? find(logs.results, `${prefix}.result.${capability}.>`) : none,
      wants("running") ? ballots.list() : [],
      anyDelivered(),
    ]);
    const statuses: Promise<TaskStatus>[] = open
      .filter((ballot) => capability === "*" || ballot.capability === capability)
      .slice(0, limit)
      .map(ofListed);
    // One stream: its sequences put both kinds in order, and a task that is being handed over is seen as placed.
    for (const stored of [...queued, ...placed].sort((a, b) => b.seq - a.seq)) {
      const live = readLive(stored);
      if (live === null || (capability !== "*" && live.found.capability !== capability)) continue;
      statuses.push(ofQueue(live.taskId, live.found, busy.has(live.consumer)));
    }
    for (const stored of [...due, ...later]) {
      const subject =
        subjects.readTask(stored.subject) === null
          ? (stored.header(HEADERS.scheduleTarget) ?? "")
          : stored.subject;
      const at = subjects.readTask(subject);
      const found = locateTask(stored, subject, "later");
      if (at !== null && found !== null && (capability === "*" || at.capability === capability)) {
        statuses.push(ofLater(at.taskId, found));
      }
    }
    for (const stored of ended) {
      const taskId = subjects.readTaskIdentity(stored.subject)?.taskId;
      if (taskId !== undefined) statuses.push(ofResult(taskId, locateResult(stored)));
    }
    const seen = new Set<string>();
    const found: TaskStatus[] = [];
    for (const status of await Promise.all(statuses)) {
      if (seen.has(status.taskId) || (options.state !== undefined && status.state !== options.state))
        continue;
      seen.add(status.taskId);
      found.push(status);
    }
    return found.slice(0, limit);
  }

  return {
    locate,
    list,
    findRunning,
    findBallot: (taskId) => ballots.find(taskId),
    async status(taskId) {
      const found = await locate(taskId);
      return found === null ? ofUnlocated(taskId) : ofLocated(taskId, found, true);
    },
  };
}

/** How many of a ballot's seats there are, and how many gave an answer that counts. */
function votesOf({ seats }: Verdict): NonNullable<TaskStatus["ballot"]> {
  return { seats: seats.length, answered: seats.filter(({ value }) => value !== undefined).length };
}

function withPlacement(placement: Placement | undefined): { placement?: Placement } {
  return placement === undefined ? {} : { placement };
}

function blank(taskId: string, capability: string, state: TaskState): TaskStatus {
  return { taskId, capability, state, attempt: 0, progress: null, agent: null, queuedMs: null, dueAt: null };
}
