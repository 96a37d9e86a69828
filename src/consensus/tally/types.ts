// The input (poll) and the output (tally) of a count of votes: types, and helpers that all strategies of this folder share.
// Pure.

import { type BallotSpec, canonicalJson, type Json, type Verdict } from "../../protocol/index.ts";

/** One valid answer. */
export interface Vote {
  readonly seat: number;
  /** The normalised value at the pointer, as answer.ts reads it. */
  readonly value: Json;
  /** The place of the answer in the order of arrival. Only `first` uses it. */
  readonly arrival: number;
}

/** The input of a count: all votes of a round. */
export interface Poll {
  readonly spec: BallotSpec;
  /** The seats that vote. */
  readonly voters: readonly number[];
  /** The votes, at most one for each voter. */
  readonly votes: readonly Vote[];
  /** The voters that may still answer. A voter that is neither here nor in `votes` has abstained. */
  readonly open: readonly number[];
  /** The weights from the registry, by seat. Only `weighted` uses them. A seat without a weight counts 0. */
  readonly weights: Readonly<Record<number, number>>;
}

/** The value that the votes decided for. */
export interface Decision {
  readonly outcome: "decided";
  readonly value: Json;
  /** The voters that support the decision, ascending. */
  readonly supporters: readonly number[];
  /** True when enough equal answers arrived before all seats had answered. */
  readonly byQuorum?: boolean;
  readonly spread?: NonNullable<Verdict["spread"]>;
  readonly ranking?: readonly { readonly value: Json; readonly score: number }[];
  /** The number of merged findings that the verdict omits. */
  readonly omitted?: number;
}

/** No decision: the votes are split, or too few. */
export interface Indecision {
  readonly outcome: "tie" | "no_quorum";
  readonly reason: string;
}

/** A judge or verifier must decide among these candidates, sorted by their canonical text. */
export interface Referral {
  readonly outcome: "ask";
  readonly role: "judge" | "verifier";
  readonly candidates: readonly Json[];
}

/** The outcome of a count so far. */
export type Tally = { readonly outcome: "pending" } | Decision | Indecision | Referral;

/** The open seats can still change the outcome. */
export const PENDING: Tally = { outcome: "pending" };

/** One value with the seats that gave it. */
export interface Support {
  readonly value: Json;
  readonly text: string;
  readonly seats: readonly number[];
  readonly weight: number;
}

/**
 * The different values with their seats and summed weights, sorted by weight (heaviest first), then by canonical text.
 */
export function supportOf(votes: readonly Vote[], weigh: (seat: number) => number): Support[] {
  const byText = new Map<string, { value: Json; seats: number[]; weight: number }>();
  for (const { seat, value } of votes) {
    const text = canonicalJson(value);
    const support = byText.get(text) ?? { value, seats: [], weight: 0 };
    support.seats.push(seat);
    support.weight += weigh(seat);
    byText.set(text, support);
  }
  return [...byText]
    .map(([text, { value, seats, weight }]) => ({ value, text, seats: seats.sort(ascending), weight }))
    .sort((a, b) => b.weight - a.weight || (a.text < b.text ? -1 : 1));
}

/** The outcome no_quorum with its reason. */
export function noQuorum(reason: string): Indecision {
  return { outcome: "no_quorum", reason };
}

/** The outcome of too few answers. */
export function tooFew(answered: number, least: number): Indecision {
  return noQuorum(`${answered} of at least ${least} answers`);
}

/** The sort order of ascending numbers. */
export function ascending(a: number, b: number): number {
  return a - b;
}
