// One delivery of one task: from the queue's bytes to an attempt and its end. The heart of the room; how an end becomes
// durable is ending.ts's business.
// I1: a delivery is answered exactly once (ack or nak), or not at all when its fate is unknown: then JetStream delivers
//     the task again.
// I2: attempts are counted by the journal, never by the delivery count. A first delivery is attempt 1 and writes
//     nothing. A repeated one (a count above one, or a retry that came back from the later stream) first looks for
//     the result, then appends `started`, fenced by the journal's tip; a `started` without an outcome is an attempt
//     whose process died.
// I3: whoever loses a fenced append stops: another process holds the task now.
// I4: a task with a route starts only where it was placed; whoever receives it from the queue hands it over.
// I5: a placed delivery always looks for its result first, and one that waited whether it was taken away meanwhile: hosts
//     and coordinators move tasks, and another agent may have it. Not so a ballot's seat, whose rare second run is cheaper than all looks.
// I6: a hand-off is recorded first, fenced like all records. From then on the task runs only where it is placed after that:
//     whoever has an older message of it passes it on, as the first agent itself would have done.
import { type Chance, type Clock, type Logger, type Meter, toIsoTime } from "../../base/index.ts";
import {
  ACK_WAIT_MS,
  type Audit,
  CancelledError,
  type Encoding,
  encode,
  HandOff,
  HEADERS,
  type Placement,
  replyEncodingOf,
  type SignedVote,
  type Subjects,
  SwarmError,
  type Task,
  type TaskAddress,
  TerminalError,
  toSwarmError,
} from "../../protocol/index.ts";
import type { Delivery, Transport } from "../../transport/index.ts";
import type { Permit } from "../limits/limiter.ts";
import type { Slot } from "../ports.ts";
import { createJournal, handedOffOf, type JournalTip, NO_RECORDS, nextAttempt } from "../stores/journal.ts";
import { buryUnreadable, createResultStore } from "../stores/outcome.ts";
import type { CancelledScopes } from "../stores/scopes.ts";
import { createOpenings, type KnownTask } from "./admission.ts";
import { type AttemptNews, RunningAttempt, TICK_MS } from "./attempt.ts";
import { createHandOver, isRouted } from "./hand-over.ts";
import { createSettlement, isSeat } from "./settlement.ts";

/** The longest wait of a task whose key is full; it doubles with each delivery, as there may be many such tasks. */
const MAX_KEY_WAIT_MS = 30_000;

/** What handling deliveries needs. */
export interface DeliveryParts {
  transport: Transport;
  subjects: Subjects;
  meter: Meter;
  log: Logger;
  clock: Clock;
  chance: Chance;
  audit?: Audit | undefined;
  scopes: CancelledScopes;
  /** Asks for the permit of a task's key: a permit, or the wait in ms; null when no key limits the task. */
  permitFor(task: KnownTask): Promise<Permit | { waitMs: number }> | null;
  /** False once the process drains: what has not started by then goes back. */
  isAccepting(): boolean;
}

/** A task that is in this process: what `where` and cancel look at. */
export interface Held {
  readonly at: TaskAddress;
  readonly delivery: Delivery;
  readonly placement: Placement | undefined;
  attempt: RunningAttempt | null;
  /** Its placed message may arrive at any moment, perhaps in this very process. */
  handingOver: boolean;
  /** Cancelled before its attempt began. */
  cancelled?: CancelledError;
}

/** Cancels a task of this process, whether its attempt runs or is about to. */
export function cancelHeld(entry: Held, reason: CancelledError): void {
  if (entry.attempt === null) entry.cancelled = reason;
  else entry.attempt.abort(reason);
}

/** Sees deliveries through. Neither rejects. */
export interface DeliveryHandler {
  /**
   * Takes a delivery and a slot, and sees the task through; `placement` when it was placed on that slot's agent.
   * Resolves to whether an attempt ran.
   */
  handle(delivery: Delivery, at: TaskAddress, slot: Slot, placement?: Placement): Promise<boolean>;
  /** Fails a task that was placed where it can never run. */
  fail(delivery: Delivery, at: TaskAddress, placement: Placement, error: SwarmError): Promise<void>;
  /** Buries what was published on a subject that is no task address, and acks. */
  refuse(delivery: Delivery): Promise<void>;
}

/** Makes the handler. `held` is the live table of tasks in this process, by task id. */
export function createDeliveryHandler(parts: DeliveryParts, held: Map<string, Held>): DeliveryHandler {
  const { transport, subjects, meter, log, clock } = parts;
  const outcomes = createResultStore(parts);
  const journal = createJournal(transport.log("journal"), subjects);
  const { record, afterFailure, conclude, finishKnown } = createSettlement({ ...parts, outcomes, journal });
  const handOver = createHandOver(parts);
  const { readTask, wasTakenAway, refuseBeforeStart, moveWhenEarly } = createOpenings(parts);

  const news: AttemptNews = {
    started: (attempt) => tell(attempt, "started", {}),
    progress: (attempt, progress, note) => tell(attempt, "progress", { progress, note }),
  };

  function tell({ task, number, agentId }: RunningAttempt, name: string, more: object): void {
    const body = encode({ ...more, attempt: number, agent: agentId, at: isoNow() });
    transport.bus.publish(subjects.event("task", task.id, name), body);
  }

  let ticking = false;

  /** Looks after the running attempts while there are any. */
  function tickWhileHeld(): void {
    if (ticking || held.size === 0) return;
    ticking = true;
    clock.after(TICK_MS, () => {
      ticking = false;
      const nowMs = clock.now();
      for (const { attempt } of held.values()) attempt?.tick(nowMs);
      tickWhileHeld();
    });
  }

  return { handle, fail, refuse };

  async function refuse(delivery: Delivery): Promise<void> {
    try {
      const { taskId, error } = await buryUnreadable(outcomes, delivery, clock.now());
      log.warn({ letter: taskId, err: error }, "a task with an unreadable subject went to the dead letters");
      delivery.ack();
    } catch (error) {
      log.warn({ err: error, subject: delivery.subject }, "a task is left to its redelivery");
    }
  }

  async function handle(
    delivery: Delivery,
    at: TaskAddress,
    slot: Slot,
    placement?: Placement,
  ): Promise<boolean> {
    const entry: Held = { at, delivery, placement, attempt: null, handingOver: false };
    const earlier = held.get(at.taskId);
    if (earlier !== undefined && !earlier.handingOver) {
      // The same task twice in one process: the earlier delivery lost its ack-wait. It decides; this one waits.
      delivery.nak(ACK_WAIT_MS);
      slot.release();
      return false;
    }
    held.set(at.taskId, entry);
    tickWhileHeld();
    try {
      await seeThrough(entry, slot);
    } catch (error) {
      leave(at, error);
    } finally {
      if (held.get(at.taskId) === entry) held.delete(at.taskId);
      slot.release();
    }
    return entry.attempt !== null;
  }

  async function fail(
    delivery: Delivery,
    at: TaskAddress,
    placement: Placement,
    error: SwarmError,
  ): Promise<void> {
    const entry = { at, delivery, placement };
    try {
      if (await finishKnown(entry)) return;
      const tip = await journal.tip(at.capability, at.taskId);
      const encoding = replyEncodingOf(delivery.data, delivery.header(HEADERS.contentType));
      const { number } = nextAttempt(tip.record);
      await conclude(entry, tip, encoding, { status: "failed", error, number: number - 1, agent: "-" });
    } catch (error) {
      leave(at, error);
    }
  }

  /** The fate is unknown or another process holds the task: no answer, JetStream delivers it again (I1). */
  function leave({ taskId, capability }: TaskAddress, error: unknown): void {
    if (toSwarmError(error).code === "conflict") {
      meter.fencedWrites.inc({ kind: "journal" });
      log.info({ taskId, capability }, "another process holds this task now");
    } else log.warn({ err: error, taskId, capability }, "a task is left to its redelivery");
  }

  async function seeThrough(entry: Held, slot: Slot): Promise<void> {
    const { at, delivery } = entry;
    let tip = NO_RECORDS;
    if (isRepeated(delivery)) {
      meter.taskRedeliveries.inc();
      if (await finishKnown(entry)) return;
      tip = await journal.tip(at.capability, at.taskId);
    } else if (entry.placement !== undefined && !isSeat(delivery) && (await finishKnown(entry))) return; // I5
    if (entry.placement !== undefined && (await wasTakenAway(delivery))) return;
    const encoding = replyEncodingOf(delivery.data, delivery.header(HEADERS.contentType));
    const { number, died } = nextAttempt(tip.record);
    let task: KnownTask;
    try {
      task = await readTask(entry);
    } catch (error) {
      const refused = toSwarmError(error);
      if (refused.code === "unavailable") throw refused;
      return conclude(entry, tip, encoding, {
        status: "failed",
        error: asTerminal(refused),
        number: number - 1,
        agent: "-",
      });
    }
    if (isToPass(entry, task, tip)) return passOn(entry, task, tip, encoding, isRepeated(delivery)); // I4, I6
    if (died) {
      const error = new SwarmError(
        "internal",
        `the process of attempt ${number - 1} died before an outcome was stored`,
      );
      const again = await afterFailure(
        entry,
        tip,
        encoding,
        task,
        { error, number: number - 1, agent: "-", ranMs: 0 },
        true,
      );
      if (again === null) return;
      tip = again;
    }
    const refusal = refuseBeforeStart(task, entry);
    if (refusal !== null)
      return conclude(entry, tip, encoding, { ...refusal, number: number - 1, agent: "-" });
    if (entry.placement === undefined && (await moveWhenEarly(entry, task, encoding))) return;
    const permitting = parts.permitFor(task);
    const permit = permitting === null ? null : await permitting;
    if (permit !== null && "waitMs" in permit) {
      delivery.nak(Math.min(MAX_KEY_WAIT_MS, permit.waitMs * 2 ** Math.min(16, delivery.deliveryCount - 1)));
      return;
    }
    if (!parts.isAccepting()) {
      delivery.nak(0);
      if (permit !== null) permit.release();
      return;
    }
    try {
      await perform(entry, slot, task, number, tip, encoding);
    } finally {
      permit?.release();
    }
  }

  /** Hands a task with a route, or one that was handed off, over to where the office wants it. */
  async function passOn(
    entry: Held,
    task: KnownTask,
    tip: JournalTip,
    encoding: Encoding,
    repeated: boolean,
  ): Promise<void> {
    const { at, delivery } = entry;
    const { handed } = tip;
    const { number } = nextAttempt(tip.record);
    const unstarted = { number: number - 1, agent: handed?.record.agent ?? "-" };
    const refusal = refuseBeforeStart(task, entry);
    if (refusal !== null) return conclude(entry, tip, encoding, { ...refusal, ...unstarted });
    if (handed === null && (await moveWhenEarly(entry, task, encoding))) return;
    entry.handingOver = true;
    const known = tip.record === null ? undefined : number;
    const over = await handOver({ task, at, delivery, encoding, repeated, nextAttempt: known, handed });
    switch (over.kind) {
      case "passed":
        return delivery.ack();
      case "later":
        return delivery.nak(over.delayMs);
      case "refused":
        return conclude(entry, tip, encoding, { status: "failed", error: over.error, ...unstarted });
      default:
        return over satisfies never;
    }
  }

  async function perform(
    entry: Held,
    slot: Slot,
    task: KnownTask,
    number: number,
    before: JournalTip,
    encoding: Encoding,
  ): Promise<void> {
    const { delivery } = entry;
    let tip = before;
    const agent = slot.agentId;
    const taskDeadlineMs = task.deadline === undefined ? Number.POSITIVE_INFINITY : Date.parse(task.deadline);
    if (isRepeated(delivery)) {
      tip = await record(entry, { type: "started", attempt: number, agent, at: isoNow() }, tip); // I2, I3
    }
    const attempt = new RunningAttempt({
      task,
      number,
      agentId: agent,
      handedOff: handedOffOf(tip),
      deadlineMs: Math.min(clock.now() + task.timeoutMs, taskDeadlineMs),
      clock,
      tell: news,
      overtime: () => overtime(task, attempt.deadlineMs === taskDeadlineMs),
    });
    entry.attempt = attempt;
    const ending = await attempt.run(slot);
    const ranMs = clock.now() - attempt.startedAtMs;
    const facts = { number, agent, startedAtMs: attempt.startedAtMs, ranMs };
    switch (ending.kind) {
      case "output":
        return conclude(entry, tip, encoding, {
          status: "completed",
          output: ending.output,
          vote: voteOf(slot, task, ending.output),
          ...facts,
        });
      case "returned":
        if (tip.seq > 0) await record(entry, { type: "returned", attempt: number, agent, at: isoNow() }, tip);
        delivery.nak(0);
        return;
      case "error": {
        if (ending.error instanceof CancelledError) {
          return conclude(entry, tip, encoding, { status: "cancelled", error: ending.error, ...facts });
        }
        if (ending.error instanceof HandOff) {
          const handed = await recordHandOff(entry, tip, attempt, ending.error.request);
          return passOn(entry, task, handed, encoding, false); // just recorded: it is nowhere else yet
        }
        await afterFailure(entry, tip, encoding, task, { error: ending.error, ...facts }, false);
        return;
      }
      default:
        return ending satisfies never;
    }
  }

  async function recordHandOff(
    entry: Held,
    tip: JournalTip,
    attempt: RunningAttempt,
    request: HandOff["request"],
  ): Promise<JournalTip> {
    const hop = { agent: attempt.agentId, attempt: attempt.number, at: isoNow() };
    const hops = [...(tip.handed?.record.hops ?? []), hop];
    const message = entry.delivery.seq;
    const handed = await record(entry, { type: "handed", ...hop, message, ...request, hops }, tip); // I6
    tell(attempt, "handed-off", { to: request.to });
    return handed;
  }

  function isoNow(): string {
    return toIsoTime(clock.now());
  }
}

/** The signed vote, where the office asks for one. */
function voteOf(slot: Slot, { question }: KnownTask, output: unknown): SignedVote | undefined {
  if (question === undefined || !("seat" in question) || question.nonce === undefined) return undefined;
  return slot.sign?.(question, output);
}

/** True for a delivery of a task that runs elsewhere: with a route from its queue (I4), or handed off since (I6). */
function isToPass({ delivery, placement }: Held, task: KnownTask, { handed }: JournalTip): boolean {
  if (placement === undefined) return isRouted(task) || handed !== null;
  return handed !== null && delivery.seq <= handed.record.message;
}

/** True when the journal or the results may know this task already (I2). */
function isRepeated(delivery: Delivery): boolean {
  return delivery.deliveryCount > 1 || delivery.header(HEADERS.attempt) !== undefined;
}

function overtime(task: Task, byDeadline: boolean): SwarmError {
  if (byDeadline)
    return new SwarmError("deadline", `the deadline ${task.deadline} passed while the task ran`);
  return new SwarmError("timeout", `the attempt ran longer than its ${task.timeoutMs} ms`, {
    field: "timeoutMs",
  });
}

function asTerminal(error: SwarmError): SwarmError {
  return error.retryable
    ? new TerminalError(error.message, { code: error.code, field: error.field, cause: error })
    : error;
}
