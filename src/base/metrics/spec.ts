// One metric as data, and the values that several metrics share.

/** The kinds of processes that serve `/metrics`. */
export const EXPORTERS = ["agent", "api", "coordinator", "engine"] as const;
/** One of {@link EXPORTERS}. */
export type Exporter = (typeof EXPORTERS)[number];

/**
 * How the values of several processes make one number. `sum`: each process counts its own part. `max`: each process shows the same
 * thing of the swarm, so a sum would count it several times. `each`: the value tells about its process alone.
 */
export type Replicas = "sum" | "max" | "each";

/** One metric. */
export interface MetricSpec {
  /** In a metric's name the unit is the last word, before `_total`. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** The unit of a value, for people. */
  readonly unit: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly exporters: readonly Exporter[];
  readonly replicas: Replicas;
  /** True: the series exist from the start, with 0, so that `rate` and `increase` see the first event. */
  readonly startsAtZero?: true;
  /** The upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[];
  /** A page that explains it, as a link of docs/operations.md. */
  readonly page?: string;
}

/** Buckets in seconds, from 1 ms to 1 h: waiting and running times of tasks, and of everything that NATS stores. */
export const SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 300, 600, 900, 1_800,
  3_600,
];
/** Buckets in seconds for answers that a caller waits for: up to the longest wait of a request to NATS. */
export const ANSWER_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Buckets in seconds for work of the office that no one waits for: its snapshots. */
export const OFFICE_SECONDS = [0.01, 0.1, 0.5, 1, 5, 15, 60, 300];
/** Buckets for shares, in tenths. */
export const RATIOS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

/** Agent processes alone. */
export const AGENT = ["agent"] as const;
/** Api processes alone. */
export const API = ["api"] as const;
/** Coordinators alone. */
export const COORDINATOR = ["coordinator"] as const;

/** Engines alone. */
export const ENGINE = ["engine"] as const;

/** The help text of a metric, as Prometheus shows it: with the rule for several processes where a sum would be wrong. */
export function helpOf({ type, help, replicas }: MetricSpec): string {
  const rule =
    replicas === "max" && type === "gauge" ? " Several processes show the same: take max, not sum." : "";
  return `${help}${rule}`;
}
