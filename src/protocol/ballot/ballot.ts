// A ballot on the wire: one question to several seats, and the rule that combines their answers. Owns the fields, their
// bounds and the rules between them. The messages of a ballot are in verdict.ts; src/consensus/tally/tally.ts counts votes.
import { z } from "zod";
import { tokenSchema } from "../wire/schema.ts";
import { BALLOT_STRATEGIES, DISAGREEMENT_RULES, STRATEGY_RULES, TOPOLOGIES } from "./rules.ts";

/**
 * The most seats of a ballot. The errors of voters are correlated, so more voters soon add nothing: at a correlation of
 * 0.1, 64 seats are worth 8.8 independent seats, and a thousand are worth 9.9 (Kish 1965, n / (1 + (n − 1)ρ)).
 */
export const MAX_SEATS = 64;
/** The fewest seats of `bft`: among three seats, one liar cannot be distinguished from the honest two (Lamport et al. 1982). */
export const MIN_BFT_SEATS = 4;
/** The most rounds: twice the four rounds after which debates of language models stop improving (Du et al. 2023). */
export const MAX_ROUNDS = 8;
/** The default number of rounds of a debate or a mesh: every seat answers twice. A ring has one round by default. */
export const DEFAULT_ROUNDS = 2;
/** The deepest tree: with at least two members for each lead, five levels have 2 + 4 + … + 32 = 62 seats. */
export const MAX_TREE_DEPTH = 5;
/** The default depth of a tree: one level of leads and one level of their members. */
export const DEFAULT_TREE_DEPTH = 2;
/** The default time limit of a ballot, in ms: the same as the default limit of one attempt of a task. */
export const DEFAULT_BALLOT_MS = 300_000;
/** The longest time limit of a ballot, in ms: one day, like the longest attempt, because a person may have to answer. */
export const MAX_BALLOT_MS = 86_400_000;
/** The most candidates of a ranked ballot. The cost of comparing them grows with the cube of their number. */
export const MAX_CANDIDATES = 64;
/** The most pointers in the key of a finding. */
export const MAX_KEY_POINTERS = 8;
/** The most cells of a calibration: every pair (votes, seats) for up to 16 seats. Larger ballots use the fitted curve. */
export const MAX_CALIBRATION_CELLS = 136;
/** The default share of answers that `trimmed` cuts off at each end. */
export const DEFAULT_TRIM = 0.2;
/**
 * The most bytes of canonical JSON for the values of all seats together; each seat may use an equal share. Together with
 * the verdict's own value this stays well below the 512 KiB of an inline result, and a ballot's state fits into a few
 * entries of the control log.
 */
export const MAX_BALLOT_VALUE_BYTES = 128 * 1_024;

const pointerMessage = 'must be a JSON pointer (RFC 6901): "" or "/name/0", with ~0 for ~ and ~1 for /';
/** A JSON pointer (RFC 6901) of at most 256 characters; the empty pointer names the whole value. */
export const pointerSchema = z
  .string(pointerMessage)
  .max(256, pointerMessage)
  .regex(/^(?:\/(?:[^~/]|~[01])*)*$/, pointerMessage);

/**
 * Rules that change values before they are compared, so that two spellings count as one value. They apply inside lists
 * and objects, but not to the names of fields.
 */
export const normaliseSchema = z.strictObject({
  /** Cut white space off both ends of strings. */
  trim: z.boolean().default(false),
  /** Compare strings in lower case (Unicode's default mapping). */
  ignoreCase: z.boolean().default(false),
  /**
   * Round numbers to the nearest multiple of this number. A comparison with a tolerance would not work, because "close
   * enough" is not transitive.
   */
  tolerance: z
    .number("must be a number above 0")
    .positive("must be a number above 0")
    .min(1e-12, "must be at least 1e-12")
    .max(1e12, "must be at most 1e12")
    .optional(),
});

/**
 * The reliability of agreement, learnt from judged cases (docs/ballots.md, "Confidence"). The caller provides it. It only
 * annotates merged findings; it decides nothing.
 */
export const calibrationSchema = z.strictObject({
  intercept: z.number(),
  slope: z.number(),
  /** Judged cases for each count of votes, `[votes, of, right, total]`. */
  cells: z
    .array(
      z.tuple([z.int().min(0).max(MAX_SEATS), z.int().min(1).max(MAX_SEATS), z.int().min(0), z.int().min(0)]),
    )
    .max(MAX_CALIBRATION_CELLS),
});

/** The data for the confidence of a ballot's findings. */
export type Calibration = z.output<typeof calibrationSchema>;

/** Limits for the whole ballot. Without a limit, only the seats, the rounds and the topology bound the ballot. */
export const ballotBudgetSchema = z.strictObject({
  /** The most questions to seats, judge and verifier. Must be enough for one full round. */
  maxMessages: z.int().min(1).max(10_000).optional(),
  /** The longest chain of answers that build on each other. A question that shows no other answer is hop 1. */
  maxHops: z.int().min(1).max(1_000).optional(),
  /** The office asks no further question after this much is spent, or after a cost is unknown. */
  maxUsd: z.number().positive().max(1_000_000).optional(),
});

const seatsMessage = `must be a whole number from 1 to ${MAX_SEATS}`;
const oneOf = (words: readonly string[]) => `must be one of ${words.join(", ")}`;

const ballotFields = z.strictObject({
  /** The number of agents that answer. */
  seats: z.int(seatsMessage).min(1, seatsMessage).max(MAX_SEATS, seatsMessage),
  /** The rule that combines the answers of the seats. */
  strategy: z.enum(BALLOT_STRATEGIES, oneOf(BALLOT_STRATEGIES)),
  /** `quorum`: the number of equal answers that decide. `merge`: the number of seats that must report a finding, default 1. */
  quorum: z.int().min(1).optional(),
  /** The fewest valid answers for a decision. Default: the number that the strategy needs for agreement. */
  minAnswers: z.int().min(1).optional(),
  /** The place of the compared value in the output; default the whole output. */
  pointer: pointerSchema.default(""),
  /** A value of another JSON type is an abstention. Default: the type that the strategy can count. */
  type: z.enum(["string", "number", "boolean", "object", "array"]).optional(),
  normalise: normaliseSchema.optional(),
  /** The capability that chooses among the candidates: for the strategy `judge`, or on disagreement. */
  judge: tokenSchema.optional(),
  /** The capability that tests the candidates: for the strategy `verifier`. */
  verifier: tokenSchema.optional(),
  /** `ranked`: the method that counts rankings; default `condorcet` (Schulze). */
  ranking: z.enum(["condorcet", "borda"]).optional(),
  /** `ranked`: the allowed candidates. A ranking with any other value is an abstention. Default: all values that seats rank. */
  candidates: z
    .array(z.union([z.string().max(1_024), z.number(), z.boolean()], "must be strings, numbers or booleans"))
    .min(2)
    .max(MAX_CANDIDATES)
    .optional(),
  /** `trimmed`: the share cut off at each end, 0 to below 0.5; default 0.2. */
  trim: z.number().min(0).lt(0.5).optional(),
  /** `merge`: pointers to the fields that identify a finding; default the whole finding. */
  key: z.array(pointerSchema).min(1).max(MAX_KEY_POINTERS).optional(),
  /** `merge`: the data for the `confidence` of merged findings. Without it they have no `confidence`. */
  calibration: calibrationSchema.optional(),
  /**
   * The capability for each seat, in the order of the seats, for a ballot of different specialists. Default: the task's
   * capability for all seats. With a panel, the task's capability only selects the host that hands the ballot to the office.
   */
  panel: z.array(tokenSchema).min(1).max(MAX_SEATS).optional(),
  /** The time limit of the whole ballot in ms, including all rounds and the judge. */
  timeoutMs: z.number().min(1).max(MAX_BALLOT_MS).default(DEFAULT_BALLOT_MS),
  /**
   * The property that must differ between all seats: the `model` or the `agent`. `none`: one agent may hold several seats.
   */
  diversity: z.enum(["model", "agent", "none"]).default("agent"),
  /** The next step when the answers do not agree. */
  onDisagreement: z.enum(DISAGREEMENT_RULES, oneOf(DISAGREEMENT_RULES)).default("fail"),
  /** The most rounds of a debate, a mesh or a ring, including the first. */
  rounds: z.int().min(1).max(MAX_ROUNDS).optional(),
  /** The topology: which seats see which other answers, and in a tree which seats vote. */
  topology: z.enum(TOPOLOGIES, oneOf(TOPOLOGIES)).default("star"),
  /** `tree`: the number of levels of seats, default 2. */
  depth: z.int().min(2).max(MAX_TREE_DEPTH).optional(),
  /** `tree`: the number of leads, and of members for each lead; default the smallest number with room for all seats. */
  fanOut: z.int().min(1).max(MAX_SEATS).optional(),
  /** `mesh`: the number of other seats that each seat sees: the seats after it in a circle. Default: all. */
  neighbours: z.int().min(1).max(MAX_SEATS).optional(),
  budget: ballotBudgetSchema.optional(),
  /**
   * The right value, if it is known beforehand: the value expected at the pointer; for `ranked` the right candidate. It
   * does not count as a vote, and no seat sees it. The office uses it to learn how often each agent is right.
   */
  truth: z.json().optional(),
});

type Fields = z.output<typeof ballotFields>;

/** A ballot as part of a task. Fields that would have no effect are rejected, so that no field is ignored silently. */
export const ballotSchema = ballotFields.superRefine((spec, context) => {
  for (const { field, message } of faultsOf(spec)) {
    context.addIssue({ code: "custom", path: field.split("."), message });
  }
});

/** A ballot as a publisher may write it. */
export type BallotInput = z.input<typeof ballotSchema>;
/** A ballot with its defaults filled in. The functions below compute the defaults that depend on other fields. */
export type BallotSpec = z.output<typeof ballotSchema>;

/** The most ballots that are remembered as read: a swarm uses few different ones. With {@link MAX_KNOWN_TEXT} at most 64 KiB. */
const MAX_KNOWN_BALLOTS = 64;
/** The longest ballot that is remembered, in UTF-16 code units of its JSON. */
const MAX_KNOWN_TEXT = 512;

/** Ballots by the JSON that they were read from. */
const knownBallots = new Map<string, BallotSpec>();

/**
 * Reads a good ballot whose fields are all plain texts, numbers or booleans, as {@link ballotSchema} does; undefined for every other
 * value, which the schema must judge. Many tasks have the same ballot, and three processes read each: the schema alone costs 5 % of their
 * CPU time.
 */
export function readPlainBallot(value: unknown): BallotSpec | undefined {
  if (!isFlat(value)) return undefined;
  const text = JSON.stringify(value);
  const known = knownBallots.get(text);
  if (known !== undefined) return { ...known };
  const spec = ballotSchema.safeParse(value).data;
  if (spec === undefined || text.length > MAX_KNOWN_TEXT || !isFlat(spec)) return spec;
  if (knownBallots.size >= MAX_KNOWN_BALLOTS) knownBallots.clear();
  knownBallots.set(text, spec);
  return { ...spec };
}

/** True for an object whose fields are all texts, finite numbers or booleans: it has one JSON text, and a copy shares nothing with it. */
function isFlat(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  for (const key in value) {
    const field = (value as Record<string, unknown>)[key];
    if (typeof field !== "string" && typeof field !== "boolean" && !Number.isFinite(field)) return false;
  }
  return true;
}

/** The capability that a seat's agent must offer: the panel's capability for this seat, or `ofTask` without a panel. */
export function capabilityOfSeat({ panel }: Pick<Fields, "panel">, seat: number, ofTask: string): string {
  return panel?.[seat - 1] ?? ofTask;
}

/** The number of levels of seats in the ballot's tree. */
export function treeDepthOf({ depth }: Pick<Fields, "depth">): number {
  return depth ?? DEFAULT_TREE_DEPTH;
}

/** The members of each lead in the ballot's tree: the ballot's `fanOut`, or the smallest number with room for every seat. */
export function fanOutOf(spec: Pick<Fields, "depth" | "fanOut" | "seats">): number {
  if (spec.fanOut !== undefined) return spec.fanOut;
  let fanOut = 1;
  while (treeRoom(fanOut, treeDepthOf(spec)) < spec.seats) fanOut += 1;
  return fanOut;
}

/** The number of seats that vote: in a tree only the leads of the first level, otherwise all seats. */
export function voterCountOf(spec: Pick<Fields, "depth" | "fanOut" | "seats" | "topology">): number {
  return spec.topology === "tree" ? Math.min(fanOutOf(spec), spec.seats) : spec.seats;
}

/** The most rounds of the ballot. */
export function roundsOf(spec: Pick<Fields, "onDisagreement" | "rounds" | "topology">): number {
  return spec.rounds ?? (usesRounds(spec) && spec.topology !== "ring" ? DEFAULT_ROUNDS : 1);
}

function usesRounds({ onDisagreement, topology }: Pick<Fields, "onDisagreement" | "topology">): boolean {
  return onDisagreement === "debate" || topology === "mesh" || topology === "ring";
}

/** The number of seats in a full tree: fanOut + fanOut² + … */
function treeRoom(fanOut: number, depth: number): number {
  let room = 0;
  for (let level = 1; level <= depth; level += 1) room += fanOut ** level;
  return room;
}

interface Fault {
  readonly field: string;
  readonly message: string;
}

/** The contradictions in the ballot. The first one is the best to fix first. */
function faultsOf(spec: Fields): Fault[] {
  return [
    ...strategyFaults(spec),
    ...countFaults(spec),
    ...disagreementFaults(spec),
    ...topologyFaults(spec),
  ];
}

function strategyFaults(spec: Fields): Fault[] {
  const { strategy } = spec;
  const faults: Fault[] = [];
  const only = (field: keyof Fields, isUseful: boolean, where: string) => {
    if (spec[field] !== undefined && !isUseful) {
      faults.push({ field, message: `has no effect here: it is for ${where}; leave it out` });
    }
  };
  const needsJudge = strategy === "judge" || spec.onDisagreement === "judge";
  if (needsJudge && spec.judge === undefined)
    faults.push({ field: "judge", message: "must name the capability that judges" });
  if (strategy === "verifier" && spec.verifier === undefined) {
    faults.push({ field: "verifier", message: "must name the capability that verifies" });
  }
  if (strategy === "quorum" && spec.quorum === undefined) {
    faults.push({ field: "quorum", message: "must be the number of equal answers that decide" });
  }
  if (strategy === "bft" && spec.seats < MIN_BFT_SEATS) {
    faults.push({
      field: "seats",
      message: `must be at least ${MIN_BFT_SEATS} for bft: fewer seats tolerate no liar`,
    });
  }
  if (strategy === "bft" && spec.diversity === "none") {
    faults.push({
      field: "diversity",
      message: "must be agent or model for bft: one agent with several seats is one voter",
    });
  }
  only("judge", needsJudge, "the strategy judge or onDisagreement judge");
  only("verifier", strategy === "verifier", "the strategy verifier");
  only("quorum", strategy === "quorum" || strategy === "merge", "the strategies quorum and merge");
  only("ranking", strategy === "ranked", "the strategy ranked");
  only("candidates", strategy === "ranked", "the strategy ranked");
  only("trim", strategy === "trimmed", "the strategy trimmed");
  only("key", strategy === "merge", "the strategy merge");
  only("truth", strategy !== "merge", "strategies whose verdict is right or wrong as a whole");
  only("calibration", strategy === "merge", "the strategy merge");
  const { counts } = STRATEGY_RULES[strategy];
  if (spec.truth !== undefined) faults.push(...truthFaults(spec.truth, spec));
  if (counts !== "any" && spec.type !== undefined && spec.type !== counts) {
    faults.push({
      field: "type",
      message: `must be ${counts} or left out: ${strategy} counts values of this type only`,
    });
  }
  return faults;
}

function truthFaults(truth: unknown, { seats, strategy }: Fields): Fault[] {
  const most = Math.floor(MAX_BALLOT_VALUE_BYTES / seats);
  const message =
    truth === null
      ? "must not be null: null is no answer"
      : STRATEGY_RULES[strategy].counts === "number" && typeof truth !== "number"
        ? `must be a number: ${strategy} counts numbers only`
        : JSON.stringify(truth).length > most
          ? `must be at most ${most} characters of JSON, like each value of the ${seats} seats`
          : undefined;
  return message === undefined ? [] : [{ field: "truth", message }];
}

function countFaults(spec: Fields): Fault[] {
  const voters = voterCountOf(spec);
  const { panel, seats } = spec;
  if (panel !== undefined && panel.length !== seats) {
    return [
      {
        field: "panel",
        message: `must name one capability for each of the ${seats} seats, not ${panel.length}`,
      },
    ];
  }
  const among = voters === spec.seats ? `the ${voters} seats` : `the ${voters} seats that vote`;
  return (["quorum", "minAnswers"] as const)
    .filter((field) => (spec[field] ?? 0) > voters)
    .map((field) => ({ field, message: `must be at most ${among}` }));
}

function disagreementFaults(spec: Fields): Fault[] {
  const allowed = STRATEGY_RULES[spec.strategy].onDisagreement;
  if (!allowed.includes(spec.onDisagreement)) {
    return [
      { field: "onDisagreement", message: `must be one of ${allowed.join(", ")} for ${spec.strategy}` },
    ];
  }
  if (spec.onDisagreement === "debate" && spec.topology !== "star" && spec.topology !== "tree") {
    return [
      {
        field: "onDisagreement",
        message: `must not be debate in a ${spec.topology}, where seats see each other already`,
      },
    ];
  }
  if (spec.onDisagreement === "debate" && spec.rounds === 1) {
    return [{ field: "rounds", message: "must be at least 2 for a debate" }];
  }
  if (spec.rounds !== undefined && !usesRounds(spec)) {
    return [
      {
        field: "rounds",
        message: "has no effect here: it is for mesh, ring and onDisagreement debate; leave it out",
      },
    ];
  }
  return [];
}

function topologyFaults(spec: Fields): Fault[] {
  const { topology, strategy, seats } = spec;
  const faults: Fault[] = [];
  if (strategy === "bft" && topology !== "star") {
    faults.push({
      field: "topology",
      message: "must be star for bft: a seat that sees another's answer is not independent of it",
    });
  }
  for (const field of ["depth", "fanOut"] as const) {
    if (spec[field] !== undefined && topology !== "tree") {
      faults.push({ field, message: "has no effect here: it is for the topology tree; leave it out" });
    }
  }
  if (spec.neighbours !== undefined && topology !== "mesh") {
    faults.push({
      field: "neighbours",
      message: "has no effect here: it is for the topology mesh; leave it out",
    });
  }
  if (spec.neighbours !== undefined && spec.neighbours >= seats) {
    faults.push({ field: "neighbours", message: `must be below the ${seats} seats` });
  }
  if (topology === "tree") faults.push(...treeFaults(spec));
  const leastMessages = seats + (strategy === "judge" || strategy === "verifier" ? 1 : 0);
  if ((spec.budget?.maxMessages ?? leastMessages) < leastMessages) {
    faults.push({
      field: "budget.maxMessages",
      message: `must be at least ${leastMessages}, the questions of one round`,
    });
  }
  const leastHops = topology === "ring" ? seats : topology === "tree" ? treeDepthOf(spec) : 1;
  if ((spec.budget?.maxHops ?? leastHops) < leastHops) {
    faults.push({ field: "budget.maxHops", message: `must be at least ${leastHops}, the hops of one round` });
  }
  return faults;
}

function treeFaults(spec: Fields): Fault[] {
  const depth = treeDepthOf(spec);
  const fanOut = fanOutOf(spec);
  const most = treeRoom(fanOut, depth);
  if (most < spec.seats) {
    return [
      {
        field: "fanOut",
        message: `must be larger: ${depth} levels of ${fanOut} have room for ${most} of ${spec.seats} seats`,
      },
    ];
  }
  if (treeRoom(fanOut, depth - 1) >= spec.seats) {
    return [
      {
        field: "depth",
        message: `must be smaller, or there must be more than ${treeRoom(fanOut, depth - 1)} seats: level ${depth} would be empty`,
      },
    ];
  }
  return [];
}
