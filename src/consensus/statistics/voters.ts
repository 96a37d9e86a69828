// Computes statistics of voters from cases with a known truth: accuracy, correlation of errors, the number of
// independent voters that the seats are worth, and the weight of each voter. Owns the formulas, and the record that
// they need, as JSON of bounded size. comparison.ts compares ballots with one agent; the callers store the record.
// Pure.

/** The number of right answers, and of all answers. */
export interface Score {
  readonly right: number;
  readonly total: number;
}

/** A voter: the agent, and its kind. */
export interface Voter {
  readonly agent: string;
  /** The kind: a name that survives a restart and that equal agents share, such as role and model. */
  readonly voter: string;
}

/** One question with a known answer. */
export interface JudgedCase {
  /** The independent answers: answers of a first round, or of a ballot whose seats do not see the answers of other seats. */
  readonly answers: readonly JudgedAnswer[];
}

/** One independent answer. */
export interface JudgedAnswer extends Voter {
  readonly model?: string | undefined;
  readonly isRight: boolean;
  /**
   * True for an answer that the ballot waited for only because earlier answers disagreed. Answers disagree more often
   * on hard questions. So pairs with a late answer would hide correlated errors (five voters with ρ = 0.3 would seem
   * to have 0.2), and the record does not count these pairs. The effect on accuracy is one or two percentage points.
   */
  readonly isLate?: boolean | undefined;
}

/** The numbers of cases with both wrong, only the first wrong, only the second wrong, and neither wrong. */
export type ErrorTable = readonly [both: number, first: number, second: number, neither: number];

/** The record of voters: the counts that the formulas below need. */
export interface VoterRecord {
  /** The number of cases. */
  readonly cases: number;
  /**
   * Scores by agent id, with the number of the agent's last case (`last`). A full record drops the agent with the
   * oldest last case.
   */
  readonly agents: Readonly<Record<string, Score & { readonly last: number }>>;
  /** Scores by kind. */
  readonly voters: Readonly<Record<string, Score>>;
  readonly models: Readonly<Record<string, Score>>;
  /** Error tables of pairs of kinds, by {@link pairKey}. */
  readonly pairs: Readonly<Record<string, ErrorTable>>;
}

/** The record of no cases. */
export const EMPTY_RECORD: VoterRecord = { cases: 0, agents: {}, voters: {}, models: {}, pairs: {} };

/**
 * The most kinds in a record, and the most agents, and the most models. It is more than the number of roles of any
 * swarm. Each of the three lists has up to 20 KiB of JSON.
 */
export const MAX_RECORDED_VOTERS = 256;
/** The most pairs of kinds in a record: all pairs of 63 kinds, up to 130 KiB of JSON. */
export const MAX_RECORDED_PAIRS = 2_048;
/**
 * The fewest common cases of two voters for a correlation. With fewer cases the number would be mostly chance.
 */
export const MIN_PAIR_CASES = 20;

/**
 * Adds a case to the record. `times` −1 removes a case that was added before, so that a correction can replace the
 * first judgement. The order of cases and of their answers makes no difference while the record has room. A full record
 * drops the kind, model or pair with the fewest cases, but never an entry of the new case. It drops agents by `last`.
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
      // Two voters of one kind have no order. If only one of them is wrong, the wrong voter counts as first; see
      // correlationOf.
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

/** The key of a pair in a record: both kinds as JSON, sorted. */
export function pairKey(a: string, b: string): string {
  return JSON.stringify(a <= b ? [a, b] : [b, a]);
}

/** A share with its 95 % interval. */
export interface Rate {
  readonly rate: number;
  readonly low: number;
  readonly high: number;
}

/** The two-sided 95 % quantile of the normal distribution. */
const Z95 = 1.959964;

/**
 * The share of right answers with Wilson's interval (Wilson 1927), which is valid for few cases too; null without
 * cases.
 */
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
 * The correlation of the errors of two kinds, −1 to 1: the phi coefficient of their table (Yule 1912). For two voters
 * of one kind the mixed cases are shared out evenly, which gives Fisher's intraclass correlation (Fisher 1925, § 38).
 * Null while the record or the pair has fewer cases than {@link MIN_PAIR_CASES}, or if one of the two was always right
 * or always wrong.
 */
export function correlationOf({ cases, pairs }: VoterRecord, a: string, b: string): number | null {
  const key = pairKey(a, b);
  if (cases < MIN_PAIR_CASES || !Object.hasOwn(pairs, key)) return null;
  const [both, first, second, neither] = pairs[key]!;
  const half = (first + second) / 2;
  return errorCorrelation(a === b ? [both, half, half, neither] : [both, first, second, neither]);
}

/** The phi coefficient of a table; null if it has too few cases or an empty margin. */
export function errorCorrelation(table: ErrorTable): number | null {
  const [both, first, second, neither] = table;
  const margins = (both + first) * (second + neither) * (both + second) * (first + neither);
  if (casesOf(table) < MIN_PAIR_CASES || margins === 0) return null;
  return (both * neither - first * second) / Math.sqrt(margins);
}

/**
 * The mean error correlation of all pairs of seats with a known correlation; null if no pair has one. `voters`: the
 * seats' kinds.
 */
export function meanCorrelation(record: VoterRecord, voters: readonly string[]): number | null {
  const known = voters.flatMap((voter, index) =>
    voters.slice(index + 1).flatMap((other) => correlationOf(record, voter, other) ?? []),
  );
  return known.length === 0 ? null : known.reduce((sum, rho) => sum + rho, 0) / known.length;
}

/**
 * The number of independent voters that `seats` voters with mean error correlation ρ are worth: n / (1 + (n − 1)ρ),
 * Kish's design effect (Kish 1965, Survey Sampling; for juries Ladha 1992). Measurements show that language models make
 * correlated errors (Kim et al. 2025). The result is from 1 to n: a negative ρ counts as 0, because it is rarely more
 * than chance.
 */
export function effectiveVoters(seats: number, correlation: number): number {
  return seats / (1 + (seats - 1) * Math.min(1, Math.max(0, correlation)));
}

/** The prior for an unknown voter: 7 right answers in 10 cases. */
const PRIOR = { right: 7, total: 10 };
/** The largest weight: the weight of 95 % accuracy, so that no record lets one seat outvote four average seats. */
export const MAX_WEIGHT = Math.log(0.95 / 0.05);

/**
 * The probability that an agent is right next time, as the mean of a Beta distribution in two steps. Step one estimates
 * the accuracy of the other agents of its kind, with a prior of 0.7 that is worth ten cases. Step two estimates the
 * accuracy of the agent itself, with the result of step one as a prior that is worth ten cases. So a new agent of a
 * known kind gets the accuracy of its kind, and an agent of an unknown kind gets 0.7. With more cases of its own, each
 * agent approaches its own share of right answers (partial pooling; Gelman et al., Bayesian Data Analysis, 3rd edition,
 * section 5.3).
 */
export function expectedAccuracy({ agents, voters }: VoterRecord, { agent, voter }: Voter): number {
  const own = scoreOf(agents, agent);
  const kind = scoreOf(voters, voter);
  const others = { right: Math.max(0, kind.right - own.right), total: Math.max(0, kind.total - own.total) };
  return shrink(own, shrink(others, PRIOR.right / PRIOR.total));
}

/**
 * The weight of a voter in a `weighted` ballot: the log-odds of its expected accuracy, ln(p / (1 − p)), which is the
 * best weight for independent voters (Nitzan and Paroush 1982). It is at most {@link MAX_WEIGHT}, and 0 for a voter
 * that is worse than chance.
 */
export function weightOf(record: VoterRecord, voter: Voter): number {
  const accuracy = expectedAccuracy(record, voter);
  const logOdds = Math.log(accuracy / (1 - accuracy));
  return Math.min(MAX_WEIGHT, Math.max(0, logOdds));
}

/** The score under a name; 0 of 0 if there is none. */
export function scoreOf(scores: Readonly<Record<string, Score>>, name: string): Score {
  return Object.hasOwn(scores, name) ? scores[name]! : { right: 0, total: 0 };
}

/** The mean of a score and a prior of `towards`, which is worth ten cases. */
function shrink({ right, total }: Score, towards: number): number {
  return (Math.min(right, total) + PRIOR.total * towards) / (total + PRIOR.total);
}

/** Adds one answer to a score, or removes it (`times` −1). Null when no answer is left. */
function addScore(
  { right, total }: Score = { right: 0, total: 0 },
  isRight: boolean,
  times: 1 | -1,
): Score | null {
  if (total + times <= 0) return null;
  return { right: Math.max(0, right + (isRight ? times : 0)), total: total + times };
}

/** Adds one case to a cell of a table, or removes it (`times` −1). Null when the table is empty. */
function addPair(table: ErrorTable = [0, 0, 0, 0], cell: number, times: 1 | -1): ErrorTable | null {
  const sum = table.map((count, at) => (at === cell ? Math.max(0, count + times) : count));
  return sum.some((count) => count > 0) ? (sum as unknown as ErrorTable) : null;
}

/** Sets an entry, or removes it when the new value is null. */
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

/**
 * Keeps at most `most` entries: first the entries named in `present`, then the entries with the highest `weigh`; equal
 * entries in the order of their names.
 */
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
