// Compares ballots with one agent that answered alone: their decisions, their gain and their cost. Each ballot has such
// an agent, its control arm. Owns the sums over ballots of one kind, and the two tests that find one agent as good as a
// ballot. The callers collect the ballots and store the sums. Pure.

/** The tokens and the money that an answer or a ballot used. */
export interface Spent {
  readonly tokens: number;
  /** In US dollars; null when unknown. Null never means zero. */
  readonly costUsd: number | null;
}

/** One ended ballot, decided or not. */
export interface BallotFacts {
  readonly isDecided: boolean;
  /** The verdict's agreement, 0 to 1. */
  readonly agreement: number;
  readonly spent: Spent;
  /**
   * The control arm; absent when the ballot ended before that seat was asked. A control arm that abstained does not
   * agree.
   */
  readonly single?: { readonly agrees: boolean; readonly spent: Spent | null };
}

/** Sums over ballots of one kind, as JSON. All are whole numbers, so that they do not depend on the order of adding. */
export interface BallotRecord {
  readonly ballots: number;
  readonly decided: number;
  /** The sum of the agreement of decided ballots, in millionths. */
  readonly agreement: number;
  /** The number of ballots whose control arm was asked. */
  readonly compared: number;
  /** The number of these ballots that decided for another value than the answer of the single agent. */
  readonly differed: number;
  /** The tokens of the compared ballots whose control arm reported its usage, and the tokens of these control arms. */
  readonly ballotTokens: number;
  readonly singleTokens: number;
  /** The number of ballots with both costs known, and the sums of these costs in {@link USD_UNITS}. */
  readonly priced: number;
  readonly ballotUsd: number;
  readonly singleUsd: number;
  /** The numbers of ballots with a known truth: both sides right, only one side, or neither. */
  readonly bothRight: number;
  readonly ballotOnly: number;
  readonly singleOnly: number;
  readonly neither: number;
}

/** The unit of shares: sums count millionths. */
const SHARE_UNITS = 1_000_000;
/**
 * The unit of money: sums count billionths of a dollar. That is below the price of a token, and nine million dollars
 * stay exact.
 */
const USD_UNITS = 1_000_000_000;

/** The record of no ballots. */
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

/** Adds an ended ballot. */
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

/**
 * Records which side was right, after the truth of a ballot with a control arm is known. `times` −1 removes the record.
 */
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

/** A summary of the ballots of one kind: their decisions, and their gain and price compared with one agent. */
export interface SingleComparison {
  readonly ballots: number;
  readonly decided: number;
  /** The mean agreement of decided ballots; null without any. */
  readonly agreement: number | null;
  /**
   * The number of ballots whose control arm was asked, and how many of them decided for another value than its answer.
   */
  readonly compared: number;
  readonly differed: number;
  /**
   * The tokens and the money of the ballots divided by those of one agent; null when unknown or when one agent used
   * none.
   */
  readonly tokenRatio: number | null;
  readonly costRatio: number | null;
  /** The comparison over ballots with a known truth; null without any. */
  readonly judged: {
    readonly cases: number;
    readonly ballotAccuracy: number;
    readonly singleAccuracy: number;
    /** The accuracy of the ballots minus that of one agent, with a 90 % interval. */
    readonly gain: { readonly rate: number; readonly low: number; readonly high: number };
  } | null;
  /** A sentence when one agent was as good; otherwise null. */
  readonly finding: string | null;
}

/** A gain below this is negligible: one case in twenty. */
export const NEGLIGIBLE_GAIN = 0.05;
/** The accepted probability of a wrong finding when the gain is just above negligible. */
const SIGNIFICANCE = 0.05;
/** The one-sided 95 % quantile of the normal distribution. */
const Z90 = 1.644854;

/**
 * Compares the ballots of a record with one agent. One agent was as good if one of two tests shows, at the 5 % level,
 * that the gain of the ballots is below {@link NEGLIGIBLE_GAIN}:
 *
 * 1. With known truth: the whole 90 % interval of the gain lies below the bound. This is a test of non-inferiority on
 *    paired cases (Agresti and Min 2005: Wald's interval after adding ½ to each cell).
 * 2. Without truth: a ballot can gain a case only if it decided for another value than the single agent, so the gain is
 *    at most the share of such ballots. The exact binomial test (Clopper and Pearson 1934) of this share needs 59
 *    ballots if none differed. This test is skipped if the first test shows a gain that is not negligible.
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
  return `one agent was as good: ${differed} of ${compared} ballots decided for another value than it did${price}`;
}

function priceOf(ratio: number | null, what: string): string {
  return ratio === null || ratio <= 1 ? "" : `, at 1/${ratio.toFixed(1)} of the ${what}`;
}

/** The probability of at most `count` successes in `of` trials with probability `share`; 1 if it is not small. */
export function binomialAtMost(count: number, of: number, share: number): number {
  if (count >= of * share) return 1; // Above the mean the probability is at least about one half; the sum is not worth computing.
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
