// The meter of a process: a handle for each metric of the table (metrics/table.ts). Other rooms count through these handles; the app
// exposes the registry on /metrics. Only this file knows the metrics library.
// M1: the values of a label are bounded. A value beyond the bound counts as `other`, and `murmur_metric_labels_folded_total` tells it.
// M2: a metric that the table does not give to this kind of process is not exposed until something counts with it: so a scrape
//     has no empty families, and no count is ever lost. A test holds the table to the scrapes of real processes.
import { createRequire } from "node:module";
import type { Registry } from "prom-client";
import { LabelFolder, type LabelValues } from "./metrics/label-folder.ts";
import { type ActiveSpan, HistogramSeries, NumberSeries } from "./metrics/series.ts";
import { type Exporter, helpOf, type MetricSpec } from "./metrics/spec.ts";
import { METRICS } from "./metrics/table.ts";

export { OTHER } from "./metrics/label-folder.ts";

/**
 * Loads the metrics library at the first use (30–100 ms of CPU time), so that programs without metrics start without it.
 */
const loadLibrary = (): typeof import("prom-client") => createRequire(import.meta.url)("prom-client");

/**
 * Metrics of Node.js that are left out. The names of the first three end as those of counters, so that `promtool check metrics` rejects
 * them. The others have many series that no one reads: one for each of V8's 13 heap spaces, and the types of handles and requests, which
 * `nodejs_active_resources` tells too.
 */
const LEFT_OUT = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
  "nodejs_active_handles",
  "nodejs_active_requests",
  "nodejs_heap_space_size_total_bytes",
  "nodejs_heap_space_size_used_bytes",
  "nodejs_heap_space_size_available_bytes",
];

/** The values of some of a metric's labels. */
type Labels<L extends string> = Partial<Record<L, string | number>>;

/** One value of a gauge. */
export interface GaugeRow<L extends string = string> {
  readonly labels: Labels<L>;
  readonly value: number;
}

/** The values of one metric, by labels. */
interface MetricValues<L extends string> {
  values: { value: number; labels: Labels<L> }[];
}

/** A count that only rises. */
export interface CounterHandle<L extends string = string> {
  inc(labels: Labels<L>, value?: number): void;
  inc(value?: number): void;
  /** The present values, with their labels. */
  get(): Promise<MetricValues<L>>;
}

/** A value that rises and falls. */
export interface GaugeHandle<L extends string = string> {
  set(labels: Labels<L>, value: number): void;
  set(value: number): void;
  /** Forgets all values, and shows these: a thing that has ended leaves the scrape. Values of `other` (M1) are added, or their largest counts where the unit is seconds or a share. */
  replace(rows: readonly GaugeRow<L>[]): void;
  /** The present values, with their labels. */
  get(): Promise<MetricValues<L>>;
}

/** A distribution of observed values. */
export interface HistogramHandle<L extends string = string> {
  observe(labels: Labels<L>, value: number): void;
  observe(value: number): void;
}

type HandleOf<S extends MetricSpec> = S["type"] extends "counter"
  ? CounterHandle<S["labels"][number]>
  : S["type"] extends "gauge"
    ? GaugeHandle<S["labels"][number]>
    : HistogramHandle<S["labels"][number]>;

/** All metrics of one process. */
export type Meter = { readonly [K in keyof typeof METRICS]: HandleOf<(typeof METRICS)[K]> } & {
  /**
   * Makes the series of the metrics that start at 0, for every combination of these values. A metric with a label that is not
   * among them is left out.
   */
  startAtZero(values: Readonly<Record<string, readonly string[]>>): void;
};

/** The metrics of a process that exposes them. */
export type RegisteredMeter = Meter & { readonly registry: Registry };

/**
 * Creates a registry with Murmur's metrics. `defaults: true` adds Node's process metrics. `exporter`: the kind of process (M2);
 * without it, the registry shows every metric. `spanOf`: returns the active span. With it the scrape is in the OpenMetrics format,
 * and each observation in a span leaves the span as an exemplar: https://prometheus.io/docs/specs/om/open_metrics_spec/#exemplars.
 */
export function createMeter(
  options: {
    defaults?: boolean;
    exporter?: Exporter | undefined;
    spanOf?: (() => ActiveSpan | undefined) | undefined;
  } = {},
): RegisteredMeter {
  const { Registry, collectDefaultMetrics } = loadLibrary();
  const registry = new Registry();
  const { spanOf } = options;
  if (spanOf !== undefined) registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  if (options.defaults === true) {
    collectDefaultMetrics({ register: registry });
    for (const name of LEFT_OUT) registry.removeSingleMetric(name);
  }
  const { exporter } = options;
  const folder = new LabelFolder();
  const isShown = ({ exporters }: MetricSpec) => exporter === undefined || exporters.includes(exporter);
  const meter = makeMeter((spec) => {
    const parts = { registry, folder, isShown: isShown(spec), spanOf };
    return isHistogram(spec) ? new LiveHistogram(spec, parts) : new LiveNumber(spec as NumberSpec, parts);
  });
  folder.onFold = (label) => meter.labelsFolded.inc({ label });
  return { registry, ...meter };
}

/** Creates metrics that count nothing, for programs that expose none. */
export function createSilentMeter(): Meter {
  return makeMeter(() => SILENT);
}

/** A metric of the table as pages and tests read it. */
export type MetricFacts = MetricSpec & { readonly shownHelp: string };

/** Describes Murmur's own metrics, without Node's. */
export function describeMetrics(): readonly MetricFacts[] {
  return Object.values<MetricSpec>(METRICS).map((spec) => ({ ...spec, shownHelp: helpOf(spec) }));
}

/** The part of a handle that {@link Meter.startAtZero} needs. */
interface Zeroed {
  zero(labels: LabelValues): void;
}

type NumberSpec = MetricSpec & { readonly type: "counter" | "gauge" };
const isHistogram = (spec: MetricSpec) => spec.type === "histogram";

/** The parts that a metric shares with the others of its process. */
interface LiveParts {
  readonly registry: Registry;
  readonly folder: LabelFolder;
  readonly isShown: boolean;
  readonly spanOf: (() => ActiveSpan | undefined) | undefined;
}

function makeMeter(make: (spec: MetricSpec) => Zeroed): Meter {
  const handles = Object.fromEntries(
    Object.entries<MetricSpec>(METRICS).map(([key, spec]) => [key, make(spec)]),
  );
  const startAtZero: Meter["startAtZero"] = (values) => {
    for (const [key, spec] of Object.entries<MetricSpec>(METRICS)) {
      if (spec.startsAtZero !== true || !spec.labels.every((label) => label in values)) continue;
      for (const labels of combinationsOf(spec.labels, values)) handles[key]?.zero(labels);
    }
  };
  return { ...handles, startAtZero } as unknown as Meter; // the keys and types are those of the table
}

function combinationsOf(
  labels: readonly string[],
  values: Readonly<Record<string, readonly string[]>>,
): Record<string, string>[] {
  return labels.reduce<Record<string, string>[]>(
    (found, label) =>
      found.flatMap((each) => (values[label] ?? []).map((value) => ({ ...each, [label]: value }))),
    [{}],
  );
}

const SILENT = {
  inc: () => undefined,
  set: () => undefined,
  observe: () => undefined,
  replace: () => undefined,
  zero: () => undefined,
  get: async () => ({ values: [] }),
};

/** A metric that its process shows, or will show once it counts (M2). */
class Live<S extends NumberSeries | HistogramSeries> {
  readonly #series: S;
  readonly #registry: Registry;
  isShown = false;

  constructor(series: S, registry: Registry, isShown: boolean) {
    this.#series = series;
    this.#registry = registry;
    if (isShown) this.#show();
  }

  /** The series, to count with. */
  protected get series(): S {
    if (!this.isShown) this.#show();
    return this.#series;
  }

  async get(): Promise<MetricValues<string>> {
    const { values } = await this.#series.get();
    return { values: values.map(({ labels, value }) => ({ labels, value })) };
  }

  #show(): void {
    this.isShown = true;
    this.#registry.registerMetric(this.#series as never); // of the metric, the registry reads `name` and `get` alone
  }
}

/** A counter or a gauge of a registry. */
class LiveNumber extends Live<NumberSeries> {
  readonly #takesLargest: boolean;
  readonly #folder: LabelFolder;

  constructor(spec: NumberSpec, { registry, folder, isShown }: LiveParts) {
    super(new NumberSeries(spec, folder), registry, isShown);
    this.#takesLargest = spec.unit === "seconds" || spec.unit === "share";
    this.#folder = folder;
  }

  inc(first: LabelValues | number = 1, value = 1): void {
    if (typeof first === "number") this.series.add(undefined, first);
    else this.series.add(first, value);
  }

  set(first: LabelValues | number, value = 0): void {
    if (typeof first === "number") this.series.set(undefined, first);
    else this.series.set(first, value);
  }

  replace(rows: readonly GaugeRow[]): void {
    if (!this.isShown && rows.length === 0) return;
    const { series } = this;
    series.clear();
    const others = new Map<string, GaugeRow>();
    for (const { labels, value } of rows) {
      const folded = this.#folder.fold(labels);
      if (folded === labels) {
        series.set(labels, value);
        continue;
      }
      const key = JSON.stringify(folded);
      const before = others.get(key)?.value;
      const joined =
        before === undefined ? value : this.#takesLargest ? Math.max(before, value) : before + value;
      others.set(key, { labels: folded, value: joined });
    }
    for (const { labels, value } of others.values()) series.set(labels, value);
  }

  zero(labels: LabelValues): void {
    if (this.isShown) this.series.add(labels, 0);
  }
}

/** A histogram of a registry. */
class LiveHistogram extends Live<HistogramSeries> {
  readonly #spanOf: (() => ActiveSpan | undefined) | undefined;

  constructor(spec: MetricSpec, { registry, folder, isShown, spanOf }: LiveParts) {
    super(new HistogramSeries(spec, folder), registry, isShown);
    this.#spanOf = spanOf;
  }

  observe(first: LabelValues | number, value = 0): void {
    const span = this.#spanOf?.();
    if (typeof first === "number") this.series.observe(undefined, first, span);
    else this.series.observe(first, value, span);
  }

  zero(labels: LabelValues): void {
    if (this.isShown) this.series.start(labels);
  }
}
