// The board of queues and tasks: arrivals, waits, runs, ends, and the housekeeping behind them.
import { OBJECTIVE } from "../../../src/app/alerts/objectives.ts";
import { LATE_MS } from "../../../src/app/problems/find.ts";
import type { Board } from "../board.ts";
import { now, ofJob, perSecond, quantile } from "../promql.ts";
import { BACKLOG_SECONDS } from "../shared.ts";

export const TASKS: Board = {
  name: "tasks",
  title: "Murmur / Queue and tasks",
  about:
    "The way of tasks through the swarm: arriving, waiting, running, ended; and the figures behind a late or a failed one.",
  rows: [
    {
      title: "Arriving and ending",
      panels: [
        {
          title: "Arriving tasks",
          kind: "lines",
          unit: "per second",
          shows:
            "Tasks stored to run, also tasks that programs publish on NATS; and the part that api processes and schedules stored, by priority.",
          todo: "a jump: `murmur task ls --state pending` shows whose they are; `murmur capability pause NAME` holds a flood.",
          width: 8,
          queries: [
            { expr: perSecond("murmur_stream_last_seq", [], 'stream="tasks"'), legend: "all" },
            {
              expr: perSecond("murmur_tasks_submitted_total", ["priority"]),
              legend: "through api, {{priority}}",
            },
          ],
        },
        {
          title: "Ending tasks by capability",
          kind: "lines",
          unit: "per second",
          shows: "Results stored, by capability and status.",
          todo: "it falls to 0 while tasks wait: look at the board agents.",
          width: 8,
          queries: [
            {
              expr: perSecond("murmur_tasks_finished_total", ["capability", "status"]),
              legend: "{{capability}} {{status}}",
            },
          ],
        },
        {
          title: "Failing tasks by code",
          kind: "lines",
          unit: "per second",
          shows: "Tasks that ended as failed, by capability and code of the catalogue.",
          todo: "`murmur task ls --state failed --since 1h`, then `murmur task show TASK` for one of them.",
          width: 8,
          queries: [
            {
              expr: `${perSecond("murmur_task_failures_total", ["capability", "code"])} > 0`,
              legend: "{{capability}} {{code}}",
            },
          ],
          more: "dead-letters",
        },
      ],
    },
    {
      title: "Waiting",
      panels: [
        {
          title: "Waiting tasks",
          kind: "lines",
          unit: "count",
          shows: "Tasks that wait, by capability and priority; `- placed` are tasks placed on hosts.",
          todo: "see the panels below: no agents, no free slots, a pause, or a larger load.",
          width: 8,
          queries: [
            {
              expr: now("murmur_queue_pending", ["capability", "priority"]),
              legend: "{{capability}} {{priority}}",
            },
          ],
        },
        {
          title: "Oldest task",
          kind: "lines",
          unit: "seconds",
          shows: "The age of the oldest stored task of each queue, waiting or running.",
          red: { above: 600 },
          todo: "`murmur agent ls`; the runbook MurmurSlotsSaturated or MurmurCapabilityWithoutAgents.",
          width: 8,
          queries: [
            {
              expr: now("murmur_queue_oldest_seconds", ["capability", "priority"]),
              legend: "{{capability}} {{priority}}",
            },
          ],
        },
        {
          title: "Time until the backlog is gone",
          kind: "lines",
          unit: "seconds",
          shows:
            "The waiting tasks divided by the speed of their decrease in the last 10 min. No line: nothing waits, or the backlog grows.",
          red: { above: 3_600 },
          todo: "start more agents, or purge tasks that no one needs any more.",
          width: 8,
          queries: [{ expr: BACKLOG_SECONDS, legend: "{{capability}}" }],
        },
        {
          title: "Wait before the start (p99)",
          kind: "lines",
          unit: "seconds",
          shows: "The time from the submit of a task to the start of its attempt (p99), by priority.",
          red: { above: 60 },
          todo: "the priorities have the limits 5 s, 15 s, 60 s and 10 min: the runbook MurmurQueueWaitBudgetBurn.",
          width: 8,
          queries: [
            { expr: quantile(0.99, "murmur_task_queue_seconds", ["priority"]), legend: "{{priority}}" },
          ],
        },
        {
          title: "Late starts",
          kind: "lines",
          unit: "share",
          max: 1,
          shows: "The share of tasks that started later than their priority promises, in the last 5 min.",
          red: { above: Number((1 - OBJECTIVE).toFixed(6)) },
          todo: "the runbook MurmurQueueWaitBudgetBurn.",
          width: 8,
          queries: [
            {
              expr: `max by (capability, priority) (${ofJob("murmur:tasks_late:ratio5m")})`,
              legend: "{{capability}} {{priority}}",
            },
          ],
        },
        {
          title: "Agents of each capability, and pauses",
          kind: "lines",
          unit: "count",
          shows: "Living agents that take tasks of the capability, and 1 for each paused capability.",
          todo: "no agent: start one; a pause: `murmur capability resume NAME`.",
          width: 8,
          queries: [
            { expr: now("murmur_capability_agents", ["capability"]), legend: "agents of {{capability}}" },
            { expr: now("murmur_capability_paused", ["capability"]), legend: "{{capability}} is paused" },
          ],
        },
      ],
    },
    {
      title: "Delayed",
      panels: [
        {
          title: "Delayed tasks",
          kind: "lines",
          unit: "count",
          shows: "Delayed tasks and long retries that wait for their time.",
          todo: "it only grows: many tasks fail and are retried; see the attempts below.",
          width: 8,
          queries: [{ expr: now("murmur_later_pending"), legend: "delayed" }],
        },
        {
          title: "Late delayed tasks",
          kind: "lines",
          unit: "seconds",
          shows: "How long the oldest due task has waited for an api process to move it.",
          red: { above: LATE_MS / 1_000 },
          todo: "start an api process: the runbook MurmurDelayedTasksLate.",
          width: 8,
          queries: [{ expr: now("murmur_later_late_seconds"), legend: "late" }],
        },
        {
          title: "Work of each group",
          kind: "lines",
          unit: "count",
          shows:
            "The work of each group of agents, as the autoscaler reads it; empty without a permissions file.",
          todo: "work above 0 and no process of the group: look at the autoscaler (`kubectl describe scaledobject`).",
          width: 8,
          queries: [{ expr: now("murmur_work", ["group"]), legend: "{{group}}" }],
        },
      ],
    },
    {
      title: "Running",
      panels: [
        {
          title: "Running time (p50, p99)",
          kind: "lines",
          unit: "seconds",
          shows: "The running time of the attempts that produced results, by capability.",
          todo: "longer than an hour ago: larger tasks, or a slower model, tool or machine.",
          width: 8,
          queries: [
            { expr: quantile(0.5, "murmur_task_run_seconds", ["capability"]), legend: "{{capability}} p50" },
            { expr: quantile(0.99, "murmur_task_run_seconds", ["capability"]), legend: "{{capability}} p99" },
          ],
        },
        {
          title: "Attempts by outcome",
          kind: "lines",
          unit: "per second",
          shows:
            "Ended attempts by outcome: retried ones failed and run again, died ones lost their process.",
          todo: "many retried: read one error with `murmur task show TASK`; many died: `murmur logs --level error`.",
          width: 8,
          queries: [
            { expr: `${perSecond("murmur_task_attempts_total", ["outcome"])} > 0`, legend: "{{outcome}}" },
          ],
          more: "agents",
        },
        {
          title: "Redeliveries by cause",
          kind: "lines",
          unit: "per second",
          shows:
            "Deliveries of tasks that had been delivered before. Only ack_wait is a fault: a process died or stalled.",
          todo: "ack_wait rises: look for killed or hanging processes on the board agents.",
          width: 8,
          queries: [{ expr: perSecond("murmur_task_redeliveries_total", ["cause"]), legend: "{{cause}}" }],
          more: "agents",
        },
        {
          title: "Steps",
          kind: "lines",
          unit: "per second",
          shows:
            "Steps of tasks by outcome, and their records. Replayed ones came from the journal of an earlier attempt.",
          todo: "many replayed: attempts die or fail after some of their steps.",
          width: 8,
          queries: [
            { expr: perSecond("murmur_steps_total", ["outcome"]), legend: "{{outcome}}" },
            { expr: perSecond("murmur_step_records_total"), legend: "records" },
          ],
        },
        {
          title: "Waits for a person",
          kind: "lines",
          unit: "per second",
          shows:
            "Looks at tasks whose step that runs once waits for a person, by capability: one when the wait begins, and one every ten minutes.",
          todo: "the runbook MurmurTaskWaitsForPerson: look at the other system, then `murmur task settle TASK STEP`.",
          width: 8,
          queries: [
            { expr: perSecond("murmur_task_person_waits_total", ["capability"]), legend: "{{capability}}" },
          ],
        },
        {
          title: "Fenced writes",
          kind: "lines",
          unit: "per second",
          shows: "Writes that the server rejected because another write came first, by kind.",
          todo: "a few after a redelivery are normal; for long: the runbook MurmurFencedWrites.",
          width: 8,
          queries: [{ expr: perSecond("murmur_fenced_writes_total", ["kind"]), legend: "{{kind}}" }],
        },
        {
          title: "Housekeeping",
          kind: "lines",
          unit: "per second",
          shows: "Old journals and large bodies that api processes looked at, by outcome.",
          todo: "missing or failed blobs: the next attempt of their task fails; restore the bucket of blobs from its backup.",
          width: 8,
          queries: [
            { expr: perSecond("murmur_journals_swept_total", ["outcome"]), legend: "journals {{outcome}}" },
            { expr: perSecond("murmur_blobs_renewed_total", ["outcome"]), legend: "blobs {{outcome}}" },
          ],
        },
      ],
    },
  ],
};
