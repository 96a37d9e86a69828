// The counts of one metric: a cell for each combination of label values. The registry of the metrics library shows them. They are
// counted here and not by the library, because a task counts about ten times, and the library makes a text key of the labels at each
// count: that took 6 % of a worker's CPU time.
import type { LabelFolder, LabelValues } from "./label-folder.ts";
import { helpOf, type MetricSpec } from "./spec.ts";

/** One value in a scrape, in the form that the registry of prom-client 15 reads (`Registry.getMetricsAsString`). */
export interface ShownValue {
  readonly labels: LabelValues;
  readonly value: number;
  /** The name of the line, where it is not the metric's: the parts of a histogram. */
  readonly metricName?: string;
  readonly exemplar?: Exemplar | null;
}

/** The latest observation of a bucket that was made in a span. */
interface Exemplar {
  readonly labelSet: LabelValues;
  readonly value: number;
  /** Unix seconds. */
  readonly timestamp: number;
}

/** One metric as the registry reads it. */
interface ShownMetric {
  readonly name: string;
  readonly help: string;
  readonly type: MetricSpec["type"];
  readonly values: readonly ShownValue[];
}

/** The ids of the span that runs the present code. */
export type ActiveSpan = { readonly traceId: string; readonly spanId: string };

/** The cells below one value of one label. */
interface Branch<Cell> {
  readonly branches: Map<string | undefined, Branch<Cell>>;
  cell: Cell | undefined;
}

const newBranch = <Cell>(): Branch<Cell> => ({ branches: new Map(), cell: undefined });

/** The cells of one metric, by the values of its labels in their order. */
class Cells<Cell> {
  readonly #labels: readonly string[];
  readonly #folder: LabelFolder;
  readonly #make: (labels: LabelValues) => Cell;
  #root = newBranch<Cell>();
  #all: Cell[] = [];

  constructor(labels: readonly string[], folder: LabelFolder, make: (labels: LabelValues) => Cell) {
    this.#labels = labels;
    this.#folder = folder;
    this.#make = make;
  }

  get all(): readonly Cell[] {
    return this.#all;
  }

  /** The cell of these labels. Only labels with known values have a cell of their own. */
  at(labels: LabelValues): Cell {
    return this.#find(labels) ?? this.#add(this.#folder.fold(labels));
  }

  clear(): void {
    this.#root = newBranch();
    this.#all = [];
  }

  #find(labels: LabelValues): Cell | undefined {
    let branch: Branch<Cell> | undefined = this.#root;
    for (const label of this.#labels) {
      branch = branch.branches.get(textOf(labels[label]));
      if (branch === undefined) return undefined;
    }
    return branch.cell;
  }

  #add(labels: LabelValues): Cell {
    let branch = this.#root;
    for (const label of this.#labels) {
      const value = textOf(labels[label]);
      let next = branch.branches.get(value);
      if (next === undefined) {
        next = newBranch();
        branch.branches.set(value, next);
      }
      branch = next;
    }
    if (branch.cell === undefined) {
      branch.cell = this.#make({ ...labels });
      this.#all.push(branch.cell);
    }
    return branch.cell;
  }
}

function textOf(value: string | number | undefined): string | undefined {
  return typeof value === "number" ? String(value) : value;
}

const NO_LABELS: LabelValues = Object.freeze({});

/** A single number for each combination of labels. */
interface NumberCell {
  readonly labels: LabelValues;
  value: number;
}

/** The series of a counter or a gauge. */
export class NumberSeries {
  readonly type: "counter" | "gauge";
  /** The registry renames counters in the OpenMetrics format. */
  name: string;
  readonly help: string;
  readonly #cells: Cells<NumberCell>;

  constructor(spec: MetricSpec & { readonly type: "counter" | "gauge" }, folder: LabelFolder) {
    this.type = spec.type;
    this.name = spec.name;
    this.help = helpOf(spec);
    this.#cells = new Cells(spec.labels, folder, (labels) => ({ labels, value: 0 }));
    if (spec.labels.length === 0) this.#cells.at(NO_LABELS);
  }

  /** @throws TypeError for a value that is no number, RangeError for a negative one: counters only rise. */
  add(labels: LabelValues | undefined, value: number): void {
    checkNumber(this.name, value);
    if (value < 0) throw new RangeError(`${this.name} cannot fall: ${value}`);
    this.#cells.at(labels ?? NO_LABELS).value += value;
  }

  /** @throws TypeError for a value that is no number. */
  set(labels: LabelValues | undefined, value: number): void {
    checkNumber(this.name, value);
    this.#cells.at(labels ?? NO_LABELS).value = value;
  }

  clear(): void {
    this.#cells.clear();
  }

  async get(): Promise<ShownMetric> {
    const values = this.#cells.all.map(({ labels, value }) => ({ labels, value }));
    return { name: this.name, help: this.help, type: this.type, values };
  }
}

interface HistogramCell {
  readonly labels: LabelValues;
  /** The observations of each bucket alone, not of those below it. The last bucket has no bound. */
  readonly counts: number[];
  readonly exemplars: (Exemplar | null)[];
  sum: number;
  count: number;
}

/** The series of a histogram. */
export class HistogramSeries {
  readonly type = "histogram";
  readonly name: string;
  readonly help: string;
  readonly #bounds: readonly number[];
  readonly #cells: Cells<HistogramCell>;

  constructor(spec: MetricSpec, folder: LabelFolder) {
    this.name = spec.name;
    this.help = helpOf(spec);
    this.#bounds = spec.buckets ?? [];
    const buckets = this.#bounds.length + 1;
    this.#cells = new Cells(spec.labels, folder, (labels) => ({
      labels,
      counts: new Array<number>(buckets).fill(0),
      exemplars: new Array<Exemplar | null>(buckets).fill(null),
      sum: 0,
      count: 0,
    }));
    if (spec.labels.length === 0) this.#cells.at(NO_LABELS);
  }

  /** Counts one value. The exemplar of its bucket names `span`. @throws TypeError for NaN and infinite values. */
  observe(labels: LabelValues | undefined, value: number, span?: ActiveSpan): void {
    checkNumber(this.name, value);
    const cell = this.#cells.at(labels ?? NO_LABELS);
    let bucket = 0;
    while (bucket < this.#bounds.length && value > this.#bounds[bucket]!) bucket++;
    cell.counts[bucket]!++;
    cell.sum += value;
    cell.count++;
    if (span === undefined) return;
    const labelSet = { trace_id: span.traceId, span_id: span.spanId };
    cell.exemplars[bucket] = { labelSet, value, timestamp: Date.now() / 1_000 };
  }

  /** Makes the series of these labels, with 0. */
  start(labels: LabelValues): void {
    this.#cells.at(labels);
  }

  async get(): Promise<ShownMetric> {
    const values = this.#cells.all.flatMap((cell) => this.#show(cell));
    return { name: this.name, help: this.help, type: this.type, values };
  }

  #show({ labels, counts, exemplars, sum, count }: HistogramCell): ShownValue[] {
    let below = 0;
    const buckets = counts.map((own, bucket) => {
      below += own;
      const le = this.#bounds[bucket] ?? "+Inf";
      return {
        labels: { le, ...labels },
        value: below,
        metricName: `${this.name}_bucket`,
        exemplar: exemplars[bucket] ?? null,
      };
    });
    return [
      ...buckets,
      { labels, value: sum, metricName: `${this.name}_sum` },
      { labels, value: count, metricName: `${this.name}_count` },
    ];
  }
}

function checkNumber(name: string, value: number): void {
  if (!Number.isFinite(value)) throw new TypeError(`${name} takes numbers; got ${value}`);
}
