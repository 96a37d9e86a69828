// Merges the findings of several seats into one list. Findings with equal keys are the same finding; the list is
// ordered by the number of seats that report each finding. Pure.

import type { Json, JsonObject } from "../../protocol/index.ts";
import { keyOf } from "./answer.ts";
import { ascending, PENDING, type Poll, type Tally, tooFew } from "./types.ts";

/** The most findings in a verdict. The findings with the fewest seats are omitted, and the verdict has their number. */
export const MAX_MERGED_FINDINGS = 1_000;

/** One merged finding in the verdict's list. */
export interface MergedFinding extends JsonObject {
  /** The finding as the lowest reporting seat wrote it, normalised. */
  readonly finding: Json;
  readonly seats: readonly number[];
  /** The share of the answering seats that report the finding. */
  readonly agreement: number;
}

/**
 * Merges the findings after the last seat has answered, because every open seat may report more. It keeps the findings
 * that at least `quorum` seats report (default 1), sorted by the number of seats, then by key. `confidenceOf` adds the
 * probability that a finding is right.
 */
export function tallyMerge(
  { spec, votes, open }: Poll,
  least: number,
  confidenceOf?: (votes: number, of: number) => number,
): Tally {
  if (votes.length + open.length < least) return tooFew(votes.length, least);
  if (open.length > 0) return PENDING;
  const byKey = new Map<string, { finding: Json; seats: number[] }>();
  for (const { seat, value } of [...votes].sort((a, b) => a.seat - b.seat)) {
    for (const finding of value as readonly Json[]) {
      const key = keyOf(finding, spec)!;
      const merged = byKey.get(key) ?? { finding, seats: [] };
      if (merged.seats.at(-1) !== seat) merged.seats.push(seat);
      byKey.set(key, merged);
    }
  }
  const kept = [...byKey]
    .filter(([, { seats }]) => seats.length >= (spec.quorum ?? 1))
    .sort(([keyA, a], [keyB, b]) => b.seats.length - a.seats.length || (keyA < keyB ? -1 : 1))
    .map(([, { finding, seats }]): MergedFinding => {
      const agreement = seats.length / votes.length;
      return confidenceOf === undefined
        ? { finding, seats, agreement }
        : { finding, seats, agreement, confidence: confidenceOf(seats.length, votes.length) };
    });
  const omitted = kept.length - MAX_MERGED_FINDINGS;
  return {
    outcome: "decided",
    value: kept.slice(0, MAX_MERGED_FINDINGS),
    supporters: votes.map(({ seat }) => seat).sort(ascending),
    ...(omitted > 0 ? { omitted } : {}),
  };
}

/** The mean agreement of merged findings; 1 when no seat found anything. */
export function agreementOfMerged(findings: readonly MergedFinding[]): number {
  if (findings.length === 0) return 1;
  return findings.reduce((sum, { agreement }) => sum + agreement, 0) / findings.length;
}
