// The board of NATS and JetStream, by the gauges of Murmur's own processes: connections, requests, streams, rights, the audit log.
import { FULL_SHARE, STALE_MS } from "../../../src/app/problems/find.ts";
import type { Board } from "../board.ts";
import { now, perSecond, quantile, series } from "../promql.ts";
import { FULLEST_STREAM } from "../shared.ts";

const DAY_SECONDS = 86_400;

export const NATS: Board = {
  name: "nats",
  title: "Murmur / NATS and JetStream",
  about:
    "NATS as the processes of the swarm see it: connections, requests, streams and their limits, rights, clocks, the audit log.",
  rows: [
    {
      title: "Connections",
      panels: [
        {
          title: "Connected processes",
          kind: "lines",
          unit: "share",
          max: 1,
          shows: "The share of the processes of each job that are connected to NATS.",
          red: { below: 1 },
          todo: "`murmur doctor`; the runbook MurmurNatsUnreachable.",
          width: 6,
          queries: [{ expr: `avg by (job) (${series("murmur_nats_connected")})`, legend: "{{job}}" }],
        },
        {
          title: "Reconnects",
          kind: "lines",
          unit: "per second",
          shows: "Times that processes connected again after they lost the connection.",
          todo: "all at the same time: a server restarted; one process: its machine or network.",
          width: 6,
          queries: [
            { expr: perSecond("murmur_nats_reconnects_total", ["instance"]), legend: "{{instance}}" },
          ],
        },
        {
          title: "Requests by operation",
          kind: "lines",
          unit: "per second",
          shows: "Requests to JetStream: append, get, stream, consumer, other.",
          todo: "a jump without more tasks: a program that reads or lists in a loop.",
          width: 6,
          queries: [{ expr: perSecond("murmur_nats_request_seconds_count", ["op"]), legend: "{{op}}" }],
        },
        {
          title: "Time of a request (p99)",
          kind: "lines",
          unit: "seconds",
          shows: "The time from a request to JetStream to its answer or failure (p99), by operation.",
          red: { above: 1 },
          todo: "append: disks of the servers, or a slow replica; get and consumer: CPU of the server that leads the stream.",
          width: 6,
          queries: [{ expr: quantile(0.99, "murmur_nats_request_seconds", ["op"]), legend: "{{op}}" }],
        },
      ],
    },
    {
      title: "Streams",
      panels: [
        {
          title: "Share of the limit",
          kind: "bars",
          unit: "share",
          max: 1,
          shows: "The share of its limit that each stream uses; a stream without a limit is not here.",
          red: { above: FULL_SHARE },
          todo: "the runbook MurmurStreamAlmostFull.",
          width: 8,
          queries: [{ expr: FULLEST_STREAM, legend: "{{stream}}" }],
        },
        {
          title: "Size of streams",
          kind: "lines",
          unit: "bytes",
          shows: "The bytes of each stream.",
          todo: "`nats stream report` tells the servers that hold them; see docs/operate/sizes.md.",
          width: 8,
          queries: [{ expr: now("murmur_stream_bytes", ["stream"]), legend: "{{stream}}" }],
        },
        {
          title: "Messages stored",
          kind: "lines",
          unit: "per second",
          shows: "Messages that each stream takes.",
          todo: "0 for tasks while programs publish: the stream refuses them, or the programs use another prefix.",
          width: 8,
          queries: [{ expr: perSecond("murmur_stream_last_seq", ["stream"]), legend: "{{stream}}" }],
        },
      ],
    },
    {
      title: "Rights and trust",
      panels: [
        {
          title: "Refused operations",
          kind: "lines",
          unit: "per second",
          shows: "Operations of processes that NATS did not permit.",
          todo: "`murmur audit ls --kind not-permitted` names the line of permissions.yaml; the runbook MurmurPermissionViolations.",
          width: 6,
          queries: [
            { expr: perSecond("murmur_nats_violations_total", ["operation"]), legend: "{{operation}}" },
          ],
        },
        {
          title: "Foreign reply subjects",
          kind: "lines",
          unit: "per second",
          shows: "Messages whose reply subject a process did not publish to.",
          todo: "a misconfigured inbox prefix, or an attack: `murmur audit ls --kind reply-refused`.",
          width: 6,
          queries: [{ expr: perSecond("murmur_replies_refused_total", ["kind"]), legend: "{{kind}}" }],
        },
        {
          title: "Credentials end in",
          kind: "bars",
          unit: "seconds",
          shows:
            "The time until the first credentials of each kind end; empty for credentials without an end.",
          red: { below: 14 * DAY_SECONDS },
          todo: "renew them; processes read new files by themselves: the runbook MurmurCredentialsExpire.",
          width: 6,
          queries: [
            { expr: `min by (kind) (${series("murmur_credentials_expiry_seconds")})`, legend: "{{kind}}" },
          ],
        },
        {
          title: "Skew of clocks",
          kind: "lines",
          unit: "seconds",
          shows:
            "The difference between the clock of each process and the clock of the NATS server, without its sign.",
          red: { above: 2 },
          todo: "synchronise the clocks of the machines (NTP).",
          width: 6,
          queries: [
            {
              expr: `max by (instance) (abs(${series("murmur_clock_skew_seconds")}))`,
              legend: "{{instance}}",
            },
          ],
        },
      ],
    },
    {
      title: "Audit log and readiness",
      panels: [
        {
          title: "Entries of the audit log",
          kind: "lines",
          unit: "per second",
          shows: "Entries stored, by kind.",
          todo: "`murmur audit ls --kind KIND`.",
          width: 6,
          queries: [{ expr: perSecond("murmur_audit_entries_total", ["kind"]), legend: "{{kind}}" }],
        },
        {
          title: "Notes on their way",
          kind: "lines",
          unit: "count",
          shows:
            "Notes that wait for the audit log, and notes that were dropped since the start of their process, by process.",
          todo: "waiting for long: NATS does not answer; dropped ones are missing in the log: the runbook MurmurAuditDropped.",
          width: 6,
          queries: [
            { expr: now("murmur_audit_waiting"), legend: "waiting" },
            { expr: `ceil(${inRangeLines("murmur_audit_dropped_total")})`, legend: "dropped" },
          ],
        },
        {
          title: "Age of facts",
          kind: "lines",
          unit: "seconds",
          shows: "The age of the values that api processes read from NATS in the background.",
          red: { above: STALE_MS / 1_000 },
          todo: "problems may be missing: the runbook MurmurFactsStale.",
          width: 6,
          queries: [{ expr: now("murmur_facts_age_seconds", ["facts"]), legend: "{{facts}}" }],
        },
        {
          title: "Not ready",
          kind: "table",
          unit: "count",
          shows: "Conditions of readiness that do not hold, by process.",
          todo: "/readyz of the process says the reason.",
          width: 6,
          queries: [
            {
              expr: `min by (instance, check) (${series("murmur_ready")}) == 0`,
              legend: "{{instance}} {{check}}",
            },
          ],
        },
      ],
    },
  ],
};

/** The rise of a counter between two points of a graph. */
function inRangeLines(name: string): string {
  return `sum (increase(${series(name)}[$__rate_interval]))`;
}
