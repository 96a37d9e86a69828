// Calibration: the probability that a value is right when `votes` of `of` seats gave it, learnt from cases with a known
// truth. There are two stages. A logistic curve over the log-odds of agreement (Platt 1999) gives an expectation for
// counts with few cases. The cases of the same count then move this expectation, as observations move a Beta prior
// (Gelman et al., Bayesian Data Analysis, chapter 2). Pure.

import type { Calibration } from "../../protocol/index.ts";

/** One judged value or finding: `votes` of `of` seats gave it. */
export interface CalibrationSample {
  readonly votes: number;
  readonly of: number;
  readonly isRight: boolean;
}

/** The learnt parameters, as a ballot carries them. The cells are sorted by `of`, then by `votes`. */
export type { Calibration } from "../../protocol/index.ts";

/**
 * The calibration without cases: the share of agreement, moved a little towards one half (Krichevsky and Trofimov
 * 1981).
 */
export const UNCALIBRATED: Calibration = { intercept: 0, slope: 1, cells: [] };

/** The number of cases that the curve is worth against cases of the same count. */
export const PRIOR_CASES = 4;
/** The precision of the normal priors that keep the curve finite: standard deviation 2 around {@link UNCALIBRATED}. */
const RIDGE = 1 / 4;
/** The bound on the steps of Newton's method. Two parameters normally converge in fewer than ten. */
const MAX_FIT_STEPS = 50;

/** Learns a calibration from judged cases. The order of the cases makes no difference. */
export function fitCalibration(samples: readonly CalibrationSample[]): Calibration {
  const cells = new Map<string, [number, number, number, number]>();
  for (const { votes, of, isRight } of samples) {
    const cell = cells.get(`${votes}/${of}`) ?? [votes, of, 0, 0];
    cell[2] += isRight ? 1 : 0;
    cell[3] += 1;
    cells.set(`${votes}/${of}`, cell);
  }
  const sorted = [...cells.values()].sort((a, b) => a[1] - b[1] || a[0] - b[0]);
  return { ...fitCurve(sorted), cells: sorted };
}

/** The probability, 0 to 1, that a value is right when `votes` of `of` seats gave it. */
export function confidenceOf({ intercept, slope, cells }: Calibration, votes: number, of: number): number {
  const expected = logistic(intercept + slope * logOddsOfAgreement(votes, of));
  const cell = cells.find(([cellVotes, cellOf]) => cellVotes === votes && cellOf === of);
  if (cell === undefined) return expected;
  const [, , right, total] = cell;
  return (right + PRIOR_CASES * expected) / (total + PRIOR_CASES);
}

/** One bucket of a reliability diagram: the claimed confidence and the observed precision. */
export interface ReliabilityBucket {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** The mean confidence in the bucket. */
  readonly confidence: number;
  /** The share of right values in the bucket. */
  readonly precision: number;
}

/** Compares confidences with the truth in buckets of equal width, without the empty buckets (Guo et al. 2017). */
export function reliabilityOf(
  judged: readonly { readonly confidence: number; readonly isRight: boolean }[],
  bucketCount = 10,
): ReliabilityBucket[] {
  return Array.from({ length: bucketCount }, (_, index) => {
    const inside = judged.filter(
      ({ confidence }) => Math.min(Math.floor(confidence * bucketCount), bucketCount - 1) === index,
    );
    return {
      from: index / bucketCount,
      to: (index + 1) / bucketCount,
      count: inside.length,
      confidence: inside.reduce((sum, { confidence }) => sum + confidence, 0) / inside.length,
      precision: inside.filter(({ isRight }) => isRight).length / inside.length,
    };
  }).filter(({ count }) => count > 0);
}

/** The curve with the highest posterior probability, by Newton's method. */
function fitCurve(cells: Calibration["cells"]): { intercept: number; slope: number } {
  let intercept = 0;
  let slope = 1;
  for (let step = 0; step < MAX_FIT_STEPS; step += 1) {
    let [gradientA, gradientB, aa, ab, bb] = [-RIDGE * intercept, -RIDGE * (slope - 1), RIDGE, 0, RIDGE];
    for (const [votes, of, right, total] of cells) {
      const x = logOddsOfAgreement(votes, of);
      const expected = logistic(intercept + slope * x);
      const curvature = total * expected * (1 - expected);
      gradientA += right - total * expected;
      gradientB += (right - total * expected) * x;
      aa += curvature;
      ab += curvature * x;
      bb += curvature * x * x;
    }
    const determinant = aa * bb - ab * ab;
    const [moveA, moveB] = [
      (bb * gradientA - ab * gradientB) / determinant,
      (aa * gradientB - ab * gradientA) / determinant,
    ];
    // At most half a unit: far from the optimum a full step can overshoot to a place where the curve is flat.
    const scale = Math.min(1, 0.5 / Math.max(Math.abs(moveA), Math.abs(moveB), 1e-300));
    intercept += scale * moveA;
    slope += scale * moveB;
    if (Math.abs(moveA) + Math.abs(moveB) < 1e-9) break;
  }
  return { intercept, slope };
}

function logOddsOfAgreement(votes: number, of: number): number {
  return Math.log((votes + 0.5) / (of - votes + 0.5));
}

function logistic(logOdds: number): number {
  return 1 / (1 + Math.exp(-logOdds));
}
