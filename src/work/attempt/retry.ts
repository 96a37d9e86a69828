// Decides whether a failed attempt is retried, and when. Pure.
import { backoffDelayMs, type Chance } from "../../base/index.ts";
import { DEFAULT_RETRY, type RetryPolicy, type SwarmError } from "../../protocol/index.ts";

/** Retry at `atMs` (Unix ms), or fail for good. */
export type AfterFailure = { retry: true; atMs: number } | { retry: false };

/**
 * Decides what follows after attempt `attempt` failed with `error`. `retry.max` counts retries after the first attempt.
 * The task fails for good when the error is not retryable, when no retry is left, or when the next start would be after
 * the deadline. A `retryAfterMs` in the error is a lower bound of the wait.
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
