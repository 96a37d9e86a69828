// The board of agents: slots, waits, progress, restarts, and the processes that run them.
import type { Board } from "../board.ts";
import { now, perSecond, quantile } from "../promql.ts";
import { cpuOf, eventLoopOf, memoryOf } from "../shared.ts";

export const AGENTS: Board = {
  name: "agents",
  title: "Murmur / Agents",
  about:
    "The agents and their processes: free slots, reasons of waits, progress, restarts, event loop, memory.",
  rows: [
    {
      title: "Agents",
      panels: [
        {
          title: "Agents by role and state",
          kind: "lines",
          unit: "count",
          stacked: true,
          shows: "The agents of all processes. Failed ones crashed too often and are not restarted.",
          todo: "failed ones: `murmur logs ROLE --level error`, then restart their process; the runbook MurmurAgentsGivenUp.",
          width: 8,
          queries: [{ expr: `${now("murmur_agents", ["role", "state"])} > 0`, legend: "{{role}} {{state}}" }],
        },
        {
          title: "Slots",
          kind: "lines",
          unit: "count",
          stacked: true,
          shows: "Task slots by role and state.",
          todo: "no free slot and waiting tasks: start more processes of the role; the runbook MurmurSlotsSaturated.",
          width: 8,
          queries: [{ expr: now("murmur_agent_slots", ["role", "state"]), legend: "{{role}} {{state}}" }],
        },
        {
          title: "Reasons of waits",
          kind: "lines",
          unit: "count",
          stacked: true,
          shows: "Waiting agents by role and reason.",
          todo: "the reason names the part to mend: model, tool, human, lock, rate limit, agent, queue, timer.",
          width: 8,
          queries: [
            {
              expr: `${now("murmur_agent_waiting", ["role", "reason"])} > 0`,
              legend: "{{role}} for {{reason}}",
            },
          ],
        },
        {
          title: "Time without progress",
          kind: "lines",
          unit: "seconds",
          shows:
            "The time since the last turn of the busy agent that made no turn for the longest time, by role: one agent that hangs shows here.",
          red: { above: 1_800 },
          todo: "the runbook MurmurAgentsStuck: find the task with `murmur task ls --state running`, restart the process.",
          width: 8,
          queries: [{ expr: now("murmur_agent_progress_age_seconds", ["role"]), legend: "{{role}}" }],
        },
        {
          title: "Turns of the work loops",
          kind: "lines",
          unit: "per second",
          shows: "Turns of the agents' work loops by role: they rise while the agents make progress.",
          todo: "0 while agents are busy: they all hang, or all wait.",
          width: 8,
          queries: [{ expr: perSecond("murmur_agent_loop_total", ["role"]), legend: "{{role}}" }],
        },
        {
          title: "Restarts of crashed agents",
          kind: "lines",
          unit: "per second",
          shows: "Restarts of agents that crashed, by role.",
          todo: "`murmur logs ROLE --level error` has the stack; after too many crashes an agent is given up.",
          width: 8,
          queries: [{ expr: perSecond("murmur_agent_restarts_total", ["role"]), legend: "{{role}}" }],
        },
      ],
    },
    {
      title: "Work",
      panels: [
        {
          title: "Attempts by capability and outcome",
          kind: "lines",
          unit: "per second",
          shows: "Ended attempts; died ones lost their process, and another process noticed it.",
          todo: "died: `murmur logs --level error`; `kubectl describe pod` tells OOMKilled.",
          width: 8,
          queries: [
            {
              expr: `${perSecond("murmur_task_attempts_total", ["capability", "outcome"])} > 0`,
              legend: "{{capability}} {{outcome}}",
            },
          ],
        },
        {
          title: "Running time (p50, p99)",
          kind: "lines",
          unit: "seconds",
          shows: "The running time of the attempts that produced results.",
          todo: "longer than an hour ago: the tasks grew, or the thing that the agents call became slower.",
          width: 8,
          queries: [
            { expr: quantile(0.5, "murmur_task_run_seconds", ["capability"]), legend: "{{capability}} p50" },
            { expr: quantile(0.99, "murmur_task_run_seconds", ["capability"]), legend: "{{capability}} p99" },
          ],
        },
        {
          title: "Agents of each capability",
          kind: "lines",
          unit: "count",
          shows: "Living agents that take tasks of the capability, by the roll call of api processes.",
          red: { below: 1 },
          todo: "start one; the runbook MurmurCapabilityWithoutAgents.",
          width: 8,
          queries: [{ expr: now("murmur_capability_agents", ["capability"]), legend: "{{capability}}" }],
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
          shows: "The delay of the event loop of each agent process since its last scrape (p99).",
          red: { above: 1 },
          todo: "code of an agent computes without a pause: above 10 s its tasks are delivered again. Move the work into a command or a worker.",
          width: 8,
          queries: [{ expr: eventLoopOf("agent"), legend: "{{instance}}" }],
        },
        {
          title: "Memory",
          kind: "lines",
          unit: "bytes",
          shows: "The resident memory of each agent process. Its heap has the limit heapMb (512 MiB).",
          red: { above: 512 * 2 ** 20 },
          todo: "a process near the limit ends, and its task is delivered again: give it more, or make its tasks smaller.",
          width: 8,
          queries: [{ expr: memoryOf("agent"), legend: "{{instance}}" }],
        },
        {
          title: "CPU",
          kind: "lines",
          unit: "times",
          shows: "The cores that each agent process uses.",
          red: { above: 1 },
          todo: "one process uses hardly more than one core: start more processes instead of more slots.",
          width: 8,
          queries: [{ expr: cpuOf("agent"), legend: "{{instance}}" }],
        },
      ],
    },
  ],
};
