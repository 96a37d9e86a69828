// What seats of a ballot answer: read, admitted where it must be signed, and held. Owns whose answer counts; what follows from
// it is ballot.ts.
//
// B5  Only the first valid answer of a seat in a round counts; what comes later or from elsewhere changes nothing.

import { type BallotUsage, canonicalJson, type Evidence, MAX_EVIDENCE } from "../../protocol/index.ts";
import { readAnswer } from "../tally/answer.ts";
import type { Ballot, BallotEvent, HeldAnswer } from "./state.ts";
import { controlSeatOf } from "./topology.ts";
import { answerOf, MAX_REASON, NO_USAGE, spend, type Turn, update } from "./turn.ts";
import { type Admission, admitVote, nonceOf, type VoteRound } from "./votes.ts";

/** Takes a seat's result, if this round still waits for it. An output that cannot be counted is an abstention. */
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
 * The answer of a bft ballot counts by its signed vote. A refused one leaves its seat open: it may be somebody else's doing,
 * and the seat's own may still come. A seat that was given up may still vote while the round runs.
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

/** A seat that says nothing keeps what it said in an earlier round. */
export function holdAbstention(turn: Turn, seat: number, reason: string): void {
  if (answerOf(turn.ballot, seat) === undefined) withdraw(turn, seat, reason);
}

/** The seat abstains, whatever it said before. */
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
  // The same vote may be heard twice, where it is written and where it is stored, and sent without end.
  const mark = markOf(evidence);
  if (ballot.evidence.some((other) => markOf(other) === mark)) return;
  let kept = ballot.evidence;
  if (kept.length >= MAX_EVIDENCE) {
    // Forgeries can come without end. What accuses a seat can not, and always finds room.
    if (fault !== "double") return;
    const victim = kept.findIndex(({ kind }) => kind !== "double");
    kept = kept.filter((_, index) => index !== victim);
  }
  turn.effects.push({ type: "evidence", evidence });
  update(turn, { evidence: [...kept, evidence] });
}

/** What tells evidence apart: all but when it came. */
function markOf({ at: _, ...what }: Evidence): string {
  return JSON.stringify(what);
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
