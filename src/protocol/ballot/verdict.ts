// The messages of a ballot: questions to seats, judges and verifiers, signed votes, evidence, and the verdict. Owns their
// schemas; the ballot itself is in ballot.ts.
import { z } from "zod";
import { tokenSchema } from "../wire/schema.ts";
import { isToken } from "../wire/subjects.ts";
import { MAX_ROUNDS, MAX_SEATS, normaliseSchema, pointerSchema } from "./ballot.ts";
import { BALLOT_STRATEGIES, TOPOLOGIES } from "./rules.ts";

/** The most pieces of evidence kept with one ballot. Each seat can leave one equivocation; the rest is room for forgeries. */
export const MAX_EVIDENCE = 2 * MAX_SEATS;

const hashSchema = z.string().regex(/^[0-9a-f]{64}$/, "must be a sha256 in lower-case hex");

/** A signed vote (strategy `bft`). docs/ballots.md describes the signed bytes. */
export const signedVoteSchema = z.strictObject({
  /** The ballot's id, which is the task's id. */
  ballot: tokenSchema,
  round: z.int().min(1).max(MAX_ROUNDS),
  /** The nonce of the round, copied from the question. */
  nonce: hashSchema,
  seat: z.int().min(1).max(MAX_SEATS),
  /** SHA-256 of the canonical JSON (RFC 8785) of the normalised value at the pointer. */
  hash: hashSchema,
  /** Ed25519 (RFC 8032) over the vote's bytes, 64 bytes as base64url. */
  signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/, "must be 64 bytes as base64url"),
});
/** A signed vote. */
export type SignedVote = z.output<typeof signedVoteSchema>;

/** One candidate: a value that at least one seat gave, and the number that the judge, the verifier and people use for it. */
export const candidateSchema = z.object({ candidate: z.int().min(1), value: z.unknown() });

/** The question to a seat, in addition to the task's input. Readers accept unknown fields. */
export const seatQuestionSchema = z.object({
  ballot: tokenSchema,
  seat: z.int().min(1),
  round: z.int().min(1),
  /** The most rounds of the ballot. */
  rounds: z.int().min(1),
  pointer: pointerSchema,
  normalise: normaliseSchema.optional(),
  /** `lead`: the seat combines the answers of its group into one. `member`: every other seat. */
  role: z.enum(["member", "lead"]),
  /** The newest answers of the seats that this seat sees. Empty: the seat answers on its own. */
  answers: z.array(z.object({ seat: z.int().min(1), value: z.unknown() })),
  /** Strategy `bft`: the nonce to put into the signed vote. */
  nonce: hashSchema.optional(),
});
/** The question to a seat, in addition to the task's input. */
export type SeatQuestion = z.output<typeof seatQuestionSchema>;

/**
 * Reads the question to a seat that answers by itself and has no nonce, as {@link seatQuestionSchema} does; undefined for every other
 * value, which the schema must judge. Most questions are like this, and the schema costs 3 % of the CPU time of a host of seats.
 */
export function readPlainSeatQuestion(value: unknown): SeatQuestion | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (Object.getPrototypeOf(value) !== Object.prototype) return undefined;
  let fields = 0;
  for (const key in value) {
    if (!PLAIN_QUESTION_FIELDS.has(key)) return undefined;
    fields++;
  }
  if (fields !== PLAIN_QUESTION_FIELDS.size) return undefined;
  const { ballot, seat, round, rounds, pointer, role, answers } = value as SeatQuestion;
  if (typeof ballot !== "string" || !isToken(ballot) || pointer !== "") return undefined;
  if (!isPositive(seat) || !isPositive(round) || !isPositive(rounds)) return undefined;
  if (role !== "member" && role !== "lead") return undefined;
  if (!Array.isArray(answers) || answers.length > 0) return undefined;
  return { ballot, seat, round, rounds, pointer, role, answers: [] };
}

const PLAIN_QUESTION_FIELDS: ReadonlySet<string> = new Set([
  "ballot",
  "seat",
  "round",
  "rounds",
  "pointer",
  "role",
  "answers",
] satisfies (keyof SeatQuestion)[]);

const isPositive = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 1;

/** The question to a judge or a verifier, in addition to the task's input. */
export const adviceQuestionSchema = z.object({
  ballot: tokenSchema,
  role: z.enum(["judge", "verifier"]),
  candidates: z.array(candidateSchema),
});
/** The question to a judge or a verifier. */
export type AdviceQuestion = z.output<typeof adviceQuestionSchema>;

/** A judge's answer: the number of the best candidate. */
export const judgeAnswerSchema = z.object({
  choice: z.int().min(1),
  reason: z.string().max(4_096).optional(),
});
/** A verifier's answer: the numbers of the candidates that passed. An empty list is a valid answer. */
export const verifierAnswerSchema = z.object({
  passed: z.array(z.int().min(1)).max(MAX_SEATS),
  reason: z.string().max(4_096).optional(),
});

/** The faults of a vote. The office rejects a vote that has one. */
export const VOTE_FAULTS = ["forged", "replayed", "late", "double", "unregistered"] as const;
/** The fault of a rejected vote. */
export type VoteFault = (typeof VOTE_FAULTS)[number];

/** The evidence of a rejected vote. Only `double` proves a fault of the seat: its key signed both votes. */
export const evidenceSchema = z.object({
  kind: z.enum(VOTE_FAULTS),
  round: z.int().min(1),
  seat: z.int(),
  agent: z.string().optional(),
  reason: z.string(),
  /** The rejected vote; for an equivocation both votes. */
  votes: z.array(signedVoteSchema),
  at: z.string(),
});
/** The evidence of a rejected vote. */
export type Evidence = z.output<typeof evidenceSchema>;

/** The outcomes of a ballot. */
export const BALLOT_OUTCOMES = ["decided", "tie", "no_quorum"] as const;
/** The outcome of a ballot. */
export type BallotOutcome = (typeof BALLOT_OUTCOMES)[number];

/**
 * The event that ended the counting. `quorum`: enough equal answers, with seats still open. `early`: open seats could not
 * change the outcome. `all`: every seat had answered or abstained. `timeout`: the time was over. The other values name the
 * rule or the person that resolved a disagreement.
 */
export const DECIDED_BY = [
  "quorum",
  "all",
  "early",
  "timeout",
  "plurality",
  "judge",
  "verifier",
  "human",
] as const;
/** The event that ended the counting. */
export type DecidedBy = (typeof DECIDED_BY)[number];

/** Tokens and money of one answer or of many. */
export const ballotUsageSchema = z.object({
  inputTokens: z.number().min(0),
  outputTokens: z.number().min(0),
  /** Null: unknown, never zero. */
  costUsd: z.number().min(0).nullable(),
});
/** Tokens and money of one answer or of many. */
export type BallotUsage = z.output<typeof ballotUsageSchema>;

/** The outcome of a ballot, decided or not, with everything that explains it. Readers accept unknown fields. */
export const verdictSchema = z.object({
  outcome: z.enum(BALLOT_OUTCOMES),
  strategy: z.enum(BALLOT_STRATEGIES),
  topology: z.enum(TOPOLOGIES),
  /** For a tree: the number of its levels, and the number of members of each lead. */
  depth: z.int().min(2).optional(),
  fanOut: z.int().min(1).optional(),
  /** For a mesh: the number of other seats that each seat sees. */
  neighbours: z.int().min(1).optional(),
  /** The value at the pointer, normalised. Absent unless decided. */
  value: z.unknown().optional(),
  /** The reason why there is no value, or the statement of the judge, the verifier or the person. */
  reason: z.string().optional(),
  /** The share of registered seats whose newest answer supports the value, 0 to 1. */
  agreement: z.number().min(0).max(1),
  decidedBy: z.enum(DECIDED_BY),
  /** The number of seats that abstained. Each seat's entry has its reason. */
  abstained: z.int().min(0),
  seats: z.array(
    z.object({
      seat: z.int().min(1),
      agent: z.string(),
      model: z.string().optional(),
      /** The task that carried the seat's newest answer. The result of that task has the seat's whole output. */
      taskId: tokenSchema.optional(),
      /** The seat's newest value, normalised. Absent if the seat abstained, or if the office did not wait for it. */
      value: z.unknown().optional(),
      abstained: z.string().optional(),
      /** The seat's weight in the count. The registry provides it for the strategy `weighted`; otherwise it is 1. */
      weight: z.number().min(0),
      /** The round of the seat's newest answer. */
      round: z.int().min(1).optional(),
      signature: z.string().optional(),
    }),
  ),
  rounds: z.int().min(1),
  /** The number of questions asked, and the longest chain of answers that build on each other. */
  messages: z.int().min(0),
  hops: z.int().min(0),
  /** The budget that stopped the ballot before its last round. */
  stoppedBy: z.enum(["messages", "hops", "money"]).optional(),
  /** A seat that gave the verdict's value. The output of the result is this seat's output. */
  winner: z.int().min(1).optional(),
  /** `mean`, `median`, `trimmed`: the spread of the numbers. */
  spread: z
    .object({
      min: z.number(),
      max: z.number(),
      standardDeviation: z.number(),
      medianAbsoluteDeviation: z.number(),
    })
    .optional(),
  /** `ranked`: every candidate with its score, best first. */
  ranking: z.array(z.object({ value: z.unknown(), score: z.number() })).optional(),
  /** `merge`: the number of findings left out because a verdict has no room for them. */
  omitted: z.int().min(1).optional(),
  /** The number of independent voters with the same weight as these seats (Kish); null while too little is known. */
  effectiveVoters: z.number().min(0).nullable(),
  usage: ballotUsageSchema,
  /** The control arm: the lowest-numbered seat of the first question. `agrees` says if that seat alone gave the same value. */
  single: z
    .object({
      seat: z.int().min(1),
      agrees: z.boolean(),
      /** The seat's value when it answered alone, normalised. Set if the seat has changed its value since then. */
      value: z.unknown().optional(),
      usage: ballotUsageSchema,
    })
    .optional(),
  evidence: z.array(evidenceSchema).optional(),
});
/** The outcome of a ballot. */
export type Verdict = z.output<typeof verdictSchema>;

/**
 * True for a verdict of a ballot that counted equal values, as {@link verdictSchema} reads it; false for every other value, which the
 * schema must judge. A client reads one for each ballot, and the schema costs 10 % of its CPU time.
 */
export function isPlainVerdict(value: unknown): value is Verdict {
  if (typeof value !== "object" || value === null) return false;
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  for (const key in value) if (!PLAIN_VERDICT_FIELDS.has(key)) return false;
  const verdict = value as Verdict;
  const { reason, agreement, abstained, seats, rounds, messages, hops, winner, effectiveVoters } = verdict;
  return (
    BALLOT_OUTCOMES.includes(verdict.outcome) &&
    BALLOT_STRATEGIES.includes(verdict.strategy) &&
    TOPOLOGIES.includes(verdict.topology) &&
    (reason === undefined || typeof reason === "string") &&
    isFrom0(agreement) &&
    agreement <= 1 &&
    DECIDED_BY.includes(verdict.decidedBy) &&
    isCount(abstained) &&
    Array.isArray(seats) &&
    seats.every(isPlainSeat) &&
    isPositive(rounds) &&
    isCount(messages) &&
    isCount(hops) &&
    (winner === undefined || isPositive(winner)) &&
    (effectiveVoters === null || isFrom0(effectiveVoters)) &&
    isPlainUsage(verdict.usage) &&
    (verdict.single === undefined || isPlainSingle(verdict.single))
  );
}

const PLAIN_VERDICT_FIELDS: ReadonlySet<string> = new Set([
  "outcome",
  "strategy",
  "topology",
  "value",
  "reason",
  "agreement",
  "decidedBy",
  "abstained",
  "seats",
  "rounds",
  "messages",
  "hops",
  "winner",
  "effectiveVoters",
  "usage",
  "single",
] satisfies (keyof Verdict)[]);

function isPlainSeat(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  for (const key in value) if (!PLAIN_SEAT_FIELDS.has(key)) return false;
  const { seat, agent, model, taskId, abstained, weight, round } = value as Verdict["seats"][number];
  return (
    isPositive(seat) &&
    typeof agent === "string" &&
    (model === undefined || typeof model === "string") &&
    (taskId === undefined || (typeof taskId === "string" && isToken(taskId))) &&
    (abstained === undefined || typeof abstained === "string") &&
    isFrom0(weight) &&
    (round === undefined || isPositive(round))
  );
}

const PLAIN_SEAT_FIELDS: ReadonlySet<string> = new Set([
  "seat",
  "agent",
  "model",
  "taskId",
  "value",
  "abstained",
  "weight",
  "round",
] satisfies (keyof Verdict["seats"][number])[]);

function isPlainSingle(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  for (const key in value) if (!PLAIN_SINGLE_FIELDS.has(key)) return false;
  const { seat, agrees, usage } = value as NonNullable<Verdict["single"]>;
  return isPositive(seat) && typeof agrees === "boolean" && isPlainUsage(usage);
}

const PLAIN_SINGLE_FIELDS: ReadonlySet<string> = new Set(["seat", "agrees", "value", "usage"]);

/** True for the usage of an answer or of a ballot, as {@link ballotUsageSchema} reads it. */
export function isPlainUsage(value: unknown): value is BallotUsage {
  if (typeof value !== "object" || value === null) return false;
  for (const key in value) if (!PLAIN_USAGE_FIELDS.has(key)) return false;
  const { inputTokens, outputTokens, costUsd } = value as BallotUsage;
  return isFrom0(inputTokens) && isFrom0(outputTokens) && (costUsd === null || isFrom0(costUsd));
}

const PLAIN_USAGE_FIELDS: ReadonlySet<string> = new Set(["inputTokens", "outputTokens", "costUsd"]);

const isFrom0 = (value: unknown) => Number.isFinite(value) && (value as number) >= 0;
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
