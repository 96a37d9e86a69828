// What a known answer says of the seats and of the verdict: values as marks, short enough to be kept of every ballot, and
// whether two marks say the same. Owns how a truth is read and compared; what is learnt from it is statistics.ts and single.ts.

import { type BallotSpec, canonicalJson, type Json, STRATEGY_RULES } from "../../protocol/index.ts";
import { hashValue, type Reading, readAnswer } from "../tally/answer.ts";
import { isNear } from "../tally/number.ts";
import { verdictValueOf } from "./verdict.ts";

/** A value as it is kept: its hash, or of ballots over numbers the number itself, because a truth is near it or not. */
export type Mark = string;

/** What of a ballot says how values are compared. */
export type TruthSpec = Pick<BallotSpec, "normalise" | "strategy">;

/** Whether a ballot of this strategy can be right or wrong as a whole. A `merge` can not: each of its findings is. */
export function canBeJudged({ strategy }: Pick<BallotSpec, "strategy">): boolean {
  return strategy !== "merge";
}

/** The mark of a verdict's value, or of a truth. */
export function markOf(spec: TruthSpec, value: Json): Mark {
  return countsNumbers(spec) ? canonicalJson(value) : hashValue(value);
}

/** The mark of what a seat answered: of a ranking, what it puts first. */
export function markOfAnswer(spec: TruthSpec, answer: Json): Mark {
  return markOf(spec, verdictValueOf(spec, answer));
}

/** Whether both marks say the same; of numbers: whether `mark` is within the ballot's tolerance of `truth`, or 5 % of it. */
export function isSame(spec: TruthSpec, mark: Mark, truth: Mark): boolean {
  return countsNumbers(spec) ? isNear(Number(mark), Number(truth), spec) : mark === truth;
}

/** Reads a truth as a seat's value at the pointer is read; of a ranked ballot it is one candidate. */
export function readTruth(value: unknown, { normalise, strategy }: TruthSpec): Reading {
  const plain = countsNumbers({ strategy }) ? strategy : "majority";
  return readAnswer(value, {
    pointer: "",
    seats: 1,
    strategy: plain,
    ...(normalise === undefined ? {} : { normalise }),
  });
}

function countsNumbers({ strategy }: Pick<BallotSpec, "strategy">): boolean {
  return STRATEGY_RULES[strategy].counts === "number";
}
