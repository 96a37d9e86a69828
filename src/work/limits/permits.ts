// Limits that hold across processes: a rate (GCRA) and a concurrency (leases), as one shared value that processes
// change by compare-and-set. Pure: state in, state out.
//
// I1: permits granted for a rate in any window of length W never exceed count × W / windowMs + burst (GCRA). A
//     process takes them in blocks and may use a block later than it took it, so attempts started in a window exceed
//     that by at most one block per process: the declared overshoot.
// I2: the leases of one limit that are not expired never add up to more than its concurrency.

/** Attempts started per window; `burst` more may start at once after a quiet time (default 0). */
export interface RateLimit {
  count: number;
  windowMs: number;
  burst?: number | undefined;
}

/** The shared value of one limit, as stored in the bucket. */
export interface LimitState {
  /** GCRA's theoretical arrival time: when the next permit is due if all so far were used as they came, Unix ms. */
  tatMs: number;
  /** Who holds how many concurrency permits, until when. */
  leases: Record<string, { permits: number; untilMs: number }>;
}

/** A limit nobody has used yet. */
export const UNUSED_LIMIT: LimitState = { tatMs: 0, leases: {} };

/** How long a concurrency lease lasts without renewal. Three renewals fit in; a dead process blocks a slot this long. */
export const LEASE_MS = 15_000;
/** How often a held lease is renewed. */
export const LEASE_RENEW_MS = 5_000;

/** How many rate permits a process takes at once: what the limit gives in a tenth of a second, at least one. */
export function blockSize(rate: RateLimit): number {
  return Math.max(1, Math.floor((rate.count / rate.windowMs) * 100));
}

/**
 * Takes up to `wanted` rate permits.
 * GCRA: with interval T = windowMs/count and tolerance burst × T, n permits are granted when
 * max(tat, now) + n × T − now ≤ T + burst × T (ITU-T I.371, "virtual scheduling", for batches).
 * @returns the new state, the permits granted, and when the next one is due if none was.
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
 * Sets how many concurrency permits `holder` wants to hold (0 gives all back) and renews its lease. It gets what the
 * others leave; what it holds already is never taken away from it before its lease ends (I2).
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
  // Refused, and nothing to give back: the shared value stays as it is, so that waiting costs no writes.
  if (held === 0 && state.leases[holder] === undefined) return { state, held };
  if (held > 0) leases[holder] = { permits: held, untilMs: nowMs + LEASE_MS };
  return { state: { ...state, leases }, held };
}
