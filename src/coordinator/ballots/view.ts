// How ballots are shown: a line for each, and one with all that is known of it and of its voters. Pure.
import {
  accuracyOf,
  addSingle,
  type Ballot,
  compareWithSingle,
  EMPTY_RECORD,
  EMPTY_SINGLE,
  effectiveVoters,
  effectsOf,
  errorCorrelation,
  meanCorrelation,
  pairKey,
  type Rate,
  type SingleComparison,
  weightOf,
} from "../../consensus/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import type { Ballots, EndedBallot } from "./ballots.ts";

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

/** A voter as the record knows it. */
export interface VoterView {
  voter: string;
  accuracy: Rate | null;
  cases: number;
  /** What it weighs in a weighted ballot. */
  weight: number;
}

/** One ballot with what is known of its voters. */
export interface BallotPage extends BallotLine {
  rounds: number;
  votes: {
    seat: number;
    agent: string;
    model?: string;
    state: "open" | "answered" | "abstained";
    value?: unknown;
  }[];
  /** Of one that waits for a person: what to choose from. */
  candidates: { candidate: number; value: unknown }[];
  statistics: {
    voters: VoterView[];
    correlations: { voters: [string, string]; correlation: number }[];
    /** Independent voters that these seats are worth; null while too little is known. */
    effectiveVoters: number | null;
    single: SingleComparison | null;
  };
}

/** All ballots that are remembered, open ones first, then the newest. */
export function viewBallots({ open, outbox, ended }: Ballots): BallotLine[] {
  const living = [...open.values()].map((ballot) =>
    lineOfOpen(ballot.core as unknown as Ballot, ballot.capability),
  );
  const ending = [...outbox.values()].map(({ ballot, ended: facts }) => ({
    ...lineOfEnded(ballot.id, {
      ...facts,
      capability: ballot.capability,
      openedAtMs: ballot.openedAtMs,
      truth: null,
    }),
    state: "publishing",
  }));
  const past = [...ended].reverse().map(([id, facts]) => lineOfEnded(id, facts));
  return [...living, ...ending, ...past].slice(0, MAX_LINES);
}

/** One ballot; `live` is its newest state where this coordinator works on it. @throws SwarmError `not_found`. */
export function viewBallot(state: Ballots, id: string, live: Ballot | undefined): BallotPage {
  const opened = state.open.get(id);
  if (opened !== undefined) {
    const core = live ?? (opened.core as unknown as Ballot);
    return {
      ...lineOfOpen(core, opened.capability),
      rounds: core.round,
      votes: votesOf(core),
      candidates: effectsOf(core)
        .flatMap((effect) => (effect.type === "ask-human" ? [...effect.candidates] : []))
        .map(({ candidate, value }) => ({ candidate, value })),
      statistics: statisticsOf(
        state,
        opened.capability,
        core.seats.map(({ agent }) => agent),
      ),
    };
  }
  const ending = state.outbox.get(id);
  const facts =
    ending === undefined
      ? state.ended.get(id)
      : {
          ...ending.ended,
          capability: ending.ballot.capability,
          openedAtMs: ending.ballot.openedAtMs,
          truth: null,
        };
  if (facts === undefined) {
    throw new SwarmError(
      "not_found",
      `no ballot ${id} is remembered here; murmur ballot ls shows those that are`,
      {
        field: "id",
      },
    );
  }
  return {
    ...lineOfEnded(id, facts),
    rounds: facts.rounds,
    votes: facts.seats.map(({ agent, model, hash }, index) => ({
      seat: index + 1,
      agent,
      ...(model === undefined ? {} : { model }),
      state: hash === null ? ("abstained" as const) : ("answered" as const),
    })),
    candidates: [],
    statistics: statisticsOf(
      state,
      facts.capability,
      facts.seats.map(({ voter }) => voter),
    ),
  };
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
    state: stage,
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
    answered: seats.filter(({ hash }) => hash !== null).length,
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
    return { ...who, state: abstentions.some((other) => other.seat === seat) ? "abstained" : "open" };
  });
}

/** What the record says of these voters, and of ballots of this capability against one agent. */
function statisticsOf(
  state: Ballots,
  capability: string,
  names: readonly string[],
): BallotPage["statistics"] {
  const record = state.records.get(capability) ?? EMPTY_RECORD;
  const voters = [...new Set(names)];
  const correlation = meanCorrelation(record, names);
  const pairs = voters.flatMap((one, index) =>
    voters.slice(index).map((other): [string, string] => [one, other]),
  );
  return {
    voters: voters.map((voter) => {
      const score = record.voters[voter] ?? { right: 0, total: 0 };
      return { voter, accuracy: accuracyOf(score), cases: score.total, weight: weightOf(score) };
    }),
    correlations: pairs.flatMap((pair) => {
      const table = record.pairs[pairKey(...pair)];
      const found = table === undefined ? null : errorCorrelation(table);
      return found === null ? [] : [{ voters: pair, correlation: found }];
    }),
    effectiveVoters: correlation === null ? null : effectiveVoters(names.length, correlation),
    single: compareWithSingle(singleOf(state, capability)),
  };
}

/** The ballots whose truth is known against their first seat that answered. */
function singleOf({ ended }: Ballots, capability: string) {
  const none = { inputTokens: 0, outputTokens: 0, costUsd: null };
  let record = EMPTY_SINGLE;
  for (const ballot of ended.values()) {
    const control = ballot.seats.find(({ hash }) => hash !== null);
    if (
      ballot.capability !== capability ||
      ballot.truth === null ||
      control === undefined ||
      !ballot.isIndependent
    )
      continue;
    record = addSingle(record, {
      ballotRight: ballot.hash === ballot.truth,
      singleRight: control.hash === ballot.truth,
      ballot: none,
      single: none,
    });
  }
  return record;
}
