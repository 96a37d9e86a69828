// The table of all alerts. A problem of the catalogue has its alert here under the same name, with the severity and the summary of the
// catalogue; the other alerts have what only a history shows. Each has a runbook. An alert whose metric does not exist is not here:
// docs/operations.md lists those. Pure: a table.
import { streamSpecs } from "../../protocol/index.ts";
import {
  DEAD_WINDOW_MS,
  FULL_SHARE,
  LATE_MS,
  OFFICE_LAG_MAX,
  STALE_MS,
  WAIT_OBJECTIVE_MS,
} from "../problems/find.ts";
import { type Alert, ofProblem, PAGE_SECONDS, SLOW_SECONDS, TICKET_SECONDS } from "./alert.ts";
import { burnsTooFast, MIN_TASKS, recorded } from "./objectives.ts";
import { processTickets, WATCHDOG } from "./processes.ts";
import type { Span } from "./time.ts";

export type { Alert } from "./alert.ts";

/** A group that scales from zero takes a minute to start. */
const START_SECONDS = 60;
/** An agent makes a turn whenever its task waits, goes on or ends; a single step of a task takes less than this. */
const STUCK_SECONDS = 1_800;
/** A person decides within an hour; the problem is listed from the first moment. */
const LONG_DECISION_SECONDS = 3_600;
/** Fenced writes within {@link SLOW_SECONDS}: a redelivery or a change of the office makes one or two. */
const MANY_FENCED = 20;
/** Changes of the office within {@link SLOW_SECONDS}: a roll of seven coordinators hands it over at most seven times. */
const MANY_CHANGES = 8;
/** A budget that used this share of its limit is nearly spent: the rest is for the work in flight. */
const SPENT_SHARE = 0.9;
/** The time of an append to the control log (p99), in seconds: leases last for seconds. */
const SLOW_COMMIT_SECONDS = 1;

/** The streams that refuse messages when they are full. */
const REFUSING_STREAMS = [
  ...streamSpecs("murmur").flatMap(({ key, discard }) =>
    discard === "new" && !key.startsWith("placed-") ? [key] : [],
  ),
  "placed-.+",
].join("|");

/** All alerts. The symptoms and the pages come first. `span` writes the time in them. */
export function alertTable(span: Span): readonly Alert[] {
  return [
    ...symptoms(),
    ...pages(),
    ...taskTickets(span),
    ...agentTickets(),
    ...officeTickets(span),
    ...processTickets(span),
    WATCHDOG,
  ];
}

/** The symptoms that users feel. */
function symptoms(): Alert[] {
  return [
    {
      name: "MurmurTaskErrorBudgetBurn",
      severity: "page",
      summary: "tasks fail so often that the objective of the month is in danger",
      description:
        "{{ $value | humanizePercentage }} of the tasks of {{ $labels.capability }} in {{ $labels.job }} failed in the long window of the burn rate (1 h or 6 h).",
      expr: burnsTooFast("tasks_failed", "tasks_counted"),
      forSeconds: 0,
      board: "dead-letters",
    },
    {
      name: "MurmurQueueWaitBudgetBurn",
      severity: "page",
      summary:
        "tasks start later than their priority promises, so often that the objective of the month is in danger",
      description:
        "{{ $value | humanizePercentage }} of the {{ $labels.priority }} tasks of {{ $labels.capability }} in {{ $labels.job }} started late in the long window of the burn rate (1 h or 6 h).",
      expr: burnsTooFast("tasks_late", "tasks_started"),
      forSeconds: 0,
      board: "tasks",
    },
    {
      name: "MurmurTasksFailingSteadily",
      severity: "page",
      summary: "a capability has few tasks, and most of them fail",
      description:
        "{{ $value | humanizePercentage }} of the tasks of {{ $labels.capability }} in {{ $labels.job }} failed in the last 30 min; they are too few for a burn rate.",
      expr: [
        `${recorded("tasks_failed", "ratio", 1_800)} > 0.5`,
        `and ${recorded("tasks_failed", "increase", 1_800)} >= 3`,
        `and ${recorded("tasks_counted", "increase", 300)} < ${MIN_TASKS}`,
      ].join("\n"),
      forSeconds: PAGE_SECONDS,
      board: "dead-letters",
    },
  ];
}

function pages(): Alert[] {
  return [
    ofProblem("MurmurNatsUnreachable", {
      description:
        "{{ $value | humanizePercentage }} of the processes of {{ $labels.job }} have no connection to NATS.",
      expr: "1 - avg by (job) (murmur_nats_connected) >= 0.5",
      forSeconds: PAGE_SECONDS,
      board: "nats",
    }),
    ofProblem("MurmurCapabilityWithoutAgents", {
      description:
        "{{ $value }} tasks of {{ $labels.capability }} in {{ $labels.job }} wait, and no agent takes them; the capability is not paused.",
      expr: [
        `${PENDING} > 0`,
        `and on (job, capability) max by (job, capability) (murmur_queue_oldest_seconds) > ${START_SECONDS}`,
        "unless on (job, capability) max by (job, capability) (murmur_capability_agents) > 0",
        NOT_PAUSED,
        `and on (job) min by (job) (murmur_facts_age_seconds{facts="agents"}) < ${STALE_MS / 1_000}`,
      ].join("\n"),
      forSeconds: PAGE_SECONDS,
      board: "tasks",
    }),
    ofProblem("MurmurOfficeVacant", {
      description: "{{ $value }} coordinators of {{ $labels.job }} hold the office, and one did before.",
      // Without any coordinator there is no series of one; an entry after the first in the control log tells that there was one.
      expr: '(sum by (job) (murmur_office_leader) or 0 * max by (job) (murmur_stream_last_seq{stream="office"} > 1)) == 0',
      forSeconds: PAGE_SECONDS,
      board: "office",
    }),
    {
      name: "MurmurControlLogHalted",
      severity: "page",
      summary: "coordinators halted over their control log, and take no part in the office",
      description: "{{ $value }} coordinators of {{ $labels.job }} have halted.",
      expr: "sum by (job) (murmur_office_halted) > 0",
      forSeconds: PAGE_SECONDS,
      board: "office",
    },
    ofProblem("MurmurCompensationFailed", {
      description: "{{ $value }} runs of workflows of {{ $labels.job }} are half undone.",
      expr: 'sum by (job) (murmur_workflows{state="compensation_failed"}) > 0',
      forSeconds: PAGE_SECONDS,
      board: "workflows",
    }),
    ofProblem("MurmurStreamAlmostFull", {
      description:
        "The stream {{ $labels.stream }} of {{ $labels.job }} holds {{ $value | humanizePercentage }} of its limit.",
      expr: `max by (job, stream) (murmur_stream_bytes{stream=~"${REFUSING_STREAMS}"}) / max by (job, stream) (murmur_stream_limit_bytes) > ${FULL_SHARE}`,
      forSeconds: PAGE_SECONDS,
      board: "nats",
    }),
  ];
}

/** The waiting tasks of each capability, without paused ones. */
const PENDING =
  'sum by (job, capability) (max by (job, capability, priority) (murmur_queue_pending{capability!="-"}))';
const NOT_PAUSED = "unless on (job, capability) max by (job, capability) (murmur_capability_paused) > 0";
/** The capabilities whose oldest task is older than the objective of its priority. */
const LATE = Object.entries(WAIT_OBJECTIVE_MS)
  .map(
    ([priority, ms]) =>
      `max by (job, capability) (murmur_queue_oldest_seconds{capability!="-",priority="${priority}"}) > ${ms / 1_000}`,
  )
  .join("\n  or ");

function taskTickets(span: Span): Alert[] {
  const deadWindow = span(DEAD_WINDOW_MS / 1_000);
  return [
    ofProblem("MurmurDeadLettersGrowing", {
      description:
        "About {{ $value | humanize }} tasks of {{ $labels.capability }} in {{ $labels.job }} became dead letters in the last 10 min, with the code {{ $labels.code }}.",
      expr: `sum by (job, capability, code) (increase(murmur_tasks_dead_lettered_total[${deadWindow}])) > 0`,
      forSeconds: 0,
      board: "dead-letters",
    }),
    {
      name: "MurmurQueueGrowing",
      severity: "ticket",
      summary: "more tasks arrive than end, for half an hour",
      description:
        "{{ $value }} tasks of {{ $labels.capability }} in {{ $labels.job }} wait: over 1.5 times as many as 30 min ago.",
      expr: [
        `${PENDING} >= ${MIN_TASKS}`,
        `and ${PENDING} > 1.5 * ${PENDING.replace("}", `} offset ${span(1_800)}`)}`,
        NOT_PAUSED,
      ].join("\n"),
      forSeconds: SLOW_SECONDS,
      board: "tasks",
    },
    ofProblem("MurmurDelayedTasksLate", {
      description:
        "The oldest due task of {{ $labels.job }} has waited for a mover for {{ $value | humanizeDuration }}.",
      expr: `max by (job) (murmur_later_late_seconds) > ${LATE_MS / 1_000}`,
      forSeconds: PAGE_SECONDS,
      board: "tasks",
    }),
    ofProblem("MurmurWorkflowStalled", {
      description:
        "{{ $value }} runs of {{ $labels.job }} are blocked or without an engine, or as many messages wait for an engine that stores no decision.",
      expr: [
        'sum by (job) (murmur_workflows{state="blocked"}) > 0',
        "or max by (job) (murmur_workflows_without_engine) > 0",
        "or (",
        "  sum by (job) (murmur_workflow_lane_lag) > 0",
        `  unless on (job) sum by (job) (increase(murmur_workflow_decisions_total{outcome="stored"}[${span(SLOW_SECONDS)}])) > 0`,
        ")",
      ].join("\n"),
      forSeconds: TICKET_SECONDS,
      board: "workflows",
    }),
    ofProblem("MurmurWorkflowWaitsForPerson", {
      description:
        "A run of {{ $labels.job }} waits for the decision of a person for {{ $value | humanizeDuration }}.",
      expr: `max by (job) (murmur_workflow_person_wait_seconds) > ${LONG_DECISION_SECONDS}`,
      forSeconds: TICKET_SECONDS,
      board: "workflows",
    }),
    {
      name: "MurmurNoQuorum",
      severity: "ticket",
      summary: "many ballots end without a quorum",
      description:
        "{{ $value | humanizePercentage }} of the ballots of {{ $labels.job }} ended without a quorum in the last 30 min.",
      expr: [
        `sum by (job) (increase(murmur_ballots_total{outcome="no_quorum"}[${span(1_800)}])) / sum by (job) (increase(murmur_ballots_total[${span(1_800)}])) > 0.1`,
        `and sum by (job) (increase(murmur_ballots_total{outcome="no_quorum"}[${span(1_800)}])) >= 3`,
      ].join("\n"),
      forSeconds: 0,
      board: "ballots",
    },
    ofProblem("MurmurTaskWaitsForPerson", {
      description:
        "Tasks of {{ $labels.capability }} in {{ $labels.job }} wait for a person; hosts looked at them about {{ $value | humanize }} times in the last 15 min.",
      // A host looks at each waiting task every ten minutes, so the alert stays as long as the wait.
      expr: `sum by (job, capability) (increase(murmur_task_person_waits_total[${span(SLOW_SECONDS)}])) > 0`,
      forSeconds: 0,
      board: "tasks",
    }),
    {
      name: "MurmurFencedWrites",
      severity: "ticket",
      summary: "fences reject many writes: processes work on the same thing at the same time",
      description:
        "About {{ $value | humanize }} writes of kind {{ $labels.kind }} in {{ $labels.job }} came second in the last 15 min.",
      expr: `sum by (job, kind) (increase(murmur_fenced_writes_total[${span(SLOW_SECONDS)}])) > ${MANY_FENCED}`,
      forSeconds: 0,
      board: "tasks",
    },
  ];
}

function agentTickets(): Alert[] {
  return [
    ofProblem("MurmurAgentsGivenUp", {
      description: "{{ $value }} agents of {{ $labels.role }} in {{ $labels.job }} are failed.",
      expr: 'sum by (job, role) (murmur_agents{state="failed"}) > 0',
      forSeconds: PAGE_SECONDS,
      board: "agents",
    }),
    ofProblem("MurmurSlotsSaturated", {
      description:
        "{{ $value }} tasks of {{ $labels.capability }} in {{ $labels.job }} wait, the oldest for longer than its priority promises, and no process that serves the capability has a free slot.",
      // A process serves a capability when it counts attempts of it; the counters are there from the start.
      expr: [
        `${PENDING} > 0`,
        `and on (job, capability) (\n  ${LATE}\n)`,
        'and on (job, capability) sum by (job, capability) (\n  0 * max by (job, instance, capability) (murmur_task_attempts_total)\n  + on (job, instance) group_left sum by (job, instance) (murmur_agent_slots{state="free"})\n) == 0',
        NOT_PAUSED,
      ].join("\n"),
      forSeconds: TICKET_SECONDS,
      board: "agents",
    }),
    {
      name: "MurmurAgentsStuck",
      severity: "ticket",
      summary: "a busy agent makes no progress",
      description:
        "A busy agent of {{ $labels.role }} in {{ $labels.job }} made no turn for {{ $value | humanizeDuration }}.",
      expr: `max by (job, role) (murmur_agent_progress_age_seconds) > ${STUCK_SECONDS}`,
      forSeconds: TICKET_SECONDS,
      board: "agents",
    },
    {
      name: "MurmurWaitingOnModel",
      severity: "ticket",
      summary: "tasks are late, and the agents wait for their model",
      description:
        "{{ $value | humanizePercentage }} of the agents of {{ $labels.role }} in {{ $labels.job }} wait for a model, while tasks are late.",
      expr: [
        'sum by (job, role) (murmur_agent_waiting{reason="model"}) / (sum by (job, role) (murmur_agents) > 0) > 0.8',
        `and on (job) (${PENDING} > 0 and on (job, capability) (\n  ${LATE}\n) ${NOT_PAUSED})`,
      ].join("\n"),
      forSeconds: SLOW_SECONDS,
      board: "agents",
    },
  ];
}

function officeTickets(span: Span): Alert[] {
  return [
    {
      name: "MurmurOfficeFlapping",
      severity: "ticket",
      summary: "the office changes its holder again and again",
      description:
        "The office of {{ $labels.job }} changed about {{ $value | humanize }} times in the last 15 min.",
      expr: `max by (job) (increase(murmur_office_changes_total[${span(SLOW_SECONDS)}])) >= ${MANY_CHANGES}`,
      forSeconds: 0,
      board: "office",
    },
    ofProblem("MurmurOfficeLogLag", {
      description:
        "The coordinator at {{ $labels.instance }} of {{ $labels.job }} is {{ $value }} entries behind.",
      expr: `max by (job, instance) (murmur_office_log_lag) > ${OFFICE_LAG_MAX}`,
      forSeconds: PAGE_SECONDS,
      board: "office",
    }),
    {
      name: "MurmurBudgetNearlySpent",
      severity: "ticket",
      summary: "a budget is nearly spent; the office will refuse reservations",
      description:
        "The budget {{ $labels.budget }} of {{ $labels.job }} used {{ $value | humanizePercentage }} of its limit.",
      expr: `max by (job, budget) (murmur_budget_used_ratio) >= ${SPENT_SHARE}`,
      forSeconds: PAGE_SECONDS,
      board: "office",
    },
    {
      name: "MurmurCommitSlow",
      severity: "ticket",
      summary: "entries of the control log take long to store",
      description:
        "An entry of the control log of {{ $labels.job }} takes {{ $value | humanizeDuration }} (p99 of 10 min).",
      expr: `histogram_quantile(0.99, sum by (job, le) (rate(murmur_office_commit_seconds_bucket[${span(600)}]))) > ${SLOW_COMMIT_SECONDS}`,
      forSeconds: TICKET_SECONDS,
      board: "office",
    },
    {
      name: "MurmurSnapshotsFailing",
      severity: "ticket",
      summary: "no snapshot of the office succeeds; the control log grows",
      description:
        "About {{ $value | humanize }} snapshots of the office of {{ $labels.job }} failed in the last hour, and none succeeded.",
      expr: [
        `sum by (job) (increase(murmur_office_snapshot_failures_total[${span(3_600)}])) > 0`,
        `unless on (job) sum by (job) (increase(murmur_office_snapshot_seconds_count[${span(3_600)}])) > 0`,
      ].join("\n"),
      forSeconds: 0,
      board: "office",
    },
  ];
}
