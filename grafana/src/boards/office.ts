// The board of the office: its holder, its control log, its snapshots, and the decisions that it makes.
import { OFFICE_LAG_MAX } from "../../../src/app/problems/find.ts";
import type { Board } from "../board.ts";
import { now, perSecond, quantile, series } from "../promql.ts";
import { cpuOf, eventLoopOf, memoryOf } from "../shared.ts";

export const OFFICE: Board = {
  name: "office",
  title: "Murmur / Office",
  about:
    "The coordinators: holder and term of the office, control log, snapshots, placements, budgets, pauses.",
  rows: [
    {
      title: "Holder",
      panels: [
        {
          title: "Coordinators in office",
          kind: "lines",
          unit: "count",
          shows:
            "The number of coordinators that hold the office: 1. A gap of about a second is an election.",
          red: { below: 1 },
          todo: "`murmur office status`; the runbook MurmurOfficeVacant.",
          width: 6,
          queries: [{ expr: now("murmur_office_leader"), legend: "in office" }],
        },
        {
          title: "Term",
          kind: "lines",
          unit: "times",
          shows: "The current term: it rises with each election.",
          todo: "steps without a roll: a coordinator dies, or its connection breaks; read its log.",
          width: 6,
          queries: [{ expr: now("murmur_office_term"), legend: "term" }],
        },
        {
          title: "Changes of the office",
          kind: "lines",
          unit: "per second",
          shows: "Changes of the holder, as the coordinators saw them.",
          todo: "8 in 15 min: the runbook MurmurOfficeFlapping.",
          width: 6,
          queries: [{ expr: perSecond("murmur_office_changes_total"), legend: "changes" }],
        },
        {
          title: "Halted coordinators",
          kind: "stat",
          unit: "count",
          shows: "Coordinators that halted over their control log and take no part in the office.",
          red: { above: 1 },
          todo: "never delete anything first: the runbook MurmurControlLogHalted.",
          width: 6,
          queries: [{ expr: now("murmur_office_halted"), legend: "halted" }],
        },
      ],
    },
    {
      title: "Control log",
      panels: [
        {
          title: "Entries behind",
          kind: "lines",
          unit: "count",
          shows: "Entries of the control log that each coordinator has not applied yet.",
          red: { above: OFFICE_LAG_MAX },
          todo: "the runbook MurmurOfficeLogLag: its CPU, or its connection.",
          width: 8,
          queries: [{ expr: now("murmur_office_log_lag", ["instance"]), legend: "{{instance}}" }],
        },
        {
          title: "Time to store an entry (p50, p99)",
          kind: "lines",
          unit: "seconds",
          shows: "The time of an append to the control log. Leases and locks wait for it.",
          red: { above: 1 },
          todo: "look at the disks of the NATS servers: the runbook MurmurCommitSlow.",
          width: 8,
          queries: [
            { expr: quantile(0.5, "murmur_office_commit_seconds"), legend: "p50" },
            { expr: quantile(0.99, "murmur_office_commit_seconds"), legend: "p99" },
          ],
        },
        {
          title: "Entries",
          kind: "lines",
          unit: "per second",
          shows: "Entries stored in the control log. One entry holds all commands that wait at the time.",
          todo: "a jump: a program sets locks, budgets or values very often; `murmur audit ls`.",
          width: 8,
          queries: [{ expr: perSecond("murmur_stream_last_seq", [], 'stream="office"'), legend: "entries" }],
        },
        {
          title: "Time of a snapshot (p99)",
          kind: "lines",
          unit: "seconds",
          shows: "The time from the checkpoint of a snapshot to its verified object.",
          todo: "longer: a larger state, or a slower bucket of snapshots.",
          width: 8,
          queries: [{ expr: quantile(0.99, "murmur_office_snapshot_seconds"), legend: "p99" }],
        },
        {
          title: "Failed snapshots",
          kind: "lines",
          unit: "per second",
          shows: "Snapshots that failed. The log is not trimmed until one succeeds.",
          todo: "the runbook MurmurSnapshotsFailing: rights on the bucket, or its space.",
          width: 8,
          queries: [{ expr: perSecond("murmur_office_snapshot_failures_total"), legend: "failed" }],
        },
        {
          title: "Size of the control log",
          kind: "lines",
          unit: "bytes",
          shows: "The bytes of the control log. Snapshots keep it small.",
          todo: "it grows without end: no snapshot succeeds.",
          width: 8,
          queries: [{ expr: now("murmur_stream_bytes", [], 'stream="office"'), legend: "bytes" }],
        },
      ],
    },
    {
      title: "Decisions",
      panels: [
        {
          title: "Placements by outcome",
          kind: "lines",
          unit: "per second",
          shows:
            "Requests for an agent that coordinators answered: chosen, waits (no agent can take the task now), refused.",
          todo: "waits: start agents with the labels of the route; refused: `murmur task show TASK` has the reason.",
          width: 8,
          queries: [{ expr: perSecond("murmur_placements_total", ["outcome"]), legend: "{{outcome}}" }],
        },
        {
          title: "Money of all budgets",
          kind: "lines",
          unit: "USD",
          shows: "Limit, spent and reserved money of all budgets together.",
          todo: "spent near the limit: `murmur budget ls` names the budget; a full one refuses reservations.",
          width: 8,
          queries: [{ expr: now("murmur_budget_usd", ["state"]), legend: "{{state}}" }],
        },
        {
          title: "Used share of budgets",
          kind: "lines",
          unit: "share",
          max: 1,
          shows:
            "The share of its limit that each budget used, in the dimension that is nearest to its limit.",
          red: { above: 0.9 },
          todo: "the runbook MurmurBudgetNearlySpent.",
          width: 8,
          queries: [{ expr: now("murmur_budget_used_ratio", ["budget"]), legend: "{{budget}}" }],
        },
        {
          title: "Pauses",
          kind: "lines",
          unit: "count",
          shows: "Capabilities that are paused in the whole swarm.",
          todo: "`murmur capability ls` has author and time.",
          width: 8,
          queries: [{ expr: now("murmur_capabilities_paused"), legend: "paused" }],
        },
        {
          title: "Rejected election messages, conflicts of agents",
          kind: "lines",
          unit: "per second",
          shows:
            "Election messages from unknown members, other swarms or versions; and agent ids that two hosts claim at the same time.",
          todo: "messages: two swarms share a prefix, or a list of coordinators is wrong; conflicts: two processes got the same agent id.",
          width: 8,
          queries: [
            { expr: perSecond("murmur_office_messages_refused_total"), legend: "messages" },
            { expr: perSecond("murmur_agent_conflicts_total"), legend: "conflicts" },
          ],
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
          shows:
            "The delay of the event loop of each coordinator since its last scrape (p99). The office goes to another one after a silence of about a second.",
          red: { above: 0.5 },
          todo: "give coordinators a core of their own; look for a neighbour that uses it.",
          width: 6,
          queries: [{ expr: eventLoopOf("coordinator"), legend: "{{instance}}" }],
        },
        {
          title: "Memory",
          kind: "lines",
          unit: "bytes",
          shows: "The resident memory of each coordinator.",
          red: { above: 512 * 2 ** 20 },
          todo: "more agents, ballots and locks need more: see docs/operate/sizes.md.",
          width: 6,
          queries: [{ expr: memoryOf("coordinator"), legend: "{{instance}}" }],
        },
        {
          title: "CPU",
          kind: "lines",
          unit: "times",
          shows: "The cores that each coordinator uses; the holder of the office uses most.",
          red: { above: 0.9 },
          todo: "a coordinator uses one core at most: fewer ballots and placements in a second, or a second swarm.",
          width: 6,
          queries: [{ expr: cpuOf("coordinator"), legend: "{{instance}}" }],
        },
        {
          title: "Not ready",
          kind: "table",
          unit: "count",
          shows: "Conditions of readiness of coordinators that do not hold.",
          todo: "/readyz of the process says the reason.",
          width: 6,
          queries: [
            {
              expr: `min by (instance, check) (${series("murmur_ready")}) == 0 and on (instance) max by (instance) (${series("murmur_build_info", 'role="coordinator"')})`,
              legend: "{{instance}} {{check}}",
            },
          ],
        },
      ],
    },
  ],
};
