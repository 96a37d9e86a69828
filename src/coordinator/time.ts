// The times of the office. Log time is part of what entries mean, so its unit is the same for every coordinator, ever.

/** One tick of log time and of the election, in ms. Changing it changes what stored entries mean. */
export const LOG_TICK_MS = 50;

/** Heartbeats every 100 ms; election timeouts of 500–1,000 ms: five lost heartbeats, and below the second promised. */
export const ELECTION_TIMES = { heartbeatTicks: 2, electionTicks: 10 } as const;

/**
 * Log ticks until a lease of `ms` is over. One more than the quotient: the first tick may come right after the grant,
 * and a lease must never be shorter than was said.
 */
export function leaseTicks(ms: number): number {
  return Math.ceil(ms / LOG_TICK_MS) + 1;
}

/** What is left of a lease, in ms, at log time `at`. */
export function leaseMsLeft(expiresAt: number, at: number): number {
  return Math.max(0, expiresAt - at) * LOG_TICK_MS;
}
