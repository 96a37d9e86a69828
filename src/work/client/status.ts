// Computes the state of a task when a caller asks for it, from the stored messages and the replies of hosts and of the
// office. No process stores a state. The reader looks in this order (docs/architecture.md, section 4): result, later
// stream, the host that runs the task, journal, queue. Its caller is reader.ts.
import { type Clock, traceIdIn } from "../../base/index.ts";
import {
  fitsFilter,
  HEADERS,
  type Placement,
  type Subjects,
  SwarmError,
  type TaskHistory,
  type TaskState,
  type TaskStatus,
  type Verdict,
  type WhereReply,
} from "../../protocol/index.ts";
import type { QueueConsumerInfo, Stored, Transport } from "../../transport/index.ts";
import { unpackStored } from "../stores/bodies.ts";
import { endHistory } from "../stores/history.ts";
import { hopsOf, type Journal } from "../stores/journal.ts";
import { queuedAtMs } from "../stores/messages.ts";
import { allConsumers } from "../stores/placed-streams.ts";
import { readResult } from "../stores/results.ts";
import type { TaskLocation, TaskLocator } from "./locate.ts";
import type { OpenBallotLine, OpenBallotReply, OpenBallots } from "./open-ballots.ts";
import { findAttempt } from "./where.ts";

/** The parts of a status reader. */
interface StatusParts {
  transport: Transport;
  subjects: Subjects;
  clock: Clock;
  journal: Journal;
  locator: TaskLocator;
  ballots: OpenBallots;
  /** Reads the trace in the dead letter of a task; undefined when there is none. */
  traceOfDead(taskId: string): Promise<string | undefined>;
}

/** The consumers of the task stream at one moment. */
export interface QueueView {
  /**
   * True when a host may hold the message: its consumer has deliveries in flight, and has come as far as the message. Any other
   * message was never delivered, or its host returned it to the queue.
   */
  isDelivered(message: Pick<Stored, "subject" | "seq">): boolean;
  readonly consumers: readonly QueueConsumerInfo[];
}

/** Computes the state of single tasks. */
export class StatusReader {
  readonly #parts: StatusParts;

  constructor(parts: StatusParts) {
    this.#parts = parts;
  }

  /** The state of one task. @throws SwarmError `not_found`; `unavailable`. */
  async read(taskId: string): Promise<TaskStatus> {
    const location = await this.#parts.locator.locate(taskId);
    if (location === null) return this.#ofUnlocated(taskId);
    const status = await this.#ofLocated(taskId, location);
    const traceId = traceIdIn(location.stored.header(HEADERS.traceparent));
    return traceId === undefined ? status : { ...status, traceId };
  }

  /**
   * The state of one task with its attempts: from the journal, and for a task without journal records from its result and its
   * dead letter. @throws SwarmError `not_found`; `unavailable`.
   */
  async readWithHistory(taskId: string): Promise<TaskStatus> {
    const status = await this.read(taskId);
    const history = await this.#parts.journal.history(status.capability ?? "", taskId);
    const { result } = status;
    if (result !== undefined) {
      const isClosed = history.attempts.at(-1)?.attempt === result.attempt && !isOpen(history);
      const isTraceNeeded = result.status === "failed" && !isClosed;
      const trace = isTraceNeeded ? await this.#parts.traceOfDead(taskId) : undefined;
      return { ...status, history: endHistory(history, result, trace) };
    }
    // A first delivery has no record, so only its host knows of the attempt.
    const { state, attempt, agent } = status;
    if (state === "running" && agent !== null && !isOpen(history))
      history.attempts.push({ attempt, agent, outcome: "running" });
    return { ...status, history };
  }

  /**
   * The running attempt of a task, or null. Asks the hosts only when the stored task may have reached one; without a location it always
   * asks them.
   */
  async findRunning(taskId: string, location: TaskLocation | null): Promise<WhereReply | null> {
    if (location === null) return findAttempt(this.#parts, taskId);
    const { place, stored } = location;
    const live = place === "queue" ? this.#parts.locator.readLive(stored) : null;
    if (live === null || !(await this.viewQueue()).isDelivered(stored)) return null;
    return findAttempt(this.#parts, taskId);
  }

  /** The consumers of all queues and placed tasks now. */
  async viewQueue(): Promise<QueueView> {
    const consumers = await allConsumers(this.#parts.transport);
    // The filter of a consumer is the beginning of the subjects that it delivers, and ends in `.>`.
    const delivering = new Map(
      consumers
        .filter(({ ackPending }) => ackPending > 0)
        .map(({ filter, deliveredSeq }) => [filter, deliveredSeq]),
    );
    const filterOf = (subject: string) => `${subject.split(".").slice(0, 4).join(".")}.>`;
    return {
      consumers,
      isDelivered: ({ subject, seq }) => (delivering.get(filterOf(subject)) ?? 0) >= seq,
    };
  }

  /**
   * The reason why no process can take a queued task, as a part of its status: its subject is no address, or its capability
   * has no consumers. A placed task has none: the coordinator in office returns it when its host is gone.
   */
  describeStray({ stored, stray, placement, capability }: TaskLocation, view: QueueView): { stray?: string } {
    if (stray !== undefined) return { stray };
    const hasConsumer = view.consumers.some(({ filter }) => fitsFilter(filter, stored.subject));
    if (hasConsumer || placement !== undefined) return {};
    return { stray: `no agent has offered the capability ${capability} yet` };
  }

  /**
   * The state of a task that no stream holds: it is an open ballot, which only the office knows, or the task moved or
   * ended between two reads.
   */
  async #ofUnlocated(taskId: string): Promise<TaskStatus> {
    const open = await this.#parts.ballots.find(taskId);
    if (open !== null) return ofOpenBallot(taskId, open);
    const location = await this.#parts.locator.locate(taskId);
    if (location !== null) return this.#ofLocated(taskId, location);
    throw new SwarmError(
      "not_found",
      `this swarm has no task ${taskId}: its result may have expired, or the task was never submitted`,
    );
  }

  async #ofLocated(taskId: string, location: TaskLocation): Promise<TaskStatus> {
    if (location.place === "result") return this.ofResult(taskId, location);
    if (location.place === "later") return this.ofLater(taskId, location);
    const status = await this.ofQueue(taskId, location, true);
    // A task may end or move between two reads: if no host runs the task, its result may be stored by now.
    if (status.state !== "pending") return status;
    const again = await this.#parts.locator.locate(taskId);
    if (again !== null && again.place !== "queue") return this.#ofLocated(taskId, again);
    return { ...status, ...this.describeStray(location, await this.viewQueue()) };
  }

  /** The state of an ended task. */
  async ofResult(taskId: string, { capability, stored }: TaskLocation): Promise<TaskStatus> {
    const result = readResult((await unpackStored(stored, this.#parts.transport.blobs)).value);
    return {
      ...blank(taskId, capability, result.status),
      attempt: result.attempt,
      progress: result.status === "completed" ? 100 : null,
      agent: result.agent,
      queuedMs: result.queuedMs,
      ...withPlacement(result.placement),
      ...(result.handOffs === undefined ? {} : { handOffs: result.handOffs }),
      ...(result.verdict === undefined ? {} : { ballot: countAnswers(result.verdict) }),
      result,
    };
  }

  /** The state of a task in the later stream: scheduled by its submitter, or waiting for its retry. */
  async ofLater(taskId: string, { capability, stored, stray }: TaskLocation): Promise<TaskStatus> {
    if (stray !== undefined) return { ...blank(taskId, capability, "scheduled"), stray };
    const tip = await this.#parts.journal.tip(capability, taskId);
    const dueAt = stored.header(HEADERS.schedule)?.replace(/^@at /, "") ?? null;
    if (tip.record?.type === "waiting") {
      const { attempt, agent, steps, at } = tip.record;
      const waiting = { reason: "human" as const, steps, since: at };
      return { ...blank(taskId, capability, "scheduled"), attempt, agent, dueAt, waiting, ...hopsOf(tip) };
    }
    if (tip.record?.type !== "failed") return { ...blank(taskId, capability, "scheduled"), dueAt };
    const { attempt, agent } = tip.record;
    return { ...blank(taskId, capability, "retrying"), attempt, agent, dueAt, ...hopsOf(tip) };
  }

  /**
   * The state of a task in the queue: running, retrying or pending. `isDelivered`: the task may have reached a host.
   */
  async ofQueue(taskId: string, location: TaskLocation, isDelivered: boolean): Promise<TaskStatus> {
    const { capability, stored, placement } = location;
    const sinceMs = queuedAtMs(stored, placement);
    const pending = {
      ...blank(taskId, capability, "pending"),
      agent: placement?.agent ?? null,
      queuedMs: Math.max(0, this.#parts.clock.now() - sinceMs),
      ...withPlacement(placement),
    };
    if (!isDelivered) return pending;
    const [running, tip] = await Promise.all([
      findAttempt(this.#parts, taskId),
      this.#parts.journal.tip(capability, taskId),
    ]);
    const facts = { ...withPlacement(placement), ...hopsOf(tip) };
    if (running !== null) {
      const queuedMs = Math.max(0, Date.parse(running.startedAt) - sinceMs);
      const { attempt, progress, agent } = running;
      return { ...blank(taskId, capability, "running"), attempt, progress, agent, queuedMs, ...facts };
    }
    if (tip.record?.type === "failed") {
      const { attempt, agent, retryAt } = tip.record;
      return { ...blank(taskId, capability, "retrying"), attempt, agent, dueAt: retryAt, ...facts };
    }
    const isHandedOff = (placement?.handOff ?? 0) < (tip.handed?.seq ?? 0);
    const agent = isHandedOff ? null : pending.agent;
    return { ...pending, agent, attempt: tip.record?.attempt ?? 0, ...facts };
  }

  /**
   * The state of a ballot from the office's list of open ballots. If the office replies to `where`, the state has the
   * count of answers from that reply instead of the count from the list.
   */
  async ofListedBallot({ id, capability, seats, answered }: OpenBallotLine): Promise<TaskStatus> {
    const reply = await findAttempt(this.#parts, id);
    if (reply?.ballot !== undefined) return ofOpenBallot(id, { ...reply, ballot: reply.ballot });
    const progress = Math.round((100 * answered) / seats);
    return { ...blank(id, capability, "running"), attempt: 1, progress, ballot: { seats, answered } };
  }
}

/** True when the history ends with a running attempt. */
function isOpen({ attempts }: TaskHistory): boolean {
  return attempts.at(-1)?.outcome === "running";
}

function ofOpenBallot(taskId: string, { ballot, attempt, progress }: OpenBallotReply): TaskStatus {
  const { capability, seats, answered } = ballot;
  return { ...blank(taskId, capability, "running"), attempt, progress, ballot: { seats, answered } };
}

/** The number of a ballot's seats, and the number of seats with a valid answer. */
function countAnswers({ seats }: Verdict): NonNullable<TaskStatus["ballot"]> {
  return { seats: seats.length, answered: seats.filter(({ value }) => value !== undefined).length };
}

function withPlacement(placement: Placement | undefined): { placement?: Placement } {
  return placement === undefined ? {} : { placement };
}

function blank(taskId: string, capability: string, state: TaskState): TaskStatus {
  return { taskId, capability, state, attempt: 0, progress: null, agent: null, queuedMs: null, dueAt: null };
}
