// Combines numbers into one: mean, median and trimmed mean, with the spread of the numbers. Sums are taken in ascending
// order, so that they do not depend on the order of the answers. Pure.

import { assert } from "../../base/index.ts";
import { type BallotSpec, DEFAULT_TRIM } from "../../protocol/index.ts";
import { ascending, type Decision, PENDING, type Poll, type Tally, tooFew } from "./types.ts";

/**
 * Combines the votes into one number. It decides while seats are open only if their numbers would be cut off and the
 * remaining numbers are equal, so that no open answer can change the value.
 */
export function tallyNumbers({ spec, votes, open }: Poll, least: number): Tally {
  if (votes.length + open.length < least) return tooFew(votes.length, least);
  if (open.length > 0 && votes.length < least) return PENDING;
  const sorted = votes.map(({ value }) => value as number).sort(ascending);
  const keep = windowOf(spec);
  for (let more = 1; more <= open.length; more += 1) {
    if (!isFixed(sorted, more, keep(sorted.length + more))) return PENDING;
  }
  const { from, to } = keep(sorted.length);
  const value = meanOf(sorted.slice(from, to));
  return {
    outcome: "decided",
    value,
    supporters: votes
      .filter((vote) => isNear(vote.value as number, value, spec))
      .map(({ seat }) => seat)
      .sort(ascending),
    spread: spreadOf(sorted),
  };
}

/** The default tolerance: numbers within 5 % of the value support it. */
export const DEFAULT_TOLERANCE_RATIO = 0.05;

/** Whether a seat's number supports the value: it lies within the ballot's tolerance (default 5 %). */
export function isNear(number: number, value: number, { normalise }: Pick<BallotSpec, "normalise">): boolean {
  return Math.abs(number - value) <= (normalise?.tolerance ?? Math.abs(value) * DEFAULT_TOLERANCE_RATIO);
}

/** Returns the range of `count` sorted numbers that is averaged: `from` up to, but not including, `to`. */
function windowOf({
  strategy,
  trim = DEFAULT_TRIM,
}: BallotSpec): (count: number) => { from: number; to: number } {
  return (count) => {
    const share = strategy === "trimmed" ? trim : 0;
    const cut = strategy === "median" ? Math.floor((count - 1) / 2) : Math.floor(share * count);
    return { from: cut, to: count - cut };
  };
}

/**
 * Whether any `more` numbers would leave the average unchanged: all of them could be cut off at one end, and all
 * numbers that could then remain are equal.
 */
function isFixed(sorted: readonly number[], more: number, kept: { from: number }): boolean {
  const lowest = kept.from - more;
  const highest = sorted.length - 1 - lowest;
  return lowest >= 0 && sorted[lowest] === sorted[highest];
}

/** The mean of at least one number. It stays between the least and the greatest number in spite of rounding. */
function meanOf(sorted: readonly number[]): number {
  const mean = sorted.reduce((sum, number) => sum + number, 0) / sorted.length;
  assert(Number.isFinite(mean), "numbers were bounded when they were read");
  return Math.min(Math.max(mean, sorted[0]!), sorted.at(-1)!) + 0; // Minus zero becomes zero.
}

function spreadOf(sorted: readonly number[]): NonNullable<Decision["spread"]> {
  const mean = meanOf(sorted);
  const squares = sorted.reduce((sum, number) => sum + (number - mean) ** 2, 0);
  const median = medianOf(sorted);
  return {
    min: sorted[0]!,
    max: sorted.at(-1)!,
    standardDeviation: sorted.length < 2 ? 0 : Math.sqrt(squares / (sorted.length - 1)),
    medianAbsoluteDeviation: medianOf(sorted.map((number) => Math.abs(number - median)).sort(ascending)),
  };
}

function medianOf(sorted: readonly number[]): number {
  const middle = Math.floor((sorted.length - 1) / 2);
  return meanOf(sorted.slice(middle, sorted.length - middle));
}
