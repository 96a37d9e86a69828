// Strategies that count equal values: first, a threshold of seats or of weight, unanimity; and the plurality that may be
// accepted where none of them is reached.

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

/** Weights are counted in millionths, as whole numbers: their sum does not depend on the order of adding. */
export const WEIGHT_UNITS = 1_000_000;

/** A registry's weight in whole units; no weight is none. */
export function weighUnits(weight: number | undefined): number {
  if (weight === undefined) return 0;
  assert(weight >= 0 && weight <= 1_000_000, `a weight from the registry is in [0, 1e6], not ${weight}`);
  return Math.round(weight * WEIGHT_UNITS);
}

/** The first answer to arrive, once `least` have. */
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
  /** What a value needs: so many seats, or so much weight in units. */
  readonly needed: number;
  /** The answers that a decision needs. */
  readonly least: number;
  /** The weight of a seat in units; without it each seat is one. */
  readonly weigh?: (seat: number) => number;
}

/** The heaviest value, if it has the weight that is needed and stands alone. Two as heavy are a tie. */
export function tallyThreshold({ votes, open }: Poll, { needed, least, ...rule }: Threshold): Tally {
  const weigh = rule.weigh ?? one;
  if (votes.length + open.length < least) return tooFew(votes.length, least);
  const [top, second] = supportOf(votes, weigh);
  const openWeight = open.reduce((sum, seat) => sum + weigh(seat), 0);
  if (openWeight > 0 || (open.length > 0 && votes.length < least)) {
    const isHopeless = (top?.weight ?? 0) + openWeight < needed;
    if (top === undefined && open.length === 1 && isHopeless)
      return noQuorum("one answer at most, and more are needed");
    // What no open seat can catch up with stays on top: another value that is there, or one not heard yet.
    const isSafe = top !== undefined && (second?.weight ?? 0) + openWeight < top.weight;
    if (!isSafe) return PENDING;
    if (top.weight >= needed) return votes.length >= least ? decide(top, true) : PENDING;
    return isHopeless ? short(top, needed, rule.weigh !== undefined) : PENDING;
  }
  if (top === undefined || top.weight === 0)
    return noQuorum(votes.length === 0 ? "nobody answered" : "no answer has any weight");
  if (second?.weight === top.weight) return split(top, second);
  return top.weight >= needed ? decide(top, open.length > 0) : short(top, needed, rule.weigh !== undefined);
}

/** The value that everybody gave who answered, once nobody can object any more. */
export function tallyUnanimous({ votes, open }: Poll, least: number): Tally {
  const [top, second] = supportOf(votes, one);
  if (top !== undefined && second !== undefined)
    return noQuorum(`not unanimous: ${top.seats.length} against ${votes.length - top.seats.length} seats`);
  if (votes.length + open.length < least) return tooFew(votes.length, least);
  if (open.length > 0) return PENDING;
  return top === undefined ? noQuorum("nobody answered") : decide(top);
}

/** The value that most seats gave, whatever was needed; equally many are a tie. */
export function tallyPlurality(
  votes: readonly Vote[],
  weigh: (seat: number) => number = one,
): Decision | Indecision {
  const [top, second] = supportOf(votes, weigh);
  if (top === undefined) return noQuorum("nobody answered");
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
