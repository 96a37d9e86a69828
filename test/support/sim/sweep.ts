// Runs many seeds of one world on several threads, and sums up the reports. Owns the distribution of seeds and the
// sums; a world (worlds.ts) runs one seed. Seeds share nothing, so the sums do not depend on the number of threads.

import { Worker } from "node:worker_threads";
import type { RunReport } from "./report.ts";

/**
 * The seeds that a thread takes at once: a second or two of work, so that progress shows and all threads end together.
 */
const CHUNK_SEEDS = 20;
/** The number of failing seeds that ends a sweep early. More failures would tell nothing new. */
const MAX_FAILURES = 10;

/** The sum of the reports of several seeds. */
export interface Tally {
  readonly seeds: number;
  /** The number of times that each kind of fault really happened. */
  readonly faults: Readonly<Record<string, number>>;
  /** The sums of the worlds' counts. */
  readonly figures: Readonly<Record<string, number>>;
  /** Failed runs, by seed. */
  readonly failures: readonly RunReport[];
}

/** The seeds `from` up to, but not including, `to` of a world. */
export interface Seeds {
  readonly world: string;
  readonly from: number;
  readonly to: number;
}

/** The tally of no seeds. */
export const EMPTY_TALLY: Tally = { seeds: 0, faults: {}, figures: {}, failures: [] };

/** The sum of a tally and one report. */
export function addRun(tally: Tally, run: RunReport): Tally {
  const { figures, failure } = run;
  const faults = Object.fromEntries(run.faults);
  return addTally(tally, { seeds: 1, faults, figures, failures: failure === null ? [] : [run] });
}

function addTally(one: Tally, other: Tally): Tally {
  return {
    seeds: one.seeds + other.seeds,
    faults: addCounts(one.faults, other.faults),
    figures: addCounts(one.figures, other.figures),
    failures: [...one.failures, ...other.failures].sort((a, b) => a.seed - b.seed),
  };
}

function addCounts(
  one: Readonly<Record<string, number>>,
  other: Readonly<Record<string, number>>,
): Record<string, number> {
  const sum = { ...one };
  for (const [name, count] of Object.entries(other)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

/** Runs all seeds on `threads` threads. `onProgress` gets the sum so far and the part that was just added. */
export async function sweep(
  { world, from, to }: Seeds,
  { threads, onProgress }: { threads: number; onProgress: (sum: Tally, added: Tally) => void },
): Promise<Tally> {
  let sum = EMPTY_TALLY;
  let next = from;
  const takeChunk = (): Seeds | null => {
    if (next >= to || sum.failures.length >= MAX_FAILURES) return null;
    const chunk = { world, from: next, to: Math.min(next + CHUNK_SEEDS, to) };
    next = chunk.to;
    return chunk;
  };
  const work = async () => {
    const worker = new Worker(new URL("./sweep-worker.ts", import.meta.url));
    try {
      for (let chunk = takeChunk(); chunk !== null; chunk = takeChunk()) {
        const added = await ask(worker, chunk);
        sum = addTally(sum, added);
        onProgress(sum, added);
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: threads }, work));
  return sum;
}

function ask(worker: Worker, chunk: Seeds): Promise<Tally> {
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("message", (tally: Tally) => {
      worker.off("error", reject);
      resolve(tally);
    });
    worker.postMessage(chunk);
  });
}
