// How good the voters are and how much they are alike, from cases whose truth is known: accuracy, correlated errors, what the
// seats are worth as independent voters, what each should weigh, and whether one agent would have done. Owns the formulas and
// the records they need, as JSON of bounded size; where truth comes from and where records are kept belongs to the callers.

import type { BallotUsage } from "../protocol/index.ts";

/** How often somebody was right. */
export interface Score {
  readonly right: number;
  readonly total: number;
}

/** One question whose answer is known by now. */
export interface JudgedCase {
  /** The independent answers: first rounds, or ballots in which nobody saw another's. */
  readonly answers: readonly { readonly voter: string; readonly model?: string; readonly isRight: boolean }[];
}

/** Both wrong, only the first, only the second, neither. */
export type ErrorTable = readonly [both: number, first: number, second: number, neither: number];

/** What is known of voters. Voters are named by what stays when a process restarts, such as role and model. */
export interface VoterRecord {
  readonly voters: Readonly<Record<string, Score>>;
  readonly models: Readonly<Record<string, Score>>;
  /** By {@link pairKey}. */
  readonly pairs: Readonly<Record<string, ErrorTable>>;
}

/** Nothing is known. */
export const EMPTY_RECORD: VoterRecord = { voters: {}, models: {}, pairs: {} };

/** The most voters, and as many models, in a record: beyond the roles of any swarm, and 20 KiB of JSON. */
export const MAX_RECORDED_VOTERS = 256;
/** The most pairs of voters in a record: all pairs of 90 voters, and 200 KiB of JSON. */
export const MAX_RECORDED_PAIRS = 4_096;
/** Cases that two voters must share before their correlation is told; with fewer it is mostly chance. */
export const MIN_PAIR_CASES = 20;

/**
 * Adds a case to the record. `times` −1 takes one back that was added before: so a later correction replaces the first
 * judgement. When the record is full, whoever is known least and is not in this case makes room.
 */
export function addCase(record: VoterRecord, { answers }: JudgedCase, times: 1 | -1 = 1): VoterRecord {
  const voters = copyOf(record.voters);
  const models = copyOf(record.models);
  const pairs = copyOf(record.pairs);
  const present = new Set<string>();
  for (const [index, { voter, model, isRight }] of answers.entries()) {
    addScore(voters, voter, isRight, times);
    present.add(voter).add(model ?? voter);
    if (model !== undefined) addScore(models, model, isRight, times);
    for (const other of answers.slice(index + 1)) {
      const [first, second] = voter <= other.voter ? [isRight, other.isRight] : [other.isRight, isRight];
      const cell = (first ? 2 : 0) + (second ? 1 : 0);
      const key = pairKey(voter, other.voter);
      pairs[key] = (pairs[key] ?? [0, 0, 0, 0]).map((count, at) =>
        at === cell ? Math.max(0, count + times) : count,
      ) as unknown as ErrorTable;
      present.add(key);
    }
  }
  return {
    voters: keepMost(voters, MAX_RECORDED_VOTERS, present, ({ total }) => total),
    models: keepMost(models, MAX_RECORDED_VOTERS, present, ({ total }) => total),
    pairs: keepMost(pairs, MAX_RECORDED_PAIRS, present, casesOf),
  };
}

/** The name of a pair in a record: both voters as JSON, in the order of their names. */
export function pairKey(a: string, b: string): string {
  return JSON.stringify(a <= b ? [a, b] : [b, a]);
}

/** A share with its 95 % interval. */
export interface Rate {
  readonly rate: number;
  readonly low: number;
  readonly high: number;
}

/** Two-sided 95 % of a normal distribution. */
const Z95 = 1.959964;
/** One-sided 95 %. */
const Z90 = 1.644854;

/** How often it was right, with Wilson's interval (Wilson 1927), which holds for few cases too; null without any. */
export function accuracyOf({ right, total }: Score): Rate | null {
  if (total === 0) return null;
  const rate = right / total;
  const square = Z95 ** 2;
  const centre = (rate + square / (2 * total)) / (1 + square / total);
  const margin =
    (Z95 * Math.sqrt((rate * (1 - rate)) / total + square / (4 * total ** 2))) / (1 + square / total);
  return { rate, low: Math.max(0, centre - margin), high: Math.min(1, centre + margin) };
}

/**
 * The correlation of two voters' errors, −1 to 1: the phi coefficient of the table (Yule 1912). Null while they share fewer
 * than {@link MIN_PAIR_CASES} cases, or one of them was always right or always wrong.
 */
export function errorCorrelation(table: ErrorTable): number | null {
  const [both, first, second, neither] = table;
  const margins = (both + first) * (second + neither) * (both + second) * (first + neither);
  if (casesOf(table) < MIN_PAIR_CASES || margins === 0) return null;
  return (both * neither - first * second) / Math.sqrt(margins);
}

/** The mean error correlation of all pairs among the voters of which it is known; null when of none. */
export function meanCorrelation(record: VoterRecord, voters: readonly string[]): number | null {
  const known = voters.flatMap((voter, index) =>
    voters.slice(index + 1).flatMap((other) => {
      const table = record.pairs[pairKey(voter, other)];
      return (table && errorCorrelation(table)) ?? [];
    }),
  );
  return known.length === 0 ? null : known.reduce((sum, rho) => sum + rho, 0) / known.length;
}

/**
 * How many independent voters `seats` voters are worth whose errors have the mean correlation ρ: n / (1 + (n − 1)ρ), Kish's
 * design effect (Kish 1965, Survey Sampling; for juries Ladha 1992). That language models err together is measured
 * (Kim et al. 2025). From 1 to n: a negative ρ counts as 0, since it is rarely more than chance.
 */
export function effectiveVoters(seats: number, correlation: number): number {
  return seats / (1 + (seats - 1) * Math.min(1, Math.max(0, correlation)));
}

/** The voter that nobody knows is right in 7 of 10 cases, and this belief is worth ten cases. */
const PRIOR = { right: 7, total: 10 };
/** The heaviest weight: that of 95 % accuracy, so that no record makes one seat outvote four of average ones. */
export const MAX_WEIGHT = Math.log(0.95 / 0.05);

/**
 * What a voter should weigh in a `weighted` ballot: the log-odds of its accuracy, ln(p / (1 − p)), which is the best weight
 * for independent voters (Nitzan and Paroush 1982). Drawn towards an unknown voter while few cases are known; at least 0, for
 * somebody who is worse than chance, and at most {@link MAX_WEIGHT}.
 */
export function weightOf({ right, total }: Score = { right: 0, total: 0 }): number {
  const accuracy = (right + PRIOR.right) / (total + PRIOR.total);
  const logOdds = Math.log(accuracy / (1 - accuracy));
  return Math.min(MAX_WEIGHT, Math.max(0, logOdds));
}

/** The ballots of one kind against their control arm, the first seat that answered on its own. */
export interface SingleRecord {
  readonly bothRight: number;
  readonly ballotOnly: number;
  readonly singleOnly: number;
  readonly neither: number;
  readonly ballot: BallotUsage;
  readonly single: BallotUsage;
}

/** No ballot yet. */
export const EMPTY_SINGLE: SingleRecord = {
  bothRight: 0,
  ballotOnly: 0,
  singleOnly: 0,
  neither: 0,
  ballot: { inputTokens: 0, outputTokens: 0, costUsd: 0 },
  single: { inputTokens: 0, outputTokens: 0, costUsd: 0 },
};

/** Adds one ballot. Where the truth is not known, a caller that takes the verdict for it can only favour the ballot. */
export function addSingle(
  record: SingleRecord,
  one: { ballotRight: boolean; singleRight: boolean; ballot: BallotUsage; single: BallotUsage },
): SingleRecord {
  const cell = one.ballotRight
    ? one.singleRight
      ? "bothRight"
      : "ballotOnly"
    : one.singleRight
      ? "singleOnly"
      : "neither";
  return {
    ...record,
    [cell]: record[cell] + 1,
    ballot: addUsage(record.ballot, one.ballot),
    single: addUsage(record.single, one.single),
  };
}

/** What the ballots gained over one agent, and at what price. */
export interface SingleComparison {
  readonly cases: number;
  readonly ballotAccuracy: number;
  readonly singleAccuracy: number;
  /** Ballot minus single, with a 90 % interval. */
  readonly gain: Rate;
  /** How many times the tokens and the money of one agent; null where that is unknown or none. */
  readonly tokenRatio: number | null;
  readonly costRatio: number | null;
  /** Told when one agent was as good. */
  readonly finding: string | null;
}

/** A gain below this does not count: one case in twenty. */
export const NEGLIGIBLE_GAIN = 0.05;

/**
 * Compares. One agent was as good when the whole interval of the gain lies below {@link NEGLIGIBLE_GAIN}: a test of
 * non-inferiority at 5 %, on paired cases (Agresti and Min 2005: Wald's interval after adding ½ to each cell).
 */
export function compareWithSingle(record: SingleRecord): SingleComparison | null {
  const { bothRight, ballotOnly, singleOnly, neither } = record;
  const cases = bothRight + ballotOnly + singleOnly + neither;
  if (cases === 0) return null;
  const [count, plus, minus] = [cases + 2, ballotOnly + 0.5, singleOnly + 0.5];
  const rate = (plus - minus) / count;
  const margin = (Z90 * Math.sqrt(plus + minus - (plus - minus) ** 2 / count)) / count;
  const tokenRatio = ratio(tokensOf(record.ballot), tokensOf(record.single));
  const costRatio = ratio(record.ballot.costUsd, record.single.costUsd);
  const price = costRatio ?? tokenRatio;
  return {
    cases,
    ballotAccuracy: (bothRight + ballotOnly) / cases,
    singleAccuracy: (bothRight + singleOnly) / cases,
    gain: { rate: (ballotOnly - singleOnly) / cases, low: rate - margin, high: rate + margin },
    tokenRatio,
    costRatio,
    finding:
      rate + margin < NEGLIGIBLE_GAIN
        ? `one agent was as good in ${cases} cases${price === null ? "" : `, at 1/${price.toFixed(1)} of the price`}`
        : null,
  };
}

/** Adds up tokens and money; an unknown cost makes the sum unknown. */
export function addUsage(a: BallotUsage, b: BallotUsage): BallotUsage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    costUsd: a.costUsd === null || b.costUsd === null ? null : a.costUsd + b.costUsd,
  };
}

function tokensOf({ inputTokens, outputTokens }: BallotUsage): number {
  return inputTokens + outputTokens;
}

function ratio(many: number | null, one: number | null): number | null {
  return many === null || one === null || one === 0 ? null : many / one;
}

function addScore(scores: Record<string, Score>, name: string, isRight: boolean, times: 1 | -1): void {
  const { right, total } = Object.hasOwn(scores, name) ? scores[name]! : { right: 0, total: 0 };
  scores[name] = { right: Math.max(0, right + (isRight ? times : 0)), total: Math.max(0, total + times) };
}

function casesOf(table: ErrorTable): number {
  return table.reduce((sum, count) => sum + count, 0);
}

/** A copy that can take any name, `__proto__` included. */
function copyOf<T>(entries: Readonly<Record<string, T>>): Record<string, T> {
  return Object.assign(Object.create(null) as Record<string, T>, entries);
}

/** At most `most` entries: those of the newest case, then those with most cases; equal ones by name. */
function keepMost<T>(
  entries: Record<string, T>,
  most: number,
  present: ReadonlySet<string>,
  weigh: (entry: T) => number,
): Record<string, T> {
  const names = Object.keys(entries);
  if (names.length <= most) return entries;
  const rank = (name: string) => (present.has(name) ? Number.POSITIVE_INFINITY : weigh(entries[name]!));
  const kept = names.sort((a, b) => (rank(a) === rank(b) ? (a < b ? -1 : 1) : rank(b) - rank(a)));
  return Object.fromEntries(kept.slice(0, most).map((name) => [name, entries[name]!]));
}
