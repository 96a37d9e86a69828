// How ballots are shown: a line for each, and one with all that is known of it and of its voters. Pure.
import {
  accuracyOf,
  type Ballot,
  compareWithSingle,
  correlationOf,
  effectiveVoters,
  effectsOf,
  expectedAccuracy,
  meanCorrelation,
  pairKey,
  type Rate,
  type Score,
  type SingleComparison,
  scoreOf,
  weightOf,
} from "../../../consensus/index.ts";
import { type BallotSpec, type Evidence, SwarmError } from "../../../protocol/index.ts";
import type { OfficeState } from "../../state.ts";
import { NOBODY, voterOf } from "../seats.ts";
import type { EndedBallot } from "../state/archive.ts";
import { type Ballots, coreOf } from "../state/ballots.ts";
import { formOf, NO_LESSONS } from "../state/lessons.ts";

/** Lines of one list: open ballots, then the newest ended ones. */
export const MAX_LINES = 500;

/** A ballot in a list. */
export interface BallotLine {
  id: string;
  capability: string;
  strategy: string;
  topology: string;
  /** What it waits for (`asking`, `consulting`, `human`, `publishing`), or how it ended. */
  state: string;
  seats: number;
  answered: number;
  agreement: number | null;
  openedAt: string;
  endedAt: string | null;
}

/** How often somebody was right, of ballots whose truth is known. */
export interface ScoreView {
  accuracy: Rate | null;
  cases: number;
}

/** An agent as the record knows it. */
export interface AgentView extends ScoreView {
  agent: string;
  /** Its kind: what agents that are made alike share. */
  voter: string;
  /** How likely it is right next time, by its own cases and its kind's; and what it weighs in a weighted ballot. */
  expected: number;
  weight: number;
}

/** What is known of the agents of one ballot, and of ballots of its kind: all of it over time, for one capability. */
export interface BallotStatistics {
  /** Ballots whose truth is known and whose seats answered alone. */
  cases: number;
  agents: AgentView[];
  /** Their kinds. */
  voters: (ScoreView & { voter: string })[];
  models: (ScoreView & { model: string })[];
  correlations: { voters: [string, string]; correlation: number }[];
  meanCorrelation: number | null;
  /** Independent voters that these seats are worth; null while too little is known. */
  effectiveVoters: number | null;
  /** Ballots of this strategy and topology against one agent; null before the first. */
  single: SingleComparison | null;
}

/** One ballot with what is known of its voters. */
export interface BallotPage extends BallotLine {
  rounds: number;
  /** The ballot as it was asked for; null of one that ended, whose verdict tells what matters of it. */
  spec: BallotSpec | null;
  votes: {
    seat: number;
    agent: string;
    model?: string;
    /** `silent`: the ballot ended without a valid answer of it. */
    state: "open" | "answered" | "abstained" | "silent";
    value?: unknown;
    /** Why it abstained. */
    reason?: string;
  }[];
  /** Refused votes of an open ballot; those of one that ended are in its verdict. */
  evidence: Evidence[];
  /** Of one that waits for a person: what to choose from. */
  candidates: { candidate: number; value: unknown }[];
  statistics: BallotStatistics;
}

/** All ballots that are remembered, open ones first, then the newest. */
export function viewBallots({ open, outbox, ended }: Ballots): BallotLine[] {
  const living = [...open.values()].map((ballot) => lineOfOpen(coreOf(ballot), ballot.capability));
  const ending = [...outbox.values()].map(({ ballot, ended: facts }) => ({
    ...lineOfEnded(ballot.id, {
      ...facts,
      capability: ballot.capability,
      openedAtMs: ballot.openedAtMs,
    }),
    state: "publishing",
  }));
  const past = [...ended].reverse().map(([id, facts]) => lineOfEnded(id, facts));
  return [...living, ...ending, ...past].slice(0, MAX_LINES);
}

/** Open ballots alone, the newest first. */
export function viewOpenBallots({ open }: Ballots): BallotLine[] {
  return [...open.values()]
    .slice(-MAX_LINES)
    .reverse()
    .map((ballot) => lineOfOpen(coreOf(ballot), ballot.capability));
}

/** One ballot; `live` is its newest state where this coordinator works on it. @throws SwarmError `not_found`. */
export function viewBallot(
  { ballots: state, registry }: Pick<OfficeState, "ballots" | "registry">,
  id: string,
  live: Ballot | undefined,
): BallotPage {
  const opened = state.open.get(id);
  if (opened !== undefined) {
    const core = live ?? coreOf(opened);
    const people = core.seats.map(({ agent, model }) => {
      const profile = registry.members.get(agent)?.profile;
      return { agent, voter: profile === undefined ? agent : voterOf(profile), model };
    });
    return {
      ...lineOfOpen(core, opened.capability),
      rounds: core.round,
      spec: withoutTruth(core.spec),
      evidence: [...core.evidence],
      votes: votesOf(core),
      candidates: effectsOf(core)
        .flatMap((effect) => (effect.type === "ask-human" ? [...effect.candidates] : []))
        .map(({ candidate, value }) => ({ candidate, value })),
      statistics: statisticsOf(state, opened.capability, core.spec, people),
    };
  }
  const facts = findEnded(state, id);
  return {
    ...lineOfEnded(id, facts),
    rounds: facts.rounds,
    spec: null,
    evidence: [],
    votes: facts.seats.map(({ agent, model, mark }, index) => ({
      seat: index + 1,
      agent,
      ...(model === undefined ? {} : { model }),
      state: mark === null ? ("silent" as const) : ("answered" as const),
    })),
    candidates: [],
    statistics: statisticsOf(state, facts.capability, facts, facts.seats),
  };
}

/** Whoever may look at an open ballot may sit in it. */
function withoutTruth({ truth: _, ...spec }: BallotSpec): BallotSpec {
  return spec;
}

function findEnded({ outbox, ended }: Ballots, id: string): EndedBallot {
  const ending = outbox.get(id);
  if (ending !== undefined) {
    const { capability, openedAtMs } = ending.ballot;
    return { ...ending.ended, capability, openedAtMs };
  }
  const facts = ended.get(id);
  if (facts !== undefined) return facts;
  throw new SwarmError(
    "not_found",
    `no ballot ${id} is remembered here; murmur ballot ls shows those that are`,
    { field: "id" },
  );
}

function lineOfOpen(
  { id, spec, stage, seats, answers, abstentions, openedAtMs }: Ballot,
  capability: string,
): BallotLine {
  return {
    id,
    capability,
    strategy: spec.strategy,
    topology: spec.topology,
    state: stage === "closed" ? "publishing" : stage,
    seats: seats.length,
    answered: answers.length + abstentions.length,
    agreement: null,
    openedAt: new Date(openedAtMs).toISOString(),
    endedAt: null,
  };
}

function lineOfEnded(id: string, facts: EndedBallot): BallotLine {
  const { capability, strategy, topology, outcome, agreement, seats, openedAtMs, endedAtMs } = facts;
  return {
    id,
    capability,
    strategy,
    topology,
    state: outcome,
    seats: seats.length,
    answered: seats.filter(({ mark }) => mark !== null).length,
    agreement,
    openedAt: new Date(openedAtMs).toISOString(),
    endedAt: new Date(endedAtMs).toISOString(),
  };
}

function votesOf({ seats, answers, abstentions }: Ballot): BallotPage["votes"] {
  return seats.map(({ seat, agent, model }) => {
    const who = { seat, agent, ...(model === undefined ? {} : { model }) };
    const answer = answers.find((other) => other.seat === seat);
    if (answer !== undefined) return { ...who, state: "answered", value: answer.value };
    const abstention = abstentions.find((other) => other.seat === seat);
    if (abstention !== undefined) return { ...who, state: "abstained", reason: abstention.reason };
    return { ...who, state: "open" };
  });
}

/** What was learnt of these agents, and of ballots of this capability, strategy and topology. */
function statisticsOf(
  { lessons }: Ballots,
  capability: string,
  form: Pick<EndedBallot, "strategy" | "topology">,
  seats: readonly { agent: string; voter: string; model?: string | undefined }[],
): BallotStatistics {
  const { voters: record, ballots } = lessons.get(capability) ?? NO_LESSONS;
  const seated = seats.filter(({ agent }) => agent !== NOBODY);
  const agents = [...new Map(seated.map(({ agent, voter }) => [agent, { agent, voter }])).values()];
  const voters = seated.map(({ voter }) => voter);
  const correlation = meanCorrelation(record, voters);
  const kept = ballots[formOf(form)];
  return {
    cases: record.cases,
    agents: agents.map((who) => ({
      ...who,
      ...viewScore(scoreOf(record.agents, who.agent)),
      expected: expectedAccuracy(record, who),
      weight: weightOf(record, who),
    })),
    voters: unique(voters).map((voter) => ({ voter, ...viewScore(scoreOf(record.voters, voter)) })),
    models: unique(seated.flatMap(({ model }) => model ?? [])).map((model) => ({
      model,
      ...viewScore(scoreOf(record.models, model)),
    })),
    correlations: pairsOf(voters).flatMap((pair) => {
      const found = correlationOf(record, ...pair);
      return found === null ? [] : [{ voters: pair, correlation: found }];
    }),
    meanCorrelation: correlation,
    effectiveVoters: correlation === null ? null : effectiveVoters(seated.length, correlation),
    single: kept === undefined ? null : compareWithSingle(kept),
  };
}

function viewScore(score: Score): ScoreView {
  return { accuracy: accuracyOf(score), cases: score.total };
}

/** Every two of these kinds that sit together, a kind with itself where it holds several seats. */
function pairsOf(voters: readonly string[]): [string, string][] {
  const pairs = voters.flatMap((one, index) =>
    voters.slice(index + 1).map((other): [string, string] => (one <= other ? [one, other] : [other, one])),
  );
  return [...new Map(pairs.map((pair) => [pairKey(...pair), pair])).values()];
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
