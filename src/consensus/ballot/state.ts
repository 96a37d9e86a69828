// What a ballot remembers, what can happen to it, and what it wants done. Types only. Everything in `Ballot` is JSON, so that
// it can be part of a state that is folded from a log, hashed, and read back.

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

/** Who sits where: fixed when the ballot opens, from the registry. */
export interface Seat {
  /** From 1, without gaps. */
  readonly seat: number;
  readonly agent: string;
  readonly model?: string;
  /** From the registry's record; `weighted` alone counts it. */
  readonly weight: number;
  /** Ed25519, 32 bytes as base64url. `bft` needs it of every seat. */
  readonly publicKey?: string;
}

/** How a ballot begins. */
export interface BallotOpening {
  /** The task's id. */
  readonly id: string;
  readonly spec: BallotSpec;
  /** As many as `spec.seats`. */
  readonly seats: readonly Seat[];
  /** At least 16 random bytes as text; never told to anybody. */
  readonly nonce: string;
  readonly atMs: number;
  /** What these seats are worth as independent voters, from the record; null when not known. */
  readonly effectiveVoters?: number | null;
  /** Seats for which no agent was found in time, and why: nobody is asked, and the ballot has no quorum. */
  readonly vacant?: { readonly seats: readonly number[]; readonly reason: string };
}

/** A seat's newest valid answer. */
export interface HeldAnswer {
  readonly seat: number;
  readonly round: number;
  readonly arrival: number;
  readonly value: Json;
  readonly vote?: SignedVote;
}

export interface Abstention {
  readonly seat: number;
  readonly round: number;
  readonly reason: string;
}

/** How a ballot ended: with a value, or with an error of the catalogue; the verdict explains either. */
export interface BallotResult {
  readonly verdict: Verdict;
  readonly error?: { readonly code: "tie" | "no_quorum" | "cancelled"; readonly message: string };
  /** The seats that answered, in the order in which their newest answers came. */
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
  /** When the whole ballot must have ended. */
  readonly deadlineAtMs: number;
  readonly stage: "asking" | "consulting" | "human" | "closed";
  readonly round: number;
  /** The place of the wave in its round, from 0. */
  readonly wave: number;
  /** When this wave, or the judge's time, is over. */
  readonly endsAtMs: number;
  /** Seats of this wave that have neither answered nor abstained. */
  readonly open: readonly number[];
  /** By seat, ascending. */
  readonly answers: readonly HeldAnswer[];
  /** What had been answered when the wave began: what its seats are shown, however often they are asked. */
  readonly shown: readonly { readonly seat: number; readonly value: Json }[];
  readonly abstentions: readonly Abstention[];
  /** Seats whose signed votes of this round contradict each other. */
  readonly equivocators: readonly number[];
  /** How many answers were taken. */
  readonly arrivals: number;
  /** Whether anybody's answer in this round differs from its last. */
  readonly changed: boolean;
  /** Whether time ran out on somebody in this round. */
  readonly timedOut: boolean;
  readonly messages: number;
  readonly hops: number;
  readonly usage: BallotUsage;
  readonly stoppedBy?: NonNullable<Verdict["stoppedBy"]>;
  /** The control seat's first answer, given alone. */
  readonly control?: { readonly seat: number; readonly value: Json; readonly usage: BallotUsage };
  readonly evidence: readonly Evidence[];
  /** Whom the ballot waits for in the stages `consulting` and `human`, and the disagreement that led there. */
  readonly referral?: {
    readonly role: Referral["role"] | "human";
    readonly reason?: string;
    readonly outcome?: "tie" | "no_quorum";
  };
  /** How it ended; the stage is `closed`. */
  readonly result?: BallotResult;
}

/** What can happen to a ballot. Times are milliseconds of the driver's (the log's) clock and never fall. */
export type BallotEvent =
  /** A seat's result. The driver gives each seat's question of a round one task, and this is its result's output. */
  | {
      readonly type: "answer";
      readonly seat: number;
      readonly round: number;
      readonly output: unknown;
      readonly vote?: unknown;
      readonly usage?: BallotUsage;
      readonly atMs: number;
    }
  /** The seat's task failed, or there is nobody left who could do it. */
  | {
      readonly type: "abstain";
      readonly seat: number;
      readonly round: number;
      readonly reason: string;
      readonly usage?: BallotUsage;
      readonly atMs: number;
    }
  /** What the judge or verifier answered; `failed` when its task did. */
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
  /** The agent of a seat is gone, and this one takes the seat over. The answers that the seat gave before stay. */
  | { readonly type: "reseat"; readonly substitute: Seat; readonly atMs: number }
  /** Time has passed: to be sent at {@link wakeAtMs}. */
  | { readonly type: "tick"; readonly atMs: number }
  /** The ballot's task or scope was cancelled. */
  | { readonly type: "cancel"; readonly reason: string; readonly atMs: number };

/** What a ballot wants done. Every effect may be done again: its ids follow from ballot, seat, round and role. */
export type BallotEffect =
  | {
      readonly type: "ask";
      readonly seat: number;
      readonly agent: string;
      readonly round: number;
      readonly question: SeatQuestion;
      readonly endsAtMs: number;
    }
  /** Nobody waits for these answers any more. */
  | { readonly type: "cancel"; readonly asks: readonly { readonly seat: number; readonly round: number }[] }
  | {
      readonly type: "consult";
      readonly capability: string;
      readonly question: AdviceQuestion;
      readonly endsAtMs: number;
    }
  /** A person must choose among the candidates, until then. */
  | {
      readonly type: "ask-human";
      readonly candidates: AdviceQuestion["candidates"];
      readonly reason: string;
      readonly endsAtMs: number;
    }
  /** A vote was refused: to be audited, and of kind `double` to be marked in the registry. */
  | { readonly type: "evidence"; readonly evidence: Evidence }
  /** The event was not possible; nothing changed. */
  | {
      readonly type: "refuse";
      readonly code: "conflict" | "invalid_input";
      readonly message: string;
      readonly field?: string;
    }
  | ({ readonly type: "close" } & BallotResult);
