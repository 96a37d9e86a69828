// A turn is the handling of one event of a ballot: it holds the newest state and the effects so far. This file changes
// the state, computes the poll and ends the ballot; the other files of this folder decide when. Pure.

import type { BallotUsage, DecidedBy } from "../../protocol/index.ts";
import type { Indecision, Poll } from "../tally/types.ts";
import type { Ballot, BallotEffect, BallotResult, HeldAnswer } from "./state.ts";
import { votersOf, wavesOf } from "./topology.ts";
import { type BallotEnding, verdictOf } from "./verdict.ts";

/** The usage of an agent that reports none, such as a tool: zero tokens, zero cost. */
export const NO_USAGE: BallotUsage = { inputTokens: 0, outputTokens: 0, costUsd: 0 };

/** The most characters of a reason. Reasons can come from agents' errors, and the log and the verdict store them. */
export const MAX_REASON = 256;

/** A ballot during one event, and the effects of this event. */
export interface Turn {
  ballot: Ballot;
  readonly atMs: number;
  readonly effects: BallotEffect[];
}

/**
 * The poll of the answers so far. `open` lists the voters that may still answer; an older answer of such a voter is not
 * counted. With `open = []` the poll counts all answers as final.
 */
export function pollOf(ballot: Ballot, open = openVotersOf(ballot)): Poll {
  const { spec, answers, seats } = ballot;
  const voters = votersOf(spec);
  // In a ring the newest answer has passed all seats, so `first` means the newest: the order of arrival is reversed.
  const sign = spec.topology === "ring" ? -1 : 1;
  const votes = answers
    .filter(({ seat }) => voters.includes(seat) && !open.includes(seat))
    .map(({ seat, value, arrival }) => ({ seat, value, arrival: sign * arrival }));
  const weights = Object.fromEntries(seats.map(({ seat, weight }) => [seat, weight]));
  return { spec, voters, votes, open, weights };
}

/** The voters that may still answer in this round. */
export function openVotersOf({ spec, stage, round, wave, open }: Ballot): number[] {
  if (stage !== "asking") return [];
  const later = wavesOf(spec, round).slice(wave + 1);
  const coming = new Set([...open, ...later.flatMap((asks) => asks.map(({ seat }) => seat))]);
  return votersOf(spec).filter((seat) => coming.has(seat));
}

/** The seat's newest valid answer. */
export function answerOf({ answers }: Ballot, seat: number): HeldAnswer | undefined {
  return answers.find((answer) => answer.seat === seat);
}

/**
 * Ends the ballot (B3) and cancels the open questions. Removes answers, votes and questions from the state, because the
 * verdict contains them.
 */
export function close(
  turn: Turn,
  ending: BallotEnding,
  decidedBy: DecidedBy,
  error?: BallotResult["error"],
): void {
  const { ballot } = turn;
  cancel(turn, ballot.stage === "asking" ? ballot.open : []);
  const verdict = verdictOf(ballot, ending, decidedBy);
  const failure =
    error ??
    (ending.outcome === "decided" ? undefined : { code: ending.outcome, message: explain(ballot, ending) });
  const arrivals = [...ballot.answers].sort((a, b) => a.arrival - b.arrival).map(({ seat }) => seat);
  const result = { verdict, arrivals, ...(failure === undefined ? {} : { error: failure }) };
  turn.effects.push({ type: "close", ...result });
  const { referral: _, control: __, ...rest } = ballot;
  turn.ballot = {
    ...rest,
    stage: "closed",
    open: [],
    answers: [],
    shown: [],
    abstentions: [],
    evidence: [],
    result,
  };
}

/** Cancels the questions to these seats in this round. */
export function cancel(turn: Turn, seats: readonly number[]): void {
  const { round } = turn.ballot;
  if (seats.length > 0) turn.effects.push({ type: "cancel", asks: seats.map((seat) => ({ seat, round })) });
}

/** Adds the usage of an answer. The usage of cancelled questions is unknown. */
export function spend(turn: Turn, usage: Ballot["usage"] | undefined): void {
  if (usage !== undefined) update(turn, { usage: addUsage(turn.ballot.usage, usage) });
}

/** Refuses the event; the driver reports the reason to the sender of the event. */
export function refuse(
  turn: Turn,
  code: "conflict" | "invalid_input",
  message: string,
  field?: string,
): void {
  turn.effects.push({ type: "refuse", code, message, ...(field === undefined ? {} : { field }) });
}

/** Replaces fields of the state. */
export function update(turn: Turn, change: Partial<Ballot>): void {
  turn.ballot = { ...turn.ballot, ...change };
}

function explain({ spec, seats, answers, abstentions }: Ballot, { reason }: Indecision): string {
  const abstained = abstentions.length === 0 ? "" : `, ${abstentions.length} abstained`;
  const counts = `${answers.length} of ${seats.length} seats answered${abstained}`;
  return `${spec.strategy}: ${reason} (${counts}); the verdict has each seat's answer`;
}

/** Adds tokens and money. An unknown cost makes the sum unknown. */
function addUsage(a: BallotUsage, b: BallotUsage): BallotUsage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    costUsd: a.costUsd === null || b.costUsd === null ? null : a.costUsd + b.costUsd,
  };
}
