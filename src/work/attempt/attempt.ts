// One attempt of one task, from slot to outcome. Knows time and signals; knows nothing of queues or streams. It sets no
// timers: whoever holds it calls `tick`, because three timers for each task would cost a sixth of the throughput.
// I1: the attempt ends exactly once: with an output, an error, or given back.
// I2: an agent that ignores its abort signal is left behind after a grace; what it returns later is dropped.
import type { Clock, Meter } from "../../base/index.ts";
import {
  type HandedOff,
  type HandOff,
  type HandOffRequest,
  makeHandOff,
  SwarmError,
  type Task,
  toSwarmError,
} from "../../protocol/index.ts";
import type { Attempt, Slot } from "../ports.ts";

/** How long an aborted attempt may take to clean up before it is left behind. */
export const ABORT_GRACE_MS = 2_000;
/** Progress is published at most this often for one attempt. */
const PROGRESS_INTERVAL_MS = 100;

/** How often a running attempt is looked after, in ms: how late a timeout may be noticed. */
export const TICK_MS = 25;
/**
 * An attempt that runs this long tells watchers that it started. One that ends sooner is told by its result alone: a
 * further message for each short task would be paid by all and read by nobody.
 */
const TELL_STARTED_MS = 50;

/** Who is told of a running attempt. */
export interface AttemptNews {
  started(attempt: RunningAttempt): void;
  progress(attempt: RunningAttempt, percent: number, note: string | undefined): void;
}

/** How an attempt ended. `returned`: the process gives the task back, which is no failed attempt. */
export type Ending =
  | { kind: "output"; output: unknown }
  | { kind: "error"; error: SwarmError }
  | { kind: "returned" };

/** A running attempt, as the worker holds it. */
export class RunningAttempt implements Attempt {
  readonly task: Task & { id: string };
  readonly number: number;
  readonly deadlineMs: number;
  readonly startedAtMs: number;
  readonly agentId: string;
  readonly handedOff: HandedOff | undefined;
  /** 0–100, or null before the first report. */
  progressPercent: number | null = null;
  readonly #clock: Clock;
  readonly #tell: AttemptNews;
  readonly #overtime: () => SwarmError;
  #controller: AbortController | undefined;
  #abortReason: SwarmError | undefined;
  #abortedAtMs = Number.POSITIVE_INFINITY;
  #settle: ((ending: Ending) => void) | undefined;
  #handOff: HandOff | undefined;
  #toldStart = false;
  #toldProgressAtMs = Number.NEGATIVE_INFINITY;
  /** A report that waits for its time. */
  #untold: { note: string | undefined } | undefined;

  constructor(parts: {
    task: Task & { id: string };
    number: number;
    agentId: string;
    handedOff: HandedOff | undefined;
    deadlineMs: number;
    clock: Clock;
    tell: AttemptNews;
    /** What the attempt fails with at its deadline. */
    overtime: () => SwarmError;
  }) {
    this.task = parts.task;
    this.number = parts.number;
    this.agentId = parts.agentId;
    this.handedOff = parts.handedOff;
    this.deadlineMs = parts.deadlineMs;
    this.#clock = parts.clock;
    this.#tell = parts.tell;
    this.#overtime = parts.overtime;
    this.startedAtMs = parts.clock.now();
  }

  /** Made on first use: most attempts never look at it. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  /** Why the attempt was aborted, if it was. */
  get abortReason(): SwarmError | undefined {
    return this.#abortReason;
  }

  progress(percent: number, note?: string): void {
    if (!Number.isFinite(percent) || percent < 0 || percent > 100) {
      throw new SwarmError("invalid_input", `progress must be 0–100, got ${percent}`, { field: "percent" });
    }
    this.progressPercent = percent;
    this.#untold = { note };
    this.#tellProgress(this.#clock.now());
  }

  #tellProgress(nowMs: number): void {
    if (this.#untold === undefined || nowMs - this.#toldProgressAtMs < PROGRESS_INTERVAL_MS) return;
    const { note } = this.#untold;
    this.#untold = undefined;
    this.#toldProgressAtMs = nowMs;
    this.#tell.progress(this, this.progressPercent ?? 0, note);
  }

  handOff(request: HandOffRequest): never {
    this.#handOff = makeHandOff(request, {
      agent: this.agentId,
      hops: this.handedOff?.hops ?? [],
      isQuestion: this.task.question !== undefined,
    });
    throw this.#handOff;
  }

  /** Does what has come due: the deadline, the end of a grace, news for watchers. Call it every {@link TICK_MS}. */
  tick(nowMs: number): void {
    if (!this.#toldStart && nowMs - this.startedAtMs >= TELL_STARTED_MS) {
      this.#toldStart = true;
      this.#tell.started(this);
    }
    this.#tellProgress(nowMs);
    if (nowMs >= this.deadlineMs) this.abort(this.#overtime());
    if (nowMs - this.#abortedAtMs >= ABORT_GRACE_MS && this.#abortReason !== undefined) {
      this.#end({ kind: "error", error: this.#abortReason }); // I2
    }
  }

  /** Runs the slot to its end (I1). */
  run(slot: Slot): Promise<Ending> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      let performing: Promise<unknown>;
      try {
        performing = slot.perform(this);
      } catch (error) {
        performing = Promise.reject(error);
      }
      performing.then(
        (output) =>
          this.#end(
            this.#handOff === undefined
              ? { kind: "output", output }
              : { kind: "error", error: this.#handOff },
          ),
        (error: unknown) => this.#end({ kind: "error", error: toSwarmError(error) }),
      );
    });
  }

  /** Aborts the signal; after {@link ABORT_GRACE_MS} the attempt ends with the reason whatever the agent does (I2). */
  abort(reason: SwarmError): void {
    if (this.#abortReason !== undefined) return;
    this.#abortReason = reason;
    this.#abortedAtMs = this.#clock.now();
    this.#controller?.abort(reason);
  }

  /** Gives the task back at the end of a drain: aborts, and ends without an outcome. */
  giveBack(reason: SwarmError): void {
    this.#abortReason ??= reason;
    this.#controller?.abort(this.#abortReason);
    this.#finish({ kind: "returned" });
  }

  #end(ending: Ending): void {
    // What came after an abort is the abort: an agent's late output must not hide a timeout.
    const reason = this.#abortReason;
    this.#finish(reason === undefined ? ending : { kind: "error", error: reason });
  }

  #finish(ending: Ending): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(ending);
  }
}

/** Counts the times of a decided attempt. */
export function meterOutcome(
  meter: Meter,
  facts: { capability: string; status: string; queuedMs: number; ranMs: number },
): void {
  meter.taskQueueSeconds.observe(facts.queuedMs / 1000);
  meter.taskRunSeconds.observe({ capability: facts.capability, status: facts.status }, facts.ranMs / 1000);
}
