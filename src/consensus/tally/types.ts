// What a count is given and what it gives back. Types, and the little arithmetic that all strategies share.

import { type BallotSpec, canonicalJson, type Json, type Verdict } from "../../protocol/index.ts";

/** One valid answer. */
export interface Vote {
  readonly seat: number;
  /** The value at the pointer, normalised, as answer.ts reads it. */
  readonly value: Json;
  /** The place in the order in which answers arrived; only `first` looks at it. */
  readonly arrival: number;
}

/** Everything that a count depends on. */
export interface Poll {
  readonly spec: BallotSpec;
  /** The registered seats that vote. */
  readonly voters: readonly number[];
  /** At most one for each voter. */
  readonly votes: readonly Vote[];
  /** Voters that may still answer. A voter that is neither here nor in `votes` abstained. */
  readonly open: readonly number[];
  /** Weights by seat, from the registry; looked at by `weighted` alone. A seat without one weighs nothing. */
  readonly weights: Readonly<Record<number, number>>;
}

/** A value that the votes decided for. */
export interface Decision {
  readonly outcome: "decided";
  readonly value: Json;
  /** Voters that the decision rests on, ascending. */
  readonly supporters: readonly number[];
  /** Enough equal answers were reached, whatever else comes. */
  readonly byQuorum?: boolean;
  readonly spread?: NonNullable<Verdict["spread"]>;
  readonly ranking?: readonly { readonly value: Json; readonly score: number }[];
  /** Merged findings beyond what a verdict holds. */
  readonly omitted?: number;
}

/** The votes are split, or too few for a value. */
export interface Indecision {
  readonly outcome: "tie" | "no_quorum";
  readonly reason: string;
}

/** Somebody else must decide among these values, sorted by their canonical text. */
export interface Referral {
  readonly outcome: "ask";
  readonly role: "judge" | "verifier";
  readonly candidates: readonly Json[];
}

/** Where a count stands. */
export type Tally = { readonly outcome: "pending" } | Decision | Indecision | Referral;

/** The open seats can still change the outcome. */
export const PENDING: Tally = { outcome: "pending" };

/** One value and who gave it. */
export interface Support {
  readonly value: Json;
  readonly text: string;
  readonly seats: readonly number[];
  readonly weight: number;
}

/** The different values with their seats and summed weights: heaviest first, equal ones by their canonical text. */
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

/** No decision, and why. */
export function noQuorum(reason: string): Indecision {
  return { outcome: "no_quorum", reason };
}

/** The one sentence about too few answers. */
export function tooFew(answered: number, least: number): Indecision {
  return noQuorum(`${answered} of at least ${least} answers`);
}

/** Orders numbers. */
export function ascending(a: number, b: number): number {
  return a - b;
}
