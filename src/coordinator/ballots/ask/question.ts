// Who is asked what because of a ballot, under which task id, and whose result answers it. Pure.
//
// Q1  A seat is shown the answers of those alone whom its ballot's topology lets it see; a question with another one is not
//     put. What the decider asks follows the topology by itself; this looks at each question once more, as it goes out.
// Q2  A result answers a question only when it names an agent that was asked it.
import type { BallotEffect } from "../../../consensus/index.ts";
import { capabilityOfSeat, type Result, type Subjects } from "../../../protocol/index.ts";
import type { LiveBallot, Question } from "./live-ballot.ts";
import { type Addressee, questionTaskId } from "./messages.ts";

/** The question that an effect wants put; null for any other effect. */
export function questionOf(
  run: LiveBallot,
  effect: BallotEffect,
  { subjects, nowMs }: { subjects: Subjects; nowMs: number },
): Question | null {
  if (effect.type !== "ask" && effect.type !== "consult") return null;
  const { round, spec } = run.core;
  const to: Addressee = effect.type === "ask" ? { seat: effect.seat } : { role: effect.question.role };
  const capability =
    effect.type === "ask" ? capabilityOfSeat(spec, effect.seat, run.ballot.capability) : effect.capability;
  const taskId = questionTaskId(run.id, round, to);
  const resultSubject = subjects.result(capability, run.id, taskId);
  return {
    run,
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
    lookedForMs: nowMs,
  };
}

/** Why a question must not be put; undefined when it may (Q1). */
export function whyNotPut({ run, round, to, body }: Question): string | undefined {
  if (!("seat" in to) || !("answers" in body) || body.answers.length === 0) return undefined;
  const shown = body.answers.map(({ seat }) => seat);
  if (run.maySee(round, to.seat, shown)) return undefined;
  return `round ${round} of a ${run.core.spec.topology} does not show seat ${to.seat} what seats ${shown.join(", ")} say`;
}

/** True when the result comes from somebody who was not asked (Q2). */
export function isFromStranger({ run, to, asked }: Question, { agent }: Result): boolean {
  // Signed votes tell themselves whose they are, and a forged result must not take a seat's place.
  if (run.core.spec.strategy === "bft" && "seat" in to) return false;
  // A new holder of the office knows who sits there, and not who sat there before or was asked for advice.
  return !asked.has(agent) && "seat" in to && run.core.seats[to.seat - 1]?.agent !== agent;
}
