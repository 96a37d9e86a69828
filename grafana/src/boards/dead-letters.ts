// The board of dead letters: the tasks that failed for good, by capability and code, and the attempts before.
import type { Board } from "../board.ts";
import { inRange, now, ofJob, perSecond } from "../promql.ts";

export const DEAD_LETTERS: Board = {
  name: "dead-letters",
  title: "Murmur / Dead letters",
  about: "Tasks that failed for good: which capabilities, which codes, since when; and the retries before.",
  rows: [
    {
      title: "Lost until they are replayed",
      panels: [
        {
          title: "Dead letters now",
          kind: "bars",
          unit: "count",
          shows: "The stored dead letters by capability. Each is kept for 30 days.",
          red: { above: 1 },
          todo: "`murmur dead ls --capability NAME`; after the repair `murmur dead replay`, or `murmur dead purge` for letters that no one needs.",
          width: 8,
          queries: [{ expr: now("murmur_dead_letters", ["capability"]), legend: "{{capability}}" }],
        },
        {
          title: "New dead letters by code",
          kind: "bars",
          unit: "count",
          shows: "Tasks that failed for good in the time range of the board.",
          red: { above: 1 },
          todo: "docs/contract.md has the meaning of each code; `murmur dead show TASK` has the stack.",
          width: 8,
          queries: [
            {
              expr: `ceil(${inRange("murmur_tasks_dead_lettered_total", ["capability", "code"])}) > 0`,
              legend: "{{capability}} {{code}}",
            },
          ],
        },
        {
          title: "Dead letters over time",
          kind: "lines",
          unit: "count",
          shows: "The stored dead letters by capability: a replay or a purge lets them fall.",
          todo: "a step tells the beginning of the fault; look for a mark of a version or of the audit log at that time.",
          width: 8,
          queries: [{ expr: now("murmur_dead_letters", ["capability"]), legend: "{{capability}}" }],
        },
      ],
    },
    {
      title: "Failures",
      panels: [
        {
          title: "Failing tasks by code",
          kind: "lines",
          unit: "per second",
          shows: "Tasks that ended as failed, by capability and code.",
          todo: "one code for all capabilities: a common cause such as NATS or a provider; one capability: its agent.",
          width: 8,
          queries: [
            {
              expr: `${perSecond("murmur_task_failures_total", ["capability", "code"])} > 0`,
              legend: "{{capability}} {{code}}",
            },
          ],
        },
        {
          title: "New dead letters",
          kind: "lines",
          unit: "per second",
          shows: "Dead letters stored, by capability and code.",
          todo: "the runbook MurmurDeadLettersGrowing.",
          width: 8,
          queries: [
            {
              expr: `${perSecond("murmur_tasks_dead_lettered_total", ["capability", "code"])} > 0`,
              legend: "{{capability}} {{code}}",
            },
          ],
        },
        {
          title: "Share of failed tasks",
          kind: "lines",
          unit: "share",
          max: 1,
          shows:
            "The share of the tasks of 5 min and of 1 h that failed, without failures that are the wish or the fault of the publisher.",
          red: { above: 0.01 },
          todo: "the runbook MurmurTaskErrorBudgetBurn.",
          width: 8,
          queries: [
            {
              expr: `max by (capability) (${ofJob("murmur:tasks_failed:ratio5m")})`,
              legend: "{{capability}} 5 min",
            },
            {
              expr: `max by (capability) (${ofJob("murmur:tasks_failed:ratio1h")})`,
              legend: "{{capability}} 1 h",
            },
          ],
        },
      ],
    },
    {
      title: "Before the failure",
      panels: [
        {
          title: "Attempts that fail",
          kind: "lines",
          unit: "per second",
          shows: "Attempts that failed and are retried, failed for good, or lost their process.",
          todo: "many retried and none failed: the retries hide the fault; `murmur task ls --state retrying`.",
          width: 12,
          queries: [
            {
              expr: `${perSecond("murmur_task_attempts_total", ["capability", "outcome"], 'outcome=~"retried|failed|died"')} > 0`,
              legend: "{{capability}} {{outcome}}",
            },
          ],
        },
        {
          title: "Size of the stream of dead letters",
          kind: "lines",
          unit: "bytes",
          shows:
            "The bytes of the dead letters. The stream has no limit but the age of its letters (the setting deadDays).",
          todo: "`murmur dead purge` for letters that no one needs.",
          width: 12,
          queries: [{ expr: now("murmur_stream_bytes", [], 'stream="dead"'), legend: "bytes" }],
        },
      ],
    },
  ],
};
