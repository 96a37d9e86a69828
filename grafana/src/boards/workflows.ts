// The board of workflows: runs, decisions, compensations, and the engines that make them.
import type { Board } from "../board.ts";
import { now, perSecond, quantile } from "../promql.ts";
import { cpuOf, eventLoopOf, memoryOf } from "../shared.ts";

export const WORKFLOWS: Board = {
  name: "workflows",
  title: "Murmur / Workflows",
  about: "Runs of workflows by state, their time, the decisions of the engines, and the undoing of steps.",
  rows: [
    {
      title: "Runs",
      panels: [
        {
          title: "Runs by state",
          kind: "lines",
          unit: "count",
          stacked: true,
          shows: "The runs in the lanes of all engines, by state.",
          todo: "blocked or compensation_failed: `murmur workflow ls --failing`, then `murmur workflow show RUN`.",
          width: 8,
          queries: [{ expr: now("murmur_workflows", ["state"]), legend: "{{state}}" }],
        },
        {
          title: "Runs that wait for a person",
          kind: "stat",
          unit: "count",
          shows: "Blocked runs, and runs whose compensation failed. Neither goes on by itself.",
          red: { above: 1 },
          todo: "the runbooks MurmurWorkflowStalled and MurmurCompensationFailed.",
          width: 8,
          queries: [
            {
              expr: now("murmur_workflows", ["state"], 'state=~"blocked|compensation_failed"'),
              legend: "{{state}}",
            },
          ],
        },
        {
          title: "Ended runs",
          kind: "lines",
          unit: "per second",
          shows: "Runs that ended, by workflow and state.",
          todo: "failed ones: `murmur workflow ls --failing --since 1h`; after the repair `murmur workflow retry RUN`.",
          width: 8,
          queries: [
            {
              expr: perSecond("murmur_workflows_finished_total", ["workflow", "state"]),
              legend: "{{workflow}} {{state}}",
            },
          ],
        },
        {
          title: "Time of a run (p50, p99)",
          kind: "lines",
          unit: "seconds",
          shows: "The time from the start of a run to its end, by the state of the end.",
          todo: "longer than an hour ago: look at the waits of its tasks on the board tasks.",
          width: 8,
          queries: [
            { expr: quantile(0.5, "murmur_workflow_seconds", ["state"]), legend: "{{state}} p50" },
            { expr: quantile(0.99, "murmur_workflow_seconds", ["state"]), legend: "{{state}} p99" },
          ],
          more: "tasks",
        },
        {
          title: "Compensations",
          kind: "lines",
          unit: "per second",
          shows: "Ends of compensations: completed, or failed, after which the run waits for a person.",
          todo: "failed: the runbook MurmurCompensationFailed.",
          width: 8,
          queries: [{ expr: perSecond("murmur_compensations_total", ["outcome"]), legend: "{{outcome}}" }],
        },
        {
          title: "Repaired steps",
          kind: "lines",
          unit: "per second",
          shows: "Open steps without a task and without a result that the slow check ordered again.",
          todo: "above 0: messages were lost; look for a restore of a backup, or a server that lost its disk.",
          width: 8,
          queries: [{ expr: perSecond("murmur_workflow_repairs_total"), legend: "repaired" }],
        },
      ],
    },
    {
      title: "Engines",
      panels: [
        {
          title: "Decisions by outcome",
          kind: "lines",
          unit: "per second",
          shows: "Decisions: stored, empty (nothing changed), lost (another engine wrote first), blocked.",
          todo: "many lost: two engines work on one lane; blocked: the code of a workflow does not fit the log of its runs.",
          width: 8,
          queries: [
            { expr: perSecond("murmur_workflow_decisions_total", ["outcome"]), legend: "{{outcome}}" },
          ],
        },
        {
          title: "Time of a decision (p50, p99)",
          kind: "lines",
          unit: "seconds",
          shows: "The time of a decision with its reads, its entry and its effects.",
          red: { above: 1 },
          todo: "look at the time of appends on the board nats.",
          width: 8,
          queries: [
            { expr: quantile(0.5, "murmur_workflow_decision_seconds"), legend: "p50" },
            { expr: quantile(0.99, "murmur_workflow_decision_seconds"), legend: "p99" },
          ],
          more: "nats",
        },
        {
          title: "Waiting messages of lanes",
          kind: "lines",
          unit: "count",
          shows: "Results and commands of each lane that no engine has taken yet.",
          todo: "it grows: start one more engine; it stays while no decision is stored: the runbook MurmurWorkflowStalled.",
          width: 8,
          queries: [{ expr: now("murmur_workflow_lane_lag", ["lane"]), legend: "lane {{lane}}" }],
        },
        {
          title: "Event loop (p99)",
          kind: "lines",
          unit: "seconds",
          shows: "The delay of the event loop of each engine since its last scrape (p99).",
          red: { above: 0.5 },
          todo: "a workflow computes too long in one step of its code: move the work into a task.",
          width: 8,
          queries: [{ expr: eventLoopOf("engine"), legend: "{{instance}}" }],
        },
        {
          title: "Memory",
          kind: "lines",
          unit: "bytes",
          shows: "The resident memory of each engine.",
          red: { above: 512 * 2 ** 20 },
          todo: "many runs at the same time: start one more engine, which takes a part of the lanes.",
          width: 8,
          queries: [{ expr: memoryOf("engine"), legend: "{{instance}}" }],
        },
        {
          title: "CPU",
          kind: "lines",
          unit: "times",
          shows: "The cores that each engine uses.",
          red: { above: 0.9 },
          todo: "start one more engine.",
          width: 8,
          queries: [{ expr: cpuOf("engine"), legend: "{{instance}}" }],
        },
      ],
    },
  ],
};
