// The strategies, disagreement rules and topologies of ballots, and the combinations that are allowed. Data only.

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

/** The rules for the next step when the answers do not agree. */
export const DISAGREEMENT_RULES = ["plurality", "debate", "judge", "human", "fail"] as const;
/** The next step when the answers do not agree. */
export type DisagreementRule = (typeof DISAGREEMENT_RULES)[number];

/** The topologies. A topology says which seats see which other answers. */
export const TOPOLOGIES = ["star", "tree", "ring", "mesh"] as const;
/** A topology. It says which seats see which other answers. */
export type TopologyKind = (typeof TOPOLOGIES)[number];

interface StrategyRules {
  /** The JSON type of the values that the strategy can count. */
  readonly counts: "any" | "number" | "array";
  /** The allowed disagreement rules. `bft` allows none that lets a single seat decide. */
  readonly onDisagreement: readonly DisagreementRule[];
}

const counting: StrategyRules = { counts: "any", onDisagreement: DISAGREEMENT_RULES };
const neverTorn = ["fail"] as const;

/** For each strategy: the values that it counts, and the disagreement rules that it allows. */
export const STRATEGY_RULES: Readonly<Record<BallotStrategy, StrategyRules>> = {
  first: { counts: "any", onDisagreement: neverTorn },
  majority: counting,
  weighted: counting,
  quorum: counting,
  unanimous: counting,
  ranked: { counts: "array", onDisagreement: ["debate", "judge", "human", "fail"] },
  mean: { counts: "number", onDisagreement: neverTorn },
  median: { counts: "number", onDisagreement: neverTorn },
  trimmed: { counts: "number", onDisagreement: neverTorn },
  merge: { counts: "array", onDisagreement: neverTorn },
  judge: { counts: "any", onDisagreement: ["plurality", "human", "fail"] },
  verifier: { counts: "any", onDisagreement: ["plurality", "human", "fail"] },
  bft: { counts: "any", onDisagreement: ["debate", "human", "fail"] },
};
