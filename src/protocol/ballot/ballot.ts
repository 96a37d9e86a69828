// What a ballot is on the wire: one question to several seats, and how their answers become one. Owns its fields, bounds and
// the rules between them; what is asked and answered is verdict.ts, how votes are counted src/consensus/tally/tally.ts.
import { z } from "zod";
import { tokenSchema } from "../wire/schema.ts";
import { BALLOT_STRATEGIES, DISAGREEMENT_RULES, RULES_OF, TOPOLOGIES } from "./rules.ts";

/**
 * The most seats of a ballot. Voters err together, so more of them soon add nothing: at an error correlation of 0.1, 64
 * seats are worth 8.8 independent ones and a thousand 9.9 (Kish 1965, n / (1 + (n − 1)ρ)).
 */
export const MAX_SEATS = 64;
/** The fewest seats of `bft`: one liar among three cannot be told from the honest ones (Lamport et al. 1982). */
export const MIN_BFT_SEATS = 4;
/** The most rounds. Debates of language models stop gaining after about four (Du et al. 2023); double that. */
export const MAX_ROUNDS = 8;
/** Rounds of a debate or a mesh that names none: everybody answers, and answers once more. A ring goes round once. */
export const DEFAULT_ROUNDS = 2;
/** The deepest tree: at least two seats a level make 2 + 4 + … + 32 = 62 seats. */
export const MAX_TREE_DEPTH = 5;
/** Levels of a tree that names no depth: leads and their members. */
export const DEFAULT_TREE_DEPTH = 2;
/** The limit of a ballot that names none, in ms: that of one attempt of a task. */
export const DEFAULT_BALLOT_MS = 300_000;
/** The longest ballot, in ms: one day, as the longest attempt. A person may be asked. */
export const MAX_BALLOT_MS = 86_400_000;
/** The most candidates of a ranked ballot; comparing them costs their cube. */
export const MAX_CANDIDATES = 64;
/** The most pointers that make up the key of a finding. */
export const MAX_KEY_POINTERS = 8;
/** The most counts of a calibration: every count of up to 16 seats; larger ballots are read off its curve. */
export const MAX_CALIBRATION_CELLS = 136;
/** The share cut off at each end by `trimmed` when the ballot names none. */
export const DEFAULT_TRIM = 0.2;
/**
 * Canonical bytes of all seats' values together; each seat may use its share of it. With the verdict's own value this
 * stays well below the 512 KiB of an inline result, and a ballot's state fits into a few entries of the control log.
 */
export const MAX_BALLOT_VALUE_BYTES = 128 * 1_024;

const pointerMessage = 'must be a JSON pointer (RFC 6901): "" or "/name/0", with ~0 for ~ and ~1 for /';
/** A JSON pointer (RFC 6901) of at most 256 characters; the empty one names the whole value. */
export const pointerSchema = z
  .string(pointerMessage)
  .max(256, pointerMessage)
  .regex(/^(?:\/(?:[^~/]|~[01])*)*$/, pointerMessage);

/** What makes two spellings one value before they are compared. Reaches into lists and objects; names stay. */
export const normaliseSchema = z.strictObject({
  /** Cut white space off both ends of strings. */
  trim: z.boolean().default(false),
  /** Compare strings in lower case (Unicode's default mapping). */
  ignoreCase: z.boolean().default(false),
  /** Round numbers to the nearest multiple of this. Rounding, not closeness, because closeness is not transitive. */
  tolerance: z
    .number("must be a number above 0")
    .positive("must be a number above 0")
    .min(1e-12, "must be at least 1e-12")
    .max(1e12, "must be at most 1e12")
    .optional(),
});

/**
 * How far agreement can be trusted, as it was learnt from judged cases (docs/ballots.md, "Confidence"). Data of whoever asks: it
 * annotates merged findings and decides nothing.
 */
export const calibrationSchema = z.strictObject({
  intercept: z.number(),
  slope: z.number(),
  /** Judged cases by count, `[votes, of, right, total]`. */
  cells: z
    .array(
      z.tuple([z.int().min(0).max(MAX_SEATS), z.int().min(1).max(MAX_SEATS), z.int().min(0), z.int().min(0)]),
    )
    .max(MAX_CALIBRATION_CELLS),
});

/** How far agreement can be trusted. */
export type Calibration = z.output<typeof calibrationSchema>;

/** Limits of everything that a ballot asks for. What is not there is limited by seats, rounds and topology alone. */
export const ballotBudgetSchema = z.strictObject({
  /** Questions put to seats, judge and verifier. Must reach for one full round. */
  maxMessages: z.int().min(1).max(10_000).optional(),
  /** How often one answer may build on another; a question that shows no answer is hop 1. */
  maxHops: z.int().min(1).max(1_000).optional(),
  /** No further question once this much is spent, or once a cost is unknown. */
  maxUsd: z.number().positive().max(1_000_000).optional(),
});

const seatsMessage = `must be a whole number from 1 to ${MAX_SEATS}`;
const oneOf = (words: readonly string[]) => `must be one of ${words.join(", ")}`;

const ballotFields = z.strictObject({
  /** How many agents answer. */
  seats: z.int(seatsMessage).min(1, seatsMessage).max(MAX_SEATS, seatsMessage),
  /** How their answers become one. */
  strategy: z.enum(BALLOT_STRATEGIES, oneOf(BALLOT_STRATEGIES)),
  /** `quorum`: how many equal answers decide. `merge`: how many seats must report a finding for it to be kept, default 1. */
  quorum: z.int().min(1).optional(),
  /** How many valid answers a decision needs at least. Default: as many as the strategy needs to agree. */
  minAnswers: z.int().min(1).optional(),
  /** Where in the output the value stands that is compared; default the whole output. */
  pointer: pointerSchema.default(""),
  /** A value of another JSON type is an abstention. Default: what the strategy can count. */
  type: z.enum(["string", "number", "boolean", "object", "array"]).optional(),
  normalise: normaliseSchema.optional(),
  /** The capability that chooses among the candidates: for the strategy `judge`, or on disagreement. */
  judge: tokenSchema.optional(),
  /** The capability that tests the candidates: for the strategy `verifier`. */
  verifier: tokenSchema.optional(),
  /** `ranked`: how rankings are counted; default `condorcet` (Schulze). */
  ranking: z.enum(["condorcet", "borda"]).optional(),
  /** `ranked`: what may be ranked; a ranking of anything else is an abstention. Default: whatever seats rank. */
  candidates: z
    .array(z.union([z.string().max(1_024), z.number(), z.boolean()], "must be strings, numbers or booleans"))
    .min(2)
    .max(MAX_CANDIDATES)
    .optional(),
  /** `trimmed`: the share cut off at each end, 0 to below 0.5; default 0.2. */
  trim: z.number().min(0).lt(0.5).optional(),
  /** `merge`: pointers into a finding that say which finding it is; default the whole finding. */
  key: z.array(pointerSchema).min(1).max(MAX_KEY_POINTERS).optional(),
  /** `merge`: what makes the `confidence` of merged findings; without it they have none. */
  calibration: calibrationSchema.optional(),
  /**
   * The capability of each seat's agent, seat by seat, where seats are to be different specialists. Default: the task's for all;
   * the task's own then only says who hands the ballot over.
   */
  panel: z.array(tokenSchema).min(1).max(MAX_SEATS).optional(),
  /** The limit of the whole ballot in ms, every round and the judge included. */
  timeoutMs: z.number().min(1).max(MAX_BALLOT_MS).default(DEFAULT_BALLOT_MS),
  /** What seats must not share: the `model`, the `agent`, or `none`: one agent may hold several. */
  diversity: z.enum(["model", "agent", "none"]).default("agent"),
  /** What follows when the answers do not agree. */
  onDisagreement: z.enum(DISAGREEMENT_RULES, oneOf(DISAGREEMENT_RULES)).default("fail"),
  /** The most rounds, the first included: of a debate, a mesh, or of a ring. */
  rounds: z.int().min(1).max(MAX_ROUNDS).optional(),
  /** Who sees whose answers, and who speaks for whom. */
  topology: z.enum(TOPOLOGIES, oneOf(TOPOLOGIES)).default("star"),
  /** `tree`: levels of seats, default 2. */
  depth: z.int().min(2).max(MAX_TREE_DEPTH).optional(),
  /** `tree`: how many each lead leads, and how many leads there are; default the fewest that seat everybody. */
  fanOut: z.int().min(1).max(MAX_SEATS).optional(),
  /** `mesh`: how many others each seat sees, the next ones in a circle; default all. */
  neighbours: z.int().min(1).max(MAX_SEATS).optional(),
  budget: ballotBudgetSchema.optional(),
  /**
   * The right value, where it is known beforehand: as it should stand at the pointer, or of `ranked` the right candidate. It
   * counts nothing and no seat is told; from it the office learns how good those who answered are.
   */
  truth: z.json().optional(),
});

type Fields = z.output<typeof ballotFields>;

/** How several agents answer one task. Fields that would have no effect are refused, so that none is ignored. */
export const ballotSchema = ballotFields.superRefine((spec, context) => {
  for (const { field, message } of faultsOf(spec)) {
    context.addIssue({ code: "custom", path: field.split("."), message });
  }
});

/** A ballot as a publisher may write it. */
export type BallotInput = z.input<typeof ballotSchema>;
/** A ballot with its defaults filled in; those that depend on other fields come from the functions below. */
export type BallotSpec = z.output<typeof ballotSchema>;

/** What a seat's agent must offer: what the panel says, else the capability of the task. */
export function capabilityOfSeat({ panel }: Pick<Fields, "panel">, seat: number, ofTask: string): string {
  return panel?.[seat - 1] ?? ofTask;
}

/** Levels of seats in the ballot's tree. */
export function treeDepthOf({ depth }: Pick<Fields, "depth">): number {
  return depth ?? DEFAULT_TREE_DEPTH;
}

/** How many a lead of the ballot's tree leads: what the ballot says, or the fewest with room for every seat. */
export function fanOutOf(spec: Pick<Fields, "depth" | "fanOut" | "seats">): number {
  if (spec.fanOut !== undefined) return spec.fanOut;
  let fanOut = 1;
  while (treeRoom(fanOut, treeDepthOf(spec)) < spec.seats) fanOut += 1;
  return fanOut;
}

/** How many seats vote: in a tree the leads of the first level, else all. */
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

/** Seats of a full tree: fanOut + fanOut² + … */
function treeRoom(fanOut: number, depth: number): number {
  let room = 0;
  for (let level = 1; level <= depth; level += 1) room += fanOut ** level;
  return room;
}

interface Fault {
  readonly field: string;
  readonly message: string;
}

/** What contradicts in the ballot, in the order in which a person would mend it. */
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
    faults.push({ field: "quorum", message: "must say how many equal answers decide" });
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
  const { counts } = RULES_OF[strategy];
  if (spec.truth !== undefined) faults.push(...truthFaults(spec.truth, spec));
  if (counts !== "any" && spec.type !== undefined && spec.type !== counts) {
    faults.push({ field: "type", message: `must be ${counts} or left out: that is what ${strategy} counts` });
  }
  return faults;
}

function truthFaults(truth: unknown, { seats, strategy }: Fields): Fault[] {
  const most = Math.floor(MAX_BALLOT_VALUE_BYTES / seats);
  const message =
    truth === null
      ? "must be a value: null is no answer"
      : RULES_OF[strategy].counts === "number" && typeof truth !== "number"
        ? `must be a number: that is what ${strategy} counts`
        : JSON.stringify(truth).length > most
          ? `must be at most ${most} characters of JSON, as the values of ${seats} seats`
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
  const allowed = RULES_OF[spec.strategy].onDisagreement;
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
