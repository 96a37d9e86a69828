// Shared by the tests of ballots: specs, polls, seats with keys, and all ways to complete the open seats.

import fc from "fast-check";
import {
  type Ballot,
  type BallotEffect,
  type BallotEvent,
  type BallotResult,
  openBallot,
  type Seat,
  stepBallot,
  voteKeyOf,
} from "../../../src/consensus/index.ts";
import { type Poll, tally, type Vote, type VoteKey, votersOf } from "../../../src/consensus/internal.ts";
import {
  type BallotInput,
  type BallotSpec,
  ballotSchema,
  canonicalJson,
  type Json,
} from "../../../src/protocol/index.ts";
import { scaled } from "../../support/scale.ts";

export function specOf(ballot: BallotInput): BallotSpec {
  return ballotSchema.parse(ballot);
}

/** A poll: seat i + 1 gave `values[i]`, or abstained where that is undefined. All further seats are open. */
export function pollOf(
  ballot: BallotInput,
  values: readonly (Json | undefined)[],
  weights: Record<number, number> = {},
): Poll {
  const spec = specOf(ballot);
  const voters = votersOf(spec);
  const votes = values.flatMap((value, index): Vote[] =>
    value === undefined ? [] : [{ seat: index + 1, value, arrival: index + 1 }],
  );
  return { spec, voters, votes, open: voters.slice(values.length), weights };
}

/** The outcome of a count, without the parts that may differ between an early and a full count. */
export function essenceOf(poll: Poll): string {
  const counted = tally(poll);
  return counted.outcome === "decided" ? `decided ${canonicalJson(counted.value)}` : counted.outcome;
}

/** The poll after its open seats answered with these values, or abstained. */
export function complete(poll: Poll, values: readonly (Json | undefined)[]): Poll {
  const later = poll.open.flatMap((seat, index): Vote[] => {
    const value = values[index];
    return value === undefined ? [] : [{ seat, value, arrival: 1_000 + index }];
  });
  return { ...poll, votes: [...poll.votes, ...later], open: [] };
}

/** Every list of `length` values out of `domain`. */
export function* listsOf<T>(domain: readonly T[], length: number): Generator<T[]> {
  if (length === 0) yield [];
  else for (const rest of listsOf(domain, length - 1)) for (const value of domain) yield [...rest, value];
}

export function seatsOf(count: number, more: (seat: number) => Partial<Seat> = () => ({})): Seat[] {
  return Array.from({ length: count }, (_, index) => ({
    seat: index + 1,
    agent: `agent-${index + 1}`,
    weight: 1,
    ...more(index + 1),
  }));
}

/** The same keys in every run. */
export function keyOf(seat: number): VoteKey {
  const known = keys.get(seat) ?? voteKeyOf(new Uint8Array(32).fill(seat));
  keys.set(seat, known);
  return known;
}
const keys = new Map<number, VoteKey>();

/** A ballot that the test drives by hand, with all its effects so far. */
export function driveBallot(input: BallotInput, more: Partial<Parameters<typeof openBallot>[0]> = {}) {
  const spec = specOf(input);
  const isSigned = spec.strategy === "bft";
  const seats = seatsOf(spec.seats, (seat) => (isSigned ? { publicKey: keyOf(seat).publicKey } : {}));
  const [opened, first] = openBallot({ id: "b1", spec, seats, nonce: "secret", atMs: 0, ...more });
  const effects: BallotEffect[] = [...first];
  let ballot: Ballot = opened;
  const step = (event: BallotEvent): BallotEffect[] => {
    // Every state is JSON, and equals itself after a round trip.
    ballot = JSON.parse(JSON.stringify(ballot)) as Ballot;
    const [next, wanted] = stepBallot(ballot, event);
    ballot = next;
    effects.push(...wanted);
    return wanted;
  };
  const asks = () => effects.filter((effect) => effect.type === "ask");
  return {
    get ballot() {
      return ballot;
    },
    effects,
    step,
    asks,
    /** The newest question to this seat. */
    asked: (seat: number) => asks().findLast((ask) => ask.seat === seat)?.question,
    answer: (seat: number, output: unknown, atMs = 1, round = ballot.round) =>
      step({ type: "answer", seat, round, output, atMs }),
    tick: (atMs: number) => step({ type: "tick", atMs }),
    closed: (): BallotResult | undefined => effects.find((effect) => effect.type === "close"),
    cancelled: () => effects.flatMap((effect) => (effect.type === "cancel" ? effect.asks : [])),
  };
}

/** The runs of one property. */
export const RUNS = { numRuns: scaled(60, 200) };
/**
 * The time limit, in ms. These tests take seconds on a quiet machine, but other tests may use the cores at the same
 * time.
 */
export const PATIENT = { timeout: 120_000 };

export const smallInt = (most: number) => fc.integer({ min: 0, max: most });
