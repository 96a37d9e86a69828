// Starts the runs of fired ticks, for scheduler.ts: it knows the run of the tick before, and performs the decisions of overlap.ts.
import type { Clock, Logger } from "../../base/index.ts";
import { toSwarmError } from "../../protocol/index.ts";
import type { Office } from "../office/office.ts";
import { decideTick } from "./overlap.ts";
import type { FiredTick, ScheduledRun } from "./schedules.ts";

/** The time between two commands to cancel one run, in ms: the first one is stored, and a run may take long to undo its steps. */
const CANCEL_AGAIN_MS = 10_000;
/** The most runs whose cancel is remembered; the oldest is forgotten, and cancelled again. */
const MAX_KEPT_CANCELS = 1_000;

/** Starts runs of workflows, and looks at them. The same id, workflow and input is the same run. */
export interface RunSink {
  /** @throws SwarmError as the start of any run; `unavailable`, which is retried. */
  start(id: string, schedule: string, run: ScheduledRun): Promise<unknown>;
  /** True while a run is there that has not ended. @throws SwarmError `unavailable`. */
  isGoing(id: string): Promise<boolean>;
  /** Asks for the end of a run. @throws SwarmError. */
  cancel(id: string): Promise<unknown>;
}

/** The receipt of a tick; null when the next check tries it again. */
export type Receipt = { error: string | null; skipped?: string } | null;

/** The runs of fired ticks. */
export class RunStarter {
  readonly #runs: RunSink;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** The time of the last cancel of each run that an overlap cancels. */
  readonly #cancelled = new Map<string, number>();

  constructor(parts: { runs: RunSink; clock: Clock; log: Logger }) {
    this.#runs = parts.runs;
    this.#clock = parts.clock;
    this.#log = parts.log;
  }

  /** Decides about one tick, and performs the decision. `hasNewer`: a later tick of the schedule waits too. */
  async take(
    office: Office,
    { runId, fired, hasNewer }: { runId: string; fired: FiredTick; hasNewer: boolean },
  ): Promise<Receipt> {
    const { id, run, isBackfill = false } = fired;
    if (run === undefined) return { error: null };
    const { overlap } = run;
    const lastRunId = office.state.schedules.byId.get(id)?.runs?.lastRunId ?? null;
    try {
      const isLastGoing =
        overlap !== "allow" &&
        lastRunId !== null &&
        lastRunId !== runId &&
        (await this.#runs.isGoing(lastRunId));
      switch (decideTick({ overlap, isBackfill, hasNewer, isLastGoing })) {
        case "start":
          await this.#runs.start(runId, id, run);
          return { error: null };
        case "skip":
          return { error: null, skipped: `${lastRunId} has not ended` };
        case "cancel":
          await this.#cancel(lastRunId ?? "-");
          return null;
        case "wait":
          return null;
      }
    } catch (thrown) {
      return this.#receiptOf(thrown, { runId, hasNewer: hasNewer && !isBackfill });
    }
  }

  async #cancel(runId: string): Promise<void> {
    const nowMs = this.#clock.now();
    if (nowMs - (this.#cancelled.get(runId) ?? Number.NEGATIVE_INFINITY) < CANCEL_AGAIN_MS) return;
    for (const oldest of this.#cancelled.keys()) {
      if (this.#cancelled.size < MAX_KEPT_CANCELS) break;
      this.#cancelled.delete(oldest);
    }
    this.#cancelled.set(runId, nowMs);
    await this.#runs.cancel(runId).catch((thrown: unknown) => {
      const error = toSwarmError(thrown);
      if (error.code !== "conflict") throw error; // It is ending already, or it has ended.
    });
  }

  /** Without an engine a start is tried again, until a later tick of the schedule takes its place. */
  #receiptOf(thrown: unknown, { runId, hasNewer }: { runId: string; hasNewer: boolean }): Receipt {
    const error = toSwarmError(thrown);
    this.#log.warn({ err: error, run: runId, retries: error.retryable }, "scheduled run not started");
    if (!error.retryable) return { error: `${error.code}: ${error.message}` };
    return hasNewer ? { error: null, skipped: `not started until the next tick: ${error.code}` } : null;
  }
}
