// Rates from figures of different moments: how many tasks arrive and end in a second, and when a backlog is gone. Pure.

/** The figures of one moment. */
export interface Moment {
  readonly atMs: number;
  readonly arrived: number;
  readonly ended: number;
  readonly dead: number;
  /** Waiting tasks by capability. */
  readonly waiting: Readonly<Record<string, number>>;
}

/** How long moments are kept, in ms: rates over half a minute are steady, and still show a change soon. */
export const KEPT_MS = 30_000;

/** Adds a moment, and drops moments that are too old. A moment that was there is not added again. */
export function addMoment(moments: readonly Moment[], next: Moment): Moment[] {
  if (moments.at(-1)?.atMs === next.atMs) return [...moments];
  return [...moments.filter(({ atMs }) => next.atMs - atMs <= KEPT_MS && atMs < next.atMs), next];
}

/** Rates, each in a second. */
export interface Rates {
  readonly arriving: number;
  readonly ending: number;
  readonly dead: number;
  readonly overMs: number;
}

/** The rates over all moments; null with less than a second between the first and the last. */
export function ratesOf(moments: readonly Moment[]): Rates | null {
  const span = spanOf(moments);
  if (span === null) return null;
  const { first, last, seconds } = span;
  const rate = (field: "arrived" | "ended" | "dead") => Math.max(0, last[field] - first[field]) / seconds;
  return { arriving: rate("arrived"), ending: rate("ended"), dead: rate("dead"), overMs: seconds * 1_000 };
}

/** By how much a backlog grows in a second, below 0 when it falls; null when that is not known yet. */
export function growthOf(moments: readonly Moment[], capability?: string): number | null {
  const span = spanOf(moments);
  if (span === null) return null;
  const waiting = ({ waiting: counts }: Moment) =>
    capability === undefined
      ? Object.values(counts).reduce((sum, count) => sum + count, 0)
      : (counts[capability] ?? 0);
  return (waiting(span.last) - waiting(span.first)) / span.seconds;
}

/** When a backlog is gone at the present speed, in ms; null when nothing waits, or the backlog does not fall. */
export function backlogMs(moments: readonly Moment[], capability?: string): number | null {
  const growth = growthOf(moments, capability);
  const counts = moments.at(-1)?.waiting ?? {};
  const left =
    capability === undefined
      ? Object.values(counts).reduce((sum, count) => sum + count, 0)
      : (counts[capability] ?? 0);
  return left === 0 || growth === null || growth >= 0 ? null : (left / -growth) * 1_000;
}

function spanOf(moments: readonly Moment[]): { first: Moment; last: Moment; seconds: number } | null {
  const first = moments[0];
  const last = moments.at(-1);
  if (first === undefined || last === undefined) return null;
  const seconds = (last.atMs - first.atMs) / 1_000;
  return seconds < 1 ? null : { first, last, seconds };
}
