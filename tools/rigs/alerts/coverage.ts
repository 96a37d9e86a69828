// The queries of all boards and alerts beside a real Prometheus: Prometheus takes each, each had data during the drill, with values that its
// unit allows, and every metric moved. Owns the notes about them over several worlds: each has a Prometheus of its own.
import { BOARDS, type Panel } from "../../../grafana/src/index.ts";
import { recordingRules } from "../../../src/app/alerts/objectives.ts";
import { alertTable } from "../../../src/app/alerts/table.ts";
import { drillTime } from "../../../src/app/alerts/time.ts";
import { describeMetrics } from "../../../src/base/index.ts";
import { readsOf } from "../../../test/app/alerts/promql.ts";
import { JOB, type Monitor } from "./monitor.ts";

/** Metrics without data in the drill, with the reason. */
const WITHOUT_DATA: Readonly<Record<string, string>> = {
  murmur_work: "only with a permissions file",
  murmur_operate_requests_total: "only with a permissions file",
  murmur_credentials_expiry_seconds: "only for credentials with an end",
  murmur_journals_swept_total: "a sweep comes every six hours",
  murmur_blobs_renewed_total: "a blob is renewed after half of its time, some days",
  murmur_office_snapshot_seconds: "a snapshot comes after 20,000 entries",
  murmur_votes_refused_total: "only for hostile and late votes, which tests of the coordinator send",
  murmur_replies_refused_total: "only for hostile requests, which tests of the protocol send",
  murmur_metric_labels_folded_total: "only beyond the bound of a label, which a test of the meter reaches",
};
/** Metrics that do not move in the drill, with the reason. */
const UNMOVED: Readonly<Record<string, string>> = {
  murmur_office_messages_refused_total: "only for hostile messages, which tests of the coordinator send",
  murmur_office_log_lag: "a coordinator of this drill follows within a scrape",
  murmur_office_snapshot_failures_total: "a snapshot comes after 20,000 entries",
  murmur_agent_conflicts_total: "only when two hosts have one agent, which a test of the coordinator plays",
  murmur_workflow_repairs_total: "only after the loss of messages, which a test of the engine plays",
  murmur_workflow_lane_lag: "an engine of this drill takes each message within a scrape",
  murmur_audit_dropped_total: "only when the audit stream refuses entries",
};
/** The rate of scrapes is 1 Hz, so a window of ten samples. */
const WINDOW_SECONDS = 10;
/** No wait, run or age of a drill is as long as this, in seconds: a time since 1970, or a value in ms, is. */
const MAX_SECONDS = 100_000;
/** Rounding of Prometheus. */
const EPSILON = 1e-6;

/** The findings of a drill about its queries and metrics. */
export interface CoverageReport {
  /** The queries of boards and the expressions of alerts. */
  readonly queries: number;
  /** Queries that Prometheus refused, with its message. */
  readonly refused: readonly string[];
  /** Queries without data, where no reason is listed. */
  readonly empty: readonly string[];
  /** Queries with a value that their unit does not allow. */
  readonly wrongUnit: readonly string[];
  /** Queries that are not expected to have data, with the reason. */
  readonly excused: readonly string[];
  /** Metrics that had one value all the time, or none. */
  readonly unmoved: readonly string[];
}

interface Checked {
  readonly at: string;
  readonly expr: string;
  /** The reason why the values do not fit the unit; null when they do. */
  readonly judge: (values: readonly number[]) => string | null;
  state: "empty" | "good" | "refused" | "wrong";
  detail: string;
}

/** A query as Prometheus takes it, without the variables of Grafana. */
export function fillVariables(expr: string, windowSeconds = WINDOW_SECONDS): string {
  return expr
    .replaceAll("$__rate_interval", `${windowSeconds}s`)
    .replaceAll("$__range", "10m")
    .replaceAll("$job", JOB)
    .replaceAll("$instance", ".*");
}

/**
 * True when a metric moved: a counter counted, also when its series began with the first event; a gauge had two values, or the number of
 * its series changed.
 */
async function hasMoved(
  monitor: Monitor,
  { name, type, seconds, fromMs }: { name: string; type: string; seconds: number; fromMs: number },
): Promise<boolean> {
  const isCounted = async (expr: string) => ((await monitor.query(`count(${expr})`))[0]?.value ?? 0) > 0;
  const own = `{job="${JOB}"}`;
  if (type !== "gauge") {
    const series = type === "histogram" ? `${name}_count` : name;
    return isCounted(`max_over_time(${series}${own}[${seconds}s]) > 0`);
  }
  if (await isCounted(`changes(${name}${own}[${seconds}s]) > 0`)) return true;
  return new Set(await monitor.valuesSince(`count(${name}${own}) or vector(0)`, fromMs)).size > 1;
}

/** Why the values of a panel do not fit its unit; null when they do. Pure. */
export function judgeValues(
  { unit, max }: Pick<Panel, "unit" | "max">,
  values: readonly number[],
): string | null {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (low < -EPSILON) return `${low} is below 0`;
  if (max !== undefined && high > max + EPSILON) return `${high} is above the greatest possible value ${max}`;
  if (unit === "share" && high > 1 + EPSILON) return `the share ${high} is above 1`;
  if (unit === "seconds" && high > MAX_SECONDS) return `${high} s is longer than any wait of a drill`;
  return null;
}

/** The notes of one drill. */
export class Coverage {
  readonly #checks: Checked[];
  readonly #moved = new Set<string>();
  readonly #metrics = describeMetrics();

  /** `factor`: of the time in the rules. */
  constructor(factor: number) {
    const panels = BOARDS.flatMap(({ name, rows }) =>
      rows.flatMap((row) =>
        row.panels.flatMap((panel) =>
          panel.queries.map(({ expr }) => ({
            at: `${name}: ${panel.title}`,
            expr: fillVariables(expr),
            judge: (values: readonly number[]) => judgeValues(panel, values),
          })),
        ),
      ),
    );
    const span = drillTime(factor);
    // An alert that no fault fires has no values of its own, so each series that it reads counts.
    const rules = [
      ...recordingRules(span).map(({ record, expr }) => ({ name: record, expr })),
      ...alertTable(span),
    ].flatMap(({ name, expr }) =>
      [...new Set(readsOf(expr).selectors.map(({ metric }) => metric))].map((metric) => ({
        at: name,
        expr: `${metric}{job="${JOB}"}`,
        judge: () => null,
      })),
    );
    this.#checks = [...panels, ...rules].map((each) => ({ ...each, state: "empty", detail: "" }));
  }

  /** Looks at everything that had no data yet, over the time since `fromMs`, Unix ms. */
  async look(monitor: Monitor, fromMs: number): Promise<void> {
    for (const check of this.#checks) {
      if (check.state !== "empty") continue;
      const values = await monitor.valuesSince(check.expr, fromMs).catch((error: Error) => error);
      if (values instanceof Error) Object.assign(check, { state: "refused", detail: values.message });
      else if (values.length > 0) {
        const detail = check.judge(values);
        Object.assign(check, { state: detail === null ? "good" : "wrong", detail: detail ?? "" });
      }
    }
    const seconds = Math.ceil((Date.now() - fromMs) / 1_000);
    for (const { name, type } of this.#metrics)
      if (!this.#moved.has(name) && (await hasMoved(monitor, { name, type, seconds, fromMs })))
        this.#moved.add(name);
  }

  report(): CoverageReport {
    const show = ({ at, expr, detail }: Checked) => `${at}: ${detail === "" ? "" : `${detail}: `}${expr}`;
    const of = (state: Checked["state"]) => this.#checks.filter((check) => check.state === state);
    const reasonOf = ({ expr }: Checked) =>
      Object.entries(WITHOUT_DATA).find(([metric]) => {
        const selectors = [metric, ...["bucket", "sum", "count"].map((part) => `${metric}_${part}`)];
        return selectors.some((name) => expr.includes(`${name}{`));
      })?.[1];
    const isListed = (name: string) => Object.hasOwn(UNMOVED, name) || Object.hasOwn(WITHOUT_DATA, name);
    return {
      queries: this.#checks.length,
      refused: of("refused").map(show),
      empty: of("empty").flatMap((check) => (reasonOf(check) === undefined ? [show(check)] : [])),
      wrongUnit: of("wrong").map(show),
      excused: of("empty").flatMap((check) => {
        const reason = reasonOf(check);
        return reason === undefined ? [] : [`${check.at}: ${reason}`];
      }),
      unmoved: this.#metrics.flatMap(({ name }) => (this.#moved.has(name) || isListed(name) ? [] : [name])),
    };
  }
}
