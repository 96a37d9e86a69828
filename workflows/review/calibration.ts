// The calibration of the linters' agreement, learnt from labelled findings in public repositories. Written by
// `node tools/rigs/review-trial.ts --folder … --write-table`.
import type { Calibration } from "murmur-swarm";

/** The calibration; see docs/review.md, "How useful findings are". */
export const REVIEW_CALIBRATION: Calibration = {
  intercept: -1.878102567005442,
  slope: 0.9911717311879237,
  cells: [
    [1, 1, 69, 181],
    [1, 2, 0, 28],
    [2, 2, 69, 167],
    [1, 3, 0, 9],
    [2, 3, 0, 5],
    [3, 3, 23, 54],
  ],
};
