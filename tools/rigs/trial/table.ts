// Turns the labels of a trial into the table of the review, and writes tables into source texts. Pure. The rig writes the files;
// test/review/calibrate.ts learns the calibration.
import type { Agreement, FilePurpose, MeasuredRow } from "../../../agents/lib/review/index.ts";
import type { Calibration } from "../../../src/consensus/index.ts";
import { sortOf } from "../../../workflows/review/index.ts";
import type { Judged } from "./tally.ts";

/** Counts the labels of each kind, purpose and agreement, by name. */
export function measureRows(judged: readonly Judged[]): MeasuredRow[] {
  const labelled = judged.filter(({ verdict }) => verdict !== undefined);
  const groups = Map.groupBy(labelled, ({ finding }) => {
    const { kind, purpose, agreement } = sortOf(finding);
    return JSON.stringify([kind, purpose, agreement]);
  });
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, members]): MeasuredRow => {
      const [kind, purpose, agreement] = JSON.parse(key) as [string, FilePurpose, Agreement];
      const of = (wanted: Judged["verdict"]) => members.filter(({ verdict }) => verdict === wanted).length;
      return [kind, purpose, agreement, members.length, of("useful"), of("false")];
    });
}

/** Returns the text of a source file with other rows in its table `MEASURED`. */
export function withRows(text: string, rows: readonly MeasuredRow[]): string {
  const lines = rows.map((row) => `  [${row.map((each) => JSON.stringify(each)).join(", ")}],\n`).join("");
  return text.replace(/(?<=MEASURED: readonly MeasuredRow\[\] = \[)[^;]*(?=\];\n)/, `\n${lines}`);
}

/** Returns the text of a source file with another calibration in it. */
export function withCalibration(text: string, { intercept, slope, cells }: Calibration): string {
  const lines = [
    `  intercept: ${intercept},`,
    `  slope: ${slope},`,
    "  cells: [",
    ...cells.map((cell) => `    [${cell.join(", ")}],`),
    "  ],",
  ];
  return text.replace(/(?<=Calibration = \{\n)[\s\S]*(?=\n\};)/, lines.join("\n"));
}
