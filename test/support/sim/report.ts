// The report of one simulated run, and its text. Every world makes it: worlds.ts lists them.

/** The report of one run. */
export interface RunReport {
  readonly seed: number;
  /** The reason of the failure; null when every invariant held. */
  readonly failure: string | null;
  /** SHA-256 over all lines of the run. */
  readonly digest: string;
  /** The counts of the world, by the name that a person reads. */
  readonly figures: Readonly<Record<string, number>>;
  /** The number of times that each kind of fault really happened. */
  readonly faults: ReadonlyMap<string, number>;
  /** The last lines before a failure; empty without one. */
  readonly tail: readonly string[];
}

/** A failed run as text: the seed, the failure, and the last lines. */
export function describeFailure(report: RunReport): string {
  return [`seed ${report.seed} failed: ${report.failure}`, `digest ${report.digest}`, ...report.tail].join(
    "\n",
  );
}
