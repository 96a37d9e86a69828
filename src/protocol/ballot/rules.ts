// The strategies, disagreement rules and topologies of ballots, and the allowed combinations of strategy and disagreement
// rule. Data only; ballot.ts checks a ballot's options against it.

/** The strategies: rules that combine the answers of a ballot (docs/ballots.md). */
export const BALLOT_STRATEGIES = [
  "first",
  "majority",
  "weighted",
  "quorum",
  "unanimous",
  "ranked",
  "mean",
  "median",
  "trimmed",
  "merge",
  "judge",
  "verifier",
  "bft",
] as const;
/** A strategy: the rule that combines the answers of a ballot. */
export type BallotStrategy = (typeof BALLOT_STRATEGIES)[number];

/** The disagreement rules: the possible next steps when the answers do not agree. */
export const DISAGREEMENT_RULES = ["plurality", "debate", "judge", "human", "fail"] as const;
/** A disagreement rule: the next step when the answers do not agree. */
export type DisagreementRule = (typeof DISAGREEMENT_RULES)[number];

/** The topologies. A topology is the rule that decides which seats see which other answers. */
export const TOPOLOGIES = ["star", "tree", "ring", "mesh"] as const;
/** A topology: the rule that decides which seats see which other answers. */
export type TopologyKind = (typeof TOPOLOGIES)[number];

interface StrategyRules {
  /** The JSON type of the values that the strategy can count. */
  readonly counts: "any" | "number" | "array";
  /** The allowed disagreement rules. `bft` allows only rules that let no single agent decide. */
  readonly onDisagreement: readonly DisagreementRule[];
}

const anyAnswers: StrategyRules = { counts: "any", onDisagreement: DISAGREEMENT_RULES };
const failOnly = ["fail"] as const;

/** For each strategy: the values that it counts, and the disagreement rules that it allows. */
export const STRATEGY_RULES: Readonly<Record<BallotStrategy, StrategyRules>> = {
  first: { counts: "any", onDisagreement: failOnly },
  majority: anyAnswers,
  weighted: anyAnswers,
  quorum: anyAnswers,
  unanimous: anyAnswers,
  ranked: { counts: "array", onDisagreement: ["debate", "judge", "human", "fail"] },
  mean: { counts: "number", onDisagreement: failOnly },
  median: { counts: "number", onDisagreement: failOnly },
  trimmed: { counts: "number", onDisagreement: failOnly },
  merge: { counts: "array", onDisagreement: failOnly },
  judge: { counts: "any", onDisagreement: ["plurality", "human", "fail"] },
  verifier: { counts: "any", onDisagreement: ["plurality", "human", "fail"] },
  bft: { counts: "any", onDisagreement: ["debate", "human", "fail"] },
};
