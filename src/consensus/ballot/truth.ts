// Compares a known truth with the answers and the verdict of a ballot. Values are kept as marks, which are short enough
// to store for every ballot. Owns reading and comparing truths; statistics/voters.ts and comparison.ts learn from the
// comparison. Pure.

import { type BallotSpec, canonicalJson, type Json, STRATEGY_RULES } from "../../protocol/index.ts";
import { hashValue, type Reading, readAnswer } from "../tally/answer.ts";
import { isNear } from "../tally/number.ts";
import { verdictValueOf } from "./verdict.ts";

/** A stored value: its hash, or the number itself for ballots over numbers, because those compare by distance. */
export type Mark = string;

/** The fields of a ballot that decide how values are compared. */
export type TruthSpec = Pick<BallotSpec, "normalise" | "strategy">;

/** Whether a ballot of this strategy can be right or wrong as a whole. For a `merge`, each finding is right or wrong. */
export function canBeJudged({ strategy }: Pick<BallotSpec, "strategy">): boolean {
  return strategy !== "merge";
}

/** The mark of a verdict's value or of a truth. */
export function markOf(spec: TruthSpec, value: Json): Mark {
  return countsNumbers(spec) ? canonicalJson(value) : hashValue(value);
}

/** The mark of a seat's answer. For a ranking it is the mark of the first candidate. */
export function markOfAnswer(spec: TruthSpec, answer: Json): Mark {
  return markOf(spec, verdictValueOf(spec, answer));
}

/** Whether both marks are equal. For numbers: whether `mark` is within the ballot's tolerance of `truth`; default 5 %. */
export function isSame(spec: TruthSpec, mark: Mark, truth: Mark): boolean {
  return countsNumbers(spec) ? isNear(Number(mark), Number(truth), spec) : mark === truth;
}

/** Reads a truth as it reads a seat's value at the pointer. The truth of a ranked ballot is one candidate. */
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
