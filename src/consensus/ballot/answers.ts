// Takes the answers of the seats: reads them, checks the signed vote if the strategy needs one, and keeps them. Owns
// the choice of the answers that count; ballot.ts decides the next step. Pure.
//
// B5  Only the first valid answer of a seat in a round counts. Later answers and answers from other senders change
//     nothing.

import { type BallotUsage, canonicalJson, type Evidence, MAX_EVIDENCE } from "../../protocol/index.ts";
import { readAnswer } from "../tally/answer.ts";
import type { Ballot, BallotEvent, HeldAnswer } from "./state.ts";
import { controlSeatOf } from "./topology.ts";
import { answerOf, MAX_REASON, NO_USAGE, spend, type Turn, update } from "./turn.ts";
import { type Admission, admitVote, nonceOf, type VoteRound } from "./votes.ts";

/** Takes a seat's result, if this round still waits for it. An output that cannot be counted becomes an abstention. */
export function takeAnswer(turn: Turn, event: BallotEvent & { type: "answer" }): void {
  const { ballot } = turn;
  const { seat, round } = event;
  const isOpen = ballot.stage === "asking" && round === ballot.round && ballot.open.includes(seat);
  if (ballot.spec.strategy === "bft") {
    takeVote(turn, event, isOpen);
  } else if (isOpen) {
    spend(turn, event.usage);
    const reading = readAnswer(event.output, ballot.spec);
    if (reading.ok) holdAnswer(turn, { seat, round, value: reading.value }, event.usage);
    else withdraw(turn, seat, reading.reason);
    update(turn, { open: without(turn.ballot.open, seat) });
  }
}

/**
 * Takes the answer of a `bft` ballot by its signed vote. A refused vote leaves its seat open: another sender may have
 * forged it, and the seat's own vote may still come. A seat that was counted as silent may still vote while the round
 * runs.
 */
function takeVote(turn: Turn, event: BallotEvent & { type: "answer" }, isOpen: boolean): void {
  const { ballot } = turn;
  const { seat, atMs } = event;
  if (ballot.stage === "closed" || ballot.equivocators.includes(seat)) return;
  const reading = readAnswer(event.output, ballot.spec);
  if (!reading.ok) {
    if (isOpen) takeAbstention(turn, { ...event, type: "abstain", reason: reading.reason });
    return;
  }
  const admission = admitVote(voteRoundOf(ballot), { seat, value: reading.value, vote: event.vote, atMs });
  if (admission.kind === "missing") {
    if (isOpen) takeAbstention(turn, { ...event, type: "abstain", reason: admission.reason });
  } else if (admission.kind === "refused") {
    keepEvidence(turn, seat, admission);
    if (admission.fault === "double") {
      update(turn, { equivocators: [...ballot.equivocators, seat] });
      withdraw(turn, seat, "signed two different values in one round");
    }
  } else if (admission.kind === "admitted" && ballot.stage === "asking") {
    spend(turn, event.usage);
    holdAnswer(turn, { seat, round: ballot.round, value: reading.value, vote: admission.vote }, event.usage);
    update(turn, { open: without(turn.ballot.open, seat) });
  }
}

/** Takes a failed or lost seat out of the round, if this round still waits for it. */
export function takeAbstention(turn: Turn, event: BallotEvent & { type: "abstain" }): void {
  const { ballot } = turn;
  const { seat, round, reason } = event;
  if (ballot.stage !== "asking" || round !== ballot.round || !ballot.open.includes(seat)) return;
  spend(turn, event.usage);
  holdAbstention(turn, seat, reason);
  update(turn, { open: without(turn.ballot.open, seat) });
}

function holdAnswer(turn: Turn, answer: Omit<HeldAnswer, "arrival">, usage: BallotUsage = NO_USAGE): void {
  const { ballot } = turn;
  const before = answerOf(ballot, answer.seat);
  const isChange = before === undefined || canonicalJson(before.value) !== canonicalJson(answer.value);
  const held: HeldAnswer = { ...answer, arrival: ballot.arrivals + 1 };
  const isControl = answer.round === 1 && answer.seat === controlSeatOf(ballot.spec);
  update(turn, {
    answers: [...ballot.answers.filter(({ seat }) => seat !== answer.seat), held].sort(
      (a, b) => a.seat - b.seat,
    ),
    abstentions: ballot.abstentions.filter(({ seat }) => seat !== answer.seat),
    arrivals: ballot.arrivals + 1,
    changed: ballot.changed || isChange,
    ...(isControl ? { control: { seat: answer.seat, value: answer.value, usage } } : {}),
  });
}

/** Records an abstention. A seat with an answer from an earlier round keeps that answer. */
export function holdAbstention(turn: Turn, seat: number, reason: string): void {
  if (answerOf(turn.ballot, seat) === undefined) withdraw(turn, seat, reason);
}

/** Makes the seat abstain and drops its earlier answer. */
function withdraw(turn: Turn, seat: number, reason: string): void {
  const { ballot } = turn;
  update(turn, {
    answers: ballot.answers.filter((answer) => answer.seat !== seat),
    abstentions: [
      ...ballot.abstentions.filter((abstention) => abstention.seat !== seat),
      { seat, round: ballot.round, reason: reason.slice(0, MAX_REASON) },
    ].sort((a, b) => a.seat - b.seat),
    changed: ballot.changed || answerOf(ballot, seat) !== undefined,
  });
}

function keepEvidence(
  turn: Turn,
  seat: number,
  { fault, reason, votes }: Admission & { kind: "refused" },
): void {
  const { ballot, atMs } = turn;
  const agent = ballot.seats[seat - 1]?.agent;
  const evidence: Evidence = {
    kind: fault,
    round: ballot.round,
    seat,
    ...(agent === undefined ? {} : { agent }),
    reason,
    votes,
    at: new Date(atMs).toISOString(),
  };
  // The driver reads the same vote twice, when it is written and when it is stored, and a sender may repeat it without
  // end.
  const mark = markOf(evidence);
  if (ballot.evidence.some((other) => markOf(other) === mark)) return;
  let kept = ballot.evidence;
  if (kept.length >= MAX_EVIDENCE) {
    // A sender can forge votes without end, so forgeries stop at the bound. Evidence against a seat is rare and always
    // kept.
    if (fault !== "double") return;
    const victim = kept.findIndex(({ kind }) => kind !== "double");
    kept = kept.filter((_, index) => index !== victim);
  }
  turn.effects.push({ type: "evidence", evidence });
  update(turn, { evidence: [...kept, evidence] });
}

/** The text that identifies a piece of evidence: all of it without its time. */
function markOf({ at: _, ...rest }: Evidence): string {
  return JSON.stringify(rest);
}

function voteRoundOf(ballot: Ballot): VoteRound {
  const { id, round, nonce, seats, answers, endsAtMs, stage } = ballot;
  return {
    ballot: id,
    round,
    nonces: Array.from({ length: round }, (_, index) => nonceOf(nonce, index + 1)),
    endsAtMs: stage === "asking" ? endsAtMs : 0,
    keys: new Map(seats.map(({ seat, publicKey }) => [seat, publicKey!])),
    votes: new Map(answers.flatMap(({ seat, vote }) => (vote?.round === round ? [[seat, vote]] : []))),
  };
}

function without(seats: readonly number[], seat: number): number[] {
  return seats.filter((other) => other !== seat);
}
