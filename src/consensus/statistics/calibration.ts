// How far agreement can be trusted: from cases whose truth is known, the probability that a value is right when so many of
// so many gave it. Two stages. A logistic curve over the log-odds of agreement (Platt 1999) says what to expect where little
// was seen; the cases of the same count then move it, as observations move a Beta prior (Gelman et al., Bayesian Data Analysis, chapter 2).

import type { Calibration } from "../../protocol/index.ts";

/** One judged value or finding: `votes` of `of` gave it. */
export interface CalibrationSample {
  readonly votes: number;
  readonly of: number;
  readonly isRight: boolean;
}

/** What was learnt, as a ballot carries it; cells by `of`, then `votes`. */
export type { Calibration } from "../../protocol/index.ts";

/** Nothing learnt: confidence is the share of agreement, drawn a little towards one half (Krichevsky and Trofimov 1981). */
export const UNCALIBRATED: Calibration = { intercept: 0, slope: 1, cells: [] };

/** How many cases the curve is worth against cases of the very same count. */
export const PRIOR_CASES = 4;
/** Precision of the normal priors that keep the curve finite: standard deviation 2 about {@link UNCALIBRATED}. */
const RIDGE = 1 / 4;
/** Newton's method on two parameters converges in under ten steps; the bound is for numbers that do not. */
const MAX_STEPS = 50;

/** Learns from judged cases. Their order makes no difference. */
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

/** The probability that what `votes` of `of` gave is right, 0 to 1. */
export function confidenceOf({ intercept, slope, cells }: Calibration, votes: number, of: number): number {
  const expected = logistic(intercept + slope * logOddsOfAgreement(votes, of));
  const cell = cells.find(([cellVotes, cellOf]) => cellVotes === votes && cellOf === of);
  if (cell === undefined) return expected;
  const [, , right, total] = cell;
  return (right + PRIOR_CASES * expected) / (total + PRIOR_CASES);
}

/** One bucket of a reliability diagram: what was claimed, and what was so. */
export interface ReliabilityBucket {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** The mean confidence in the bucket. */
  readonly confidence: number;
  /** The share that was right. */
  readonly precision: number;
}

/** Judges confidences against the truth, in buckets of equal width; empty ones are left out (Guo et al. 2017). */
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
  for (let step = 0; step < MAX_STEPS; step += 1) {
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
    // Half a unit at most: from far away a full step can overshoot into where the curve is flat.
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
