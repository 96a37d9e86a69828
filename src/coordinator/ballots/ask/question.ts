// One question of a ballot: its addressee, its task id, and the test of whether a result answers it. Pure.
//
// Q1  A question shows a seat only the answers that the ballot's topology lets that seat see. The decider follows the
//     topology by itself; `whyNotPublish` checks each question once more before it is published.
// Q2  A result answers a question only if it names an agent that got the question.
import type { BallotEffect } from "../../../consensus/index.ts";
import { capabilityOfSeat, type Result, type Subjects } from "../../../protocol/index.ts";
import type { LiveBallot, Question } from "./live-ballot.ts";
import { type Addressee, questionTaskId } from "./messages.ts";

/** Makes the question for an effect `ask` or `consult`; null for any other effect. */
export function questionOf(
  live: LiveBallot,
  effect: BallotEffect,
  { subjects, nowMs }: { subjects: Subjects; nowMs: number },
): Question | null {
  if (effect.type !== "ask" && effect.type !== "consult") return null;
  const { round, spec } = live.core;
  const to: Addressee = effect.type === "ask" ? { seat: effect.seat } : { role: effect.question.role };
  const capability =
    effect.type === "ask" ? capabilityOfSeat(spec, effect.seat, live.ballot.capability) : effect.capability;
  const taskId = questionTaskId(live.id, round, to);
  const resultSubject = subjects.result(capability, live.id, taskId);
  return {
    live,
    taskId,
    round,
    to,
    capability,
    resultSubject,
    doneSubject: subjects.doneOf(resultSubject),
    body: effect.question,
    endsAtMs: effect.endsAtMs,
    asked: new Set(),
    place: null,
    isAnswered: false,
    checkedAtMs: nowMs,
  };
}

/** The reason why a question must not be published; undefined when it may be (Q1). */
export function whyNotPublish({ live, round, to, body }: Question): string | undefined {
  if (!("seat" in to) || !("answers" in body) || body.answers.length === 0) return undefined;
  const shown = body.answers.map(({ seat }) => seat);
  if (live.questions.maySee(round, to.seat, shown)) return undefined;
  return `round ${round} of a ${live.core.spec.topology} does not show seat ${to.seat} the answers of seats ${shown.join(", ")}`;
}

/** Whether the result names an agent that did not get the question (Q2). */
export function isFromUnaskedAgent({ live, to, asked }: Question, { agent }: Result): boolean {
  // The decider checks the signature of a signed vote, and a forged result must not make the seat abstain.
  if (live.core.spec.strategy === "bft" && "seat" in to) return false;
  // After a change of leader, the new one knows only the present agent of a seat: not an earlier one, and no adviser.
  return !asked.has(agent) && "seat" in to && live.core.seats[to.seat - 1]?.agent !== agent;
}
