// The times of the office. The meaning of stored entries depends on log time, so its unit can never change.

/** One tick of log time and of the election, in ms. A change of this value changes the meaning of stored entries. */
export const LOG_TICK_MS = 50;

/**
 * Heartbeats every 100 ms; election timeouts of 500–1,000 ms. That is five lost heartbeats, and below the promised
 * fail-over of a second.
 */
export const ELECTION_TIMES = { heartbeatTicks: 2, electionTicks: 10 } as const;

/**
 * The number of log ticks until a lease of `ms` has expired. It is one more than the quotient, because the first tick may
 * come right after the grant, and a lease must never be shorter than promised.
 */
export function leaseTicks(ms: number): number {
  return Math.ceil(ms / LOG_TICK_MS) + 1;
}

/** The remaining time of a lease, in ms, at log time `at`. */
export function leaseMsLeft(expiresAt: number, at: number): number {
  return Math.max(0, expiresAt - at) * LOG_TICK_MS;
}
