// Learns the calibration of the linters' agreement, writes it into workflows/review/calibration.ts, and prints how well it fits
// the findings that it did not learn from. Run it after a change of a linter, its rules or the labelled set.
//
//   node tools/rigs/calibrate-review.ts
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { accuracyOf, type Calibration } from "../../src/consensus/index.ts";
import { calibrate } from "../../test/review/labelled.ts";

const TABLE = join(import.meta.dirname, "../../workflows/review/calibration.ts");

/** Returns the file's text with another table in it. */
function withTable(text: string, { intercept, slope, cells }: Calibration): string {
  const lines = [
    `  intercept: ${intercept},`,
    `  slope: ${slope},`,
    "  cells: [",
    ...cells.map((cell) => `    [${cell.join(", ")}],`),
    "  ],",
  ];
  return text.replace(/(?<=Calibration = \{\n)[\s\S]*(?=\n\};)/, lines.join("\n"));
}

const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
const { labels, learning, heldOut, calibration, reliability, levels } = await calibrate();
console.log(`${labels.length} labels, ${labels.filter(({ isDefect }) => isDefect).length} of them defects`);
console.log(`learnt from ${learning.length} findings, checked with ${heldOut.length}`);
for (const { agreeing, able, right, total } of levels) {
  const rate = accuracyOf({ right, total });
  const interval = rate === null ? "" : `, 95 % interval ${percent(rate.low)} to ${percent(rate.high)}`;
  console.log(`${agreeing} of ${able} linters: ${right} of ${total} right${interval}`);
}
for (const { from, to, count, confidence, precision } of reliability) {
  console.log(
    `held out, confidence ${from} to ${to}: predicted ${percent(confidence)}, right ${percent(precision)} of ${count}`,
  );
}
writeFileSync(TABLE, withTable(readFileSync(TABLE, "utf8"), calibration));
