// Whether ballots were worth their price: what they said, gained and cost against one agent that answered alone, which every
// ballot has as its control arm. Owns the sums that are kept of ballots of one kind, and the two tests by which one agent was
// as good; where ballots come from and where the sums are kept belongs to the callers.

/** What an answer or a ballot used. */
export interface Spent {
  readonly tokens: number;
  /** Null: unknown, never zero. */
  readonly costUsd: number | null;
}

/** One ballot that ended, decided or not. */
export interface BallotFacts {
  readonly isDecided: boolean;
  /** The verdict's agreement, 0 to 1. */
  readonly agreement: number;
  readonly spent: Spent;
  /** The control arm; absent when the ballot ended before that seat had its turn. One that abstained does not agree. */
  readonly single?: { readonly agrees: boolean; readonly spent: Spent | null };
}

/** Sums over ballots of one kind, as JSON: of whole numbers, so that they do not depend on the order of adding. */
export interface BallotRecord {
  readonly ballots: number;
  readonly decided: number;
  /** The sum of the decided ones' agreement, in millionths. */
  readonly agreement: number;
  /** Ballots whose control arm had its turn. */
  readonly compared: number;
  /** Of these, how many decided for something that the single agent had not said. */
  readonly differed: number;
  /** Tokens of those whose control arm told what it used. */
  readonly ballotTokens: number;
  readonly singleTokens: number;
  /** Ballots of which both costs are known, and their sums in {@link USD_UNITS}. */
  readonly priced: number;
  readonly ballotUsd: number;
  readonly singleUsd: number;
  /** Those whose truth is known by now: who was right. */
  readonly bothRight: number;
  readonly ballotOnly: number;
  readonly singleOnly: number;
  readonly neither: number;
}

/** Parts of a share that are counted. */
const SHARE_UNITS = 1_000_000;
/** Parts of a dollar that are counted: less than a token costs, and nine million dollars are still whole numbers. */
const USD_UNITS = 1_000_000_000;

/** No ballot yet. */
export const EMPTY_BALLOTS: BallotRecord = {
  ballots: 0,
  decided: 0,
  agreement: 0,
  compared: 0,
  differed: 0,
  ballotTokens: 0,
  singleTokens: 0,
  priced: 0,
  ballotUsd: 0,
  singleUsd: 0,
  bothRight: 0,
  ballotOnly: 0,
  singleOnly: 0,
  neither: 0,
};

/** Adds a ballot that ended. */
export function addBallot(
  record: BallotRecord,
  { isDecided, agreement, spent, single }: BallotFacts,
): BallotRecord {
  const sum = {
    ...record,
    ballots: record.ballots + 1,
    decided: record.decided + (isDecided ? 1 : 0),
    agreement: record.agreement + (isDecided ? Math.round(agreement * SHARE_UNITS) : 0),
  };
  if (single === undefined) return sum;
  const compared = {
    ...sum,
    compared: record.compared + 1,
    differed: record.differed + (isDecided && !single.agrees ? 1 : 0),
  };
  if (single.spent === null) return compared;
  const [ballotUsd, singleUsd] = [spent.costUsd, single.spent.costUsd];
  const isPriced = ballotUsd !== null && singleUsd !== null;
  return {
    ...compared,
    ballotTokens: record.ballotTokens + Math.round(spent.tokens),
    singleTokens: record.singleTokens + Math.round(single.spent.tokens),
    priced: record.priced + (isPriced ? 1 : 0),
    ballotUsd: record.ballotUsd + (isPriced ? Math.round(ballotUsd * USD_UNITS) : 0),
    singleUsd: record.singleUsd + (isPriced ? Math.round(singleUsd * USD_UNITS) : 0),
  };
}

/** Adds who was right, once the truth of a ballot with a control arm is known; `times` −1 takes that back. */
export function addPaired(
  record: BallotRecord,
  { ballotRight, singleRight }: { ballotRight: boolean; singleRight: boolean },
  times: 1 | -1 = 1,
): BallotRecord {
  const cell = ballotRight
    ? singleRight
      ? "bothRight"
      : "ballotOnly"
    : singleRight
      ? "singleOnly"
      : "neither";
  return { ...record, [cell]: Math.max(0, record[cell] + times) };
}

/** What ballots of one kind came to over time, and what they gained over one agent at what price. */
export interface SingleComparison {
  readonly ballots: number;
  readonly decided: number;
  /** The mean agreement of the decided ones; null without any. */
  readonly agreement: number | null;
  /** Ballots whose control arm had its turn, and how many of them decided for something else than it said. */
  readonly compared: number;
  readonly differed: number;
  /** How many times the tokens and the money of one agent; null where that is unknown or none. */
  readonly tokenRatio: number | null;
  readonly costRatio: number | null;
  /** Of those whose truth is known; null without any. */
  readonly judged: {
    readonly cases: number;
    readonly ballotAccuracy: number;
    readonly singleAccuracy: number;
    /** Ballot minus single, with a 90 % interval. */
    readonly gain: { readonly rate: number; readonly low: number; readonly high: number };
  } | null;
  /** Told when one agent was as good. */
  readonly finding: string | null;
}

/** A gain below this does not count: one case in twenty. */
export const NEGLIGIBLE_GAIN = 0.05;
/** How often a finding may be wrong where the gain is just not negligible. */
const SIGNIFICANCE = 0.05;
/** One-sided 95 % of a normal distribution. */
const Z90 = 1.644854;

/**
 * Compares. One agent was as good when its gain is shown to be below {@link NEGLIGIBLE_GAIN}, at 5 %, by either of two tests:
 *
 * 1. Where the truth is known: the whole 90 % interval of the gain lies below it, a test of non-inferiority on paired cases
 *    (Agresti and Min 2005: Wald's interval after adding ½ to each cell).
 * 2. Whatever the truth: a ballot gains a case only where it decided for something that the single agent had not said, so its
 *    gain is at most the share of such ballots. The exact binomial test (Clopper and Pearson 1934) of that share needs 59
 *    ballots when none differed. It is left out where the first shows a gain that counts.
 */
export function compareWithSingle(record: BallotRecord): SingleComparison {
  const { ballots, decided, compared, differed, priced } = record;
  const judged = judgedOf(record);
  const tokenRatio = ratio(record.ballotTokens, record.singleTokens);
  const costRatio = priced === 0 ? null : ratio(record.ballotUsd, record.singleUsd);
  return {
    ballots,
    decided,
    agreement: decided === 0 ? null : record.agreement / decided / SHARE_UNITS,
    compared,
    differed,
    tokenRatio,
    costRatio,
    judged,
    finding: find(
      record,
      judged,
      costRatio === null ? priceOf(tokenRatio, "tokens") : priceOf(costRatio, "money"),
    ),
  };
}

function judgedOf({ bothRight, ballotOnly, singleOnly, neither }: BallotRecord): SingleComparison["judged"] {
  const cases = bothRight + ballotOnly + singleOnly + neither;
  if (cases === 0) return null;
  const [count, plus, minus] = [cases + 2, ballotOnly + 0.5, singleOnly + 0.5];
  const rate = (plus - minus) / count;
  const margin = (Z90 * Math.sqrt(plus + minus - (plus - minus) ** 2 / count)) / count;
  return {
    cases,
    ballotAccuracy: (bothRight + ballotOnly) / cases,
    singleAccuracy: (bothRight + singleOnly) / cases,
    gain: { rate: (ballotOnly - singleOnly) / cases, low: rate - margin, high: rate + margin },
  };
}

function find(
  { compared, differed }: BallotRecord,
  judged: SingleComparison["judged"],
  price: string,
): string | null {
  if (judged !== null && judged.gain.high < NEGLIGIBLE_GAIN) {
    return `one agent was as good in ${judged.cases} ballots whose right answer is known${price}`;
  }
  if (judged !== null && judged.gain.low > NEGLIGIBLE_GAIN) return null;
  if (binomialAtMost(differed, compared, NEGLIGIBLE_GAIN) > SIGNIFICANCE) return null;
  return `one agent was as good: ${differed} of ${compared} ballots said something else than it did${price}`;
}

function priceOf(ratio: number | null, what: string): string {
  return ratio === null || ratio <= 1 ? "" : `, at 1/${ratio.toFixed(1)} of the ${what}`;
}

/** The probability of at most `count` successes in `of` trials of probability `share`; 1 where it cannot be small. */
export function binomialAtMost(count: number, of: number, share: number): number {
  if (count >= of * share) return 1; // above the mean: not below one half, and not worth its terms
  let logTerm = of * Math.log1p(-share);
  let logSum = logTerm;
  for (let successes = 1; successes <= count; successes += 1) {
    logTerm += Math.log((of - successes + 1) / successes) + Math.log(share) - Math.log1p(-share);
    logSum = Math.max(logSum, logTerm) + Math.log1p(Math.exp(-Math.abs(logSum - logTerm)));
  }
  return Math.min(1, Math.exp(logSum));
}

function ratio(many: number, one: number): number | null {
  return one === 0 ? null : many / one;
}
