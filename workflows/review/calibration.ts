// The calibration of the linters' agreement, learnt from one half of the labelled findings of test/fixtures/review/labelled.
// Written by `node tools/rigs/calibrate-review.ts`; a test checks that the table is up to date.
import type { Calibration } from "murmur-swarm";

/** The calibration; see docs/review.md, "How far agreement can be trusted". */
export const REVIEW_CALIBRATION: Calibration = {
  intercept: 0.10808339664354853,
  slope: 0.1965286913052369,
  cells: [
    [1, 1, 413, 702],
    [1, 2, 122, 236],
    [2, 2, 352, 584],
    [1, 3, 33, 62],
    [2, 3, 28, 56],
    [3, 3, 108, 176],
  ],
};
