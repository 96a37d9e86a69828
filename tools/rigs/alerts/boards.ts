// The boards beside a real Prometheus: every query parses and had data during the drill, and every metric moved.
import { BOARDS } from "../../../grafana/src/index.ts";
import { describeMetrics } from "../../../src/base/index.ts";
import { JOB, type Monitor } from "./monitor.ts";

/** Queries without data in the drill, by a part of their text, with the reason. */
const WITHOUT_DATA: Readonly<Record<string, string>> = {
  murmur_work: "only with a permissions file",
  murmur_credentials_expiry_seconds: "only for credentials with an end",
  murmur_workflow: "the drill runs no engine",
  murmur_compensations_total: "the drill runs no engine",
  'role="engine"': "the drill runs no engine",
};
/** Metrics that do not move in the drill, with the reason. */
const UNMOVED: Readonly<Record<string, string>> = {};

/** A query as Prometheus takes it, without the variables of Grafana. */
export function fillVariables(expr: string, windowSeconds: number): string {
  return expr
    .replaceAll("$__rate_interval", `${windowSeconds}s`)
    .replaceAll("$__range", "10m")
    .replaceAll("$job", JOB)
    .replaceAll("$instance", ".*");
}

/** The queries of all boards that Prometheus refuses, and those without data since `fromMs`, where no reason is listed. */
export async function findBadQueries(
  monitor: Monitor,
  fromMs: number,
): Promise<{ refused: string[]; empty: string[] }> {
  const refused: string[] = [];
  const empty: string[] = [];
  for (const { name, rows } of BOARDS)
    for (const { title, queries } of rows.flatMap(({ panels }) => panels))
      for (const { expr } of queries) {
        const count = await monitor
          .countSince(fillVariables(expr, 10), fromMs)
          .catch((error: Error) => error);
        const isKnown = Object.keys(WITHOUT_DATA).some((part) => expr.includes(part));
        if (count instanceof Error) refused.push(`${name}: ${title}: ${count.message}`);
        else if (count === 0 && !isKnown) empty.push(`${name}: ${title}: no data: ${expr}`);
      }
  return { refused, empty };
}

/** The metrics that had one value, or none, since `fromMs`. */
export async function findUnmoved(monitor: Monitor, fromMs: number): Promise<string[]> {
  const seconds = Math.ceil((Date.now() - fromMs) / 1_000);
  const still: string[] = [];
  for (const { name, type } of describeMetrics()) {
    const isListed = [...Object.keys(UNMOVED), ...Object.keys(WITHOUT_DATA)].some((part) =>
      name.startsWith(part),
    );
    if (isListed) continue;
    const series = type === "histogram" ? `${name}_count` : name;
    const moved = await monitor.query(
      `count(changes(${series}{job="${JOB}"}[${seconds}s]) > 0) or vector(0)`,
    );
    if ((moved[0]?.value ?? 0) === 0) still.push(name);
  }
  return still;
}
