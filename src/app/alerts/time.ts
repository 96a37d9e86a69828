// The time in alert rules: spans in seconds as Prometheus writes them, at full length or shortened for a drill. Pure.

/** Writes a span of `seconds` as a duration of Prometheus. */
export type Span = (seconds: number) => string;

/** The shortest window of a drill, in seconds: `rate` needs two samples, and a drill scrapes once a second. */
const SHORTEST_SECONDS = 4;
const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
] as const;

/** The time of the rules that are delivered. */
export const realTime: Span = (seconds) => {
  const [unit, size] = UNITS.find(([, each]) => seconds >= each && seconds % each === 0) ?? ["s", 1];
  return `${seconds / size}${unit}`;
};

/**
 * The time of a drill: every window, offset and `for` is `factor` times shorter, and at least {@link SHORTEST_SECONDS} long, so an
 * hour of a burn rate passes in a minute with `factor` 60. Thresholds stay, because a process measures ages and waits in real
 * seconds; so do the counts of tasks. @throws RangeError if `factor` is below 1.
 */
export function drillTime(factor: number): Span {
  if (!(factor >= 1)) throw new RangeError(`expected a factor of at least 1, got ${factor}`);
  return (seconds) => realTime(Math.max(SHORTEST_SECONDS, Math.round(seconds / factor)));
}
