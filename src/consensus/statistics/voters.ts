// How good the voters are and how much they are alike, from cases whose truth is known: accuracy, correlated errors, what the
// seats are worth as independent voters, and what each should weigh. Owns the formulas and the records they need, as JSON of
// bounded size; what ballots gain over one agent is single.ts, where records are kept belongs to the callers.

/** How often somebody was right. */
export interface Score {
  readonly right: number;
  readonly total: number;
}

/** Somebody who answers: this very agent, and its kind. */
export interface Voter {
  readonly agent: string;
  /** What stays when a process restarts, and what agents that are made alike share: such as role and model. */
  readonly voter: string;
}

/** One question whose answer is known by now. */
export interface JudgedCase {
  /** The independent answers: first rounds, or ballots in which nobody saw another's. */
  readonly answers: readonly JudgedAnswer[];
}

/** One of them. */
export interface JudgedAnswer extends Voter {
  readonly model?: string | undefined;
  readonly isRight: boolean;
  /**
   * It was heard only because those before it disagreed, as they do where a question is hard. Pairs with it would hide that
   * errors go together (five voters with ρ = 0.3 seem to have 0.2), so it makes none; in accuracy it costs a point or two.
   */
  readonly isLate?: boolean | undefined;
}

/** Both wrong, only the first, only the second, neither. */
export type ErrorTable = readonly [both: number, first: number, second: number, neither: number];

/** What is known of voters: counts, which are all that the formulas below need. */
export interface VoterRecord {
  /** How many. */
  readonly cases: number;
  /** By id, with the number of the case that last told of it. Ids come and go; who was heard of longest ago makes room. */
  readonly agents: Readonly<Record<string, Score & { readonly last: number }>>;
  /** By kind. */
  readonly voters: Readonly<Record<string, Score>>;
  readonly models: Readonly<Record<string, Score>>;
  /** Pairs of kinds, by {@link pairKey}. */
  readonly pairs: Readonly<Record<string, ErrorTable>>;
}

/** Nothing is known. */
export const EMPTY_RECORD: VoterRecord = { cases: 0, agents: {}, voters: {}, models: {}, pairs: {} };

/** The most kinds, and as many agents and models, in a record: beyond the roles of any swarm, and 20 KiB of JSON each. */
export const MAX_RECORDED_VOTERS = 256;
/** The most pairs of kinds in a record: all pairs of 63 kinds, and 130 KiB of JSON. */
export const MAX_RECORDED_PAIRS = 2_048;
/** Cases that two voters must share before their correlation is told; with fewer it is mostly chance. */
export const MIN_PAIR_CASES = 20;

/**
 * Adds a case to the record. `times` −1 takes one back that was added before: so a later correction replaces the first
 * judgement. The order of cases and of their answers makes no difference while the record has room; in a full one, the kind,
 * model or pair known least makes room, unless it is in this case.
 */
export function addCase(record: VoterRecord, { answers }: JudgedCase, times: 1 | -1 = 1): VoterRecord {
  const cases = Math.max(0, record.cases + times);
  const agents = copyOf(record.agents);
  const voters = copyOf(record.voters);
  const models = copyOf(record.models);
  const pairs = copyOf(record.pairs);
  const present = new Set<string>();
  for (const { agent, voter, model, isRight } of answers) {
    add(voters, voter, addScore(voters[voter], isRight, times));
    const own = addScore(agents[agent], isRight, times);
    add(agents, agent, own && { ...own, last: cases });
    present.add(voter).add(model ?? voter);
    if (model !== undefined) add(models, model, addScore(models[model], isRight, times));
  }
  const early = answers.filter(({ isLate }) => isLate !== true);
  for (const [index, { voter, isRight }] of early.entries()) {
    for (const other of early.slice(index + 1)) {
      const key = pairKey(voter, other.voter);
      // Two of one kind have no order: where one of them is wrong, that counts as the first, see correlationOf.
      const isFirst = voter === other.voter ? !isRight : voter < other.voter;
      const [first, second] = isFirst ? [isRight, other.isRight] : [other.isRight, isRight];
      add(pairs, key, addPair(pairs[key], (first ? 2 : 0) + (second ? 1 : 0), times));
      present.add(key);
    }
  }
  return {
    cases,
    agents: keepMost(agents, MAX_RECORDED_VOTERS, new Set(), ({ last }) => last),
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
 * The correlation of two kinds' errors, −1 to 1: the phi coefficient of their table (Yule 1912); of two of one kind with its
 * mixed cases shared out evenly, which makes it Fisher's intraclass correlation (Fisher 1925, § 38). Null while the record, or
 * the pair, has fewer than {@link MIN_PAIR_CASES}, or one of them was always right or always wrong.
 */
export function correlationOf({ cases, pairs }: VoterRecord, a: string, b: string): number | null {
  const key = pairKey(a, b);
  if (cases < MIN_PAIR_CASES || !Object.hasOwn(pairs, key)) return null;
  const [both, first, second, neither] = pairs[key]!;
  const half = (first + second) / 2;
  return errorCorrelation(a === b ? [both, half, half, neither] : [both, first, second, neither]);
}

/** The phi coefficient of a table; null when it has too few cases, or a margin is empty. */
export function errorCorrelation(table: ErrorTable): number | null {
  const [both, first, second, neither] = table;
  const margins = (both + first) * (second + neither) * (both + second) * (first + neither);
  if (casesOf(table) < MIN_PAIR_CASES || margins === 0) return null;
  return (both * neither - first * second) / Math.sqrt(margins);
}

/** The mean error correlation of all pairs among the seats' kinds of which it is known; null when of none. */
export function meanCorrelation(record: VoterRecord, voters: readonly string[]): number | null {
  const known = voters.flatMap((voter, index) =>
    voters.slice(index + 1).flatMap((other) => correlationOf(record, voter, other) ?? []),
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
 * How likely an agent is right next time: the mean of a Beta distribution, first for its kind, drawn to 0.7 as by ten cases,
 * then for itself, drawn to what the others of its kind show, again as by ten cases. A new agent of a known kind is expected
 * to be like its kind, one that nobody knows to be right in 7 of 10, and with cases of its own each comes to its own share
 * (partial pooling; Gelman et al., Bayesian Data Analysis, 3rd edition, section 5.3).
 */
export function expectedAccuracy({ agents, voters }: VoterRecord, { agent, voter }: Voter): number {
  const own = scoreOf(agents, agent);
  const kind = scoreOf(voters, voter);
  const others = { right: Math.max(0, kind.right - own.right), total: Math.max(0, kind.total - own.total) };
  return shrink(own, shrink(others, PRIOR.right / PRIOR.total));
}

/**
 * What a voter should weigh in a `weighted` ballot: the log-odds of its expected accuracy, ln(p / (1 − p)), which is the best
 * weight for independent voters (Nitzan and Paroush 1982). At least 0, for somebody who is worse than chance, and at most
 * {@link MAX_WEIGHT}.
 */
export function weightOf(record: VoterRecord, voter: Voter): number {
  const accuracy = expectedAccuracy(record, voter);
  const logOdds = Math.log(accuracy / (1 - accuracy));
  return Math.min(MAX_WEIGHT, Math.max(0, logOdds));
}

/** The score of somebody, none if nothing is known. */
export function scoreOf(scores: Readonly<Record<string, Score>>, name: string): Score {
  return Object.hasOwn(scores, name) ? scores[name]! : { right: 0, total: 0 };
}

function shrink({ right, total }: Score, towards: number): number {
  return (Math.min(right, total) + PRIOR.total * towards) / (total + PRIOR.total);
}

/** Null when nothing is left. */
function addScore(
  { right, total }: Score = { right: 0, total: 0 },
  isRight: boolean,
  times: 1 | -1,
): Score | null {
  if (total + times <= 0) return null;
  return { right: Math.max(0, right + (isRight ? times : 0)), total: total + times };
}

function addPair(table: ErrorTable = [0, 0, 0, 0], cell: number, times: 1 | -1): ErrorTable | null {
  const sum = table.map((count, at) => (at === cell ? Math.max(0, count + times) : count));
  return sum.some((count) => count > 0) ? (sum as unknown as ErrorTable) : null;
}

function add<T>(entries: Record<string, T>, name: string, entry: T | null): void {
  if (entry === null) delete entries[name];
  else entries[name] = entry;
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
