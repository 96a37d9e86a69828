// The board that an SRE opens first: the five questions of an incident on one screen, one row for each.
import { BUDGET, MIN_TASKS, OBJECTIVE } from "../../../src/app/alerts/objectives.ts";
import { FULL_SHARE, LATE_MS, WAIT_OBJECTIVE_MS } from "../../../src/app/problems/find.ts";
import type { Board } from "../board.ts";
import { inRange, now, ofJob, perSecond, quantile, series } from "../promql.ts";
import { BACKLOG_SECONDS, FULLEST_STREAM } from "../shared.ts";

/** The share that may fail or be late, as a number. */
const BUDGET_SHARE = Number((1 - OBJECTIVE).toFixed(6));

export const OVERVIEW: Board = {
  name: "overview",
  title: "Murmur / Overview",
  about:
    "The five questions of an incident: is work lost, wrong or late; since when; where does it stand; which steps help now; is it getting better?",
  rows: [
    {
      title: "1 · Is work lost, wrong or only late, and who is hit?",
      height: 5,
      panels: [
        {
          title: "Tasks that fail (1 h)",
          kind: "bars",
          unit: "share",
          max: 1,
          shows:
            "The share of the tasks of the last hour that failed, by capability, without failures that are the wish or the fault of the publisher.",
          red: { above: BUDGET_SHARE },
          todo: "open the board dead-letters, read the codes, then `murmur dead ls --since 1h`.",
          width: 5,
          queries: [
            {
              expr: `max by (capability) (${ofJob("murmur:tasks_failed:ratio1h")})`,
              legend: "{{capability}}",
            },
          ],
          more: "dead-letters",
        },
        {
          title: "Tasks that start late (1 h)",
          kind: "bars",
          unit: "share",
          max: 1,
          shows: `The share of the tasks of the last hour that started later than ${Object.entries(
            WAIT_OBJECTIVE_MS,
          )
            .map(([priority, ms]) => `${ms / 1_000} s (${priority})`)
            .join(", ")}.`,
          red: { above: BUDGET_SHARE },
          todo: "look at the row 3: no agents, no free slot, or agents that wait for something.",
          width: 5,
          queries: [
            { expr: `max by (capability) (${ofJob("murmur:tasks_late:ratio1h")})`, legend: "{{capability}}" },
          ],
          more: "tasks",
        },
        {
          title: "New dead letters",
          kind: "bars",
          unit: "count",
          shows:
            "Tasks that failed for good in the time range of the board, by capability and code. They are lost until an operator replays them.",
          red: { above: 1 },
          todo: "`murmur dead show TASK` has the cause; after its repair `murmur dead replay`.",
          width: 5,
          queries: [
            {
              expr: `ceil(${inRange("murmur_tasks_dead_lettered_total", ["capability", "code"])}) > 0`,
              legend: "{{capability}} {{code}}",
            },
          ],
          more: "dead-letters",
        },
        {
          title: "Alerts that fire",
          kind: "table",
          unit: "count",
          shows:
            "The alerts of the chosen jobs that fire now; the same names as in `murmur problems`, which tells cause and commands.",
          red: { above: 1 },
          todo: "begin with severity page: the page of its name in docs/runbooks has the first command.",
          width: 9,
          queries: [
            {
              expr: `sum by (alertname, severity, capability, role, stream) (${ofJob("ALERTS", 'alertstate="firing",alertname=~"Murmur.+"')})`,
              legend: "{{alertname}}",
            },
          ],
        },
      ],
    },
    {
      title: "2 · Since when, and what changed then?",
      height: 5,
      panels: [
        {
          title: "Failures by code",
          kind: "lines",
          unit: "per second",
          shows: "Tasks that end as failed, by capability and code.",
          todo: "a new code after a mark of a version: roll it back; without a mark: the thing behind the agents changed.",
          width: 8,
          queries: [
            {
              expr: `${perSecond("murmur_task_failures_total", ["capability", "code"])} > 0`,
              legend: "{{capability}} {{code}}",
            },
          ],
          more: "dead-letters",
        },
        {
          title: "Budget burn",
          kind: "lines",
          unit: "times",
          shows: `How many times too fast the error budget goes, in the last 5 min. The pages compare the windows of 1 h and 6 h too, with at least ${MIN_TASKS} tasks.`,
          red: { above: 14.4 },
          todo: "see the runbooks MurmurTaskErrorBudgetBurn and MurmurQueueWaitBudgetBurn.",
          width: 8,
          queries: [
            {
              expr: `max by (capability) (${ofJob("murmur:tasks_failed:ratio5m")}) / ${BUDGET}`,
              legend: "{{capability}} failed",
            },
            {
              expr: `max by (capability) (${ofJob("murmur:tasks_late:ratio5m")}) / ${BUDGET}`,
              legend: "{{capability}} late",
            },
          ],
          more: "tasks",
        },
        {
          title: "Processes by version",
          kind: "lines",
          unit: "count",
          stacked: true,
          shows:
            "The processes that Prometheus scrapes, by role and version: a roll, a crash and a scaling show here.",
          todo: "fewer processes than wanted: `murmur status`, then `kubectl get pods`; two versions for long: end the roll.",
          width: 8,
          queries: [
            {
              expr: `count by (role, version) (${series("murmur_build_info")})`,
              legend: "{{role}} {{version}}",
            },
          ],
        },
      ],
    },
    {
      title: "3 · Where does it stand: queue, agents, office, NATS, money?",
      height: 5,
      panels: [
        {
          title: "Arriving and ending tasks",
          kind: "lines",
          unit: "per second",
          shows: "Tasks stored to run (also by programs that publish on NATS), and results by status.",
          todo: "arriving above ending for long: the backlog grows; see row 5.",
          width: 4,
          queries: [
            { expr: perSecond("murmur_stream_last_seq", [], 'stream="tasks"'), legend: "arriving" },
            { expr: perSecond("murmur_tasks_finished_total", ["status"]), legend: "{{status}}" },
          ],
          more: "tasks",
        },
        {
          title: "Agents by state",
          kind: "lines",
          unit: "count",
          stacked: true,
          shows:
            "The agents of all processes, by state. Failed ones crashed too often and are not restarted.",
          todo: "`murmur agent ls`; failed agents: `murmur logs ROLE --level error`, then a restart of their process.",
          width: 4,
          queries: [{ expr: now("murmur_agents", ["state"]), legend: "{{state}}" }],
          more: "agents",
        },
        {
          title: "Agents wait for",
          kind: "lines",
          unit: "count",
          stacked: true,
          shows: "Waiting agents by the reason of their wait.",
          todo: "the reason names the part to mend: a model, a tool, a person, a lock, a limit, another agent.",
          width: 4,
          queries: [{ expr: `${now("murmur_agent_waiting", ["reason"])} > 0`, legend: "{{reason}}" }],
          more: "agents",
        },
        {
          title: "Office",
          kind: "stat",
          unit: "count",
          shows:
            "The coordinators that hold the office: 1 in a healthy swarm. Without one, tasks flow, and routes, ballots, locks, schedules and budgets wait.",
          red: { below: 1 },
          todo: "`murmur office status`; the runbook MurmurOfficeVacant.",
          width: 3,
          queries: [{ expr: now("murmur_office_leader"), legend: "in office" }],
          more: "office",
        },
        {
          title: "Connected to NATS",
          kind: "stat",
          unit: "share",
          max: 1,
          shows: "The share of the processes that are connected to NATS.",
          red: { below: 1 },
          todo: "`murmur doctor`, then the logs of the NATS servers; the runbook MurmurNatsUnreachable.",
          width: 3,
          queries: [{ expr: `avg (${series("murmur_nats_connected")})`, legend: "connected" }],
          more: "nats",
        },
        {
          title: "NATS p99",
          kind: "stat",
          unit: "seconds",
          shows: "The time of a request to JetStream (p99): everything that the swarm stores waits for it.",
          red: { above: 1 },
          todo: "look at disks and CPU of the NATS servers; the board nats has the operations.",
          width: 2,
          queries: [{ expr: quantile(0.99, "murmur_nats_request_seconds"), legend: "p99" }],
          more: "nats",
        },
        {
          title: "Fullest stream",
          kind: "stat",
          unit: "share",
          max: 1,
          shows:
            "The share of its limit that the fullest stream uses. A full stream of tasks refuses submits.",
          red: { above: FULL_SHARE },
          todo: "`murmur status`; purge unwanted tasks, start more agents; the runbook MurmurStreamAlmostFull.",
          width: 2,
          queries: [{ expr: `max (${FULLEST_STREAM})`, legend: "fullest" }],
          more: "nats",
        },
        {
          title: "Budgets",
          kind: "stat",
          unit: "share",
          max: 1,
          shows: "The used share of the budget that is nearest to its limit.",
          red: { above: 0.9 },
          todo: "`murmur budget ls` names the budget; the runbook MurmurBudgetNearlySpent.",
          width: 2,
          queries: [{ expr: now("murmur_budget_used_ratio"), legend: "used" }],
          more: "office",
        },
      ],
    },
    {
      title: "4 · What can be done now?",
      height: 5,
      panels: [
        {
          title: "Free slots",
          kind: "bars",
          unit: "count",
          shows: "The free task slots of each role. No free slot and waiting tasks: more agents help.",
          red: { below: 1 },
          todo: "start more processes of the role, or let its autoscaler have more; if the agents wait, mend the thing they wait for first.",
          width: 6,
          queries: [{ expr: now("murmur_agent_slots", ["role"], 'state="free"'), legend: "{{role}}" }],
          more: "agents",
        },
        {
          title: "Agents of each capability",
          kind: "bars",
          unit: "count",
          shows: "Living agents that take tasks of the capability.",
          red: { below: 1 },
          todo: "start agents of the capability: `murmur agent run ROLE`, or its Deployment; the runbook MurmurCapabilityWithoutAgents.",
          width: 6,
          queries: [{ expr: now("murmur_capability_agents", ["capability"]), legend: "{{capability}}" }],
          more: "tasks",
        },
        {
          title: "Paused capabilities",
          kind: "bars",
          unit: "count",
          shows: "Capabilities that an operator paused: their tasks wait on purpose.",
          red: { above: 1 },
          todo: "`murmur capability ls` has the author and the time; `murmur capability resume NAME` ends the pause.",
          width: 6,
          queries: [{ expr: now("murmur_capability_paused", ["capability"]), legend: "{{capability}}" }],
          more: "tasks",
        },
        {
          title: "Late delayed tasks",
          kind: "stat",
          unit: "seconds",
          shows: "How long the oldest due task has waited for an api process to move it.",
          red: { above: LATE_MS / 1_000 },
          todo: "`murmur status`; start an api process; the runbook MurmurDelayedTasksLate.",
          width: 3,
          queries: [{ expr: now("murmur_later_late_seconds"), legend: "late" }],
          more: "tasks",
        },
        {
          title: "Age of these figures",
          kind: "stat",
          unit: "seconds",
          shows: "The age of the oldest values that api processes read from NATS: queues, streams, agents.",
          red: { above: 30 },
          todo: "do not trust rows 3 to 5; the runbook MurmurFactsStale.",
          width: 3,
          queries: [{ expr: now("murmur_facts_age_seconds"), legend: "age" }],
          more: "api",
        },
      ],
    },
    {
      title: "5 · Is it getting better, and when is the backlog gone?",
      height: 5,
      panels: [
        {
          title: "Waiting tasks",
          kind: "lines",
          unit: "count",
          shows: "Tasks that wait in the queue, by capability; `-` is all tasks in placed queues.",
          todo: "it falls: wait; it grows: rows 3 and 4 tell the reason.",
          width: 8,
          queries: [{ expr: now("murmur_queue_pending", ["capability"]), legend: "{{capability}}" }],
          more: "tasks",
        },
        {
          title: "Oldest task",
          kind: "lines",
          unit: "seconds",
          shows: "The age of the oldest stored task of each capability, waiting or running.",
          red: { above: (WAIT_OBJECTIVE_MS.low ?? 0) / 1_000 },
          todo: "it grows by 1 s in a second while no task of the capability starts: no agent, no slot, or a pause.",
          width: 8,
          queries: [{ expr: now("murmur_queue_oldest_seconds", ["capability"]), legend: "{{capability}}" }],
          more: "tasks",
        },
        {
          title: "Time until the backlog is gone",
          kind: "lines",
          unit: "seconds",
          shows:
            "The waiting tasks divided by the speed of their decrease in the last 10 min. No line: nothing waits, or the backlog grows.",
          red: { above: 3_600 },
          todo: "more agents shorten it; `murmur task purge` removes tasks that no one needs any more.",
          width: 8,
          queries: [{ expr: BACKLOG_SECONDS, legend: "{{capability}}" }],
          more: "tasks",
        },
      ],
    },
  ],
};
