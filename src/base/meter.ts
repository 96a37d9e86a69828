// The names, labels and buckets of all metrics, one function for each part of the system. Other rooms count through the
// handles made here; the app exposes the registry on /metrics. Label values are bounded: never an id, a subject or a user.
import { createRequire } from "node:module";
import type { Registry } from "prom-client";

/**
 * Loads the metrics library at the first use (30–100 ms of CPU time), so that programs without metrics start without it.
 */
const loadLibrary = (): typeof import("prom-client") => createRequire(import.meta.url)("prom-client");

/** Buckets in seconds, from 1 ms to 5 min: queueing and running times of tasks. */
const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Buckets for shares, in tenths. */
const RATIO_BUCKETS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

/** The description of one metric, for docs/contract.md. */
export interface MetricFacts {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
}

/** The values of some of a metric's labels. */
type Labels<L extends string> = Partial<Record<L, string | number>>;

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
  /** Forgets the values of all labels. */
  reset(): void;
  /** The present values, with their labels. */
  get(): Promise<MetricValues<L>>;
}

/** A distribution of observed values. */
export interface HistogramHandle<L extends string = string> {
  observe(labels: Labels<L>, value: number): void;
  observe(value: number): void;
}

/** All metrics of one process. */
export type Meter = ReturnType<typeof createMetrics>;

/** The metrics of a process that exposes them. */
export type RegisteredMeter = Meter & { readonly registry: Registry };

/** Creates a registry with Murmur's metrics. `defaults: true` adds Node's process metrics. */
export function createMeter(options: { defaults?: boolean } = {}): RegisteredMeter {
  const { Registry, collectDefaultMetrics } = loadLibrary();
  const registry = new Registry();
  if (options.defaults === true) collectDefaultMetrics({ register: registry });
  return { registry, ...createMetrics(registerIn(registry)) };
}

/** Creates metrics that count nothing, for programs that expose none. */
export function createSilentMeter(): Meter {
  return createMetrics(describeIn([]));
}

/** Describes Murmur's own metrics, without Node's. */
export function describeMetrics(): readonly MetricFacts[] {
  const facts: MetricFacts[] = [];
  createMetrics(describeIn(facts));
  return facts;
}

function createMetrics(factory: Factory) {
  return {
    ...taskMetrics(factory),
    ...agentMetrics(factory),
    ...officeMetrics(factory),
    ...budgetMetrics(factory),
    ...registryMetrics(factory),
    ...ballotMetrics(factory),
    ...auditMetrics(factory),
    ...processMetrics(factory),
  };
}

/** Makes the handles of metrics. */
interface Factory {
  counter<L extends string>(name: string, help: string, labelNames?: readonly L[]): CounterHandle<L>;
  gauge<L extends string>(name: string, help: string, labelNames?: readonly L[]): GaugeHandle<L>;
  /** Default buckets: {@link SECONDS_BUCKETS}. */
  histogram<L extends string>(
    name: string,
    help: string,
    labelNames?: readonly L[],
    buckets?: readonly number[],
  ): HistogramHandle<L>;
}

/** Makes metrics in `registry`. */
function registerIn(registry: Registry): Factory {
  const { Counter, Gauge, Histogram } = loadLibrary();
  const registers = [registry];
  return {
    counter: (name, help, labelNames = []) => new Counter({ name, help, labelNames, registers }),
    gauge: (name, help, labelNames = []) => new Gauge({ name, help, labelNames, registers }),
    histogram: (name, help, labelNames = [], buckets = SECONDS_BUCKETS) =>
      new Histogram({ name, help, labelNames, buckets: [...buckets], registers }),
  };
}

/** Makes metrics that count nothing, and adds a description of each to `facts`. */
function describeIn(facts: MetricFacts[]): Factory {
  const silent = {
    inc: () => undefined,
    set: () => undefined,
    reset: () => undefined,
    get: async () => ({ values: [] }),
    observe: () => undefined,
  };
  const describe =
    (type: MetricFacts["type"]) =>
    (name: string, help: string, labels: readonly string[] = []) => {
      facts.push({ name, type, help, labels });
      return silent;
    };
  return { counter: describe("counter"), gauge: describe("gauge"), histogram: describe("histogram") };
}

function taskMetrics({ counter, gauge, histogram }: Factory) {
  return {
    tasksSubmitted: counter("murmur_tasks_submitted_total", "Tasks handed in by this process.", [
      "capability",
      "priority",
    ]),
    tasksFinished: counter("murmur_tasks_finished_total", "Results stored by this process.", [
      "capability",
      "status",
    ]),
    taskQueueSeconds: histogram(
      "murmur_task_queue_seconds",
      "Time from hand-in to the start of the attempt that produced the result.",
    ),
    taskRunSeconds: histogram(
      "murmur_task_run_seconds",
      "Running time of the attempt that produced the result.",
      ["capability", "status"],
    ),
    taskRedeliveries: counter(
      "murmur_task_redeliveries_total",
      "Deliveries of a task that had been delivered before.",
    ),
    queuePending: gauge("murmur_queue_pending", "Tasks waiting in the queue.", ["capability", "priority"]),
    queueOldestSeconds: gauge("murmur_queue_oldest_seconds", "Age of the oldest waiting task.", [
      "capability",
      "priority",
    ]),
    journalsSwept: counter(
      "murmur_journals_swept_total",
      "Old journals without a closing record that this process looked at; those of ended and absent tasks were removed.",
      ["outcome"],
    ),
    blobsRenewed: counter(
      "murmur_blobs_renewed_total",
      "Blobs that old tasks and dead letters name and that this process looked at; those in the second half of their time were stored again.",
      ["outcome"],
    ),
    deadLetters: gauge("murmur_dead_letters", "Dead letters stored.", ["capability"]),
    fencedWrites: counter(
      "murmur_fenced_writes_total",
      "Fenced writes that the server rejected because another write came first.",
      ["kind"],
    ),
  };
}

function agentMetrics({ counter, gauge }: Factory) {
  return {
    agents: gauge("murmur_agents", "Agents in this process.", ["role", "state"]),
    agentSlots: gauge("murmur_agent_slots", "Task slots in this process.", ["state"]),
    agentWaiting: gauge("murmur_agent_waiting", "Agents waiting, by reason.", ["reason"]),
    agentLoops: counter(
      "murmur_agent_loop_total",
      "Turns of the agents' work loops; it rises while the agents make progress.",
    ),
  };
}

function officeMetrics({ counter, gauge, histogram }: Factory) {
  return {
    officeLeader: gauge("murmur_office_leader", "1 while this coordinator holds the office."),
    officeTerm: gauge("murmur_office_term", "The current term of this coordinator."),
    officeChanges: counter("murmur_office_changes_total", "Times that any coordinator took the office."),
    officeMessagesRefused: counter(
      "murmur_office_messages_refused_total",
      "Election messages rejected: from unknown members, other swarms or other versions, or unreadable.",
    ),
    capabilitiesPaused: gauge(
      "murmur_capabilities_paused",
      "Paused capabilities; shown by the holder of the office.",
    ),
    officeLogLag: gauge("murmur_office_log_lag", "Entries of the control log that are not applied yet."),
    officeCommitSeconds: histogram(
      "murmur_office_commit_seconds",
      "Time to store an entry of the control log.",
    ),
    officeSnapshotSeconds: histogram(
      "murmur_office_snapshot_seconds",
      "Time to make a snapshot of the office, from its checkpoint to the verified object.",
    ),
    officeSnapshotFailures: counter(
      "murmur_office_snapshot_failures_total",
      "Failed snapshots of the office; the control log is not trimmed until one succeeds.",
    ),
  };
}

function budgetMetrics({ gauge }: Factory) {
  return {
    budgetUsd: gauge("murmur_budget_usd", "Money of all budgets, in USD: limit, spent and reserved.", [
      "state",
    ]),
  };
}

function registryMetrics({ counter }: Factory) {
  return {
    agentConflicts: counter(
      "murmur_agent_conflicts_total",
      "Agent ids claimed by two hosts at the same time, as seen by this coordinator.",
    ),
    placements: counter("murmur_placements_total", "Placement requests that this coordinator answered.", [
      "outcome",
    ]),
  };
}

function ballotMetrics({ counter, histogram }: Factory) {
  return {
    ballots: counter("murmur_ballots_total", "Ballots that this coordinator ended.", ["strategy", "outcome"]),
    ballotAnswers: counter(
      "murmur_ballot_answers_total",
      "Results of ballots' seats, judges and verifiers stored by this process; they do not count as tasks.",
      ["capability", "status"],
    ),
    votesRefused: counter(
      "murmur_votes_refused_total",
      "Votes that this coordinator rejected: bad signed votes, and answers of agents that were not asked.",
      ["fault"],
    ),
    ballotSeconds: histogram("murmur_ballot_seconds", "Time from opening a ballot to its verdict."),
    ballotAgreement: histogram(
      "murmur_ballot_agreement_ratio",
      "Share of a ballot's seats whose answers support the verdict.",
      [],
      RATIO_BUCKETS,
    ),
  };
}

function auditMetrics({ counter, gauge }: Factory) {
  return {
    auditEntries: counter(
      "murmur_audit_entries_total",
      "Entries that this process stored in the audit log.",
      ["kind"],
    ),
    auditDropped: counter(
      "murmur_audit_dropped_total",
      "Notes of this process that were dropped and are not in the audit log.",
    ),
    auditWaiting: gauge(
      "murmur_audit_waiting",
      "Notes of this process that wait to be stored in the audit log.",
    ),
  };
}

function processMetrics({ counter, gauge }: Factory) {
  return {
    repliesRefused: counter(
      "murmur_replies_refused_total",
      "Messages whose reply subject this process did not publish to: kind reply, ack or flow.",
      ["kind"],
    ),
    operateRequests: counter(
      "murmur_operate_requests_total",
      "Requests at the front door of the operations that this process answered, by outcome: done, or the error code.",
      ["outcome"],
    ),
    natsViolations: counter(
      "murmur_nats_violations_total",
      "Operations of this process that NATS did not permit: publish or subscribe.",
      ["operation"],
    ),
    natsConnected: gauge("murmur_nats_connected", "1 while this process is connected to NATS."),
    ready: gauge("murmur_ready", "1 while a condition of readiness holds; /readyz says why one does not.", [
      "check",
    ]),
    clockSkewSeconds: gauge(
      "murmur_clock_skew_seconds",
      "This machine's clock minus the NATS server's, as last measured.",
    ),
    buildInfo: gauge("murmur_build_info", "Always 1; the labels name the running version.", [
      "version",
      "node",
    ]),
  };
}
