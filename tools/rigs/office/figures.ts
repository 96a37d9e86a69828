// The figures of a measurement with their goals, as a table or as JSON. Owns the sums and the table; the other files
// measure. Pure.

/** The goal of a figure. */
export interface Goal {
  readonly text: string;
  readonly holds: (summary: Summary) => boolean;
}

/** Quantiles by nearest rank, so that each is a measured value. */
export interface Summary {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** One line of a report. */
export interface Figure extends Summary {
  readonly name: string;
  readonly unit: string;
  /** Null without a goal. */
  readonly goal: string | null;
  readonly met: boolean;
  /** All measured values, in the order of measurement. */
  readonly values: readonly number[];
}

/** Makes a figure. @throws RangeError without values: a figure is never invented. */
export function makeFigure(what: {
  name: string;
  unit: string;
  values: readonly number[];
  goal?: Goal;
}): Figure {
  const { name, unit, values, goal } = what;
  if (values.length === 0) throw new RangeError(`nothing was measured of: ${name}`);
  const summary = summarise(values);
  const met = goal?.holds(summary) ?? true;
  return { name, unit, ...summary, goal: goal?.text ?? null, met, values: values.map(round) };
}

/** Count, median, 99th percentile and maximum. */
export function summarise(values: readonly number[]): Summary {
  const sorted = [...values].sort((one, other) => one - other);
  const at = (share: number) =>
    round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN);
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** A goal for every value. */
export function atMost(limit: number, unit: string): Goal {
  return { text: `≤ ${limit} ${unit}`, holds: ({ max }) => max <= limit };
}

/** The lines of a table. */
export function renderFigures(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, unit, count, p50, p99, max, goal, met }) => [
    name,
    count === 1 ? `${p50} ${unit}` : `p50 ${p50}, p99 ${p99}, max ${max} ${unit} (${count})`,
    goal === null ? "" : `goal ${goal}: ${met ? "met" : "MISSED"}`,
  ]);
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map(([name, value, goal]) =>
      `${name!.padEnd(widths[0]!)}  ${value!.padEnd(widths[1]!)}  ${goal}`.trimEnd(),
    )
    .join("\n");
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
