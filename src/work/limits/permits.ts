// Computes the permits of limits that hold across processes: a rate (GCRA) and a concurrency (leases). Each limit is
// one shared value in a bucket; limiter.ts changes it by compare-and-set. Pure: state in, state out.
//
// I1: permits granted for a rate in any window of length W never exceed count × W / windowMs + burst (GCRA). A process
//     takes permits in blocks and may use a block later, so the attempts that start in a window may exceed this bound by
//     at most one block for each process.
// I2: the leases of one limit that have not expired never add up to more than its concurrency.

/**
 * At most `count` attempts start in each `windowMs`. After a quiet time, `burst` more may start at once (default 0).
 */
export interface RateLimit {
  count: number;
  windowMs: number;
  burst?: number | undefined;
}

/** The shared value of one limit, as stored in the bucket. */
export interface LimitState {
  /** GCRA's theoretical arrival time, Unix ms: the time of the next permit if all earlier permits were used in time. */
  tatMs: number;
  /** The concurrency permits that each holder leases, and the end of its lease, Unix ms. */
  leases: Record<string, { permits: number; untilMs: number }>;
}

/** The state of a limit before its first use. */
export const UNUSED_LIMIT: LimitState = { tatMs: 0, leases: {} };

/** The length of a lease, in ms: time for three renewals. A process that dies keeps its permits for up to this long. */
export const LEASE_MS = 15_000;
/** The interval between two renewals of a lease, in ms. */
export const LEASE_RENEW_MS = 5_000;

/** The rate permits that a process takes at once: the permits of a tenth of a second, at least one. */
export function blockSize(rate: RateLimit): number {
  return Math.max(1, Math.floor((rate.count / rate.windowMs) * 100));
}

/**
 * Takes up to `wanted` rate permits.
 * GCRA: with interval T = windowMs/count and tolerance burst × T, n permits are granted when
 * max(tat, now) + n × T − now ≤ T + burst × T (ITU-T I.371, "virtual scheduling", for batches).
 * @returns the new state, the permits granted, and, if none was granted, the time until the next one in ms.
 */
export function takeRate(
  state: LimitState,
  rate: RateLimit,
  wanted: number,
  nowMs: number,
): { state: LimitState; granted: number; waitMs: number } {
  const intervalMs = rate.windowMs / rate.count;
  const burst = rate.burst ?? 0;
  const fromMs = Math.max(state.tatMs, nowMs);
  const room = Math.floor((nowMs + intervalMs * (1 + burst) - fromMs) / intervalMs + 1e-9);
  const granted = Math.max(0, Math.min(wanted, room));
  if (granted === 0) {
    return { state, granted: 0, waitMs: Math.max(1, Math.ceil(fromMs - nowMs - intervalMs * burst)) };
  }
  return { state: { ...state, tatMs: fromMs + granted * intervalMs }, granted, waitMs: 0 };
}

/**
 * Sets the number of concurrency permits that `holder` wants (0 returns all of them), and renews its lease. The holder
 * gets at most the permits that no other holder leases. No other process can take them before the lease ends (I2).
 */
export function takeLease(
  state: LimitState,
  concurrency: number,
  holder: string,
  wanted: number,
  nowMs: number,
): { state: LimitState; held: number } {
  const leases: LimitState["leases"] = {};
  let others = 0;
  for (const [name, lease] of Object.entries(state.leases)) {
    if (name === holder || lease.untilMs <= nowMs) continue;
    leases[name] = lease;
    others += lease.permits;
  }
  const held = Math.max(0, Math.min(wanted, concurrency - others));
  // The holder gets no permit and has none to return: the shared value stays the same, so that waiting costs no writes.
  if (held === 0 && state.leases[holder] === undefined) return { state, held };
  if (held > 0) leases[holder] = { permits: held, untilMs: nowMs + LEASE_MS };
  return { state: { ...state, leases }, held };
}
