// The delivery handler: takes one delivery of a task from its arrival to an attempt and the attempt's end. admission.ts
// checks, hand-over.ts passes tasks on, settlement.ts makes the end durable; this file owns the order of the steps.
// I1: a delivery is answered exactly once (ack or nak), or not at all when its fate is unknown: then JetStream delivers
//     the task again.
// I2: the journal counts the attempts; the delivery count does not. A first delivery is attempt 1 and writes nothing. A
//     repeated delivery (a count above one, or a retry from the later stream) first looks for the result, then appends
//     `started`, fenced by the journal's tip. A `started` without an outcome is an attempt whose process died.
// I3: a host that loses a fenced append stops: another process holds the task now.
// I4: a task with a route starts only where it was placed; a host that receives it from its queue hands it over.
// I5: before a placed task starts, the host looks for its result; if the task waited, the host also checks that its message
//     is still stored, because hosts and coordinators move tasks and another agent may have it. A ballot's question skips
//     the look for a result: a rare second run costs less than all those reads.
// I7: a task that waits for a person about a step starts no attempt: see human-wait.ts.
// I8: a cancel may overtake the delivery of its task, which NATS sent before the purge. The host remembers it, and looks for the result.
// I6: a hand-off is recorded first, fenced like all records. From then on the task runs only where it is placed after the
//     record; a host that receives an older message of the task passes it on, as the first agent's host would have done.
import {
  type Chance,
  type Clock,
  dropOldest,
  type Logger,
  type Meter,
  readTraceFacts,
  type Tracer,
  toIsoTime,
} from "../../base/index.ts";
import {
  ACK_WAIT_MS,
  type Audit,
  CancelledError,
  encode,
  HandOff,
  StepWait,
  type Subjects,
  SwarmError,
  type TaskAddress,
  toSwarmError,
} from "../../protocol/index.ts";
import type { Delivery, Transport } from "../../transport/index.ts";
import type { Permit } from "../limits/limiter.ts";
import type { HostDoor, Slot } from "../ports.ts";
import { StepRecorder } from "../steps/recorder.ts";
import { createJournal, handedOffTo, type Journal } from "../stores/journal.ts";
import { buryUnreadable, createResultStore, type ResultStore } from "../stores/results.ts";
import type { ScopeMarks } from "../stores/scopes.ts";
import { createOwnDoor } from "../stores/trail.ts";
import { createAdmission } from "./admission.ts";
import { type AttemptEnd, type AttemptEvents, RunningAttempt, TICK_MS } from "./attempt.ts";
import { runInSpan } from "./attempt-span.ts";
import { asTerminal, timeoutErrorOf } from "./errors.ts";
import { FailureLog } from "./failure-log.ts";
import { HandOver, isRouted } from "./hand-over.ts";
import { createHumanWait, lastAttemptIn, waitingSteps } from "./human-wait.ts";
import { type Arrival, InFlightTask, type KnownTask } from "./in-flight.ts";
import type { CountedOutcome } from "./outcomes.ts";
import { unstorable, voteOf } from "./output.ts";
import { causeOf, type RedeliveryCause, type Returns } from "./redelivery.ts";
import { Settlement, showError, type TaskEnd } from "./settlement.ts";

/** The longest wait of a task whose key is full, in ms. The wait doubles with each delivery: there may be many such tasks. */
const MAX_KEY_WAIT_MS = 30_000;

/** The cancelled tasks that a host remembers (I8): more than NATS has on the way to one host. */
const MAX_CANCELLED = 4_096;

/** The parts of the delivery handler. */
export interface DeliveryParts {
  transport: Transport;
  subjects: Subjects;
  meter: Meter;
  log: Logger;
  clock: Clock;
  chance: Chance;
  audit?: Audit | undefined;
  /** Asks for the permit of a task's key: a permit, or the wait in ms; null when no key limits the task. */
  permitFor(task: KnownTask): Promise<Permit | { waitMs: number }> | null;
  /** True when a limit of its key holds for the task. */
  hasKey(task: KnownTask): boolean;
  /** The deliveries that this host gave back. */
  returns: Returns;
  tracer: Tracer;
  /** For a host whose user may touch its own subjects only; default: this process uses the streams itself. */
  door?: HostDoor | undefined;
  /** The marks of cancelled scopes. */
  scopes: ScopeMarks;
  /** False once the process drains: a task that has not started by then goes back to the queue. */
  isAccepting(): boolean;
}

/** Handles the deliveries of one process. Its public methods never reject. */
export class DeliveryHandler {
  readonly #parts: DeliveryParts;
  readonly #results: ResultStore;
  readonly #journal: Journal;
  readonly #settlement: Settlement;
  readonly #handOver: HandOver;
  readonly #admission: ReturnType<typeof createAdmission>;
  readonly #humanWait: ReturnType<typeof createHumanWait>;
  readonly #traceFacts = readTraceFacts();
  readonly #cancelled = new Set<string>();
  readonly #inFlight = new Map<string, InFlightTask>();
  readonly #events: AttemptEvents = {
    started: (attempt) => this.#publish(attempt, "started", {}),
    progress: (attempt, progress, note) => this.#publish(attempt, "progress", { progress, note }),
  };
  #isTicking = false;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
    this.#results = createResultStore(parts);
    this.#journal = createJournal(parts.transport.log("journal"), parts.subjects, {
      endedMs: parts.transport.journalAgeMs,
      ...parts.door,
    });
    const failures = new FailureLog(parts);
    const traceFacts = this.#traceFacts;
    const { trail, later } = parts.door ?? createOwnDoor(parts);
    this.#settlement = new Settlement({ ...parts, results: this.#results, later, traceFacts, failures });
    this.#handOver = new HandOver({ ...parts, trail });
    this.#admission = createAdmission({ ...parts, later });
    this.#humanWait = createHumanWait({ ...parts, later });
  }

  /** The tasks in flight in this process, by task id. */
  get inFlight(): ReadonlyMap<string, InFlightTask> {
    return this.#inFlight;
  }

  /** Cancels a task: its attempt, or the delivery that is on its way (I8). */
  cancel(taskId: string): void {
    const inFlight = this.#inFlight.get(taskId);
    inFlight?.cancel(new CancelledError());
    if (inFlight === undefined) this.#cancelled.add(taskId);
    dropOldest(this.#cancelled, MAX_CANCELLED);
  }

  /**
   * Handles one delivery with a reserved slot, and releases the slot at the end. A placed task needs a slot of the agent
   * that it was placed on. Resolves to true when an attempt ran.
   */
  async handle(arrival: Arrival, slot: Slot): Promise<boolean> {
    const { at } = arrival;
    const earlier = this.#inFlight.get(at.taskId);
    if (earlier !== undefined && !earlier.isHandingOver) {
      // The same task twice in one process: the earlier delivery lost its ack-wait. It decides; this delivery waits.
      this.#countRedelivery(this.#parts.returns.has(arrival.delivery) ? "given_back" : "ack_wait");
      arrival.delivery.nak(ACK_WAIT_MS);
      slot.release();
      return false;
    }
    const inFlight = new InFlightTask(arrival, { journal: this.#journal, log: this.#parts.log });
    this.#inFlight.set(at.taskId, inFlight);
    this.#tickWhileInFlight();
    try {
      await this.#seeThrough(inFlight, slot);
    } catch (error) {
      this.#leave(at, error);
      if (toSwarmError(error).code === "conflict" && inFlight.attempt !== null)
        this.#countAttempt(inFlight, "lost");
    } finally {
      if (this.#inFlight.get(at.taskId) === inFlight) this.#inFlight.delete(at.taskId);
      slot.release();
    }
    return inFlight.attempt !== null;
  }

  /** Fails a task that was placed on an agent that can never perform it. */
  async fail(arrival: Arrival, error: SwarmError): Promise<void> {
    const inFlight = new InFlightTask(arrival, { journal: this.#journal, log: this.#parts.log });
    try {
      if (await this.#settlement.finishKnown(inFlight)) return;
      await inFlight.readJournal();
      await this.#concludeUnstarted(inFlight, { status: "failed", error });
    } catch (cause) {
      this.#leave(arrival.at, cause);
    }
  }

  /** Stores a dead letter for a message whose subject is no task address, and acks it. */
  async refuse(delivery: Delivery): Promise<void> {
    const { log, clock } = this.#parts;
    try {
      const { taskId, error } = await buryUnreadable(this.#results, delivery, clock.now());
      log.warn({ letter: taskId, err: error }, "task with an unreadable subject moved to the dead letters");
      delivery.ack();
    } catch (error) {
      log.warn({ err: error, subject: delivery.subject }, "delivery not settled; JetStream redelivers it");
    }
  }

  /** Leaves the delivery unanswered: its fate is unknown, or another process holds the task (I1, I3). */
  #leave({ taskId, capability }: TaskAddress, error: unknown): void {
    const { log, meter } = this.#parts;
    const { code } = toSwarmError(error);
    if (code === "stale_attempt") {
      log.info({ taskId, capability }, "another attempt has the task; this one stored no result");
    } else if (code === "conflict") {
      meter.fencedWrites.inc({ kind: "journal" });
      log.info({ taskId, capability }, "another process holds the task; delivery left to it");
    } else log.warn({ err: error, taskId, capability }, "delivery not settled; JetStream redelivers it");
  }

  /** Calls `tick` of the running attempts while tasks are in flight. */
  #tickWhileInFlight(): void {
    if (this.#isTicking || this.#inFlight.size === 0) return;
    this.#isTicking = true;
    this.#parts.clock.after(TICK_MS, () => {
      this.#isTicking = false;
      const nowMs = this.#parts.clock.now();
      for (const { attempt } of this.#inFlight.values()) attempt?.tick(nowMs);
      this.#tickWhileInFlight();
    });
  }

  /** All steps of one delivery, in their order. */
  async #seeThrough(inFlight: InFlightTask, slot: Slot): Promise<void> {
    const wasCancelled = this.#cancelled.has(inFlight.at.taskId);
    const { isRepeated, isBallotQuestion, placement } = inFlight;
    const isInPlace = placement === undefined || (isBallotQuestion && !this.#admission.hasWaited(inFlight));
    const isFresh = !isRepeated && isInPlace && !wasCancelled;
    if (!isFresh && (await this.#isOver(inFlight, wasCancelled))) return; // I2, I5, I8
    try {
      const reading = this.#admission.readTask(inFlight);
      if (reading !== undefined) await reading;
    } catch (error) {
      return this.#failUnreadable(inFlight, toSwarmError(error));
    }
    if (inFlight.delivery.deliveryCount > 1) this.#countRedelivery(this.#causeOf(inFlight));
    const waiting = waitingSteps(inFlight);
    if (waiting !== null) return this.#keepWaiting(inFlight, waiting); // I7
    if (isToPass(inFlight)) return this.#passOn(inFlight, inFlight.isRepeated); // I4, I6
    if (inFlight.nextAttempt().died && !(await this.#recordDied(inFlight))) return;
    const refusing = this.#admission.refuseBeforeStart(inFlight);
    const refusal = refusing instanceof Promise ? await refusing : refusing;
    if (refusal !== null) return this.#concludeUnstarted(inFlight, refusal);
    const dueMs = inFlight.placement === undefined ? this.#admission.earlyDueMs(inFlight) : null;
    if (dueMs !== null) return this.#admission.moveToLater(inFlight, dueMs);
    const permitting = this.#parts.permitFor(inFlight.task);
    if (permitting === null) return await this.#start(inFlight, slot);
    const permit = await permitting;
    if ("waitMs" in permit) return giveBackForKey(inFlight, permit.waitMs);
    try {
      await this.#start(inFlight, slot);
    } finally {
      permit.release();
    }
  }

  /**
   * Looks for the earlier life of a repeated or placed task. True when the delivery was answered: the result is stored, or
   * another agent has the task.
   */
  async #isOver(inFlight: InFlightTask, wasCancelled: boolean): Promise<boolean> {
    const { delivery } = inFlight;
    if (inFlight.isRepeated) {
      if (await this.#settlement.finishKnown(inFlight)) {
        // The process that stored the result did not ack: it died, or gave back what another host had finished.
        if (delivery.deliveryCount > 1)
          this.#countRedelivery(this.#parts.returns.has(delivery) ? "given_back" : "ack_wait");
        return true;
      }
      await inFlight.readJournal();
    } else if ((wasCancelled || !inFlight.isBallotQuestion) && (await this.#settlement.finishKnown(inFlight)))
      return true;
    if (inFlight.placement === undefined || !(await this.#admission.nakIfTakenAway(inFlight))) return false;
    if (delivery.deliveryCount > 1) this.#countRedelivery("handed_over");
    return true;
  }

  #causeOf({ delivery, tip, task }: InFlightTask): RedeliveryCause {
    const { returns, clock, hasKey } = this.#parts;
    return causeOf({
      isReturned: returns.has(delivery),
      record: tip.record,
      isRouted: isRouted(task),
      hasKey: hasKey(task),
      ageMs: clock.now() - delivery.storedAtMs,
    });
  }

  #countRedelivery(cause: RedeliveryCause): void {
    this.#parts.meter.taskRedeliveries.inc({ cause });
  }

  #countAttempt({ at: { capability } }: InFlightTask, outcome: CountedOutcome): void {
    this.#parts.meter.taskAttempts.inc({ capability, outcome });
  }

  /** Leaves a task waiting whose steps a person must settle, unless it was cancelled or its deadline has passed (I7). */
  async #keepWaiting(inFlight: InFlightTask, steps: readonly string[]): Promise<void> {
    const refusal = await this.#admission.refuseBeforeStart(inFlight);
    if (refusal === null) return this.#humanWait.keep(inFlight, steps);
    return this.#settlement.conclude(inFlight, { ...refusal, ...lastAttemptIn(inFlight.tip) });
  }

  /** Fails a task whose body or blobs cannot be read. @throws SwarmError `unavailable` while the blob store cannot be reached. */
  async #failUnreadable(inFlight: InFlightTask, error: SwarmError): Promise<void> {
    if (error.code === "unavailable") throw error;
    await this.#concludeUnstarted(inFlight, { status: "failed", error: asTerminal(error) });
  }

  /** Records the attempt whose process died as failed. False when no retry is left: then the task is concluded. */
  async #recordDied(inFlight: InFlightTask): Promise<boolean> {
    const number = inFlight.nextAttempt().number - 1;
    const message = `the process of attempt ${number} died before an outcome was stored`;
    const error = new SwarmError("internal", message);
    this.#countAttempt(inFlight, "died");
    const failure = { error, number, agent: "-", ranMs: 0 };
    return (await this.#settlement.recordFailure(inFlight, failure)) !== null;
  }

  /** Ends the task without a further attempt. `agent`: the agent of its last attempt, where one is known. */
  #concludeUnstarted(
    inFlight: InFlightTask,
    end: Pick<TaskEnd, "status" | "error">,
    agent = "-",
  ): Promise<void> {
    const number = inFlight.nextAttempt().number - 1;
    return this.#settlement.conclude(inFlight, { ...end, number, agent });
  }

  /** Hands over a task that runs elsewhere, because it has a route or was handed off. */
  async #passOn(inFlight: InFlightTask, mayBeElsewhere: boolean): Promise<void> {
    const { delivery, tip } = inFlight;
    const lastAgent = tip.handed?.record.agent;
    const refusal = await this.#admission.refuseBeforeStart(inFlight);
    if (refusal !== null) return this.#concludeUnstarted(inFlight, refusal, lastAgent);
    const dueMs = tip.handed === null ? this.#admission.earlyDueMs(inFlight) : null;
    if (dueMs !== null) return this.#admission.moveToLater(inFlight, dueMs);
    inFlight.isHandingOver = true;
    const over = await this.#handOver.handOver(inFlight, mayBeElsewhere);
    switch (over.kind) {
      case "passed":
        return delivery.ack();
      case "later":
        return delivery.nak(over.delayMs);
      case "refused":
        return this.#concludeUnstarted(inFlight, { status: "failed", error: over.error }, lastAgent);
      default:
        return over satisfies never;
    }
  }

  /** Starts the attempt and settles its end; gives the task back when the process has begun to drain. */
  async #start(inFlight: InFlightTask, slot: Slot): Promise<void> {
    if (!this.#parts.isAccepting()) return inFlight.delivery.nak(0);
    const { number } = inFlight.nextAttempt();
    if (inFlight.isRepeated) {
      await inFlight.record({ type: "started", attempt: number, agent: slot.agentId, at: this.#isoNow() }); // I2, I3
    }
    const { cancelled } = inFlight; // while this host waited for a permit, or for the record
    if (cancelled !== undefined)
      return this.#concludeUnstarted(inFlight, { status: "cancelled", error: cancelled });
    const attempt = this.#makeAttempt(inFlight, number, slot.agentId);
    inFlight.attempt = attempt;
    const settle = (end: AttemptEnd) => this.#settle(inFlight, attempt, end, slot);
    const { tracer } = this.#parts;
    if (!tracer.isOn) return settle(await attempt.run(slot));
    return runInSpan(this.#parts, inFlight, attempt, { run: () => attempt.run(slot), settle });
  }

  #makeAttempt(inFlight: InFlightTask, number: number, agentId: string): RunningAttempt {
    const { task, tip, effectKey } = inFlight;
    const { clock } = this.#parts;
    const taskDeadlineMs = task.deadline === undefined ? Number.POSITIVE_INFINITY : Date.parse(task.deadline);
    const deadlineMs = Math.min(clock.now() + task.timeoutMs, taskDeadlineMs);
    return new RunningAttempt({
      task,
      number,
      key: effectKey,
      agentId,
      handedOff: handedOffTo(tip),
      deadlineMs,
      clock,
      events: this.#events,
      timeoutError: () => timeoutErrorOf(task, deadlineMs === taskDeadlineMs),
      makeSteps: (attempt) => this.#makeSteps(inFlight, attempt),
    });
  }

  #makeSteps(inFlight: InFlightTask, attempt: RunningAttempt): StepRecorder {
    const { clock, chance, meter, transport } = this.#parts;
    const stale = new SwarmError(
      "stale_attempt",
      "another attempt has the task; this attempt stores no result",
    );
    return new StepRecorder({
      ledger: inFlight,
      attempt,
      encoding: inFlight.encoding,
      blobs: transport.blobs,
      meter,
      clock,
      chance,
      wireError: (error) => showError(error, this.#traceFacts),
      isAborted: () => attempt.abortReason !== undefined,
      onStale: () => attempt.abort(stale),
    });
  }

  /** @throws SwarmError `stale_attempt`, `unavailable`: the steps of the attempt do not allow to settle it. */
  #settle(inFlight: InFlightTask, attempt: RunningAttempt, end: AttemptEnd, slot: Slot): Promise<void> {
    const settle = () => this.#settleEnd(inFlight, attempt, end, slot);
    return attempt.steps === undefined ? settle() : attempt.steps.close().then(settle); // most attempts have no steps
  }

  #settleEnd(inFlight: InFlightTask, attempt: RunningAttempt, end: AttemptEnd, slot: Slot): Promise<void> {
    const ranMs = this.#parts.clock.now() - attempt.startedAtMs;
    const facts = {
      number: attempt.number,
      agent: attempt.agentId,
      startedAtMs: attempt.startedAtMs,
      ranMs,
    };
    switch (end.kind) {
      case "output": {
        const error = unstorable(end.output, inFlight.encoding);
        if (error !== null) return this.#settlement.afterFailure(inFlight, { error, ...facts });
        const vote = voteOf(slot, attempt.task, end.output);
        return this.#settlement.conclude(inFlight, {
          status: "completed",
          output: end.output,
          vote,
          ...facts,
        });
      }
      case "returned":
        return this.#giveBack(inFlight, attempt);
      case "error": {
        const { error } = end;
        if (error instanceof CancelledError) {
          return this.#settlement.conclude(inFlight, { status: "cancelled", error, ...facts });
        }
        if (error instanceof HandOff) return this.#handOff(inFlight, attempt, error.request);
        if (error instanceof StepWait) return this.#humanWait.begin(inFlight, attempt, [error.step]);
        const reopened = attempt.steps?.reopenedBy(error) ?? [];
        return this.#settlement.afterFailure(inFlight, { error, ...facts, reopened });
      }
      default:
        return end satisfies never;
    }
  }

  /** Gives a task back at the end of a drain. A journal with records needs a further record, or the attempt would count as died. */
  async #giveBack(inFlight: InFlightTask, { number, agentId }: RunningAttempt): Promise<void> {
    if (inFlight.tip.seq > 0) {
      await inFlight.record({ type: "returned", attempt: number, agent: agentId, at: this.#isoNow() });
    }
    this.#countAttempt(inFlight, "returned");
    inFlight.delivery.nak(0);
  }

  /** Records the hand-off, then passes the task on (I6). */
  async #handOff(
    inFlight: InFlightTask,
    attempt: RunningAttempt,
    request: HandOff["request"],
  ): Promise<void> {
    const hop = { agent: attempt.agentId, attempt: attempt.number, at: this.#isoNow() };
    const hops = [...(inFlight.tip.handed?.record.hops ?? []), hop];
    const message = inFlight.delivery.seq;
    await inFlight.record({ type: "handed", ...hop, message, ...request, hops });
    this.#countAttempt(inFlight, "handed_off");
    this.#publish(attempt, "handed-off", { to: request.to });
    return this.#passOn(inFlight, false); // the record is new, so the task is nowhere else yet
  }

  #publish({ task, number, agentId }: RunningAttempt, name: string, facts: object): void {
    const body = encode({ ...facts, attempt: number, agent: agentId, at: this.#isoNow() });
    this.#parts.transport.bus.publish(this.#parts.subjects.event("task", task.id, name), body);
  }

  #isoNow(): string {
    return toIsoTime(this.#parts.clock.now());
  }
}

/** Gives back a task of a full key. */
function giveBackForKey({ delivery }: InFlightTask, waitMs: number): void {
  delivery.nak(Math.min(MAX_KEY_WAIT_MS, waitMs * 2 ** Math.min(16, delivery.deliveryCount - 1)));
}

/** True when the task runs elsewhere: it has a route and came from its queue (I4), or it was handed off since (I6). */
function isToPass({ placement, task, tip: { handed } }: InFlightTask): boolean {
  if (placement === undefined) return isRouted(task) || handed !== null;
  return handed !== null && (placement.handOff ?? 0) < handed.seq;
}
