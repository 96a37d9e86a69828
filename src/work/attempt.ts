// One attempt of one task, from seat to outcome. Knows time and signals; knows nothing of queues or streams.
// I1: the attempt ends exactly once: with an output, an error, or given back.
// I2: an agent that ignores its abort signal is left behind after a grace; what it returns later is dropped.
import { type Clock, MAX_TIMER_MS, type Meter } from "../base/index.ts";
import { SwarmError, type Task, toSwarmError } from "../protocol/index.ts";
import type { Attempt, Seat } from "./ports.ts";

/** How long an aborted attempt may take to clean up before it is left behind. */
export const ABORT_GRACE_MS = 2_000;
/** Progress is published at most this often for one attempt. */
const PROGRESS_INTERVAL_MS = 100;

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
  /** 0–100, or null before the first report. */
  progressPercent: number | null = null;
  readonly #clock: Clock;
  readonly #onProgress: (percent: number, note: string | undefined) => void;
  #controller: AbortController | undefined;
  #abortReason: SwarmError | undefined;
  #settle: ((ending: Ending) => void) | undefined;
  #timers: (() => void)[] = [];
  #lastPublishedMs = Number.NEGATIVE_INFINITY;
  #pendingNote: { note: string | undefined } | undefined;

  constructor(parts: {
    task: Task & { id: string };
    number: number;
    agentId: string;
    deadlineMs: number;
    clock: Clock;
    onProgress: (percent: number, note: string | undefined) => void;
  }) {
    this.task = parts.task;
    this.number = parts.number;
    this.agentId = parts.agentId;
    this.deadlineMs = parts.deadlineMs;
    this.#clock = parts.clock;
    this.#onProgress = parts.onProgress;
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
    const nowMs = this.#clock.now();
    const waitMs = this.#lastPublishedMs + PROGRESS_INTERVAL_MS - nowMs;
    if (waitMs <= 0) {
      this.#lastPublishedMs = nowMs;
      this.#onProgress(percent, note);
    } else if (this.#pendingNote === undefined) {
      this.#pendingNote = { note };
      this.#timers.push(this.#clock.after(waitMs, () => this.#publishPending()));
    } else this.#pendingNote.note = note;
  }

  #publishPending(): void {
    if (this.#pendingNote === undefined) return;
    const { note } = this.#pendingNote;
    this.#pendingNote = undefined;
    this.#lastPublishedMs = this.#clock.now();
    this.#onProgress(this.progressPercent ?? 0, note);
  }

  /** Runs the seat to its end (I1). `limit` is what the attempt fails with at its deadline. */
  run(seat: Seat, limit: () => SwarmError): Promise<Ending> {
    return new Promise((resolve) => {
      this.#settle = (ending) => {
        this.#settle = undefined;
        for (const cancel of this.#timers) cancel();
        resolve(ending);
      };
      this.#timers.push(
        this.#clock.after(Math.min(MAX_TIMER_MS, this.deadlineMs - this.startedAtMs), () =>
          this.abort(limit()),
        ),
      );
      let performing: Promise<unknown>;
      try {
        performing = seat.perform(this);
      } catch (error) {
        performing = Promise.reject(error);
      }
      performing.then(
        (output) => this.#end({ kind: "output", output }),
        (error: unknown) => this.#end({ kind: "error", error: toSwarmError(error) }),
      );
    });
  }

  /** Aborts the signal; after {@link ABORT_GRACE_MS} the attempt ends with the reason whatever the agent does (I2). */
  abort(reason: SwarmError): void {
    if (this.#abortReason !== undefined) return;
    this.#abortReason = reason;
    this.#controller?.abort(reason);
    this.#timers.push(this.#clock.after(ABORT_GRACE_MS, () => this.#end({ kind: "error", error: reason })));
  }

  /** Gives the task back at the end of a drain: aborts, and ends without an outcome. */
  giveBack(reason: SwarmError): void {
    this.#abortReason ??= reason;
    this.#controller?.abort(this.#abortReason);
    this.#settle?.({ kind: "returned" });
  }

  #end(ending: Ending): void {
    // What came after an abort is the abort: an agent's late output must not hide a timeout.
    const reason = this.#abortReason;
    this.#settle?.(reason === undefined ? ending : { kind: "error", error: reason });
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
