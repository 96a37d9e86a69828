// The wait before a retry: one formula for retries, reconnects and restarts. Pure.
import type { Chance } from "./chance.ts";

/** Exponential backoff: `backoffMs × factor^(attempt − 1)`, capped, then spread by ±`jitter`. */
export interface BackoffPolicy {
  /** The wait after the first failure, in ms. */
  backoffMs: number;
  /** The multiplier for each further failure, ≥ 1. */
  factor: number;
  /** The longest wait before jitter, in ms. */
  maxBackoffMs: number;
  /** The share of the wait that is randomised, 0–1: 0.2 means 80 % to 120 % of it. */
  jitter: number;
}

/**
 * Returns the wait in whole ms after failure number `attempt` (1 is the first). Never negative, never above
 * `maxBackoffMs × (1 + jitter)`.
 */
export function backoffDelayMs(policy: BackoffPolicy, attempt: number, chance: Chance): number {
  const grown = policy.backoffMs * policy.factor ** Math.max(0, attempt - 1);
  const capped = Math.min(policy.maxBackoffMs, grown);
  const spread = 1 + policy.jitter * (2 * chance.next() - 1);
  return Math.max(0, Math.round(capped * spread));
}
