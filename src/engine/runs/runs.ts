// The runs that this engine has in memory. A fold is a cache: the oldest ones are dropped within a set bound, and read again when a
// trigger comes.
import type { Trigger } from "../../workflow/index.ts";
import type { Held } from "../lanes/held.ts";
import { Run, type RunParts } from "./run.ts";

/** The most runs in memory. A sleeping run costs a few KiB here, and one read when it wakes. */
const MAX_RUNS = 2_000;
/** The most bytes of logs whose folds are in memory: a fold takes about as much memory as its log, twice. */
const MAX_LOG_BYTES_CACHED = 64 * 1024 * 1024;

/** The runs of one lane, while this engine serves it. */
export interface Tenure {
  readonly lane: string;
  /** Aborts when the engine gives the lane up. */
  readonly signal: AbortSignal;
}

/** The runs of an engine. */
export class Runs {
  readonly #parts: RunParts;
  /** In the order of their last use. */
  readonly #runs = new Map<string, Run>();
  /** The bytes of the log of each run, as they were counted last, and their sum. */
  readonly #counted = new Map<Run, number>();
  #bytes = 0;

  constructor(parts: RunParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#runs.size;
  }

  /** Passes a trigger to its run. */
  take(workflowId: string, tenure: Tenure, trigger: Trigger, held: Held): void {
    const run = this.#use(workflowId, tenure);
    run.take({ trigger, held }, () => this.#onIdle(run));
  }

  /** Lets a run decide without a trigger. */
  look(workflowId: string, tenure: Tenure): void {
    const run = this.#use(workflowId, tenure);
    run.look(() => this.#onIdle(run));
  }

  /** Gives back what no decision has taken, and resolves when the running decisions of a lane have ended. */
  async release(lane: string): Promise<void> {
    const runs = [...this.#runs.values()].filter((run) => run.lane === lane);
    await Promise.all(runs.map((run) => run.release()));
    for (const run of runs) if (this.#runs.get(run.id) === run) this.#remove(run);
  }

  #use(workflowId: string, { lane, signal }: Tenure): Run {
    const known = this.#runs.get(workflowId);
    const run =
      known === undefined || known.isGivenUp ? new Run(workflowId, lane, this.#parts, signal) : known;
    if (known !== undefined) this.#runs.delete(workflowId);
    if (known !== undefined && known !== run) this.#forget(known);
    this.#runs.set(workflowId, run);
    return run;
  }

  #onIdle(run: Run): void {
    const isCurrent = this.#runs.get(run.id) === run;
    if (run.hasEnded && isCurrent) this.#remove(run);
    else if (isCurrent) this.#count(run);
    for (const oldest of this.#runs.values()) {
      if (this.#runs.size <= MAX_RUNS && this.#bytes <= MAX_LOG_BYTES_CACHED) return;
      if (!oldest.isBusy) this.#remove(oldest);
    }
  }

  #count(run: Run): void {
    this.#bytes += run.cachedBytes - (this.#counted.get(run) ?? 0);
    this.#counted.set(run, run.cachedBytes);
  }

  #remove(run: Run): void {
    this.#runs.delete(run.id);
    this.#forget(run);
  }

  #forget(run: Run): void {
    this.#bytes -= this.#counted.get(run) ?? 0;
    this.#counted.delete(run);
  }
}
