// Makes one question of a ballot (its addressee, task id and subjects). Decides whether the asker may publish it, and
// whether a result answers it. asker.ts publishes the questions and receives the results. Pure.
//
// Q1  A question shows a seat only the answers that the ballot's topology lets that seat see. The decider follows the
//     topology by itself; `whyNotPublish` checks each question once more before the asker publishes it.
// Q2  A result answers a question only if it names an agent that the asker sent the question to. For a seat of a `bft`
//     ballot the signature of the vote replaces this test.
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

/** The reason why the asker must not publish the question; undefined when it may (Q1). */
export function whyNotPublish({ live, round, to, body }: Question): string | undefined {
  if (!("seat" in to) || !("answers" in body) || body.answers.length === 0) return undefined;
  const shown = body.answers.map(({ seat }) => seat);
  if (live.questions.maySee(round, to.seat, shown)) return undefined;
  return `round ${round} of a ${live.core.spec.topology} does not show seat ${to.seat} the answers of seats ${shown.join(", ")}`;
}

/** True when the result names an agent that did not get the question (Q2). */
export function isFromUnaskedAgent({ live, to, asked }: Question, { agent }: Result): boolean {
  // The decider rejects a forged result by its signature. This test would make the seat abstain, so a forger could
  // silence the seat.
  if (live.core.spec.strategy === "bft" && "seat" in to) return false;
  // A new leader did not send the earlier questions itself. So `asked` may be incomplete, and the leader knows only the
  // present agent of each seat.
  return !asked.has(agent) && "seat" in to && live.core.seats[to.seat - 1]?.agent !== agent;
}
