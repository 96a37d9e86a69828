// The meter of a process: a handle for each metric of the table (metrics/table.ts). Other rooms count through these handles; the app
// exposes the registry on /metrics. Only this file knows the metrics library.
// M1: the values of a label are bounded. A value beyond the bound counts as `other`, and `murmur_metric_labels_folded_total` tells it.
// M2: a metric that the table does not give to this kind of process is not exposed until something counts with it: so a scrape
//     has no empty families, and no count is ever lost. A test holds the table to the scrapes of real processes.
import { createRequire } from "node:module";
import type { Registry } from "prom-client";
import { type Exporter, helpOf, type MetricSpec } from "./metrics/spec.ts";
import { METRICS } from "./metrics/table.ts";

/**
 * Loads the metrics library at the first use (30–100 ms of CPU time), so that programs without metrics start without it.
 */
const loadLibrary = (): typeof import("prom-client") => createRequire(import.meta.url)("prom-client");

/** The value of a label for everything beyond its bound (M1). */
export const OTHER = "other";
/** The most values of one label, by label: capabilities and groups come from the users of a swarm, and a swarm has at most some hundred. */
const MAX_LABEL_VALUES: Readonly<Record<string, number>> = { capability: 256, group: 256, workflow: 256 };
/** The most values of every other label: roles of one process, classes, routes, codes. The code itself makes fewer than 40. */
const MAX_OTHER_VALUES = 64;
/** The most characters of a value: a token of a subject has at most as many. */
const MAX_LABEL_LENGTH = 64;

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

/** The ids of the span that runs the present code. */
type ActiveSpan = { readonly traceId: string; readonly spanId: string };

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
  const meter = makeMeter((spec) => new Live(spec, { registry, folder, isShown: isShown(spec), spanOf }));
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

/** Everything that the handles of all types can do. */
interface AnyHandle {
  inc(first?: Labels<string> | number, value?: number): void;
  set(first: Labels<string> | number, value?: number): void;
  observe(first: Labels<string> | number, value?: number): void;
  replace(rows: readonly GaugeRow[]): void;
  zero(labels: Labels<string>): void;
  get(): Promise<MetricValues<string>>;
}

function makeMeter(make: (spec: MetricSpec) => AnyHandle): Meter {
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

const SILENT: AnyHandle = {
  inc: () => undefined,
  set: () => undefined,
  observe: () => undefined,
  replace: () => undefined,
  zero: () => undefined,
  get: async () => ({ values: [] }),
};

/** The known values of each label, for the metrics of one process (M1). */
class LabelFolder {
  readonly #known = new Map<string, Set<string>>();
  onFold: (label: string) => void = () => undefined;

  /** The labels as they are counted: the same object, unless a value is beyond its bound. */
  fold(labels: Labels<string>): Labels<string> {
    let folded: Labels<string> | undefined;
    for (const label in labels) {
      if (this.#isKnown(label, String(labels[label]))) continue;
      folded ??= { ...labels };
      folded[label] = OTHER;
      this.onFold(label);
    }
    return folded ?? labels;
  }

  #isKnown(label: string, value: string): boolean {
    let known = this.#known.get(label);
    if (known === undefined) {
      known = new Set();
      this.#known.set(label, known);
    }
    if (known.has(value)) return true;
    if (value.length > MAX_LABEL_LENGTH || known.size >= (MAX_LABEL_VALUES[label] ?? MAX_OTHER_VALUES))
      return false;
    known.add(value);
    return true;
  }
}

/** One metric of a registry. */
class Live implements AnyHandle {
  readonly #spec: MetricSpec;
  readonly #registry: Registry;
  readonly #folder: LabelFolder;
  readonly #spanOf: (() => ActiveSpan | undefined) | undefined;
  #metric: LibraryMetric;
  #isShown: boolean;

  constructor(
    spec: MetricSpec,
    parts: {
      registry: Registry;
      folder: LabelFolder;
      isShown: boolean;
      spanOf: (() => ActiveSpan | undefined) | undefined;
    },
  ) {
    const { registry, folder, isShown, spanOf } = parts;
    this.#spec = spec;
    this.#spanOf = spanOf;
    this.#registry = registry;
    this.#folder = folder;
    this.#isShown = isShown;
    this.#metric = createMetric(spec, isShown ? [registry] : [], spanOf !== undefined);
  }

  inc(first: Labels<string> | number = 1, value = 1): void {
    if (!this.#isShown) this.#show();
    if (typeof first === "number") this.#metric.inc?.(first);
    else this.#metric.inc?.(this.#folder.fold(first), value);
  }

  set(first: Labels<string> | number, value = 0): void {
    if (!this.#isShown) this.#show();
    if (typeof first === "number") this.#metric.set?.(first);
    else this.#metric.set?.(this.#folder.fold(first), value);
  }

  observe(first: Labels<string> | number, value = 0): void {
    if (!this.#isShown) this.#show();
    const labels = typeof first === "number" ? {} : this.#folder.fold(first);
    const observed = typeof first === "number" ? first : value;
    if (this.#spanOf === undefined) this.#metric.observe?.(labels, observed);
    else {
      const span = this.#spanOf();
      const exemplarLabels = span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId };
      this.#metric.observe?.({ labels, value: observed, exemplarLabels });
    }
  }

  replace(rows: readonly GaugeRow[]): void {
    if (!this.#isShown && rows.length === 0) return;
    if (!this.#isShown) this.#show();
    this.#metric.reset();
    const takesLargest = this.#spec.unit === "seconds" || this.#spec.unit === "share";
    const others = new Map<string, GaugeRow>();
    for (const { labels, value } of rows) {
      const folded = this.#folder.fold(labels);
      if (folded === labels) {
        this.#metric.set?.(labels, value);
        continue;
      }
      const key = JSON.stringify(folded);
      const before = others.get(key)?.value;
      const joined = before === undefined ? value : takesLargest ? Math.max(before, value) : before + value;
      others.set(key, { labels: folded, value: joined });
    }
    for (const { labels, value } of others.values()) this.#metric.set?.(labels, value);
  }

  zero(labels: Labels<string>): void {
    if (!this.#isShown) return;
    if (this.#spec.type === "histogram") this.#metric.zero?.(this.#folder.fold(labels));
    else this.#metric.inc?.(this.#folder.fold(labels), 0);
  }

  get(): Promise<MetricValues<string>> {
    return this.#metric.get() as Promise<MetricValues<string>>;
  }

  /** Exposes a metric that the table does not give to this process (M2). */
  #show(): void {
    this.#isShown = true;
    this.#registry.registerMetric(this.#metric as never);
  }
}

/** The methods of the library's metrics that this file uses. */
interface LibraryMetric {
  inc?(first: Labels<string> | number, value?: number): void;
  set?(first: Labels<string> | number, value?: number): void;
  observe?(first: object, value?: number): void;
  zero?(labels: object): void;
  reset(): void;
  get(): Promise<unknown>;
}

function createMetric(spec: MetricSpec, registers: Registry[], enableExemplars: boolean): LibraryMetric {
  const { Counter, Gauge, Histogram } = loadLibrary();
  const options = { name: spec.name, help: helpOf(spec), labelNames: [...spec.labels], registers };
  switch (spec.type) {
    case "counter":
      return new Counter(options);
    case "gauge":
      return new Gauge(options);
    case "histogram":
      return new Histogram({ ...options, buckets: [...(spec.buckets ?? [])], enableExemplars });
    default:
      return spec.type satisfies never;
  }
}
