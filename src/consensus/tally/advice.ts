// Counts ballots that a judge or a verifier decides: a judge chooses one of the candidates, a verifier names the
// candidates that pass its test. Decides when the adviser is asked, and reads its answer; the driver asks the question.
// Pure.

import { type Json, judgeAnswerSchema, verifierAnswerSchema } from "../../protocol/index.ts";
import { tallyPlurality } from "./count.ts";
import {
  type Decision,
  type Indecision,
  noQuorum,
  PENDING,
  type Poll,
  type Referral,
  type Support,
  supportOf,
  type Tally,
  tooFew,
  type Vote,
} from "./types.ts";

/**
 * Waits for all seats, then asks the judge or verifier about the candidates. A single candidate wins without a judge. A
 * verifier also checks a single candidate, because all seats may be wrong. `least` is the fewest answers for a
 * decision.
 */
export function tallyAdvice(poll: Poll, least: number): Tally {
  const { spec, votes, open } = poll;
  if (votes.length + open.length < least) return tooFew(votes.length, least);
  if (open.length > 0) return PENDING;
  const referral = refer(poll, spec.strategy === "verifier" ? "verifier" : "judge");
  if (referral.candidates.length === 0) return noQuorum("no seat answered");
  return referral.role === "judge" && referral.candidates.length === 1
    ? tallyPlurality(poll.votes)
    : referral;
}

/**
 * The different values of the poll as candidates for a judge, a verifier or a person. They are sorted by their
 * canonical text, so that the order does not reveal which seat gave which value. A ranking contributes its first
 * candidate.
 */
export function refer(poll: Poll, role: Referral["role"]): Referral {
  return { outcome: "ask", role, candidates: candidatesIn(poll).map(({ value }) => value) };
}

/** The outcome of advice: a decision or none, with the adviser's reason. */
export type Advised = (Decision | Indecision) & { readonly reason?: string };

/**
 * The outcome that a judge's or verifier's answer leads to. An invalid answer leads to `no_quorum`, with its fault as
 * the reason.
 */
export function takeAdvice(poll: Poll, role: Referral["role"], output: unknown): Advised {
  const candidates = candidatesIn(poll);
  const advice = role === "judge" ? readJudgement(output) : readTest(output);
  if ("fault" in advice) return noQuorum(`${advice.fault} (candidates: 1–${candidates.length})`);
  const stray = advice.numbers.find((number) => number > candidates.length);
  if (stray !== undefined)
    return noQuorum(`the ${role} named candidate ${stray} of ${candidates.length} candidates`);
  if (advice.numbers.length === 0) return noQuorum(`no candidate passed${said(advice.reason)}`);
  const chosen = new Set(advice.numbers.flatMap((number) => candidates[number - 1]!.seats));
  const result = tallyPlurality(firstChoices(poll).filter(({ seat }) => chosen.has(seat)));
  return advice.reason === undefined || result.outcome !== "decided"
    ? result
    : { ...result, reason: advice.reason };
}

/**
 * The candidate that a person chose, by its number among the candidates of {@link refer}; undefined when no candidate
 * has that number.
 */
export function takeChoice(
  poll: Poll,
  choice: number,
): { value: Json; supporters: readonly number[] } | undefined {
  const chosen = candidatesIn(poll)[choice - 1];
  return chosen && { value: chosen.value, supporters: chosen.seats };
}

/** The votes of the poll. A ranking counts as its first candidate. */
export function firstChoices({ spec, votes }: Poll): readonly Vote[] {
  if (spec.strategy !== "ranked") return votes;
  return votes.map((vote) => ({ ...vote, value: (vote.value as readonly Json[])[0]! }));
}

/** A judge's or verifier's answer: the numbers of the chosen candidates, or the fault that makes it invalid. */
type Advice =
  | { readonly fault: string }
  | { readonly numbers: readonly number[]; readonly reason?: string | undefined };

function readJudgement(output: unknown): Advice {
  const parsed = judgeAnswerSchema.safeParse(output);
  if (!parsed.success) return { fault: "expected the judge to answer { choice: <number of a candidate> }" };
  return { numbers: [parsed.data.choice], reason: parsed.data.reason };
}

function readTest(output: unknown): Advice {
  const parsed = verifierAnswerSchema.safeParse(output);
  if (!parsed.success)
    return { fault: "expected the verifier to answer { passed: [<numbers of candidates>] }" };
  return { numbers: parsed.data.passed, reason: parsed.data.reason };
}

function candidatesIn(poll: Poll): Support[] {
  return supportOf(firstChoices(poll), () => 0); // With equal weights the values are in the order of their texts.
}

function said(reason: string | undefined): string {
  return reason === undefined ? "" : `: ${reason}`;
}
