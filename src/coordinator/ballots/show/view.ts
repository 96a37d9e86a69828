// The views of ballots: a line for each in a list, and a page about one ballot and its voters. Pure.
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
import { type EndedBallot, NO_AGENT, voterOf } from "../state/archive.ts";
import { type Ballots, coreOf } from "../state/ballots.ts";
import { formOf, NO_LESSONS } from "../state/lessons.ts";

/** The most lines of one list: open ballots come first, then the newest ended ones. */
export const MAX_BALLOT_LINES = 500;

/** A ballot in a list. */
export interface BallotLine {
  id: string;
  capability: string;
  strategy: string;
  topology: string;
  /** The present step (`asking`, `consulting`, `human`, `publishing`), or the outcome once the ballot has ended. */
  state: string;
  seats: number;
  answered: number;
  agreement: number | null;
  openedAt: string;
  endedAt: string | null;
}

/** How often an agent, a kind or a model was right, in ballots whose truth is known. */
export interface ScoreView {
  accuracy: Rate | null;
  cases: number;
}

/** An agent and its record. */
export interface AgentView extends ScoreView {
  agent: string;
  /** The agent's kind: its role and model. */
  voter: string;
  /** The probability that the agent is right next time, from its own cases and those of its kind. */
  expected: number;
  /** The agent's weight in a weighted ballot. */
  weight: number;
}

/** Statistics about the agents of one ballot and about ballots of its form, over time and for one capability. */
export interface BallotStatistics {
  /** The number of ballots whose truth is known and whose seats answered alone. */
  cases: number;
  agents: AgentView[];
  /** The kinds of these agents. */
  voters: (ScoreView & { voter: string })[];
  models: (ScoreView & { model: string })[];
  correlations: { voters: [string, string]; correlation: number }[];
  meanCorrelation: number | null;
  /** The number of independent voters that these seats are worth; null while too little is known. */
  effectiveVoters: number | null;
  /** A comparison of ballots of this strategy and topology with one agent; null before the first such ballot. */
  single: SingleComparison | null;
}

/** One ballot, with statistics about its voters. */
export interface BallotPage extends BallotLine {
  rounds: number;
  /** The options of the ballot; null once it has ended, because its verdict then shows the important ones. */
  spec: BallotSpec | null;
  votes: {
    seat: number;
    agent: string;
    model?: string;
    /** `silent`: the ballot ended without a valid answer from this seat. */
    state: "open" | "answered" | "abstained" | "silent";
    value?: unknown;
    /** The reason of an abstention. */
    reason?: string;
  }[];
  /** The refused votes of an open ballot; for an ended ballot they are in the verdict. */
  evidence: Evidence[];
  /** The candidates to choose from, while the ballot waits for a person. */
  candidates: { candidate: number; value: unknown }[];
  statistics: BallotStatistics;
}

/** All remembered ballots: open ones first, then the newest ended ones. */
export function viewBallots({ open, outbox, ended }: Ballots): BallotLine[] {
  const openLines = [...open.values()].map((ballot) => lineOfOpen(coreOf(ballot), ballot.capability));
  const ending = [...outbox.values()].map(({ ballot, ended: facts }) => ({
    ...lineOfEnded(ballot.id, {
      ...facts,
      capability: ballot.capability,
      openedAtMs: ballot.openedAtMs,
    }),
    state: "publishing",
  }));
  const past = [...ended].reverse().map(([id, facts]) => lineOfEnded(id, facts));
  return [...openLines, ...ending, ...past].slice(0, MAX_BALLOT_LINES);
}

/** Only the open ballots, the newest first. */
export function viewOpenBallots({ open }: Ballots): BallotLine[] {
  return [...open.values()]
    .slice(-MAX_BALLOT_LINES)
    .reverse()
    .map((ballot) => lineOfOpen(coreOf(ballot), ballot.capability));
}

/** One ballot. `live`: the newest decider state, when this coordinator runs the ballot. @throws SwarmError `not_found`. */
export function viewBallot(
  { ballots: state, registry }: Pick<OfficeState, "ballots" | "registry">,
  id: string,
  live: Ballot | undefined,
): BallotPage {
  const opened = state.open.get(id);
  if (opened !== undefined) {
    const core = live ?? coreOf(opened);
    const seats = core.seats.map(({ agent, model }) => {
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
      statistics: statisticsOf(state, opened.capability, core.spec, seats),
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

/** Hides the right answer of an open ballot: a reader of this page may be an agent in one of its seats. */
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
    `no ballot ${id} is remembered; murmur ballot ls lists the remembered ones`,
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
    const line = { seat, agent, ...(model === undefined ? {} : { model }) };
    const answer = answers.find((other) => other.seat === seat);
    if (answer !== undefined) return { ...line, state: "answered", value: answer.value };
    const abstention = abstentions.find((other) => other.seat === seat);
    if (abstention !== undefined) return { ...line, state: "abstained", reason: abstention.reason };
    return { ...line, state: "open" };
  });
}

/** The lessons about these agents, and about ballots of this capability, strategy and topology. */
function statisticsOf(
  { lessons }: Ballots,
  capability: string,
  form: Pick<EndedBallot, "strategy" | "topology">,
  seats: readonly { agent: string; voter: string; model?: string | undefined }[],
): BallotStatistics {
  const { voters: record, ballots } = lessons.get(capability) ?? NO_LESSONS;
  const seated = seats.filter(({ agent }) => agent !== NO_AGENT);
  const agents = [...new Map(seated.map(({ agent, voter }) => [agent, { agent, voter }])).values()];
  const voters = seated.map(({ voter }) => voter);
  const correlation = meanCorrelation(record, voters);
  const kept = ballots[formOf(form)];
  return {
    cases: record.cases,
    agents: agents.map((agent) => ({
      ...agent,
      ...viewScore(scoreOf(record.agents, agent.agent)),
      expected: expectedAccuracy(record, agent),
      weight: weightOf(record, agent),
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

/** All pairs of kinds in these seats; a kind with several seats is also paired with itself. */
function pairsOf(voters: readonly string[]): [string, string][] {
  const pairs = voters.flatMap((one, index) =>
    voters.slice(index + 1).map((other): [string, string] => (one <= other ? [one, other] : [other, one])),
  );
  return [...new Map(pairs.map((pair) => [pairKey(...pair), pair])).values()];
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
