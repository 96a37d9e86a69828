// Queries that several boards show. Pure.
import type { Exporter } from "../../src/base/index.ts";
import { now, series } from "./promql.ts";

/** The waiting tasks of each capability. */
const WAITING = now("murmur_queue_pending", ["capability"]);
/** The window of the decrease of a backlog, and its step: long enough that a burst does not turn it. */
const DECREASE = "[10m:1m]";

/** How long the backlog of a capability lasts at the speed of its decrease, in seconds. A backlog that does not fall has no value. */
export const BACKLOG_SECONDS = `(${WAITING} > 0) / (-deriv((${WAITING})${DECREASE}) > 0)`;

/** The share of its limit that each stream uses. */
export const FULLEST_STREAM = `max by (job, stream) (${series("murmur_stream_bytes")}) / max by (job, stream) (${series("murmur_stream_limit_bytes")})`;

/** A metric of Node for the processes of one kind. */
export function ofRole(expr: string, role: Exporter): string {
  return `${expr} * on (job, instance) group_left max by (job, instance) (${series("murmur_build_info", `role="${role}"`)})`;
}

/** The memory of the processes of one kind. */
export const memoryOf = (role: Exporter) =>
  ofRole(`max by (job, instance) (${series("process_resident_memory_bytes")})`, role);
/** The CPU time of the processes of one kind, in cores. */
export const cpuOf = (role: Exporter) =>
  ofRole(`max by (job, instance) (rate(${series("process_cpu_seconds_total")}[$__rate_interval]))`, role);
/** The delay of the event loop of the processes of one kind (p99 since the last scrape). */
export const eventLoopOf = (role: Exporter) =>
  ofRole(`max by (job, instance) (${series("nodejs_eventloop_lag_p99_seconds")})`, role);
