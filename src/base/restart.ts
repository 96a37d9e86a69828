// The restart rule: whether to restart a crashed agent or a dead process, and when. Agents (agent/agent.ts) and the supervisor
// of `murmur up` call it. The caller keeps the history and waits. Pure.
import { backoffDelayMs } from "./backoff.ts";

/** The limits of restarts. An agent or process that exceeds the budget counts as failed. */
export interface RestartPolicy {
  /** The most restarts within the window. 0: never restart. */
  budget: number;
  /** The length of the sliding window, in ms. */
  windowMs: number;
  /** The wait before the second restart in a window, in ms; it doubles for each further restart. The first has no wait. */
  backoffMs: number;
  /** The longest wait, in ms. */
  maxBackoffMs: number;
}

/**
 * No wait, then 50 ms doubling up to 1 s; 30 restarts in 60 s. A process that dies at every start uses the budget up in 26 s,
 * so that it is reported within half a minute. A process that dies twice a minute is restarted for ever.
 */
export const DEFAULT_RESTART_POLICY: RestartPolicy = {
  budget: 30,
  windowMs: 60_000,
  backoffMs: 50,
  maxBackoffMs: 1_000,
};

/** The decision after a death. Pass `history` to the next call; it never has more entries than the budget. */
export type RestartDecision =
  | { restart: true; delayMs: number; history: readonly number[] }
  | { restart: false; history: readonly number[] };

/** No jitter: a supervisor restarts few things, so there is no thundering herd to spread. */
const noJitter = { next: () => 0.5 };

/**
 * Decides whether and when to restart after a death at `nowMs` (Unix ms).
 * @param history the times (Unix ms) of the recent restarts, as the previous decision returned them; `[]` for the first.
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
