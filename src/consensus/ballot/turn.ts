// A ballot while one event is taken: its newest state and what it wants done. Owns how the state changes hands, what the votes
// are at any moment, and how a ballot ends.

import type { BallotUsage, DecidedBy } from "../../protocol/index.ts";
import type { Indecision, Poll } from "../tally/types.ts";
import type { Ballot, BallotEffect, BallotResult, HeldAnswer } from "./state.ts";
import { votersOf, wavesOf } from "./topology.ts";
import { type BallotEnding, verdictOf } from "./verdict.ts";

/** An agent that tells nothing of tokens used none: the codes of tools do not. */
export const NO_USAGE: BallotUsage = { inputTokens: 0, outputTokens: 0, costUsd: 0 };

/** Reasons come from agents' errors too; longer ones are cut, because they stand in the log and the verdict. */
export const MAX_REASON = 256;

/** A ballot while one event is taken, and what it wants done because of it. */
export interface Turn {
  ballot: Ballot;
  readonly atMs: number;
  readonly effects: BallotEffect[];
}

/** The poll as it stands, or as it stands when nobody is waited for any more. */
export function pollOf(ballot: Ballot, open = openVotersOf(ballot)): Poll {
  const { spec, answers, seats } = ballot;
  const voters = votersOf(spec);
  // The first answer that has been all round a ring is the newest: there the order of arrival counts backwards.
  const sign = spec.topology === "ring" ? -1 : 1;
  const votes = answers
    .filter(({ seat }) => voters.includes(seat) && !open.includes(seat))
    .map(({ seat, value, arrival }) => ({ seat, value, arrival: sign * arrival }));
  const weights = Object.fromEntries(seats.map(({ seat, weight }) => [seat, weight]));
  return { spec, voters, votes, open, weights };
}

/** Voters that may still answer in this round. */
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

/** Ends the ballot (B3). What answers, votes and questions took up is let go; the verdict has it. */
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

/** Lets go of questions of this round. */
export function cancel(turn: Turn, seats: readonly number[]): void {
  const { round } = turn.ballot;
  if (seats.length > 0) turn.effects.push({ type: "cancel", asks: seats.map((seat) => ({ seat, round })) });
}

/** Adds what an answer cost. What cancelled seats spent is not known. */
export function spend(turn: Turn, usage: Ballot["usage"] | undefined): void {
  if (usage !== undefined) update(turn, { usage: addUsage(turn.ballot.usage, usage) });
}

/** Tells whoever sent the event that it was not possible. */
export function refuse(
  turn: Turn,
  code: "conflict" | "invalid_input",
  message: string,
  field?: string,
): void {
  turn.effects.push({ type: "refuse", code, message, ...(field === undefined ? {} : { field }) });
}

/** Replaces parts of the state. */
export function update(turn: Turn, change: Partial<Ballot>): void {
  turn.ballot = { ...turn.ballot, ...change };
}

function explain({ spec, seats, answers, abstentions }: Ballot, { reason }: Indecision): string {
  const silent = abstentions.length === 0 ? "" : `, ${abstentions.length} abstained`;
  const heard = `${answers.length} of ${seats.length} seats answered${silent}`;
  return `${spec.strategy}: ${reason} (${heard}); the verdict tells each seat's answer`;
}

/** Adds up tokens and money; an unknown cost makes the sum unknown. */
function addUsage(a: BallotUsage, b: BallotUsage): BallotUsage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    costUsd: a.costUsd === null || b.costUsd === null ? null : a.costUsd + b.costUsd,
  };
}
