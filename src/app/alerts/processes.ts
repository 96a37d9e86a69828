// The alerts about processes: rights, audit log, credentials, versions, scrapes, facts; and the watchdog. Pure: a table.
import { STALE_MS } from "../problems/find.ts";
import { type Alert, ofProblem, PAGE_SECONDS, SLOW_SECONDS, TICKET_SECONDS } from "./alert.ts";
import type { Span } from "./time.ts";

/** A roll ends within this time. */
const ROLL_SECONDS = 3_600;
/** Credentials are renewed in the second before these many days. */
const EXPIRY_DAYS = 14;
const LAST_DAYS = 2;
const DAY_SECONDS = 86_400;

export function processTickets(span: Span): Alert[] {
  const days = (count: number) => count * DAY_SECONDS;
  const expiry = "min by (job, kind) (murmur_credentials_expiry_seconds)";
  const expires = (within: string, expr: string): Alert => ({
    name: "MurmurCredentialsExpire",
    severity: "ticket",
    summary: "credentials of a process at NATS end soon",
    description:
      "The first credentials of kind {{ $labels.kind }} in {{ $labels.job }} end in {{ $value | humanizeDuration }}.",
    expr,
    forSeconds: TICKET_SECONDS,
    board: "nats",
    labels: { within },
  });
  return [
    {
      name: "MurmurPermissionViolations",
      severity: "ticket",
      summary: "NATS refuses operations of processes: a user lacks a right",
      description:
        "NATS refused about {{ $value | humanize }} operations ({{ $labels.operation }}) of {{ $labels.job }} in the last 10 min.",
      expr: `sum by (job, operation) (increase(murmur_nats_violations_total[${span(600)}])) > 0`,
      forSeconds: 0,
      board: "nats",
    },
    {
      name: "MurmurAuditDropped",
      severity: "ticket",
      summary: "the audit log has gaps",
      description:
        "About {{ $value | humanize }} notes of {{ $labels.job }} are missing in the audit log since 15 min ago.",
      expr: `sum by (job) (increase(murmur_audit_dropped_total[${span(SLOW_SECONDS)}])) > 0`,
      forSeconds: 0,
      board: "nats",
    },
    expires("14d", `${expiry} < ${days(EXPIRY_DAYS)} >= ${days(LAST_DAYS)}`),
    expires("2d", `${expiry} < ${days(LAST_DAYS)}`),
    {
      name: "MurmurVersionSkew",
      severity: "ticket",
      summary: "processes of one swarm run different versions for an hour",
      description: "The processes of {{ $labels.job }} run {{ $value }} versions.",
      expr: "count by (job) (count by (job, version) (murmur_build_info)) > 1",
      forSeconds: ROLL_SECONDS,
      board: "overview",
    },
    {
      name: "MurmurTargetDown",
      severity: "ticket",
      summary: "Prometheus cannot scrape a process",
      description:
        "{{ $labels.instance }} of {{ $labels.job }} does not answer scrapes, and did within the last day.",
      // `up` is Prometheus' own; it tells only about targets that are processes of Murmur.
      expr: `min by (job, instance) (up) == 0 and on (job, instance) max by (job, instance) (last_over_time(murmur_build_info[${span(DAY_SECONDS)}]))`,
      forSeconds: TICKET_SECONDS,
      board: "overview",
    },
    ofProblem("MurmurFactsStale", {
      description:
        "An api process of {{ $labels.job }} read its facts ({{ $labels.facts }}) {{ $value | humanizeDuration }} ago.",
      expr: `max by (job, facts) (murmur_facts_age_seconds) > ${STALE_MS / 1_000}`,
      forSeconds: PAGE_SECONDS,
      board: "nats",
    }),
  ];
}

/** Alertmanager sends it on to a service that misses it when it stays away. */
export const WATCHDOG: Alert = {
  name: "MurmurWatchdog",
  severity: "none",
  summary: "alerts arrive; this one always fires",
  description: "When it stays away, Prometheus or Alertmanager does not work, and no other alert arrives.",
  expr: "vector(1)",
  forSeconds: 0,
  board: "overview",
};
