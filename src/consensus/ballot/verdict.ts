// The verdict of a ballot: the outcome with everything that explains it. Owns what is told, and what agreement means.

import {
  type BallotSpec,
  canonicalJson,
  type DecidedBy,
  fanOutOf,
  type Json,
  treeDepthOf,
  type Verdict,
} from "../../protocol/index.ts";
import { keyOf } from "../tally/answer.ts";
import { agreementOfMerged, type MergedFinding } from "../tally/merge.ts";
import { isNear } from "../tally/number.ts";
import type { Decision, Indecision } from "../tally/types.ts";
import type { Ballot } from "./state.ts";

/** What the verdict tells of a decision or of its absence. */
export type BallotEnding = (Decision | Indecision) & { readonly reason?: string };

/** Builds the verdict. */
export function verdictOf(ballot: Ballot, ending: BallotEnding, decidedBy: DecidedBy): Verdict {
  const { spec } = ballot;
  const isDecided = ending.outcome === "decided";
  const value = isDecided ? ending.value : undefined;
  return {
    outcome: ending.outcome,
    strategy: spec.strategy,
    topology: spec.topology,
    ...(spec.topology === "tree" ? { depth: treeDepthOf(spec), fanOut: fanOutOf(spec) } : {}),
    ...(spec.neighbours === undefined ? {} : { neighbours: spec.neighbours }),
    ...(value === undefined ? {} : { value }),
    ...(ending.reason === undefined ? {} : { reason: ending.reason }),
    agreement: agreementOf(ballot, value),
    decidedBy,
    abstained: ballot.abstentions.length,
    seats: ballot.seats.map((seat) => seatOf(ballot, seat)),
    rounds: ballot.round,
    messages: ballot.messages,
    hops: ballot.hops,
    ...(ballot.stoppedBy === undefined ? {} : { stoppedBy: ballot.stoppedBy }),
    ...winnerOf(ballot, value),
    ...(isDecided && ending.spread !== undefined ? { spread: ending.spread } : {}),
    ...(isDecided && ending.ranking !== undefined ? { ranking: [...ending.ranking] } : {}),
    ...(isDecided && ending.omitted !== undefined ? { omitted: ending.omitted } : {}),
    effectiveVoters: ballot.effectiveVoters,
    usage: ballot.usage,
    ...singleOf(ballot, value),
    ...(ballot.evidence.length === 0 ? {} : { evidence: [...ballot.evidence] }),
  };
}

/**
 * The share of the registered seats whose newest answer supports the value, or, without one, of those that give the most
 * common value. Of merged findings: how many of the seats that answered report each, on average.
 */
export function agreementOf({ spec, seats, answers }: Ballot, value: Json | undefined): number {
  if (value !== undefined && spec.strategy === "merge") return agreementOfMerged(value as MergedFinding[]);
  if (value !== undefined)
    return answers.filter((answer) => supports(spec, value, answer.value)).length / seats.length;
  const texts = answers.map((answer) => canonicalJson(verdictValueOf(spec, answer.value)));
  const counts = texts.map((text) => texts.filter((other) => other === text).length);
  return Math.max(0, ...counts) / seats.length;
}

/** Whether a seat's answer says the same as the verdict's value. */
export function supports(spec: BallotSpec, value: Json, answer: Json): boolean {
  switch (spec.strategy) {
    case "mean":
    case "median":
    case "trimmed":
      return isNear(answer as number, value as number, spec);
    case "merge":
      return (
        keysOf(spec, answer) ===
        keysOf(
          spec,
          (value as MergedFinding[]).map(({ finding }) => finding),
        )
      );
    default:
      return canonicalJson(verdictValueOf(spec, answer)) === canonicalJson(value);
  }
}

/** The control arm, if it had its turn; its value is told where its seat says something else by now. */
function singleOf({ spec, control, answers }: Ballot, value: Json | undefined): Pick<Verdict, "single"> {
  if (control === undefined) return {};
  const { seat, usage, value: said } = control;
  const agrees = value !== undefined && supports(spec, value, said);
  const newest = answers.find((answer) => answer.seat === seat);
  const isStill = newest !== undefined && canonicalJson(newest.value) === canonicalJson(said);
  return { single: { seat, agrees, ...(isStill ? {} : { value: said }), usage } };
}

/** What an answer says as a value of a verdict: a ranking says what it puts first. */
export function verdictValueOf({ strategy }: Pick<BallotSpec, "strategy">, answer: Json): Json {
  return strategy === "ranked" ? (answer as readonly Json[])[0]! : answer;
}

function keysOf(spec: BallotSpec, findings: Json): string {
  const keys = (findings as readonly Json[]).map((finding) => keyOf(finding, spec)!);
  return canonicalJson([...new Set(keys)].sort());
}

function seatOf(
  ballot: Ballot,
  { seat, agent, model, weight }: Ballot["seats"][number],
): Verdict["seats"][number] {
  const answer = ballot.answers.find((held) => held.seat === seat);
  const abstention = ballot.abstentions.find((held) => held.seat === seat);
  return {
    seat,
    agent,
    ...(model === undefined ? {} : { model }),
    ...(answer === undefined ? {} : { value: answer.value, round: answer.round }),
    ...(answer?.vote === undefined ? {} : { signature: answer.vote.signature }),
    ...(abstention === undefined ? {} : { abstained: abstention.reason }),
    weight: ballot.spec.strategy === "weighted" ? weight : 1,
  };
}

/** The lowest seat whose own value is the verdict's, to the letter; none of a mean between two, or of a merge. */
function winnerOf({ spec, answers }: Ballot, value: Json | undefined): { winner?: number } {
  if (value === undefined) return {};
  const text = canonicalJson(value);
  const winner = answers.find((answer) => canonicalJson(verdictValueOf(spec, answer.value)) === text)?.seat;
  return winner === undefined ? {} : { winner };
}
