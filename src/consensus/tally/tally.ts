// Counts a poll: one function for each strategy, over values that the ballot has read and normalised. Owns the choice of the
// function and the number of answers that a strategy needs. ballot/ballot.ts calls it. Pure.
//
// T1  The outcome depends on the votes, not on their order. Only `first` uses the order of arrival.
// T2  A count that is not pending is final: no answer of an open seat, and no silence, would change it.
// T3  Weights come from the registry, with the poll. The content of a vote cannot change its weight.

import { type BallotSpec, voterCountOf } from "../../protocol/index.ts";
import { byzantineQuorumOf, majorityOf } from "../quorum.ts";
import { type Calibration, confidenceOf } from "../statistics/calibration.ts";
import { tallyAdvice } from "./advice.ts";
import { tallyFirst, tallyThreshold, tallyUnanimous, weighUnits } from "./count.ts";
import { tallyMerge } from "./merge.ts";
import { tallyNumbers } from "./number.ts";
import { tallyRanked } from "./rank.ts";
import type { Poll, Tally } from "./types.ts";

/** Counts the poll by the strategy of its ballot. */
export function tally(poll: Poll): Tally {
  const { spec, voters } = poll;
  const least = minAnswersOf(spec);
  switch (spec.strategy) {
    case "first":
      return tallyFirst(poll, least);
    case "majority":
    case "quorum":
    case "bft":
      return tallyThreshold(poll, { needed: neededOf(spec, voters.length), least });
    case "weighted": {
      const weigh = (seat: number) => weighUnits(poll.weights[seat]);
      const whole = voters.reduce((sum, seat) => sum + weigh(seat), 0);
      return tallyThreshold(poll, { needed: majorityOf(whole), least, weigh });
    }
    case "unanimous":
      return tallyUnanimous(poll, least);
    case "ranked":
      return tallyRanked(poll, least);
    case "mean":
    case "median":
    case "trimmed":
      return tallyNumbers(poll, least);
    case "merge":
      return tallyMerge(poll, least, confidence(poll.spec.calibration));
    case "judge":
    case "verifier":
      return tallyAdvice(poll, least);
    default:
      return spec.strategy satisfies never;
  }
}

/**
 * The number of valid answers that a decision needs: the ballot's `minAnswers`, or the number that must agree by its
 * strategy.
 */
export function minAnswersOf(spec: BallotSpec): number {
  if (spec.minAnswers !== undefined) return spec.minAnswers;
  const voters = voterCountOf(spec);
  switch (spec.strategy) {
    case "first":
      return 1;
    case "quorum":
      return spec.quorum!;
    case "unanimous":
      return voters;
    case "bft":
      return byzantineQuorumOf(voters);
    default:
      return majorityOf(voters);
  }
}

/**
 * The number of answers that a ballot always waits for, regardless of their values. The values of these answers decide whether
 * the ballot waits for more. So a later answer is a biased sample, and must not count in the correlation of voters.
 */
export function certainAnswersOf(spec: BallotSpec): number {
  const voters = voterCountOf(spec);
  const least = minAnswersOf(spec);
  const endsWhenLost = spec.onDisagreement === "fail";
  switch (spec.strategy) {
    case "majority":
    case "quorum":
    case "bft": {
      const needed = neededOf(spec, voters);
      // A ballot is lost if open seats cannot catch up (second + open < top) or reach the threshold (top + open <
      // needed).
      const mostOpen = endsWhenLost ? Math.max(0, Math.floor((needed - 3) / 2)) : 0;
      return Math.min(Math.max(least, needed), voters - mostOpen);
    }
    case "unanimous":
      return endsWhenLost ? Math.min(2, voters) : voters;
    case "weighted":
      // After two different answers the heavier one can still win. Three can leave the ballot without a majority.
      return endsWhenLost ? Math.min(3, least) : least;
    case "merge":
    case "judge":
    case "verifier":
      return voters;
    default:
      return least;
  }
}

/** The number of equal answers that decide. */
function neededOf(spec: BallotSpec, voters: number): number {
  if (spec.strategy === "bft") return byzantineQuorumOf(voters);
  return spec.strategy === "quorum" ? spec.quorum! : majorityOf(voters);
}

function confidence(
  calibration: Calibration | undefined,
): ((votes: number, of: number) => number) | undefined {
  return calibration && ((votes, of) => confidenceOf(calibration, votes, of));
}
