// How an attempt's end becomes durable: the journal's record, the retry, the result, the dead letter, the ack. Owns
// their order; what an attempt did is delivery.ts's business.
// I1: ack only after the result, or the task's place in the later stream, is stored.
// I2: whoever loses a fenced append stops with `conflict`: another process holds the task now.
import { type Chance, type Clock, type Logger, type Meter, toIsoTime } from "../../base/index.ts";
import {
  ACK_WAIT_MS,
  type Audit,
  type Encoding,
  encode,
  HEADERS,
  type JournalRecord,
  type Placement,
  type Result,
  type ResultStatus,
  type SignedVote,
  type Subjects,
  type SwarmError,
  type Task,
  type TaskAddress,
  TerminalError,
  toSwarmError,
} from "../../protocol/index.ts";
import type { Delivery, Transport } from "../../transport/index.ts";
import { handOffsOf, type Journal, type JournalTip } from "../stores/journal.ts";
import { storeLater } from "../stores/later.ts";
import { deadLetterOf, type ResultStore } from "../stores/outcome.ts";
import { meterOutcome } from "./attempt.ts";
import { createRefusedNotes } from "./refusal.ts";
import { decideAfterFailure } from "./retry.ts";

/** A delivery and the task that it brought. */
export interface Arrival {
  readonly at: TaskAddress;
  readonly delivery: Delivery;
  /** Of a task that was placed here. */
  readonly placement: Placement | undefined;
}

/** A failed attempt. */
export interface Failure {
  error: SwarmError;
  number: number;
  agent: string;
  ranMs: number;
  startedAtMs?: number;
}

/** What a task's result is made of. Number 0 and agent "-": it never started. */
export interface Conclusion {
  status: ResultStatus;
  output?: unknown;
  /** Of a ballot's seat that signs. */
  vote?: SignedVote | undefined;
  error?: SwarmError;
  number: number;
  agent: string;
  startedAtMs?: number;
  ranMs?: number;
}

/** Makes ends durable. All reject with `conflict` (I2) or `unavailable` (the fate is unknown). */
export type Settlement = ReturnType<typeof createSettlement>;

/** Endings over the room's streams. */
export function createSettlement(parts: {
  transport: Transport;
  subjects: Subjects;
  meter: Meter;
  clock: Clock;
  chance: Chance;
  outcomes: ResultStore;
  journal: Journal;
  audit?: Audit | undefined;
  log: Logger;
}) {
  const { transport, subjects, meter, clock, outcomes, journal, audit, log } = parts;
  const noteRefused = createRefusedNotes({ outcomes, audit, log });

  return { record, afterFailure, conclude, finishKnown };

  /**
   * Records a failed attempt and decides what follows. Returns the new tip when the next attempt may start here and
   * now (`immediate` and due within the ack-wait), else null: the delivery was answered.
   */
  async function afterFailure(
    entry: Arrival,
    tip: JournalTip,
    encoding: Encoding,
    task: Task,
    failure: Failure,
    immediate: boolean,
  ): Promise<JournalTip | null> {
    const { error, number, agent } = failure;
    const deadlineMs = task.deadline === undefined ? undefined : Date.parse(task.deadline);
    const nowMs = clock.now();
    const next = decideAfterFailure({
      error,
      attempt: number - (tip.handed?.record.hops.length ?? 0), // a hand-off is no failure
      retry: task.retry,
      deadlineMs,
      nowMs,
      chance: parts.chance,
    });
    if (!next.retry) {
      await conclude(entry, tip, encoding, { status: "failed", ...failure });
      return null;
    }
    const retryAt = toIsoTime(next.atMs);
    const failed: JournalRecord = {
      type: "failed",
      attempt: number,
      agent,
      at: toIsoTime(nowMs),
      retryAt,
      error: wireError(error),
    };
    const recorded = await record(entry, failed, tip);
    const news = { attempt: number, retryAt, error: wireError(error), at: toIsoTime(nowMs) };
    transport.bus.publish(subjects.event("task", entry.at.taskId, "retrying"), encode(news));
    if (immediate) return recorded;
    const delayMs = next.atMs - nowMs;
    // A seat stays with its agent: through the later stream it would come to any.
    if (delayMs <= ACK_WAIT_MS || isSeat(entry.delivery)) entry.delivery.nak(delayMs);
    else {
      await storeLater({ transport, subjects }, entry.at, entry.delivery, next.atMs, { attempt: number + 1 });
      entry.delivery.ack();
    }
    return null;
  }

  async function record(entry: Arrival, what: JournalRecord, tip: JournalTip): Promise<JournalTip> {
    const { capability, taskId } = entry.at;
    return journal.append(capability, taskId, what, tip);
  }

  /** Stores the result, buries a failed task, acks, closes the journal (I1). */
  async function conclude(
    entry: Arrival,
    tip: JournalTip,
    encoding: Encoding,
    end: Conclusion,
  ): Promise<void> {
    const { at, delivery, placement } = entry;
    const finishedAtMs = clock.now();
    const startedAtMs = end.startedAtMs ?? finishedAtMs;
    const result: Result = {
      taskId: at.taskId,
      status: end.status,
      ...(end.output === undefined ? {} : { output: end.output }),
      ...(end.vote === undefined ? {} : { vote: end.vote }),
      ...(end.error === undefined ? {} : { error: wireError(end.error) }),
      attempt: Math.max(0, end.number),
      agent: end.agent,
      startedAt: toIsoTime(startedAtMs),
      finishedAt: toIsoTime(finishedAtMs),
      queuedMs: Math.max(0, startedAtMs - queuedAtMs(delivery, placement)),
      ranMs: end.ranMs ?? 0,
      ...(placement === undefined || isSeat(delivery) ? {} : { placement }),
      ...handOffsOf(tip),
    };
    let stored: boolean;
    try {
      stored = await outcomes.store(at, result, encoding, delivery.header(HEADERS.ballot));
    } catch (error) {
      const refused = toSwarmError(error);
      // An output that cannot be stored (cyclic, too large) fails the task: another attempt would end the same way.
      if (end.status !== "completed" || refused.code === "unavailable") throw error;
      const told = `the output of ${at.capability} cannot be stored: ${refused.message}`;
      const code = refused.code === "payload_too_large" ? refused.code : "internal";
      return conclude(entry, tip, encoding, {
        ...end,
        status: "failed",
        output: undefined,
        vote: undefined,
        error: new TerminalError(told, { code, field: "output" }),
      });
    }
    if (!stored) noteRefused(at, result);
    if (stored && end.status === "failed" && !isSeat(delivery))
      await outcomes.bury(at, deadLetterOf(at, delivery, result));
    delivery.ack();
    if (tip.seq > 0)
      await journal.close(at.capability, at.taskId, result.attempt, finishedAtMs).catch(() => undefined);
    if (stored) meterOutcome(meter, { capability: at.capability, ...result });
  }

  /** A repeated delivery whose result is stored already: does what may be missing after it, and acks. */
  async function finishKnown(entry: Arrival): Promise<boolean> {
    const stored = await outcomes.read(entry.at.taskId);
    if (stored === null) return false;
    if (stored.result.status === "failed" && !isSeat(entry.delivery))
      await outcomes.bury(entry.at, deadLetterOf(entry.at, entry.delivery, stored.result));
    entry.delivery.ack();
    return true;
  }
}

/** True for a delivery that puts a ballot's question: how it ends is told by the verdict, and nowhere else. */
export function isSeat(delivery: Delivery): boolean {
  return delivery.header(HEADERS.ballot) !== undefined;
}

/** When a stored task began to wait: one that was placed did so before it came to its agent. */
export function queuedAtMs(stored: { storedAtMs: number }, placement: Placement | undefined): number {
  return placement?.queuedAt === undefined ? stored.storedAtMs : Date.parse(placement.queuedAt);
}

function wireError(error: SwarmError) {
  const { code, message, field } = error;
  return { code, message, ...(field === undefined ? {} : { field }), retryable: error.retryable };
}
