// Ballots that somebody else decides: a judge chooses one of the candidates, a verifier tells which of them hold. Owns when
// they are asked and what counts as an answer; who asks them is the driver.

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

/** Asks once no seat is open. A judge is not troubled with one candidate; a verifier is, because all seats may be wrong. */
export function tallyAdvice(poll: Poll, least: number): Tally {
  const { spec, votes, open } = poll;
  if (votes.length + open.length < least) return tooFew(votes.length, least);
  if (open.length > 0) return PENDING;
  const referral = refer(poll, spec.strategy === "verifier" ? "verifier" : "judge");
  if (referral.candidates.length === 0) return noQuorum("nobody answered");
  return referral.role === "judge" && referral.candidates.length === 1
    ? tallyPlurality(poll.votes)
    : referral;
}

/**
 * The different values of the poll, to be put before a judge, a verifier or a person: sorted by their canonical text, so
 * that neither their order nor anything else tells who gave which. Of rankings, what stands first in each.
 */
export function refer(poll: Poll, role: Referral["role"]): Referral {
  return { outcome: "ask", role, candidates: candidatesIn(poll).map(({ value }) => value) };
}

/** What came of asking: a decision or none, and what the adviser said. */
export type Advised = (Decision | Indecision) & { readonly reason?: string };

/** What the judge or verifier answered, as an outcome. Nonsense decides nothing: no_quorum, with what was wrong. */
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

/** A person's choice among the candidates that {@link refer} gives. */
export function takeChoice(
  poll: Poll,
  choice: number,
): { value: Json; supporters: readonly number[] } | undefined {
  const chosen = candidatesIn(poll)[choice - 1];
  return chosen && { value: chosen.value, supporters: chosen.seats };
}

/** The poll's votes; of a ranking what it puts first. */
export function firstChoices({ spec, votes }: Poll): readonly Vote[] {
  if (spec.strategy !== "ranked") return votes;
  return votes.map((vote) => ({ ...vote, value: (vote.value as readonly Json[])[0]! }));
}

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
  return supportOf(firstChoices(poll), () => 0); // all weigh the same, so they stand in the order of their text
}

function said(reason: string | undefined): string {
  return reason === undefined ? "" : `: ${reason}`;
}
