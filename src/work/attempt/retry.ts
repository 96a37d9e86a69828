// What follows a failed attempt. Pure.
import { backoffDelayMs, type Chance } from "../../base/index.ts";
import { DEFAULT_RETRY, type RetryPolicy, type SwarmError } from "../../protocol/index.ts";

/** Try again at that time, or fail for good. */
export type AfterFailure = { retry: true; atMs: number } | { retry: false };

/**
 * Decides whether a task is tried again after attempt `attempt` failed with `error`.
 * `retry.max` counts retries after the first attempt. An error that is not retryable, a used-up policy, or a next
 * start that would lie beyond the deadline ends it. A `retryAfterMs` in the error is a lower bound of the wait.
 */
export function decideAfterFailure(facts: {
  error: SwarmError;
  attempt: number;
  retry: RetryPolicy | undefined;
  deadlineMs: number | undefined;
  nowMs: number;
  chance: Chance;
}): AfterFailure {
  const { error, attempt, nowMs } = facts;
  const policy = facts.retry ?? DEFAULT_RETRY;
  if (!error.retryable || attempt > policy.max) return { retry: false };
  const delayMs = Math.max(backoffDelayMs(policy, attempt, facts.chance), error.retryAfterMs ?? 0);
  if (facts.deadlineMs !== undefined && nowMs + delayMs >= facts.deadlineMs) return { retry: false };
  return { retry: true, atMs: nowMs + delayMs };
}
