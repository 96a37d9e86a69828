// Takes the next step of a ballot when its answers disagree: a plurality, a debate, a judge, a person, or failure. Owns
// these steps; tally/advice.ts reads and counts the advice. Pure.

import type { DecidedBy } from "../../protocol/index.ts";
import { refer, takeAdvice, takeChoice } from "../tally/advice.ts";
import { readAnswer } from "../tally/answer.ts";
import { tallyPlurality, weighUnits } from "../tally/count.ts";
import { minAnswersOf } from "../tally/tally.ts";
import { type Indecision, noQuorum, type Referral } from "../tally/types.ts";
import type { Ballot, BallotEffect, BallotEvent } from "./state.ts";
import { close, MAX_REASON, pollOf, refuse, spend, type Turn, update } from "./turn.ts";
import type { BallotEnding } from "./verdict.ts";
import { mayAsk, startRound } from "./waves.ts";

/**
 * Takes the step that the ballot's `onDisagreement` names, or ends the ballot. Too few answers are not a disagreement:
 * then only a person can decide.
 */
export function disagree(turn: Turn, counted: Indecision, by: DecidedBy): void {
  const { spec, round } = turn.ballot;
  const poll = pollOf(turn.ballot, []);
  const hasEnoughAnswers = poll.votes.length >= minAnswersOf(spec);
  if (spec.onDisagreement === "human") {
    askHuman(turn, counted);
  } else if (hasEnoughAnswers && spec.onDisagreement === "plurality") {
    const weigh = (seat: number) => (spec.strategy === "weighted" ? weighUnits(poll.weights[seat]) : 1);
    const plurality = tallyPlurality(poll.votes, weigh);
    close(turn, plurality, plurality.outcome === "decided" ? "plurality" : by);
  } else if (hasEnoughAnswers && spec.onDisagreement === "judge") {
    consult(turn, refer(poll, "judge"), counted);
  } else if (!(hasEnoughAnswers && spec.onDisagreement === "debate" && startRound(turn, round + 1))) {
    close(turn, counted, by);
  }
}

/** Asks the judge or verifier about the candidates, if time and budget allow it. */
export function consult(turn: Turn, { role, candidates }: Referral, because?: Indecision): void {
  const { ballot, atMs } = turn;
  if (!mayAsk(turn, undefined)) {
    const { stoppedBy } = turn.ballot;
    const why = stoppedBy === undefined ? "the time was over" : `the budget of ${stoppedBy} was used up`;
    endAdvice(turn, role, noQuorum(`${why} before the ${role} could be asked`));
    return;
  }
  // The judge gets half of the remaining time if a person may have to decide afterwards.
  const share = (ballot.deadlineAtMs - atMs) / (ballot.spec.onDisagreement === "human" ? 2 : 1);
  const endsAtMs = Math.min(ballot.deadlineAtMs, Math.ceil(atMs + share));
  const referral = because === undefined ? { role } : { role, ...because };
  update(turn, { stage: "consulting", endsAtMs, messages: ballot.messages + 1, referral });
  turn.effects.push(consultOf(turn.ballot, { role, candidates }));
}

/** The question to the judge or verifier of a ballot that waits for the advice. */
export function consultOf(ballot: Ballot, { role, candidates }: Omit<Referral, "outcome">): BallotEffect {
  const { id, spec, endsAtMs } = ballot;
  return {
    type: "consult",
    capability: role === "judge" ? spec.judge! : spec.verifier!,
    endsAtMs,
    question: { ballot: id, role, candidates: number(candidates) },
  };
}

/** Takes the answer of the judge or verifier, if the ballot waits for it. */
export function takeOpinion(turn: Turn, event: BallotEvent & { type: "advice" }): void {
  const { stage, referral } = turn.ballot;
  if (stage !== "consulting" || referral === undefined || referral.role === "human") return;
  const { role } = referral;
  spend(turn, event.usage);
  const advised =
    event.failed === undefined
      ? takeAdvice(pollOf(turn.ballot), role, event.output)
      : noQuorum(`the ${role} failed: ${event.failed}`);
  if (advised.outcome === "decided") close(turn, cutReason(advised), role);
  else endAdvice(turn, role, advised);
}

/**
 * Handles advice without a decision. If the ballot's strategy is `judge` or `verifier`, the step of `onDisagreement`
 * follows. Otherwise the judge was that step already, and the ballot ends.
 */
export function endAdvice(turn: Turn, role: Referral["role"], ending: Indecision): void {
  const { strategy } = turn.ballot.spec;
  if (strategy === "judge" || strategy === "verifier") disagree(turn, cutReason(ending), role);
  else close(turn, cutReason(ending), role);
}

function askHuman(turn: Turn, { outcome, reason }: Indecision): void {
  const endsAtMs = turn.ballot.deadlineAtMs;
  update(turn, { stage: "human", endsAtMs, referral: { role: "human", outcome, reason } });
  turn.effects.push(askHumanOf(turn.ballot));
}

/** The question to a person, for a ballot that waits for a person's decision. */
export function askHumanOf(ballot: Ballot): BallotEffect {
  const { candidates } = refer(pollOf(ballot, []), "judge");
  const { referral, endsAtMs } = ballot;
  return { type: "ask-human", candidates: number(candidates), reason: referral?.reason ?? "", endsAtMs };
}

/** Takes a person's decision, or refuses it with the reason. */
export function takeHuman(turn: Turn, event: BallotEvent & { type: "human" }): void {
  const { ballot } = turn;
  if (ballot.stage !== "human") {
    refuse(turn, "conflict", "the ballot does not wait for a person; `ballot show` prints its stage");
    return;
  }
  const reason = `decided by ${event.by}`.slice(0, MAX_REASON);
  if (event.choice === undefined) {
    // A person's value has the size limits of a seat's answer. It decides without a count, so every type is allowed.
    const reading = readAnswer(event.value, { strategy: "first", pointer: "", seats: ballot.spec.seats });
    if (reading.ok)
      close(turn, { outcome: "decided", value: reading.value, supporters: [], reason }, "human");
    else refuse(turn, "invalid_input", `value: ${reading.reason}`, "value");
    return;
  }
  const poll = pollOf(ballot);
  const chosen = takeChoice(poll, event.choice);
  if (chosen !== undefined) {
    close(turn, { outcome: "decided", ...chosen, reason }, "human");
    return;
  }
  const count = refer(poll, "judge").candidates.length;
  const expected = count === 0 ? "a value, since there is no candidate" : `a candidate from 1 to ${count}`;
  refuse(turn, "invalid_input", `choice: expected ${expected}, got ${event.choice}`, "choice");
}

function number(candidates: Referral["candidates"]): { candidate: number; value: unknown }[] {
  return candidates.map((value, index) => ({ candidate: index + 1, value }));
}

function cutReason<E extends BallotEnding>(ending: E): E {
  return ending.reason === undefined ? ending : { ...ending, reason: ending.reason.slice(0, 4 * MAX_REASON) };
}
