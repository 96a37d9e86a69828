// The names, labels and buckets of every metric, once. Rooms count through the handles made here; the app
// exposes the registry on /metrics. Label values are bounded: never an id, a subject or a user.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** Seconds from 1 ms to 5 min: queueing and running times of tasks. */
const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Shares, in tenths. */
const RATIO_BUCKETS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

/** All metrics of one process. */
export type Meter = ReturnType<typeof createMeter>;

/** Creates a registry with Murmur's metrics; `defaults: true` adds Node's process metrics. */
export function createMeter(options: { defaults?: boolean } = {}) {
  const registry = new Registry();
  if (options.defaults === true) collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter<L>({ name, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge<L>({ name, help, labelNames, registers });
  const histogram = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[] = [],
    buckets: readonly number[] = SECONDS_BUCKETS,
  ) => new Histogram<L>({ name, help, labelNames, buckets: [...buckets], registers });
  return {
    registry,
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
      "Time from hand-in to the start of the deciding attempt.",
    ),
    taskRunSeconds: histogram("murmur_task_run_seconds", "Time that the deciding attempt ran.", [
      "capability",
      "status",
    ]),
    taskRedeliveries: counter(
      "murmur_task_redeliveries_total",
      "Deliveries of a task that had been delivered before.",
    ),
    queuePending: gauge("murmur_queue_pending", "Tasks waiting in the queue.", ["capability", "priority"]),
    queueOldestSeconds: gauge("murmur_queue_oldest_seconds", "Age of the oldest waiting task.", [
      "capability",
      "priority",
    ]),
    deadLetters: gauge("murmur_dead_letters", "Dead letters stored.", ["capability"]),
    fencedWrites: counter(
      "murmur_fenced_writes_total",
      "Deciding writes refused because another came first.",
      ["kind"],
    ),
    agents: gauge("murmur_agents", "Agents in this process.", ["role", "state"]),
    agentSlots: gauge("murmur_agent_slots", "Task slots in this process.", ["state"]),
    agentWaiting: gauge("murmur_agent_waiting", "Agents waiting, by reason.", ["reason"]),
    agentLoops: counter(
      "murmur_agent_loop_total",
      "Turns of the agents' work loops: it rises while they make progress.",
    ),
    officeLeader: gauge("murmur_office_leader", "1 while this coordinator holds the office."),
    officeTerm: gauge("murmur_office_term", "The term that this coordinator is in."),
    officeChanges: counter("murmur_office_changes_total", "Times that an office was taken, by anybody."),
    officeMessagesRefused: counter(
      "murmur_office_messages_refused_total",
      "Election messages that were refused: of strangers, other swarms or versions, or unreadable.",
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
      "Snapshots of the office that could not be made; the control log is not trimmed meanwhile.",
    ),
    budgetUsd: gauge("murmur_budget_usd", "Money of all budgets, in USD: limit, spent and reserved.", [
      "state",
    ]),
    agentConflicts: counter(
      "murmur_agent_conflicts_total",
      "Agent ids that two hosts claimed at the same time, noticed by this coordinator.",
    ),
    placements: counter("murmur_placements_total", "Tasks that this coordinator chose an agent for.", [
      "outcome",
    ]),
    ballots: counter("murmur_ballots_total", "Ballots that this coordinator ended.", ["strategy", "outcome"]),
    ballotAnswers: counter(
      "murmur_ballot_answers_total",
      "Results of ballots' seats, judges and verifiers stored by this process; they are no tasks of their own.",
      ["capability", "status"],
    ),
    votesRefused: counter(
      "murmur_votes_refused_total",
      "Votes that this coordinator refused: signed ones, and answers of agents that were not asked.",
      ["fault"],
    ),
    ballotSeconds: histogram("murmur_ballot_seconds", "Time from opening a ballot to its verdict."),
    ballotAgreement: histogram(
      "murmur_ballot_agreement_ratio",
      "Share of a ballot's seats whose answer supports the verdict.",
      [],
      RATIO_BUCKETS,
    ),
    auditEntries: counter(
      "murmur_audit_entries_total",
      "Entries that this process stored in the audit log.",
      ["kind"],
    ),
    auditDropped: counter(
      "murmur_audit_dropped_total",
      "Notes of this process that are not in the audit log, because nobody took them in time.",
    ),
    auditWaiting: gauge("murmur_audit_waiting", "Notes of this process on their way to the audit log."),
    natsConnected: gauge("murmur_nats_connected", "1 while this process is connected to NATS."),
    buildInfo: gauge("murmur_build_info", "Always 1; the labels say what runs.", ["version", "node"]),
  };
}
