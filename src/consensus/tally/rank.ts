// Rankings, best first: Borda's count, and Condorcet's by the method of Schulze, which also has an answer where majorities
// go in a circle. A candidate that a ranking leaves out stands below all that it names, level with the others left out.

import { canonicalJson, type Json, MAX_CANDIDATES } from "../../protocol/index.ts";
import { candidatesOf } from "./answer.ts";
import { ascending, noQuorum, PENDING, type Poll, type Tally, tooFew, type Vote } from "./types.ts";

/**
 * Who is ranked best. Without a list of candidates in the ballot an open seat may name new ones, so only then that no seat is
 * open does it decide. With one, it decides as soon as the winner beats every other by more than the open seats can give.
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
  const preferred = countPreferences(candidates, votes);
  const method = spec.ranking === "borda" ? borda(preferred) : schulze(preferred);
  const order = candidates.map((_, index) => index).sort((a, b) => method.scores[b]! - method.scores[a]!);
  const best = order[0]!;
  if (open.length > 0) {
    const isSafe = order.slice(1).every((other) => method.lead(best, other) > open.length * method.swing);
    if (!isSafe) return PENDING;
  } else if (method.winners.length > 1) {
    return { outcome: "tie", reason: `${method.winners.length} candidates are ranked equally best` };
  }
  return {
    outcome: "decided",
    value: candidates[best]!,
    supporters: votes
      .filter(
        ({ value }) => canonicalJson((value as readonly Json[])[0]!) === canonicalJson(candidates[best]!),
      )
      .map(({ seat }) => seat)
      .sort(ascending),
    ranking: order.map((index) => ({ value: candidates[index]!, score: method.scores[index]! })),
  };
}

interface Method {
  /** Highest is best. */
  readonly scores: readonly number[];
  /** Whose score is the highest. */
  readonly winners: readonly number[];
  /** How far the first stands above the second, in what votes can change. */
  readonly lead: (first: number, second: number) => number;
  /** By how much one vote can change a lead. */
  readonly swing: number;
}

/** `preferred[a][b]`: how many votes rank a above b. */
type Preferences = readonly (readonly number[])[];

/**
 * Borda's count with shared places: a candidate gets, for every other and every vote, 1 if it is ranked above it and ½ if
 * they are level, so that leaving candidates out gains nothing. Counted twice over, so that it stays whole.
 */
function borda(preferred: Preferences): Method {
  const size = preferred.length;
  const scores = preferred.map((row, a) => row.reduce((sum, wins, b) => sum + wins - preferred[b]![a]!, 0));
  return {
    scores,
    winners: highest(scores),
    lead: (first, second) => scores[first]! - scores[second]!,
    // From last to first against a rival that goes from first to last: each passes size − 1 others, in both directions.
    swing: 2 * (size - 1),
  };
}

/**
 * Schulze's method (Schulze 2011, "A new monotonic, clone-independent, reversal symmetric, and Condorcet-consistent
 * single-winner election method"): a beats b where the strongest path of majorities from a to b is stronger than
 * any back; a path is as strong as its weakest majority, and a majority as the votes for it. Scores count the beaten.
 * Whoever wins against every other alone (Condorcet's winner) wins. Equal strengths both ways remain a tie.
 */
function schulze(preferred: Preferences): Method {
  const size = preferred.length;
  const strength = preferred.map((row, a) => row.map((wins, b) => (wins > preferred[b]![a]! ? wins : 0)));
  for (let via = 0; via < size; via += 1) {
    for (let from = 0; from < size; from += 1) {
      for (let to = 0; to < size; to += 1) {
        if (from === to || from === via || to === via) continue;
        const path = Math.min(strength[from]![via]!, strength[via]![to]!);
        if (path > strength[from]![to]!) strength[from]![to] = path;
      }
    }
  }
  const beats = (a: number, b: number) => strength[a]![b]! > strength[b]![a]!;
  const indexes = preferred.map((_, index) => index);
  return {
    scores: indexes.map((a) => indexes.filter((b) => beats(a, b)).length),
    winners: indexes.filter((a) => !indexes.some((b) => beats(b, a))),
    lead: (first, second) => preferred[first]![second]! - preferred[second]![first]!,
    swing: 1,
  };
}

function countPreferences(candidates: readonly Json[], votes: readonly Vote[]): Preferences {
  const places = votes.map(
    ({ value }) =>
      new Map((value as readonly Json[]).map((candidate, place) => [canonicalJson(candidate), place])),
  );
  const texts = candidates.map((candidate) => canonicalJson(candidate));
  const isAbove = (ranking: ReadonlyMap<string, number>, a: string, b: string) =>
    (ranking.get(a) ?? Number.POSITIVE_INFINITY) < (ranking.get(b) ?? Number.POSITIVE_INFINITY);
  return texts.map((a) => texts.map((b) => places.filter((ranking) => isAbove(ranking, a, b)).length));
}

function highest(scores: readonly number[]): number[] {
  const most = Math.max(...scores);
  return scores.flatMap((score, index) => (score === most ? [index] : []));
}

/** Each once, by canonical text. */
function sortCandidates(candidates: readonly Json[]): Json[] {
  const byText = new Map(candidates.map((candidate) => [canonicalJson(candidate), candidate]));
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, candidate]) => candidate);
}
