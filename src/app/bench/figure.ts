// The figures of the benchmark: the measurements and the lines of the report.

/** All measurements, in the order of their run. */
export const BENCH_SCENARIOS = [
  "throughput",
  "latency",
  "ask",
  "ballot",
  "steps",
  "idle",
  "queue",
  "permissions",
  "workflows",
] as const;
/** One measurement. */
export type BenchScenario = (typeof BENCH_SCENARIOS)[number];

/** The steps of each run of the scenario workflows, one after the other. */
export const STEPS_PER_RUN = 5;

/** The steps of each task that a stepper runs: so many that the cost of the task itself is about one percent. */
export const STEPS_PER_TASK = 100;

/** One figure of the report. */
export interface BenchFigure {
  scenario: BenchScenario;
  name: string;
  unit: string;
  murmur: number;
  /** The figure of the bare loop; null where there is no bare counterpart. */
  bare: number | null;
  /** Murmur divided by bare: the median of the ratios of all rounds. */
  ratio: number | null;
  /** The goal for the figure, as text; null for a figure that is only shown. */
  goal: string | null;
  /** Whether the goal is met; null without a goal. */
  met: boolean | null;
  /** The figure of Murmur in every round, so that a reader can check the median. */
  rounds: number[];
}
