// Counts rankings, best first, by Borda's count or by Schulze's method; tally.ts calls it. Schulze's method also has an
// answer when majorities form a circle. Candidates that a ranking leaves out rank below all candidates that it names, and
// level with each other. Pure.

import { assert } from "../../base/index.ts";
import { canonicalJson, type Json, MAX_CANDIDATES } from "../../protocol/index.ts";
import { candidatesOf } from "./answer.ts";
import { ascending, noQuorum, PENDING, type Poll, type Tally, tooFew, type Vote } from "./types.ts";

/**
 * The best-ranked candidate. If the ballot lists no candidates, an open seat may name new ones, so the count decides
 * only after the last seat. If the ballot lists them, it decides as soon as the lead of the best candidate over every
 * other is larger than the open seats can change.
 */
export function tallyRanked({ spec, votes, open }: Poll, least: number): Tally {
  if (votes.length + open.length < least) return tooFew(votes.length, least);
  const declared = candidatesOf(spec);
  if (open.length > 0 && (declared === undefined || votes.length < least)) return PENDING;
  const candidates = sortCandidates(declared ?? votes.flatMap(({ value }) => value as readonly Json[]));
  if (candidates.length > MAX_CANDIDATES) {
    return noQuorum(
      `the seats rank ${candidates.length} candidates; at most ${MAX_CANDIDATES} can be compared`,
    );
  }
  const preferences = countPreferences(candidates, votes);
  const count = spec.ranking === "borda" ? borda(candidates, preferences) : schulze(candidates, preferences);
  const [best, ...others] = [...candidates].sort((a, b) => count.score(b) - count.score(a));
  assert(best !== undefined, "a ranking that was read names at least one candidate");
  if (open.length > 0) {
    const isSafe = others.every((other) => count.lead(best, other) > open.length * count.swing);
    if (!isSafe) return PENDING;
  } else if (count.winners.length > 1) {
    return { outcome: "tie", reason: `${count.winners.length} candidates are ranked equally best` };
  }
  return {
    outcome: "decided",
    value: best.value,
    supporters: votes
      .filter((vote) => isFirstIn(vote, best))
      .map(({ seat }) => seat)
      .sort(ascending),
    ranking: [best, ...others].map((candidate) => ({
      value: candidate.value,
      score: count.score(candidate),
    })),
  };
}

interface Candidate {
  readonly value: Json;
  /** The canonical text of the value. */
  readonly text: string;
}

/** A number for each ordered pair of candidates; 0 until it is set. */
class PairCounts {
  readonly #counts = new Map<Candidate, Map<Candidate, number>>();

  get(a: Candidate, b: Candidate): number {
    return this.#counts.get(a)?.get(b) ?? 0;
  }

  set(a: Candidate, b: Candidate, count: number): void {
    const row = this.#counts.get(a) ?? new Map<Candidate, number>();
    this.#counts.set(a, row.set(b, count));
  }
}

/** The result of counting rankings by one method. */
interface RankingCount {
  /** The score of a candidate. The highest is best. */
  readonly score: (candidate: Candidate) => number;
  /** The candidates that share the first place. */
  readonly winners: readonly Candidate[];
  /** The lead of the first candidate over the second, in the unit of `swing`. */
  readonly lead: (first: Candidate, second: Candidate) => number;
  /** The largest change of a lead by one vote. */
  readonly swing: number;
}

/**
 * Borda's count with shared places: for every vote and every other candidate, a candidate gets 1 if it ranks above the
 * other and ½ if they are level. So a seat gains nothing by leaving candidates out. The counts are doubled, so that
 * they stay whole.
 */
function borda(candidates: readonly Candidate[], preferences: PairCounts): RankingCount {
  const scores = new Map(
    candidates.map((a) => [
      a,
      candidates.reduce((sum, b) => sum + preferences.get(a, b) - preferences.get(b, a), 0),
    ]),
  );
  const score = (candidate: Candidate) => scores.get(candidate) ?? 0;
  const most = Math.max(...scores.values());
  return {
    score,
    winners: candidates.filter((candidate) => score(candidate) === most),
    lead: (first, second) => score(first) - score(second),
    // One vote can move a candidate from last to first and its rival from first to last. Each passes size − 1 others.
    swing: 2 * (candidates.length - 1),
  };
}

/**
 * Schulze's method (Schulze 2011, "A new monotonic, clone-independent, reversal symmetric, and Condorcet-consistent
 * single-winner election method"). Candidate a beats b if the strongest path of majorities from a to b is stronger than
 * every path back. A path is as strong as its weakest majority, and a majority is as strong as the number of votes for
 * it. The score of a candidate is the number of candidates that it beats. A candidate that beats every other in direct
 * comparison (Condorcet's winner) wins. Equal strengths in both directions remain a tie.
 */
function schulze(candidates: readonly Candidate[], preferences: PairCounts): RankingCount {
  const strengths = strongestPaths(candidates, preferences);
  const beats = (a: Candidate, b: Candidate) => strengths.get(a, b) > strengths.get(b, a);
  const scores = new Map(candidates.map((a) => [a, candidates.filter((b) => beats(a, b)).length]));
  return {
    score: (candidate) => scores.get(candidate) ?? 0,
    winners: candidates.filter((a) => !candidates.some((b) => beats(b, a))),
    lead: (first, second) => preferences.get(first, second) - preferences.get(second, first),
    swing: 1,
  };
}

/**
 * The strength of the strongest path of majorities between each pair (Schulze 2011, §2.3: the algorithm of Floyd and
 * Warshall).
 */
function strongestPaths(candidates: readonly Candidate[], preferences: PairCounts): PairCounts {
  const strengths = new PairCounts();
  for (const a of candidates) {
    for (const b of candidates) {
      const wins = preferences.get(a, b);
      if (wins > preferences.get(b, a)) strengths.set(a, b, wins);
    }
  }
  for (const via of candidates) {
    for (const from of candidates) {
      for (const to of candidates) {
        if (from === to || from === via || to === via) continue;
        const path = Math.min(strengths.get(from, via), strengths.get(via, to));
        if (path > strengths.get(from, to)) strengths.set(from, to, path);
      }
    }
  }
  return strengths;
}

/** The number of votes that rank a above b, for each pair. */
function countPreferences(candidates: readonly Candidate[], votes: readonly Vote[]): PairCounts {
  const rankings = votes.map(
    ({ value }) =>
      new Map((value as readonly Json[]).map((candidate, place) => [canonicalJson(candidate), place])),
  );
  const isAbove = (ranking: ReadonlyMap<string, number>, a: Candidate, b: Candidate) =>
    (ranking.get(a.text) ?? Number.POSITIVE_INFINITY) < (ranking.get(b.text) ?? Number.POSITIVE_INFINITY);
  const preferences = new PairCounts();
  for (const a of candidates) {
    for (const b of candidates) {
      preferences.set(a, b, rankings.filter((ranking) => isAbove(ranking, a, b)).length);
    }
  }
  return preferences;
}

function isFirstIn({ value }: Vote, candidate: Candidate): boolean {
  const [first] = value as readonly Json[];
  return first !== undefined && canonicalJson(first) === candidate.text;
}

/** The different candidates, sorted by their canonical text. */
function sortCandidates(values: readonly Json[]): Candidate[] {
  const byText = new Map(values.map((value) => [canonicalJson(value), value]));
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([text, value]) => ({ value, text }));
}
