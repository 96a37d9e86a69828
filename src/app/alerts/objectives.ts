// The objectives of a swarm, and the recording rules that measure them: the share of tasks that fail, and the share of tasks that start
// late, each over four windows. Everything is counted by `job`: one scrape job is one swarm. Pure.
import { type ErrorCode, PRIORITIES } from "../../protocol/index.ts";
import { WAIT_OBJECTIVE_MS } from "../problems/find.ts";
import type { Span } from "./time.ts";

/**
 * The share of tasks that shall end well, and of tasks that shall start in time. The chart replaces this text, with the value of
 * `prometheusRule.objective`, in {@link BUDGET}.
 */
export const OBJECTIVE = 0.99;
/** The share that may fail or be late, as the expressions write it. */
export const BUDGET = `(1 - ${OBJECTIVE})`;
/** Failures that are the wish or the fault of the publisher: they do not count, neither as good nor as bad. */
export const UNCOUNTED_CODES = [
  "cancelled",
  "invalid_input",
  "not_permitted",
  "unknown_capability",
  "budget_exceeded",
] as const satisfies readonly ErrorCode[];
/** The fewest tasks in the short window of a burn rate: with fewer, one failure is a large share. */
export const MIN_TASKS = 20;

/** A burn rate: page when the budget of both windows burns `rate` times too fast (Google's SRE workbook, chapter 5). */
interface Burn {
  readonly rate: number;
  readonly longSeconds: number;
  readonly shortSeconds: number;
}
/** 2 % of the budget of 30 days in an hour, and 5 % in six hours. */
const BURNS: readonly Burn[] = [
  { rate: 14.4, longSeconds: 3_600, shortSeconds: 300 },
  { rate: 6, longSeconds: 21_600, shortSeconds: 1_800 },
];
const WINDOWS = [300, 1_800, 3_600, 21_600] as const;

/** A rule that stores the values of an expression under a name. */
export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

/** The names of windows in recording rules; a drill keeps them, so that every query works in it. */
const NAMES: Readonly<Record<number, string>> = { 300: "5m", 1800: "30m", 3600: "1h", 21600: "6h" };

/** The name of a recorded series. */
export function recorded(
  what: "tasks_failed" | "tasks_counted" | "tasks_late" | "tasks_started",
  how: "increase" | "ratio",
  seconds: number,
): string {
  return `murmur:${what}:${how}${NAMES[seconds]}`;
}

/** The recording rules. A rule comes after the rules that it reads. */
export function recordingRules(span: Span): RecordingRule[] {
  return WINDOWS.flatMap((seconds) => [...failureRules(seconds, span), ...waitRules(seconds, span)]);
}

function failureRules(seconds: number, span: Span): RecordingRule[] {
  const failed = recorded("tasks_failed", "increase", seconds);
  const counted = recorded("tasks_counted", "increase", seconds);
  const window = span(seconds);
  return [
    {
      record: failed,
      expr: `sum by (job, capability) (increase(murmur_task_failures_total{code!~"${UNCOUNTED_CODES.join("|")}"}[${window}]))`,
    },
    {
      record: counted,
      expr: `sum by (job, capability) (increase(murmur_tasks_finished_total{status="completed"}[${window}])) + ${failed}`,
    },
    { record: recorded("tasks_failed", "ratio", seconds), expr: `${failed} / (${counted} > 0)` },
  ];
}

function waitRules(seconds: number, span: Span): RecordingRule[] {
  const late = recorded("tasks_late", "increase", seconds);
  const started = recorded("tasks_started", "increase", seconds);
  const window = span(seconds);
  const inTime = PRIORITIES.map((priority) => {
    const bound = (WAIT_OBJECTIVE_MS[priority] ?? Number.NaN) / 1_000;
    // Prometheus 3 stores the bound 5 as 5.0.
    return `increase(murmur_task_queue_seconds_bucket{priority="${priority}",le=~"${bound}([.]0)?"}[${window}])`;
  });
  return [
    {
      record: started,
      expr: `sum by (job, capability, priority) (increase(murmur_task_queue_seconds_count[${window}]))`,
    },
    {
      record: late,
      expr: `${started} - sum by (job, capability, priority) (\n  ${inTime.join("\n  or ")}\n)`,
    },
    { record: recorded("tasks_late", "ratio", seconds), expr: `${late} / (${started} > 0)` },
  ];
}

/** The expression of a budget that burns too fast; its value is the share in the long window. */
export function burnsTooFast(
  bad: "tasks_failed" | "tasks_late",
  all: "tasks_counted" | "tasks_started",
): string {
  return BURNS.map(({ rate, longSeconds, shortSeconds }) =>
    [
      `(${recorded(bad, "ratio", longSeconds)} > ${rate} * ${BUDGET}`,
      `${recorded(bad, "ratio", shortSeconds)} > ${rate} * ${BUDGET}`,
      `${recorded(all, "increase", shortSeconds)} >= ${MIN_TASKS})`,
    ].join("\n  and "),
  ).join("\nor\n");
}
