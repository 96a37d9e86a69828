// Builds the verdict of a ballot: the outcome with everything that explains it. Owns the content of the verdict and the
// meaning of agreement. Pure.

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

/** A decision or its absence, with the reason for the verdict. */
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
 * The agreement on a value: the share of all seats whose newest answer supports it. Without a value: the share of all
 * seats that gave the most common value. For merged findings: the mean share of the answering seats that report a
 * finding.
 */
export function agreementOf({ spec, seats, answers }: Ballot, value: Json | undefined): number {
  if (value !== undefined && spec.strategy === "merge") return agreementOfMerged(value as MergedFinding[]);
  if (value !== undefined)
    return answers.filter((answer) => supports(spec, value, answer.value)).length / seats.length;
  const texts = answers.map((answer) => canonicalJson(verdictValueOf(spec, answer.value)));
  const counts = texts.map((text) => texts.filter((other) => other === text).length);
  return Math.max(0, ...counts) / seats.length;
}

/** Whether a seat's answer supports the value of the verdict. */
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

/** The control arm, if its seat was asked. It includes the value if the newest answer of that seat differs. */
function singleOf({ spec, control, answers }: Ballot, value: Json | undefined): Pick<Verdict, "single"> {
  if (control === undefined) return {};
  const { seat, usage, value: said } = control;
  const agrees = value !== undefined && supports(spec, value, said);
  const newest = answers.find((answer) => answer.seat === seat);
  const isStill = newest !== undefined && canonicalJson(newest.value) === canonicalJson(said);
  return { single: { seat, agrees, ...(isStill ? {} : { value: said }), usage } };
}

/** An answer as a value of a verdict. For a ranking it is the first candidate. */
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

/** The lowest seat whose own value equals the verdict's exactly. A mean between two values, or a merge, has none. */
function winnerOf({ spec, answers }: Ballot, value: Json | undefined): { winner?: number } {
  if (value === undefined) return {};
  const text = canonicalJson(value);
  const winner = answers.find((answer) => canonicalJson(verdictValueOf(spec, answer.value)) === text)?.seat;
  return winner === undefined ? {} : { winner };
}
