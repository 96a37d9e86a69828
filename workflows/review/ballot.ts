// The linters' ballot over one part of the code: what is asked of whom, and what its verdict says. Pure. How seats are counted is
// the ballot's (src/consensus); what the counts are worth is calibration.ts, data that tools/rigs/calibrate-review.ts makes.
import { type BallotInput, confidenceOf, type Verdict } from "murmur";
import { type Linter, type Place, placeSchema } from "../../agents/lib/review/index.ts";
import { REVIEW_CALIBRATION } from "./calibration.ts";

/** A place at which at least one linter reports a kind that all of them know. */
export interface AgreedPlace extends Place {
  /** The linters that report it. */
  readonly agreedBy: readonly Linter[];
  /** The linters that answered. */
  readonly answered: readonly Linter[];
  /** How likely it is right, by the ballot's calibration. */
  readonly confidence: number;
}

/**
 * One seat for each linter; the same kind on the same line of the same file is one finding. One answer decides: a linter that
 * breaks costs its own findings.
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

/** What the seats said together; nothing where the ballot decided nothing. */
export function readVerdict({ value, seats }: Verdict, linters: readonly Linter[]): AgreedPlace[] {
  if (!Array.isArray(value)) return [];
  const answered = seats.flatMap(({ seat, value: said }) => (said === undefined ? [] : nameOf(seat)));
  return (value as { finding: unknown; seats: number[]; confidence: number }[]).map((merged) => ({
    ...placeSchema.parse(merged.finding),
    agreedBy: merged.seats.flatMap(nameOf),
    answered,
    confidence: merged.confidence,
  }));

  function nameOf(seat: number): Linter[] {
    return linters.slice(seat - 1, seat);
  }
}

/** What agreement is worth where not all seats count, by the same calibration. */
export function worthOf(agreeing: number, able: number): number {
  return confidenceOf(REVIEW_CALIBRATION, agreeing, able);
}

/** How often a count was right among the labelled findings. */
export interface AgreementLevel {
  agreeing: number;
  able: number;
  /** What a finding with this agreement is given as its confidence. */
  confidence: number;
  right: number;
  labelled: number;
}

/** The counts that can occur among `able` linters, the highest first. */
export function agreementLevels(able: number): AgreementLevel[] {
  return REVIEW_CALIBRATION.cells
    .filter(([, of]) => of === able)
    .map(([agreeing, of, right, labelled]) => ({
      agreeing,
      able: of,
      confidence: roundConfidence(worthOf(agreeing, of)),
      right,
      labelled,
    }))
    .reverse();
}

/** Confidence as it is told: a third digit would claim more than was measured. */
export function roundConfidence(confidence: number): number {
  return Math.round(100 * confidence) / 100;
}
