// Learns the calibration of the linters' agreement from labelled findings of a trial (tools/rigs/review-trial.ts).
import { isShared, LINTERS } from "../../agents/lib/review/index.ts";
import type { Calibration } from "../../src/consensus/index.ts";
import { type CalibrationSample, fitCalibration } from "../../src/consensus/internal.ts";
import type { Judged } from "../../tools/rigs/trial/tally.ts";

/**
 * Learns the calibration: how often findings of the kinds that all linters know were useful, by the linters' votes. Also for any
 * two and any one of the linters, because the silence of a linter with the repository's own configuration does not count.
 */
export function learnCalibration(judged: readonly Judged[]): Calibration {
  return fitCalibration(
    judged.flatMap(({ finding, verdict }) =>
      verdict === undefined || !isShared(finding.kind)
        ? []
        : samplesOf(finding.agreedBy, verdict === "useful"),
    ),
  );
}

function samplesOf(agreedBy: readonly string[], isRight: boolean): CalibrationSample[] {
  const panels: readonly (readonly string[])[] = [
    LINTERS,
    ...LINTERS.map((left) => LINTERS.filter((linter) => linter !== left)),
    ...LINTERS.map((only) => [only]),
  ];
  return panels.flatMap((panel) => {
    const votes = panel.filter((linter) => agreedBy.includes(linter)).length;
    return votes === 0 ? [] : [{ votes, of: panel.length, isRight }];
  });
}
