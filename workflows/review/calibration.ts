// The calibration of the linters' agreement, learnt from labelled findings in public repositories. Written by
// `node tools/rigs/review-trial.ts --folder … --write-table`.
import type { Calibration } from "murmur-swarm";

/** The calibration; see docs/review.md, "How useful findings are". */
export const REVIEW_CALIBRATION: Calibration = {
  intercept: -1.3489285904310722,
  slope: 0.7517856487440429,
  cells: [
    [1, 1, 104, 237],
    [1, 2, 0, 22],
    [2, 2, 88, 198],
    [1, 3, 0, 7],
    [2, 3, 0, 3],
    [3, 3, 24, 56],
  ],
};
