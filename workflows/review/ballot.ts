// The linters' ballot over one part of the code: makes the ballot, and reads its verdict. Pure. Leaves the count of the seats to
// src/consensus, and the calibration of each count to calibration.ts, which tools/rigs/review-trial.ts writes.
import { type BallotInput, confidenceOf, type Verdict } from "murmur-swarm";
import { type Linter, type Place, placeSchema } from "../../agents/lib/review/index.ts";
import { REVIEW_CALIBRATION } from "./calibration.ts";

/** A place at which at least one linter reports a kind that all of them know. */
export interface AgreedPlace extends Place {
  /** The linters that report it. */
  readonly agreedBy: readonly Linter[];
  /** The linters that answered. */
  readonly answered: readonly Linter[];
}

/**
 * Makes a ballot with one seat for each linter. The same kind on the same line of the same file is one finding. One answer is
 * enough for a verdict: a linter that fails costs only its own findings.
 */
export function lintBallot(linters: readonly Linter[], timeoutMs: number): BallotInput {
  return {
    seats: linters.length,
    panel: [...linters],
    strategy: "merge",
    pointer: "/places",
    key: ["/file", "/line", "/kind"],
    minAnswers: 1,
    timeoutMs,
    calibration: REVIEW_CALIBRATION,
  };
}

/** Reads the places of a verdict; none when the ballot has no value. */
export function readVerdict({ value, seats }: Verdict, linters: readonly Linter[]): AgreedPlace[] {
  if (!Array.isArray(value)) return [];
  const answered = seats.flatMap(({ seat, value: vote }) => (vote === undefined ? [] : nameOf(seat)));
  return (value as { finding: unknown; seats: number[] }[]).map((merged) => ({
    ...placeSchema.parse(merged.finding),
    agreedBy: merged.seats.flatMap(nameOf),
    answered,
  }));

  function nameOf(seat: number): Linter[] {
    return linters.slice(seat - 1, seat);
  }
}

/** Returns how often a finding of `agreeing` of `able` linters was useful among the labelled findings, whatever its kind. */
export function calibratedConfidence(agreeing: number, able: number): number {
  return confidenceOf(REVIEW_CALIBRATION, agreeing, able);
}

/** One level of agreement, and how often its labelled findings were useful. */
export interface AgreementLevel {
  agreeing: number;
  able: number;
  /** The share of useful findings with this agreement, as the calibration smooths it. */
  confidence: number;
  /** The number of useful ones among the labelled findings. */
  right: number;
  labelled: number;
}

/** Lists the levels of agreement among `able` linters, the highest first. */
export function agreementLevels(able: number): AgreementLevel[] {
  return REVIEW_CALIBRATION.cells
    .filter(([, of]) => of === able)
    .map(([agreeing, of, right, labelled]) => ({
      agreeing,
      able: of,
      confidence: roundConfidence(calibratedConfidence(agreeing, of)),
      right,
      labelled,
    }))
    .reverse();
}

/** Rounds a confidence to two digits; a third digit would claim more precision than was measured. */
export function roundConfidence(confidence: number): number {
  return Math.round(100 * confidence) / 100;
}
