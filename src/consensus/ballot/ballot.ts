// One ballot from its opening to its verdict: it asks seats in waves, takes their answers, counts them and takes the
// next step. Owns the order of the steps and every bound. tally/answer.ts reads answers, tally.ts counts them, and
// topology.ts says which seat sees which answers. Pure: time is part of each event, and equal events give equal states.
//
// B1  Every ballot ends: each wave has an end, waves and rounds are bounded, and nothing runs past the deadline.
// B2  A ballot never asks more questions, or builds longer chains, than its budget allows.
// B3  A ballot ends once, and no event changes it afterwards.
// B4  While no seat times out, the order of answers does not change the outcome (except for `first`).
// B5  Only the first valid answer of a seat in a round counts. Later answers and answers from other senders change
//     nothing.

import { assert } from "../../base/index.ts";
import { canonicalJson, type DecidedBy, roundsOf } from "../../protocol/index.ts";
import { tally } from "../tally/tally.ts";
import { noQuorum, type Referral } from "../tally/types.ts";
import { consult, disagree, endAdvice, takeHuman, takeOpinion } from "./advice.ts";
import { holdAbstention, takeAbstention, takeAnswer } from "./answers.ts";
import type { Ballot, BallotEffect, BallotEvent, BallotOpening, Seat } from "./state.ts";
import { exchangesAnswers, wavesOf } from "./topology.ts";
import { cancel, close, NO_USAGE, openVotersOf, pollOf, refuse, type Turn, update } from "./turn.ts";
import { mayAsk, startRound, startWave } from "./waves.ts";

/** Opens a ballot and asks the first wave. A ballot with vacant seats closes at once. */
export function openBallot(opening: BallotOpening): [Ballot, BallotEffect[]] {
  const { id, spec, seats, nonce, atMs, effectiveVoters = null, vacant } = opening;
  assert(
    seats.length === spec.seats && seats.every(({ seat }, index) => seat === index + 1),
    `a ballot of ${spec.seats} seats is opened with seats 1 to ${spec.seats}`,
  );
  const isSigned = spec.strategy !== "bft" || seats.every(({ publicKey }) => publicKey !== undefined);
  assert(isSigned, "every seat of a bft ballot has a registered key");
  const ballot: Ballot = {
    id,
    spec,
    seats,
    nonce,
    effectiveVoters,
    openedAtMs: atMs,
    deadlineAtMs: atMs + spec.timeoutMs,
    stage: "asking",
    round: 1,
    wave: 0,
    endsAtMs: atMs,
    open: [],
    answers: [],
    shown: [],
    abstentions: [],
    equivocators: [],
    arrivals: 0,
    changed: false,
    timedOut: false,
    messages: 0,
    hops: 0,
    usage: NO_USAGE,
    evidence: [],
  };
  const turn: Turn = { ballot, atMs, effects: [] };
  if (vacant === undefined) startWave(turn, 1, 0);
  else {
    for (const seat of vacant.seats) holdAbstention(turn, seat, "no agent was there for this seat");
    close(turn, noQuorum(vacant.reason), "timeout");
  }
  return [turn.ballot, turn.effects];
}

/** Takes one event and returns the new state and the effects. */
export function stepBallot(ballot: Ballot, event: BallotEvent): [Ballot, BallotEffect[]] {
  const turn: Turn = { ballot, atMs: event.atMs, effects: [] };
  if (ballot.stage === "closed") {
    if (event.type === "human") refuse(turn, "conflict", "the ballot is decided already");
    return [ballot, turn.effects];
  }
  endOverdue(turn);
  switch (event.type) {
    case "answer":
      takeAnswer(turn, event);
      advance(turn);
      break;
    case "abstain":
      takeAbstention(turn, event);
      advance(turn);
      break;
    case "advice":
      takeOpinion(turn, event);
      break;
    case "human":
      takeHuman(turn, event);
      break;
    case "cancel":
      if (turn.ballot.stage !== "closed") {
        close(turn, noQuorum(`cancelled: ${event.reason}`), "early", {
          code: "cancelled",
          message: event.reason,
        });
      }
      break;
    case "reseat":
      reseat(turn, event.substitute);
      break;
    case "tick":
      break;
    default:
      event satisfies never;
  }
  return [turn.ballot, turn.effects];
}

/** The latest time of the next tick from the driver; null for a closed ballot. */
export function wakeAtMs({ stage, endsAtMs }: Ballot): number | null {
  return stage === "closed" ? null : endsAtMs;
}

/** Ends every wave, consultation or ballot whose time is over at `atMs` (B1). */
function endOverdue(turn: Turn): void {
  // Each pass ends a wave, a consultation or the ballot. There are at most as many of these as messages.
  while (turn.ballot.stage !== "closed" && turn.atMs >= turn.ballot.endsAtMs) {
    const { ballot } = turn;
    if (ballot.stage === "consulting") {
      const role = ballot.referral!.role as Referral["role"];
      endAdvice(turn, role, noQuorum(`the ${role} did not answer in time`));
    } else if (ballot.stage === "human") {
      const { outcome = "no_quorum", reason } = ballot.referral!;
      close(turn, { outcome, reason: `${reason}; no person decided it in time` }, "timeout");
    } else {
      const silent = ballot.open;
      update(turn, { open: [], timedOut: true });
      for (const seat of silent) holdAbstention(turn, seat, "did not answer in time");
      cancel(turn, silent);
      advance(turn);
    }
  }
}

/** Takes every step that needs no further answer. */
function advance(turn: Turn): void {
  const { ballot } = turn;
  if (ballot.stage !== "asking") return;
  if (mayDecideNow(ballot)) {
    const counted = tally(pollOf(ballot));
    if (counted.outcome === "decided") {
      const isEarly = openVotersOf(ballot).length > 0;
      const full: DecidedBy = ballot.timedOut ? "timeout" : "all";
      close(turn, counted, isEarly ? (counted.byQuorum === true ? "quorum" : "early") : full);
      return;
    }
    const isLost = counted.outcome === "tie" || counted.outcome === "no_quorum";
    if (isLost && ballot.spec.onDisagreement === "fail" && openVotersOf(ballot).length > 0) {
      close(turn, counted, "early");
      return;
    }
  }
  if (ballot.open.length > 0) return;
  const next = wavesOf(ballot.spec, ballot.round)[ballot.wave + 1];
  if (next !== undefined && mayAsk(turn, next)) startWave(turn, ballot.round, ballot.wave + 1);
  else endRound(turn);
}

/** Ends a round after its last wave: counts the answers, or starts another exchange of answers. */
function endRound(turn: Turn): void {
  const { ballot } = turn;
  const { spec, round } = ballot;
  if (exchangesAnswers(spec) && !isSettled(ballot) && startRound(turn, round + 1)) return;
  const counted = tally(pollOf(turn.ballot, []));
  assert(counted.outcome !== "pending", "a count with no open seat has an outcome");
  const by: DecidedBy = ballot.timedOut ? "timeout" : "all";
  if (counted.outcome === "decided") close(turn, counted, by);
  else if (counted.outcome === "ask") consult(turn, counted);
  else disagree(turn, counted, by);
}

/** Gives a seat to another agent. */
function reseat(turn: Turn, substitute: Seat): void {
  const { seats, stage } = turn.ballot;
  if (stage === "closed") return;
  const index = seats.findIndex(({ seat }) => seat === substitute.seat);
  assert(index >= 0, `seat ${substitute.seat} is one of the ballot's`);
  update(turn, { seats: seats.with(index, substitute) });
}

/**
 * Whether the present answers may end the ballot before its wave ends. If seats exchange answers, no answer is final
 * before the last round. In a ring with strategy `first`, the answer that counts is that of the last seat, so every
 * seat must be asked.
 */
function mayDecideNow({ spec, round }: Ballot): boolean {
  if (!exchangesAnswers(spec)) return true;
  return round === roundsOf(spec) && !(spec.topology === "ring" && spec.strategy === "first");
}

/** Whether another exchange would be useless: all answers are equal, or no seat changed its answer in this round. */
function isSettled({ answers, round, changed }: Ballot): boolean {
  const texts = new Set(answers.map(({ value }) => canonicalJson(value)));
  return texts.size <= 1 || (round > 1 && !changed);
}
