// Writes the queries of boards. The table of metrics decides how the values of several processes make one: a sum where each counts its
// own part, the largest where all show the same. Pure.
import { describeMetrics, type MetricFacts } from "../../src/base/index.ts";

/** The window of `rate` and `increase` on a board: Grafana makes it four scrapes long, or one step. */
const WINDOW = "$__rate_interval";
const metrics = new Map(describeMetrics().map((metric) => [metric.name, metric]));

function factsOf(name: string): MetricFacts {
  const facts = metrics.get(name) ?? metrics.get(name.replace(/_(count|sum|bucket)$/, ""));
  if (facts === undefined) throw new Error(`expected a metric of src/base/metrics, got ${name}`);
  return facts;
}

/** The series of a metric in the chosen jobs and instances; `where`: further matchers, as PromQL writes them. */
export function series(name: string, where = ""): string {
  return `${name}{job=~"$job",instance=~"$instance"${where === "" ? "" : `,${where}`}}`;
}

/** A series that a recording rule made, or that Prometheus itself has: it has no instance. */
export function ofJob(name: string, where = ""): string {
  return `${name}{job=~"$job"${where === "" ? "" : `,${where}`}}`;
}

const by = (labels: readonly string[]) => (labels.length === 0 ? "" : ` by (${labels.join(", ")})`);

/** The present value of a gauge, by labels. */
export function now(name: string, labels: readonly string[] = [], where = ""): string {
  return join(factsOf(name), labels, series(name, where));
}

/** The rise of a counter in a second, by labels. */
export function perSecond(name: string, labels: readonly string[] = [], where = ""): string {
  return join(factsOf(name), labels, `rate(${series(name, where)}[${WINDOW}])`);
}

/** The rise of a counter in the range of the board, by labels; for panels that show one value. */
export function inRange(name: string, labels: readonly string[] = [], where = ""): string {
  return join(factsOf(name), labels, `increase(${series(name, where)}[$__range])`);
}

/** A quantile of a histogram, by labels. */
export function quantile(share: number, name: string, labels: readonly string[] = [], where = ""): string {
  factsOf(name);
  return `histogram_quantile(${share}, sum by (${[...labels, "le"].join(", ")}) (rate(${series(`${name}_bucket`, where)}[${WINDOW}])))`;
}

/** Joins the values of several processes by the rule of the metric. */
function join({ replicas, unit, labels: own }: MetricFacts, labels: readonly string[], expr: string): string {
  if (replicas === "sum") return `sum${by(labels)} (${expr})`;
  if (
    replicas === "each" ||
    unit === "seconds" ||
    unit === "share" ||
    own.every((label) => labels.includes(label))
  )
    return `max${by(labels)} (${expr})`;
  return `sum${by(labels)} (max by (${["job", ...own].join(", ")}) (${expr}))`;
}
