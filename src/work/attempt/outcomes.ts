// The ends of attempts and tasks, as the metrics count them.
import { ERROR_CODES, type ErrorCode, type ResultStatus } from "../../protocol/index.ts";

/** The ends of an attempt, as `murmur_task_attempts_total` counts them. */
export const COUNTED_OUTCOMES = [
  "completed",
  "retried",
  "failed",
  "cancelled",
  "handed_off",
  "returned",
  "lost",
  "died",
] as const;
/** One of {@link COUNTED_OUTCOMES}. */
export type CountedOutcome = (typeof COUNTED_OUTCOMES)[number];

/** The states of a result. */
export const RESULT_STATUSES = [
  "completed",
  "failed",
  "cancelled",
] as const satisfies readonly ResultStatus[];

/** Codes that fail no task: its result is `cancelled`, or another process decides it. */
const NO_FAILURES: readonly ErrorCode[] = ["cancelled", "stale_attempt", "stale_term", "not_leader"];
/** The codes that a failed task can have, whose counters start at 0. */
export const FAILURE_CODES: readonly ErrorCode[] = ERROR_CODES.filter((code) => !NO_FAILURES.includes(code));
