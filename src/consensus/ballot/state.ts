// The state of a ballot, its events and its effects, for ballot.ts and its driver in the coordinator. Types only.
// Everything in `Ballot` is JSON, so that a fold of the control log can contain it, hash it and read it back. Pure.

import type {
  AdviceQuestion,
  BallotSpec,
  BallotUsage,
  Evidence,
  Json,
  SeatQuestion,
  SignedVote,
  Verdict,
} from "../../protocol/index.ts";
import type { Referral } from "../tally/types.ts";

/** A seat and its agent. The driver fixes them from the registry when the ballot opens. */
export interface Seat {
  /** The number of the seat: from 1, without gaps. */
  readonly seat: number;
  readonly agent: string;
  readonly model?: string;
  /** The weight from the registry's record. Only `weighted` uses it. */
  readonly weight: number;
  /** The Ed25519 public key, 32 bytes as base64url. Every seat of a `bft` ballot needs one. */
  readonly publicKey?: string;
}

/** The input that opens a ballot. */
export interface BallotOpening {
  /** The task's id. */
  readonly id: string;
  readonly spec: BallotSpec;
  /** The seats 1 to `spec.seats`. */
  readonly seats: readonly Seat[];
  /** At least 16 random bytes as text. It stays secret: no seat and no client ever sees it. */
  readonly nonce: string;
  readonly atMs: number;
  /** The number of independent voters that these seats are worth, from the registry's record; null when unknown. */
  readonly effectiveVoters?: number | null;
  /** The seats without an agent, and the reason. Then the ballot asks no seat and ends without a quorum. */
  readonly vacant?: { readonly seats: readonly number[]; readonly reason: string };
}

/** A seat's newest valid answer. */
export interface HeldAnswer {
  readonly seat: number;
  readonly round: number;
  /** The place of this answer in the order of arrival, from 1. */
  readonly arrival: number;
  readonly value: Json;
  readonly vote?: SignedVote;
}

/** A seat that did not answer, with the round and the reason. */
export interface Abstention {
  readonly seat: number;
  readonly round: number;
  readonly reason: string;
}

/** The result of a ballot: a value, or an error of the catalogue. The verdict explains both. */
export interface BallotResult {
  readonly verdict: Verdict;
  readonly error?: { readonly code: "tie" | "no_quorum" | "cancelled"; readonly message: string };
  /** The seats that answered, in the order of arrival of their newest answers. */
  readonly arrivals: readonly number[];
}

/** The whole state of one ballot. */
export interface Ballot {
  readonly id: string;
  readonly spec: BallotSpec;
  readonly seats: readonly Seat[];
  readonly nonce: string;
  readonly effectiveVoters: number | null;
  readonly openedAtMs: number;
  /** The latest end of the whole ballot. */
  readonly deadlineAtMs: number;
  /** The ballot waits for seats, for a judge or verifier, for a person, or has ended. */
  readonly stage: "asking" | "consulting" | "human" | "closed";
  readonly round: number;
  /** The index of the wave in its round, from 0. */
  readonly wave: number;
  /** The end of this wave, or of the wait for a judge, verifier or person. */
  readonly endsAtMs: number;
  /** The seats of this wave that have not answered or abstained yet. */
  readonly open: readonly number[];
  /** The answers in ascending order of seats. */
  readonly answers: readonly HeldAnswer[];
  /** The answers at the start of the wave. The seats of the wave see these answers, even in a repeated question. */
  readonly shown: readonly { readonly seat: number; readonly value: Json }[];
  readonly abstentions: readonly Abstention[];
  /** The seats whose signed votes of this round contradict each other. */
  readonly equivocators: readonly number[];
  /** The number of answers taken. */
  readonly arrivals: number;
  /** Whether any seat's answer in this round differs from its answer before. */
  readonly changed: boolean;
  /** Whether any seat timed out in this round. */
  readonly timedOut: boolean;
  /** The number of questions asked so far, and of waves started so far. */
  readonly messages: number;
  readonly hops: number;
  readonly usage: BallotUsage;
  readonly stoppedBy?: NonNullable<Verdict["stoppedBy"]>;
  /** The first answer of the control seat, given without sight of other answers. */
  readonly control?: { readonly seat: number; readonly value: Json; readonly usage: BallotUsage };
  readonly evidence: readonly Evidence[];
  /** The role that the ballot waits for in the stages `consulting` and `human`, and the disagreement before it. */
  readonly referral?: {
    readonly role: Referral["role"] | "human";
    readonly reason?: string;
    readonly outcome?: "tie" | "no_quorum";
  };
  /** The result; set in the stage `closed`. */
  readonly result?: BallotResult;
}

/** The events of a ballot. `atMs` is the time of the driver's clock, in ms since 1970. */
export type BallotEvent =
  /**
   * The result of a seat's question. The driver publishes one task for each question; `output` is the output of its
   * result.
   */
  | {
      readonly type: "answer";
      readonly seat: number;
      readonly round: number;
      readonly output: unknown;
      readonly vote?: unknown;
      readonly usage?: BallotUsage;
      readonly atMs: number;
    }
  /** The seat's task failed, or no agent is left that could perform it. */
  | {
      readonly type: "abstain";
      readonly seat: number;
      readonly round: number;
      readonly reason: string;
      readonly usage?: BallotUsage;
      readonly atMs: number;
    }
  /** The answer of the judge or verifier; `failed` has the reason when its task failed. */
  | {
      readonly type: "advice";
      readonly output?: unknown;
      readonly failed?: string;
      readonly usage?: BallotUsage;
      readonly atMs: number;
    }
  /** A person's decision: the number of a candidate, or another value. */
  | {
      readonly type: "human";
      readonly by: string;
      readonly choice?: number;
      readonly value?: unknown;
      readonly atMs: number;
    }
  /** The agent of a seat is gone, and `substitute` takes over the seat. Earlier answers of the seat stay. */
  | { readonly type: "reseat"; readonly substitute: Seat; readonly atMs: number }
  /** Time has passed. The driver sends this at {@link wakeAtMs}. */
  | { readonly type: "tick"; readonly atMs: number }
  /** The ballot's task or scope was cancelled. */
  | { readonly type: "cancel"; readonly reason: string; readonly atMs: number };

/** The effects of a ballot. A driver may perform each effect twice: its ids follow from ballot, seat, round and role. */
export type BallotEffect =
  | {
      readonly type: "ask";
      readonly seat: number;
      readonly agent: string;
      readonly round: number;
      readonly question: SeatQuestion;
      readonly endsAtMs: number;
    }
  /** The ballot does not wait for these answers any more. */
  | { readonly type: "cancel"; readonly asks: readonly { readonly seat: number; readonly round: number }[] }
  | {
      readonly type: "consult";
      readonly capability: string;
      readonly question: AdviceQuestion;
      readonly endsAtMs: number;
    }
  /** A question to a person: choose one of the candidates before `endsAtMs`. */
  | {
      readonly type: "ask-human";
      readonly candidates: AdviceQuestion["candidates"];
      readonly reason: string;
      readonly endsAtMs: number;
    }
  /** A vote was refused. The driver audits it. For the kind `double`, the end of the ballot also marks the agent. */
  | { readonly type: "evidence"; readonly evidence: Evidence }
  /** The event was refused and changed nothing. */
  | {
      readonly type: "refuse";
      readonly code: "conflict" | "invalid_input";
      readonly message: string;
      readonly field?: string;
    }
  | ({ readonly type: "close" } & BallotResult);
