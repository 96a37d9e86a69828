// Whether a thing that died comes back, and when: one rule for agents inside a process and for processes under
// `up`. Pure; the caller remembers the history and does the waiting.
import { backoffDelayMs } from "./backoff.ts";

/** How often something may be restarted before it counts as failed. */
export interface RestartPolicy {
  /** The most restarts within the window. 0: never restart. */
  budget: number;
  /** The length of the sliding window, in ms. */
  windowMs: number;
  /** The wait before the second restart in a window; it doubles with each further one. The first is at once. */
  backoffMs: number;
  /** The longest wait, in ms. */
  maxBackoffMs: number;
}

/**
 * At once, then 50 ms doubling up to 1 s; 30 in 60 s. What dies at every start uses the budget up in 26 s, so that
 * it is reported within half a minute; what dies twice a minute is restarted for ever.
 */
export const DEFAULT_RESTART_POLICY: RestartPolicy = {
  budget: 30,
  windowMs: 60_000,
  backoffMs: 50,
  maxBackoffMs: 1_000,
};

/** What to do about a death. `history` is what to pass the next time: it never holds more than the budget. */
export type RestartDecision =
  | { restart: true; delayMs: number; history: readonly number[] }
  | { restart: false; history: readonly number[] };

/** Backoff without chance: a supervisor restarts few things, so there is no herd to spread. */
const noJitter = { next: () => 0.5 };

/**
 * Decides about a death at `nowMs`.
 * @param history the times (Unix ms) of the restarts so far, as the last decision returned them; at first `[]`.
 */
export function decideRestart(
  history: readonly number[],
  nowMs: number,
  policy: RestartPolicy = DEFAULT_RESTART_POLICY,
): RestartDecision {
  const recent = history.filter((atMs) => atMs > nowMs - policy.windowMs);
  if (recent.length >= policy.budget) return { restart: false, history: recent };
  const delayMs =
    recent.length === 0
      ? 0
      : backoffDelayMs(
          { backoffMs: policy.backoffMs, factor: 2, maxBackoffMs: policy.maxBackoffMs, jitter: 0 },
          recent.length,
          noJitter,
        );
  return { restart: true, delayMs, history: [...recent, nowMs] };
}
