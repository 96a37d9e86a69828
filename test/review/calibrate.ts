// Learns the calibration of the linters' agreement from labelled findings of a trial (tools/rigs/review-trial.ts).
import { isShared, LINTERS, type Linter } from "../../agents/lib/review/index.ts";
import type { Calibration } from "../../src/consensus/index.ts";
import { type CalibrationSample, fitCalibration } from "../../src/consensus/internal.ts";
import type { Judged } from "../../tools/rigs/trial/tally.ts";

/**
 * Learns the calibration: how often findings of the kinds that all linters know were useful, by the linters' votes. Also for any
 * smaller number of the linters, because the silence of a linter with the repository's own configuration does not count. A linter
 * that was not asked (the referee, where the others agree) has not been silent.
 */
export function learnCalibration(judged: readonly Judged[]): Calibration {
  return fitCalibration(
    judged.flatMap(({ finding: { kind, agreedBy, silent }, verdict }) =>
      verdict === undefined || !isShared(kind)
        ? []
        : samplesOf(
            LINTERS.filter((linter) => agreedBy.includes(linter) || silent.includes(linter)),
            agreedBy,
            verdict === "useful",
          ),
    ),
  );
}

function samplesOf(
  asked: readonly Linter[],
  agreedBy: readonly string[],
  isRight: boolean,
): CalibrationSample[] {
  return panelsOf(asked).flatMap((panel) => {
    const votes = panel.filter((linter) => agreedBy.includes(linter)).length;
    return votes === 0 ? [] : [{ votes, of: panel.length, isRight }];
  });
}

/** Every choice of one or more of the linters that were asked. */
function panelsOf(asked: readonly Linter[]): Linter[][] {
  const [first, ...rest] = asked;
  if (first === undefined) return [];
  const others = panelsOf(rest);
  return [[first], ...others, ...others.map((panel) => [first, ...panel])];
}
