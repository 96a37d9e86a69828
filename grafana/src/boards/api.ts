// The board of the api processes: the HTTP API, the front door on NATS, the facts that they keep.
import type { Board } from "../board.ts";
import { now, perSecond, quantile } from "../promql.ts";
import { cpuOf, eventLoopOf, memoryOf } from "../shared.ts";

export const API: Board = {
  name: "api",
  title: "Murmur / API and console",
  about:
    "The api processes: requests over HTTP and over NATS, their time and errors, and the age of the facts that they show.",
  rows: [
    {
      title: "HTTP",
      panels: [
        {
          title: "Requests by status",
          kind: "lines",
          unit: "per second",
          shows: "Requests of the HTTP API by status.",
          todo: "503: NATS is away; 401 and 403: a token; 429: a rate limit; 400: the message of the answer names the field.",
          width: 8,
          queries: [{ expr: perSecond("murmur_http_requests_total", ["status"]), legend: "{{status}}" }],
        },
        {
          title: "Requests by route",
          kind: "lines",
          unit: "per second",
          shows: "Requests of the HTTP API by method and route; other is a path without a route.",
          todo: "one route far above the rest: a client that asks in a loop.",
          width: 8,
          queries: [
            {
              expr: perSecond("murmur_http_requests_total", ["method", "route"]),
              legend: "{{method}} {{route}}",
            },
          ],
        },
        {
          title: "Share of answers 5xx",
          kind: "lines",
          unit: "share",
          max: 1,
          shows: "The share of requests whose answer is an error of the server.",
          red: { above: 0.01 },
          todo: "503 while NATS is away: the board nats; 500: `murmur logs api --level error`.",
          width: 8,
          queries: [
            {
              expr: `(${perSecond("murmur_http_requests_total", [], 'status=~"5.."')} or vector(0)) / (${perSecond("murmur_http_requests_total")} > 0)`,
              legend: "5xx",
            },
          ],
          more: "nats",
        },
        {
          title: "Time to the answer (p99)",
          kind: "lines",
          unit: "seconds",
          shows:
            "The time from a request to its answer (p99) by route, without requests that wait for a result.",
          red: { above: 1 },
          todo: "the answer waits for JetStream: the board nats; or for the process: the event loop below.",
          width: 8,
          queries: [{ expr: quantile(0.99, "murmur_http_seconds", ["route"]), legend: "{{route}}" }],
        },
        {
          title: "Open requests that last",
          kind: "lines",
          unit: "count",
          shows: "Open requests by kind, such as requests that wait for a result.",
          todo: "they only grow: clients do not close, or tasks do not end.",
          width: 8,
          queries: [{ expr: now("murmur_http_streams", ["kind"]), legend: "{{kind}}" }],
        },
        {
          title: "Requests at the front door",
          kind: "lines",
          unit: "per second",
          shows: "Operations that api processes performed for users over NATS, by outcome.",
          todo: "not_permitted: a user lacks a right; `murmur audit ls --kind operation-refused`.",
          width: 8,
          queries: [{ expr: perSecond("murmur_operate_requests_total", ["outcome"]), legend: "{{outcome}}" }],
        },
      ],
    },
    {
      title: "Processes",
      panels: [
        {
          title: "Event loop (p99)",
          kind: "lines",
          unit: "seconds",
          shows: "The delay of the event loop of each api process since its last scrape (p99).",
          red: { above: 0.5 },
          todo: "start one more api process, or ask for smaller pages.",
          width: 6,
          queries: [{ expr: eventLoopOf("api"), legend: "{{instance}}" }],
        },
        {
          title: "Memory",
          kind: "lines",
          unit: "bytes",
          shows: "The resident memory of each api process.",
          red: { above: 512 * 2 ** 20 },
          todo: "look for clients that read large bodies or many pages at the same time.",
          width: 6,
          queries: [{ expr: memoryOf("api"), legend: "{{instance}}" }],
        },
        {
          title: "CPU",
          kind: "lines",
          unit: "times",
          shows: "The cores that each api process uses.",
          red: { above: 0.9 },
          todo: "start one more api process: they share the load.",
          width: 6,
          queries: [{ expr: cpuOf("api"), legend: "{{instance}}" }],
        },
        {
          title: "Age of facts",
          kind: "lines",
          unit: "seconds",
          shows: "The age of the values that api processes read from NATS in the background.",
          red: { above: 30 },
          todo: "the runbook MurmurFactsStale.",
          width: 6,
          queries: [{ expr: now("murmur_facts_age_seconds", ["facts"]), legend: "{{facts}}" }],
        },
        {
          title: "Folded values of labels",
          kind: "lines",
          unit: "per second",
          shows: "Values that a process counted as `other`, because a label had too many values already.",
          todo: "more than 256 capabilities or groups: their figures are one line now; split the swarm.",
          width: 6,
          queries: [{ expr: perSecond("murmur_metric_labels_folded_total", ["label"]), legend: "{{label}}" }],
        },
        {
          title: "Lost spans",
          kind: "lines",
          unit: "per second",
          shows:
            "Spans of sampled traces that did not reach the collector, by reason. No task waits for them.",
          todo: "not_sent: look at the collector and at OTEL_EXPORTER_OTLP_ENDPOINT; queue_full: sample fewer traces (docs/traces.md).",
          width: 6,
          queries: [{ expr: perSecond("murmur_spans_dropped_total", ["reason"]), legend: "{{reason}}" }],
        },
      ],
    },
  ],
};
