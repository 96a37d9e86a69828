// The strategies that count equal values: the first answer, a threshold of seats or of weight, and unanimity. Also the
// plurality, for ballots that accept it when the strategy reaches no decision. Pure.

import { assert } from "../../base/index.ts";
import {
  ascending,
  type Decision,
  type Indecision,
  noQuorum,
  PENDING,
  type Poll,
  type Support,
  supportOf,
  type Tally,
  tooFew,
  type Vote,
} from "./types.ts";

/** The unit of weights: counts use whole millionths, so that a sum does not depend on the order of adding. */
export const WEIGHT_UNITS = 1_000_000;

/** A weight from the registry in whole units; 0 without a weight. */
export function weighUnits(weight: number | undefined): number {
  if (weight === undefined) return 0;
  assert(weight >= 0 && weight <= 1_000_000, `a weight from the registry is in [0, 1e6], not ${weight}`);
  return Math.round(weight * WEIGHT_UNITS);
}

/** The first answer to arrive, after at least `least` answers have arrived. */
export function tallyFirst({ votes, open }: Poll, least: number): Tally {
  const first = votes.reduce<(typeof votes)[number] | undefined>(
    (earliest, vote) => (earliest === undefined || vote.arrival < earliest.arrival ? vote : earliest),
    undefined,
  );
  if (first !== undefined && votes.length >= least) {
    return decide(supportOf(votes, one).find(({ seats }) => seats.includes(first.seat))!);
  }
  return votes.length + open.length < least ? tooFew(votes.length, least) : PENDING;
}

interface Threshold {
  /** The number of seats, or the weight in units, that a value needs. */
  readonly needed: number;
  /** The number of answers that a decision needs. */
  readonly least: number;
  /** Returns the weight of a seat in units. Default: each seat counts 1. */
  readonly weigh?: (seat: number) => number;
}

/**
 * The heaviest value, if it reaches the needed weight and no other value is as heavy. Two equally heavy values are a
 * tie.
 */
export function tallyThreshold({ votes, open }: Poll, { needed, least, ...rule }: Threshold): Tally {
  const weigh = rule.weigh ?? one;
  if (votes.length + open.length < least) return tooFew(votes.length, least);
  const [top, second] = supportOf(votes, weigh);
  const openWeight = open.reduce((sum, seat) => sum + weigh(seat), 0);
  if (openWeight > 0 || (open.length > 0 && votes.length < least)) {
    const isHopeless = (top?.weight ?? 0) + openWeight < needed;
    if (top === undefined && open.length === 1 && isHopeless)
      return noQuorum("one answer at most, and more are needed");
    // The top value is safe if the open seats cannot lift another value, present or new, to its weight.
    const isSafe = top !== undefined && (second?.weight ?? 0) + openWeight < top.weight;
    if (!isSafe) return PENDING;
    if (top.weight >= needed) return votes.length >= least ? decide(top, true) : PENDING;
    return isHopeless ? short(top, needed, rule.weigh !== undefined) : PENDING;
  }
  if (top === undefined || top.weight === 0)
    return noQuorum(votes.length === 0 ? "no seat answered" : "no answer has any weight");
  if (second?.weight === top.weight) return split(top, second);
  return top.weight >= needed ? decide(top, open.length > 0) : short(top, needed, rule.weigh !== undefined);
}

/** The value that all answers share, after no seat can object any more. */
export function tallyUnanimous({ votes, open }: Poll, least: number): Tally {
  const [top, second] = supportOf(votes, one);
  if (top !== undefined && second !== undefined)
    return noQuorum(`not unanimous: ${top.seats.length} against ${votes.length - top.seats.length} seats`);
  if (votes.length + open.length < least) return tooFew(votes.length, least);
  if (open.length > 0) return PENDING;
  return top === undefined ? noQuorum("no seat answered") : decide(top);
}

/** The value that most seats gave, without a threshold. Two equally common values are a tie. */
export function tallyPlurality(
  votes: readonly Vote[],
  weigh: (seat: number) => number = one,
): Decision | Indecision {
  const [top, second] = supportOf(votes, weigh);
  if (top === undefined) return noQuorum("no seat answered");
  return second?.weight === top.weight ? split(top, second) : decide(top);
}

function decide({ value, seats }: Support, byQuorum = false): Decision {
  return { outcome: "decided", value, supporters: [...seats].sort(ascending), byQuorum };
}

function split(top: Support, second: Support): Indecision {
  return {
    outcome: "tie",
    reason: `split: ${top.seats.length} and ${second.seats.length} seats for different values`,
  };
}

function short({ weight }: Support, needed: number, isWeight: boolean): Indecision {
  const have = isWeight
    ? `${(weight / WEIGHT_UNITS).toFixed(2)} of ${(needed / WEIGHT_UNITS).toFixed(2)} weight`
    : `${weight} of ${needed} equal answers`;
  return noQuorum(`the most common value has ${have}`);
}

function one(): number {
  return 1;
}
