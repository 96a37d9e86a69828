// Settlement: makes the end of an attempt durable. Owns the order of the steps: journal record, retry, result, dead
// letter, ack. delivery.ts decides how the attempt ended, and calls these steps.
// I1: the ack comes only after the result is stored, or after the task is stored in the later stream.
// I2: if a fenced append fails with `conflict`, this host stops the settlement: another process holds the task now.
import {
  type Chance,
  type Clock,
  type Logger,
  type Meter,
  showText,
  type TraceFacts,
  toIsoTime,
  traceOf,
} from "../../base/index.ts";
import {
  ACK_WAIT_MS,
  type Audit,
  encode,
  type Result,
  type ResultStatus,
  type SignedVote,
  type Subjects,
  type SwarmError,
  TerminalError,
  toSwarmError,
} from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { LaterStore } from "../ports.ts";
import type { LastAttempt } from "../stores/history.ts";
import { queuedAtMs } from "../stores/messages.ts";
import { deadLetterOf, type ResultStore } from "../stores/results.ts";
import { meterTimes } from "./attempt.ts";
import type { FailureLog, ShownError } from "./failure-log.ts";
import type { InFlightTask } from "./in-flight.ts";
import { createRefusedNotes } from "./refusal.ts";
import { decideAfterFailure } from "./retry.ts";

/** A failed attempt. */
export interface AttemptFailure {
  error: SwarmError;
  number: number;
  agent: string;
  ranMs: number;
  startedAtMs?: number;
  /** The steps that the next attempt runs again, because the attempt failed with their error. */
  reopened?: readonly string[];
}

/** The facts of a task's end for its result. `number` 0 and `agent` "-" mean that no attempt started. */
export interface TaskEnd {
  status: ResultStatus;
  output?: unknown;
  /** The signed vote, when the ballot asks for signed votes and the agent has a key. */
  vote?: SignedVote | undefined;
  error?: SwarmError;
  /** The trace of the error, for the dead letter and the journal; the result never has it. */
  trace?: string;
  number: number;
  agent: string;
  startedAtMs?: number;
  ranMs?: number;
}

/** The parts of a settlement. */
interface SettlementParts {
  transport: Transport;
  subjects: Subjects;
  meter: Meter;
  clock: Clock;
  chance: Chance;
  results: ResultStore;
  later: LaterStore;
  audit?: Audit | undefined;
  log: Logger;
  traceFacts: TraceFacts;
  failures: FailureLog;
}

/**
 * Makes the ends of attempts durable. The methods reject with `conflict` (I2), or with `unavailable` when it is unknown
 * whether a step is stored.
 */
export class Settlement {
  readonly #parts: SettlementParts;
  readonly #noteRefused: ReturnType<typeof createRefusedNotes>;

  constructor(parts: SettlementParts) {
    this.#parts = parts;
    this.#noteRefused = createRefusedNotes(parts);
  }

  /**
   * Settles a failed attempt: records it and returns the task to the server for its retry. If no retry is left,
   * concludes the task. Acks or naks the delivery in both cases.
   */
  async afterFailure(inFlight: InFlightTask, failure: AttemptFailure): Promise<void> {
    const retry = await this.recordFailure(inFlight, failure);
    if (retry === null) return;
    const { delivery, at } = inFlight;
    // A ballot's question must stay with its agent. From the later stream it would go to the queue, and so to any
    // agent.
    if (retry.delayMs <= ACK_WAIT_MS || inFlight.isBallotQuestion) delivery.nak(retry.delayMs);
    else {
      await this.#parts.later.store(at, delivery, retry.atMs, { attempt: failure.number + 1 });
      delivery.ack();
    }
  }

  /**
   * Records a failed attempt and resolves to the time of its retry; the caller must then ack or nak the delivery. If no
   * retry is left, concludes the task, acks the delivery and resolves to null.
   */
  async recordFailure(
    inFlight: InFlightTask,
    failure: AttemptFailure,
  ): Promise<{ atMs: number; delayMs: number } | null> {
    // A long wait becomes a schedule, which the server keeps by its own clock.
    await this.#parts.transport.clock.sync();
    const nowMs = this.#parts.clock.now();
    const next = this.#decideRetry(inFlight, failure, nowMs);
    const trace = traceOf(failure.error, this.#parts.traceFacts);
    const error = this.#wireError(failure.error);
    const retryInMs = next.retry ? next.atMs - nowMs : null;
    this.#parts.failures.write({ at: inFlight.at, ...failure, error, trace, retryInMs });
    if (!next.retry) {
      await this.conclude(inFlight, { status: "failed", ...failure, trace });
      return null;
    }
    const event = { attempt: failure.number, retryAt: toIsoTime(next.atMs), error, at: toIsoTime(nowMs) };
    await inFlight.record({
      type: "failed",
      agent: failure.agent,
      ...event,
      ...(failure.startedAtMs === undefined ? {} : { startedAt: toIsoTime(failure.startedAtMs) }),
      trace,
      ...(failure.reopened === undefined || failure.reopened.length === 0
        ? {}
        : { reopened: [...failure.reopened] }),
    });
    if (failure.startedAtMs !== undefined)
      this.#parts.meter.taskAttempts.inc({ capability: inFlight.at.capability, outcome: "retried" });
    const subject = this.#parts.subjects.event("task", inFlight.at.taskId, "retrying");
    this.#parts.transport.bus.publish(subject, encode(event));
    return { atMs: next.atMs, delayMs: next.atMs - nowMs };
  }

  #decideRetry({ task, tip }: InFlightTask, { error, number }: AttemptFailure, nowMs: number) {
    return decideAfterFailure({
      error,
      attempt: number - (tip.handed?.record.hops.length ?? 0), // a hand-off is no failure
      retry: task.retry,
      deadlineMs: task.deadline === undefined ? undefined : Date.parse(task.deadline),
      nowMs,
      chance: this.#parts.chance,
    });
  }

  /** Concludes the task: stores the result, stores the dead letter of a failed task, acks, closes the journal (I1). */
  async conclude(inFlight: InFlightTask, end: TaskEnd): Promise<void> {
    const { at, delivery } = inFlight;
    const finishedAtMs = this.#parts.clock.now();
    const error = end.error === undefined ? undefined : this.#wireError(end.error);
    const result = resultOf(inFlight, end, error, finishedAtMs);
    let isStored: boolean;
    try {
      isStored = await this.#parts.results.store(at, result, inFlight.encoding, inFlight);
    } catch (error) {
      return this.#concludeUnstorable(inFlight, end, error);
    }
    if (!isStored) this.#noteRefused(at, result);
    else if (result.status === "failed") await this.#bury(inFlight, result, end.trace);
    delivery.ack();
    if (inFlight.tip.seq > 0) await inFlight.closeJournal(lastAttemptOf(end, result), finishedAtMs);
    if (!isStored) return;
    if (end.startedAtMs !== undefined)
      this.#parts.meter.taskAttempts.inc({ capability: at.capability, outcome: result.status });
    meterTimes(this.#parts.meter, at, result);
  }

  /**
   * Fails a task whose output the store rejects (cyclic, too large), without a retry: it would fail in the same way.
   */
  async #concludeUnstorable(inFlight: InFlightTask, end: TaskEnd, error: unknown): Promise<void> {
    const refusal = toSwarmError(error);
    if (end.status !== "completed" || refusal.code === "unavailable") throw error;
    const message = `the output of ${inFlight.at.capability} cannot be stored: ${refusal.message}`;
    const code = refusal.code === "payload_too_large" ? refusal.code : "internal";
    const failure = new TerminalError(message, { code, field: "output", cause: error });
    const trace = traceOf(failure, this.#parts.traceFacts);
    const shown = this.#wireError(failure);
    this.#parts.failures.write({ at: inFlight.at, ...end, error: shown, trace, retryInMs: null });
    return this.conclude(inFlight, {
      ...end,
      status: "failed",
      output: undefined,
      vote: undefined,
      error: failure,
      trace,
    });
  }

  /**
   * Resolves to true when the task has a stored result already. Then it stores the dead letter of a failed task and
   * acks, because the process that stored the result may have crashed before these steps.
   */
  async finishKnown(inFlight: InFlightTask): Promise<boolean> {
    const result = await this.#parts.results.readAt(inFlight.at);
    if (result === null) return false;
    if (result.status === "failed") await this.#bury(inFlight, result);
    inFlight.delivery.ack();
    return true;
  }

  /** Stores the dead letter of a failed task. A ballot's question gets no dead letter: the verdict reports its end. */
  async #bury(
    { at, delivery, isBallotQuestion }: InFlightTask,
    result: Result,
    trace?: string | undefined,
  ): Promise<void> {
    if (isBallotQuestion) return;
    const letter = deadLetterOf(at, delivery, result);
    await this.#parts.results.bury(at, trace === undefined ? letter : { ...letter, trace });
  }

  #wireError(error: SwarmError): ShownError {
    return showError(error, this.#parts.traceFacts);
  }
}

/** An error as results, records and events show it: its message without secrets, and bounded. */
export function showError({ code, message, field, retryable }: SwarmError, facts: TraceFacts): ShownError {
  return { code, message: showText(message, facts), ...(field === undefined ? {} : { field }), retryable };
}

/** The task's last attempt for the closing record. Without a start time, no attempt ran. */
function lastAttemptOf(end: TaskEnd, result: Result): LastAttempt {
  const { attempt, agent, status, startedAt, finishedAt, error } = result;
  return {
    attempt,
    agent,
    outcome: status,
    ...(end.startedAtMs === undefined ? {} : { startedAt }),
    endedAt: finishedAt,
    ...(error === undefined ? {} : { error }),
    ...(end.trace === undefined ? {} : { trace: end.trace }),
  };
}

function resultOf(
  inFlight: InFlightTask,
  end: TaskEnd,
  error: ShownError | undefined,
  finishedAtMs: number,
): Result {
  const { at, delivery, placement } = inFlight;
  const startedAtMs = end.startedAtMs ?? finishedAtMs;
  // A field that is undefined is in no encoding. Spreading an object for each optional field costs 1 % of a worker's CPU time.
  return {
    taskId: at.taskId,
    status: end.status,
    output: end.output,
    vote: end.vote,
    error,
    attempt: Math.max(0, end.number),
    agent: end.agent,
    startedAt: toIsoTime(startedAtMs),
    finishedAt: toIsoTime(finishedAtMs),
    queuedMs: Math.max(0, startedAtMs - queuedAtMs(delivery, placement)),
    ranMs: end.ranMs ?? 0,
    placement: inFlight.isBallotQuestion ? undefined : placement,
    handOffs: inFlight.tip.handed?.record.hops,
  };
}
