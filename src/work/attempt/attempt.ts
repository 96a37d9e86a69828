// One attempt of one task, from its slot to its end. Owns its time limits and its abort signal. delivery.ts starts attempts
// and owns the queues and streams. An attempt sets no timers: delivery.ts calls `tick`, because three timers for each task
// would cost a sixth of the throughput.
// I1: the attempt ends exactly once: with an output, with an error, or because the process gave the task back.
// I2: an attempt whose agent ignores the abort signal ends {@link ABORT_GRACE_MS} after the abort; its late output is dropped.
import type { Clock, Meter } from "../../base/index.ts";
import {
  type HandedOff,
  type HandOff,
  type HandOffRequest,
  makeHandOff,
  type StepFacts,
  StepWait,
  type SwarmError,
  type Task,
  type TaskAddress,
  toSwarmError,
} from "../../protocol/index.ts";
import type { Attempt, Slot } from "../ports.ts";
import type { StepRecorder } from "../steps/recorder.ts";

/** How long the agent of an aborted attempt may clean up, in ms; then the attempt ends without it. */
export const ABORT_GRACE_MS = 2_000;
/** The shortest time between two progress events of one attempt, in ms. */
const PROGRESS_INTERVAL_MS = 100;

/** How often `tick` is called, in ms: a timeout is noticed at most this late. */
export const TICK_MS = 25;
/**
 * An attempt publishes its `started` event when it has run this long, in ms. A shorter attempt publishes only its result: a
 * second message for each short task would cost throughput, and no client reads it.
 */
const STARTED_EVENT_AFTER_MS = 50;

/** Receives the events of a running attempt. */
export interface AttemptEvents {
  started(attempt: RunningAttempt): void;
  progress(attempt: RunningAttempt, percent: number, note: string | undefined): void;
}

/** The end of an attempt. `returned`: the process gave the task back, which counts as no failed attempt. */
export type AttemptEnd =
  | { kind: "output"; output: unknown }
  | { kind: "error"; error: SwarmError }
  | { kind: "returned" };

/** A running attempt, as its host sees it. */
export class RunningAttempt implements Attempt {
  readonly task: Task & { id: string };
  readonly number: number;
  readonly key: string;
  readonly deadlineMs: number;
  readonly startedAtMs: number;
  readonly agentId: string;
  readonly handedOff: HandedOff | undefined;
  /** 0–100, or null before the first report. */
  progressPercent: number | null = null;
  readonly #clock: Clock;
  readonly #events: AttemptEvents;
  readonly #timeoutError: () => SwarmError;
  readonly #makeSteps: (attempt: RunningAttempt) => StepRecorder;
  #steps: StepRecorder | undefined;
  #wait: StepWait | undefined;
  #controller: AbortController | undefined;
  #abortReason: SwarmError | undefined;
  #abortedAtMs = Number.POSITIVE_INFINITY;
  #resolve: ((end: AttemptEnd) => void) | undefined;
  #handOff: HandOff | undefined;
  #isStartPublished = false;
  #progressPublishedAtMs = Number.NEGATIVE_INFINITY;
  /** The latest progress report, until it is published. */
  #unpublished: { note: string | undefined } | undefined;

  constructor(parts: {
    task: Task & { id: string };
    number: number;
    key: string;
    agentId: string;
    handedOff: HandedOff | undefined;
    deadlineMs: number;
    clock: Clock;
    events: AttemptEvents;
    /** Makes the error of an attempt that reaches its deadline. */
    timeoutError: () => SwarmError;
    /** Makes the recorder at the first step: most tasks have none. */
    makeSteps: (attempt: RunningAttempt) => StepRecorder;
  }) {
    this.task = parts.task;
    this.number = parts.number;
    this.key = parts.key;
    this.agentId = parts.agentId;
    this.handedOff = parts.handedOff;
    this.deadlineMs = parts.deadlineMs;
    this.#clock = parts.clock;
    this.#events = parts.events;
    this.#timeoutError = parts.timeoutError;
    this.#makeSteps = parts.makeSteps;
    this.startedAtMs = parts.clock.now();
  }

  /** The abort signal. It is made on first use, because most agents never read it. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  /** The reason of the abort; undefined when the attempt was not aborted. */
  get abortReason(): SwarmError | undefined {
    return this.#abortReason;
  }

  progress(percent: number, note?: string): void {
    this.progressPercent = clampPercent(percent, this.progressPercent ?? 0);
    this.#unpublished = { note };
    this.#publishProgress(this.#clock.now());
  }

  #publishStart(): void {
    if (this.#isStartPublished) return;
    this.#isStartPublished = true;
    this.#events.started(this);
  }

  #publishProgress(nowMs: number): void {
    if (this.#unpublished === undefined) return;
    if (nowMs - this.#progressPublishedAtMs < PROGRESS_INTERVAL_MS) return;
    const { note } = this.#unpublished;
    this.#unpublished = undefined;
    this.#progressPublishedAtMs = nowMs;
    this.#publishStart(); // a client never sees progress of an attempt that has not started
    this.#events.progress(this, this.progressPercent ?? 0, note);
  }

  handOff(request: HandOffRequest): never {
    this.#handOff = makeHandOff(request, {
      agent: this.agentId,
      hops: this.handedOff?.hops ?? [],
      isQuestion: this.task.question !== undefined,
    });
    throw this.#handOff;
  }

  /** The recorder of the attempt's steps; undefined while no step has begun. */
  get steps(): StepRecorder | undefined {
    return this.#steps;
  }

  async step(name: string, options: { once: boolean }, work: (step: StepFacts) => unknown): Promise<unknown> {
    this.#steps ??= this.#makeSteps(this);
    try {
      return await this.#steps.perform(name, options, work);
    } catch (error) {
      if (error instanceof StepWait) this.#wait ??= error;
      throw error;
    }
  }

  /** Publishes due events, aborts at the deadline, ends after the grace. Call it every {@link TICK_MS}. */
  tick(nowMs: number): void {
    if (nowMs - this.startedAtMs >= STARTED_EVENT_AFTER_MS) this.#publishStart();
    this.#publishProgress(nowMs);
    if (nowMs >= this.deadlineMs) this.abort(this.#timeoutError());
    if (nowMs - this.#abortedAtMs >= ABORT_GRACE_MS && this.#abortReason !== undefined) {
      this.#end({ kind: "error", error: this.#abortReason }); // I2
    }
  }

  /** Performs the task on the slot's agent; resolves to the attempt's end (I1). */
  run(slot: Slot): Promise<AttemptEnd> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      let performing: Promise<unknown>;
      try {
        performing = slot.perform(this);
      } catch (error) {
        performing = Promise.reject(error);
      }
      performing.then(
        (output) => this.#end(this.#endOf(output)),
        (error: unknown) => this.#end({ kind: "error", error: toSwarmError(error) }),
      );
    });
  }

  /** The end of an attempt that returned `output`. A hand-off stays valid even when the agent's code caught its error. */
  #endOf(output: unknown): AttemptEnd {
    return this.#handOff === undefined ? { kind: "output", output } : { kind: "error", error: this.#handOff };
  }

  /** Aborts the signal. After {@link ABORT_GRACE_MS} the attempt ends with the reason, whatever the agent does (I2). */
  abort(reason: SwarmError): void {
    if (this.#abortReason !== undefined) return;
    this.#abortReason = reason;
    this.#abortedAtMs = this.#clock.now();
    this.#controller?.abort(reason);
  }

  /** Gives the task back at the end of a drain: aborts the signal and ends the attempt as `returned`. */
  giveBack(reason: SwarmError): void {
    this.#abortReason ??= reason;
    this.#controller?.abort(this.#abortReason);
    this.#finish({ kind: "returned" });
  }

  #end(end: AttemptEnd): void {
    // After an abort, the attempt ends with the abort's reason: an agent's late output must not hide a timeout.
    // A task that must wait for a person waits, even when the agent's code caught the error.
    const reason = this.#abortReason ?? this.#wait;
    this.#finish(reason === undefined ? end : { kind: "error", error: reason });
  }

  #finish(end: AttemptEnd): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    resolve?.(end);
  }
}

/** A percentage in 0–100: the nearest one, or `last` for a value that is no number. A wrong report must not fail a good task. */
export function clampPercent(percent: number, last: number): number {
  const clamped = Math.min(100, Math.max(0, Number(percent)));
  return Number.isNaN(clamped) ? last : clamped;
}

/** Records in the metrics how long a task waited and ran. Call it once the task's result is stored. */
export function meterTimes(
  meter: Pick<Meter, "taskQueueSeconds" | "taskRunSeconds">,
  { capability, priority }: Pick<TaskAddress, "capability" | "priority">,
  { status, queuedMs, ranMs }: { status: string; queuedMs: number; ranMs: number },
): void {
  meter.taskQueueSeconds.observe({ capability, priority }, queuedMs / 1000);
  meter.taskRunSeconds.observe({ capability, status }, ranMs / 1000);
}
