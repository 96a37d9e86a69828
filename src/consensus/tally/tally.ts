// From votes to an outcome: one function for each strategy, over values that were read and normalised before. Owns which
// function counts what, and what a count is given and gives back.
//
// T1  The outcome depends on the votes, not on their order. Only `first` looks at the order in which they arrived.
// T2  A count that is not pending stays: whatever the open seats answer, or if they never do, it would end the same.
// T3  Weights come with the poll, from the registry. Nothing in a vote can change what it weighs.

import { type BallotSpec, voterCountOf } from "../../protocol/index.ts";
import { byzantineQuorumOf, majorityOf } from "../quorum.ts";
import { type Calibration, confidenceOf } from "../statistics/calibration.ts";
import { tallyAdvice } from "./advice.ts";
import { tallyFirst, tallyThreshold, tallyUnanimous, weighUnits } from "./count.ts";
import { tallyMerge } from "./merge.ts";
import { tallyNumbers } from "./number.ts";
import { tallyRanked } from "./rank.ts";
import type { Poll, Tally } from "./types.ts";

/** Counts the poll by its strategy. */
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

/** How many valid answers a decision needs: what the ballot says, or as many as its strategy needs to agree. */
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
 * How many answers a ballot hears in any case, if that many are given: whatever they say, it goes on at least so long. Whether
 * it hears later ones depends on what those said, so that pairs with them are no fair sample of how answers go together.
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
      // Lost: no open seat can catch up, second + open < top, nor lift the top to what is needed, top + open < needed.
      const mostOpen = endsWhenLost ? Math.max(0, Math.floor((needed - 3) / 2)) : 0;
      return Math.min(Math.max(least, needed), voters - mostOpen);
    }
    case "unanimous":
      return endsWhenLost ? Math.min(2, voters) : voters;
    case "weighted":
      // Of two that differ the heavier one can still win; three can leave a ballot without a majority.
      return endsWhenLost ? Math.min(3, least) : least;
    case "merge":
    case "judge":
    case "verifier":
      return voters;
    default:
      return least;
  }
}

/** How many equal answers decide. */
function neededOf(spec: BallotSpec, voters: number): number {
  if (spec.strategy === "bft") return byzantineQuorumOf(voters);
  return spec.strategy === "quorum" ? spec.quorum! : majorityOf(voters);
}

function confidence(
  calibration: Calibration | undefined,
): ((votes: number, of: number) => number) | undefined {
  return calibration && ((votes, of) => confidenceOf(calibration, votes, of));
}
