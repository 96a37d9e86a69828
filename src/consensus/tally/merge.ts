// Findings of several seats as one list: the same finding is recognised by its key, and what counts is how many report it.

import type { Json, JsonObject } from "../../protocol/index.ts";
import { keyOf } from "./answer.ts";
import { ascending, PENDING, type Poll, type Tally, tooFew } from "./types.ts";

/** The most findings in a verdict; those that fewest seats report are left out, and counted. */
export const MAX_MERGED_FINDINGS = 1_000;

/** One merged finding, as it stands in the verdict's list. */
export interface MergedFinding extends JsonObject {
  /** As the lowest seat that reports it wrote it, normalised. */
  readonly finding: Json;
  readonly seats: readonly number[];
  /** The share of the seats that answered which report it. */
  readonly agreement: number;
}

/**
 * Merges once no seat is open, because any of them may report more. Kept are the findings that at least `quorum` seats
 * report (default 1): most reported first, equally reported ones by key. `confidenceOf` adds how likely each is right.
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

/** How far merged seats agree: the mean agreement of their findings, 1 when all of them found nothing. */
export function agreementOfMerged(findings: readonly MergedFinding[]): number {
  if (findings.length === 0) return 1;
  return findings.reduce((sum, { agreement }) => sum + agreement, 0) / findings.length;
}
