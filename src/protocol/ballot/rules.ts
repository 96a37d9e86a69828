// The words of ballots, and which of them go together: strategies, disagreement, topologies. Data only.

/** How answers become one (docs/ballots.md). */
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
/** How answers become one. */
export type BallotStrategy = (typeof BALLOT_STRATEGIES)[number];

/** What seats that disagree do next. */
export const DISAGREEMENT_RULES = ["plurality", "debate", "judge", "human", "fail"] as const;
/** What seats that disagree do next. */
export type DisagreementRule = (typeof DISAGREEMENT_RULES)[number];

/** Who sees whose answers. */
export const TOPOLOGIES = ["star", "tree", "ring", "mesh"] as const;
/** Who sees whose answers. */
export type TopologyKind = (typeof TOPOLOGIES)[number];

interface StrategyRules {
  /** The JSON type of values that it can count. */
  readonly counts: "any" | "number" | "array";
  /** What may follow a disagreement. `bft` leaves no way by which one seat could decide. */
  readonly onDisagreement: readonly DisagreementRule[];
}

const counting: StrategyRules = { counts: "any", onDisagreement: DISAGREEMENT_RULES };
const neverTorn = ["fail"] as const;

/** What each strategy counts, and what may follow when it finds no agreement. */
export const RULES_OF: Readonly<Record<BallotStrategy, StrategyRules>> = {
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
