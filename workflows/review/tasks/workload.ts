// The work of a review: bounds the tasks that run at the same time, and tells how much is done. Stands between a review and its
// swarm. Leaves the swarm's own slots to the agents.
// I1: the weights of the running tasks never exceed the bound, except for a task that is heavier than the bound: it runs alone.
// I2: tasks start in the order of their submission.
// I3: analysers share processes, so a file that ends its process ends the analyses beside it too. A task that failed by an
//     internal error therefore runs once more, after the others and alone: then only the cause fails.
import { availableParallelism } from "node:os";
import type { ReviewCapability } from "../../../agents/lib/review/index.ts";
import type { ReviewPorts, ReviewTask } from "./ports.ts";

/** The default of the analyses at the same time: one for each core, and one more, because oxlint waits for Biome in their ballot. */
export const DEFAULT_JOBS = availableParallelism() + 1;

/** The cost of a file in ms of CPU time, measured on honojs/hono (472 files). Only the estimate of the time left uses it. */
const COST_MS: Partial<Record<ReviewCapability, number>> = {
  "review-security": 6,
  "review-tests": 5,
  "review-architecture": 3,
  "review-docs": 2,
  "review-performance": 1,
  "review-oxlint": 1,
  "review-biome": 7,
  "review-eslint": 50,
};
/** The share of the work, and the time, after that an estimate is more than a guess. */
const MIN_SHARE = 0.1;
const MIN_ELAPSED_MS = 3_000;

/** The state of the work. */
export interface WorkDone {
  /** 0 to 1. */
  share: number;
  /** The estimated time left, in ms; null while too little is done for an estimate. */
  leftMs: number | null;
}

/** Bounds and counts the tasks of one review. */
export class Workload {
  readonly #jobs: number;
  readonly #now: () => number;
  readonly #waiting: { weight: number; start: () => void }[] = [];
  #running = 0;
  #startedMs: number | undefined;
  #total = 0;
  #done = 0;

  /** `jobs`: the most analyses at the same time, at least 1. `now`: a clock in ms, for tests. */
  constructor({ jobs, now = () => performance.now() }: { jobs: number; now?: () => number }) {
    this.#jobs = jobs;
    this.#now = now;
  }

  wrap(ports: ReviewPorts): ReviewPorts {
    return {
      ...ports,
      ready: async (tasks, signal) => {
        this.#total += tasks.reduce((sum, task) => sum + costOf(task), 0);
        await ports.ready?.(tasks, signal);
        // The start of the swarm is no work.
        this.#startedMs ??= this.#now();
      },
      submit: async (task, signal) => {
        // Each seat of a ballot is an analysis of its own.
        const weight = Math.min(this.#jobs, task.ballot?.panel?.length ?? 1);
        const submit = async (share: number) => {
          await this.#enter(share, signal);
          try {
            return await ports.submit(task, signal);
          } finally {
            this.#leave(share);
          }
        };
        try {
          const result = await submit(weight);
          return result.error?.code === "internal" && task.ballot === undefined
            ? await submit(this.#jobs) // I3
            : result;
        } finally {
          this.#done += costOf(task);
        }
      },
    };
  }

  /** Tells how much is done. */
  progress(): WorkDone {
    const share = this.#total === 0 ? 0 : Math.min(1, this.#done / this.#total);
    const elapsedMs = this.#now() - (this.#startedMs ?? this.#now());
    if (share < MIN_SHARE || elapsedMs < MIN_ELAPSED_MS) return { share, leftMs: null };
    return { share, leftMs: (elapsedMs * (1 - share)) / share };
  }

  async #enter(weight: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#waiting.length === 0 && this.#running + weight <= this.#jobs) {
      this.#running += weight;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const entry = {
        weight,
        start: () => {
          signal.removeEventListener("abort", stop);
          resolve();
        },
      };
      const stop = () => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        reject(signal.reason);
      };
      signal.addEventListener("abort", stop, { once: true });
      this.#waiting.push(entry);
    });
  }

  #leave(weight: number): void {
    this.#running -= weight;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#running + next.weight > this.#jobs) return;
      this.#waiting.shift();
      this.#running += next.weight;
      next.start();
    }
  }
}

function costOf({ capability, ballot, input }: ReviewTask): number {
  const panel = (ballot?.panel ?? [capability]) as ReviewCapability[];
  return panel.reduce((sum, analyser) => sum + (COST_MS[analyser] ?? 1), 0) * input.files.length;
}
