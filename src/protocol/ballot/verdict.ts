// What travels because of a ballot: questions to seats, judges and verifiers, signed votes, evidence, and the verdict. Owns
// their shapes; the ballot itself is ballot.ts.
import { z } from "zod";
import { tokenSchema } from "../wire/schema.ts";
import { MAX_ROUNDS, MAX_SEATS, normaliseSchema, pointerSchema } from "./ballot.ts";
import { BALLOT_STRATEGIES, TOPOLOGIES } from "./rules.ts";

/** The most evidence kept with one ballot; each seat can leave one equivocation, and the rest is room for forgeries. */
export const MAX_EVIDENCE = 2 * MAX_SEATS;

const hashSchema = z.string().regex(/^[0-9a-f]{64}$/, "must be a sha256 in lower-case hex");

/** A signed vote (strategy `bft`). What exactly is signed: docs/ballots.md. */
export const signedVoteSchema = z.strictObject({
  /** The ballot's id: the task's. */
  ballot: tokenSchema,
  round: z.int().min(1).max(MAX_ROUNDS),
  /** The round's nonce, as it came with the question. */
  nonce: hashSchema,
  seat: z.int().min(1).max(MAX_SEATS),
  /** SHA-256 of the canonical JSON (RFC 8785) of the normalised value at the pointer. */
  hash: hashSchema,
  /** Ed25519 (RFC 8032) over the vote's bytes, 64 bytes as base64url. */
  signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/, "must be 64 bytes as base64url"),
});
/** A signed vote. */
export type SignedVote = z.output<typeof signedVoteSchema>;

/** One candidate: a value that at least one seat gave, and the number by which judge, verifier and people name it. */
export const candidateSchema = z.object({ candidate: z.int().min(1), value: z.unknown() });

/** What a seat is told besides the task's input. Readers accept unknown fields. */
export const seatQuestionSchema = z.object({
  ballot: tokenSchema,
  seat: z.int().min(1),
  round: z.int().min(1),
  /** How many rounds there can be. */
  rounds: z.int().min(1),
  pointer: pointerSchema,
  normalise: normaliseSchema.optional(),
  /** `lead`: the answers are those of the seat's group, to be made into one. `member`: everybody else. */
  role: z.enum(["member", "lead"]),
  /** The newest answers of the seats that this one sees. None: it answers on its own. */
  answers: z.array(z.object({ seat: z.int().min(1), value: z.unknown() })),
  /** Strategy `bft`: sign a vote with this. */
  nonce: hashSchema.optional(),
});
/** What a seat is told besides the task's input. */
export type SeatQuestion = z.output<typeof seatQuestionSchema>;

/** What a judge or a verifier is asked, besides the task's input. */
export const adviceQuestionSchema = z.object({
  ballot: tokenSchema,
  role: z.enum(["judge", "verifier"]),
  candidates: z.array(candidateSchema),
});
/** What a judge or a verifier is asked. */
export type AdviceQuestion = z.output<typeof adviceQuestionSchema>;

/** What a judge answers: the number of the best candidate. */
export const judgeAnswerSchema = z.object({
  choice: z.int().min(1),
  reason: z.string().max(4_096).optional(),
});
/** What a verifier answers: the numbers of the candidates that hold; none is an answer too. */
export const verifierAnswerSchema = z.object({
  passed: z.array(z.int().min(1)).max(MAX_SEATS),
  reason: z.string().max(4_096).optional(),
});

/** Why a vote was refused. */
export const VOTE_FAULTS = ["forged", "replayed", "late", "double", "unregistered"] as const;
/** Why a vote was refused. */
export type VoteFault = (typeof VOTE_FAULTS)[number];

/** What a refused vote leaves behind. Only `double` accuses the seat: its key signed both votes. */
export const evidenceSchema = z.object({
  kind: z.enum(VOTE_FAULTS),
  round: z.int().min(1),
  seat: z.int(),
  agent: z.string().optional(),
  reason: z.string(),
  /** The refused vote; of an equivocation both. */
  votes: z.array(signedVoteSchema),
  at: z.string(),
});
/** What a refused vote leaves behind. */
export type Evidence = z.output<typeof evidenceSchema>;

/** How a ballot ended. */
export const BALLOT_OUTCOMES = ["decided", "tie", "no_quorum"] as const;
/** How a ballot ended. */
export type BallotOutcome = (typeof BALLOT_OUTCOMES)[number];

/**
 * What ended the counting. `quorum`: enough equal answers, with seats still open. `early`: open seats could not change the
 * outcome. `all`: every seat had answered or abstained. `timeout`: the time was over. The others say who broke a disagreement.
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
/** What ended the counting. */
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

/** What became of a ballot, decided or not, with everything that explains it. Readers accept unknown fields. */
export const verdictSchema = z.object({
  outcome: z.enum(BALLOT_OUTCOMES),
  strategy: z.enum(BALLOT_STRATEGIES),
  topology: z.enum(TOPOLOGIES),
  /** Of a tree: its levels, and how many each lead leads. */
  depth: z.int().min(2).optional(),
  fanOut: z.int().min(1).optional(),
  /** Of a mesh: how many others each seat sees. */
  neighbours: z.int().min(1).optional(),
  /** The value at the pointer, normalised. Absent unless decided. */
  value: z.unknown().optional(),
  /** Why there is no value, or what the judge, verifier or person said. */
  reason: z.string().optional(),
  /** The share of registered seats whose newest answer supports the value, 0 to 1. */
  agreement: z.number().min(0).max(1),
  decidedBy: z.enum(DECIDED_BY),
  /** How many seats abstained; why is told with the seat. */
  abstained: z.int().min(0),
  seats: z.array(
    z.object({
      seat: z.int().min(1),
      agent: z.string(),
      model: z.string().optional(),
      /** The task that carried its newest answer: its result has the seat's whole output. */
      taskId: tokenSchema.optional(),
      /** The seat's newest value, normalised; absent when it abstained or was not waited for. */
      value: z.unknown().optional(),
      abstained: z.string().optional(),
      /** Its weight in the count, from the registry; 1 but for the strategy `weighted`. */
      weight: z.number().min(0),
      /** The round of its newest answer. */
      round: z.int().min(1).optional(),
      signature: z.string().optional(),
    }),
  ),
  rounds: z.int().min(1),
  /** Questions asked, and the longest chain of answers that build on each other. */
  messages: z.int().min(0),
  hops: z.int().min(0),
  /** The budget that ended the exchange before its bound. */
  stoppedBy: z.enum(["messages", "hops", "money"]).optional(),
  /** A seat whose value is the verdict's: the result's output is that seat's. */
  winner: z.int().min(1).optional(),
  /** `mean`, `median`, `trimmed`: how far the numbers lie apart. */
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
  /** `merge`: findings left out because there were more than a verdict holds. */
  omitted: z.int().min(1).optional(),
  /** Independent voters that these seats are worth (Kish); null while too little is known of them. */
  effectiveVoters: z.number().min(0).nullable(),
  usage: ballotUsageSchema,
  /** The control arm, the lowest of the seats that are asked first: whether it alone would have said the same. */
  single: z
    .object({
      seat: z.int().min(1),
      agrees: z.boolean(),
      /** What it said alone, normalised, where its seat says something else by now. */
      value: z.unknown().optional(),
      usage: ballotUsageSchema,
    })
    .optional(),
  evidence: z.array(evidenceSchema).optional(),
});
/** What became of a ballot. */
export type Verdict = z.output<typeof verdictSchema>;
