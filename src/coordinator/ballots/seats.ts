// The seats of a ballot: finds agents for them in the registry, and computes the weight of each seat and the number of
// independent voters that all seats are worth. Owns the rules of diversity; placement ranks the agents that fit.
// open/prepare.ts calls it for a new ballot, ask/asker.ts for a seat whose agent is gone.
import {
  type Ballot,
  EMPTY_RECORD,
  effectiveVoters,
  meanCorrelation,
  type Seat,
  type VoterRecord,
  weightOf,
} from "../../consensus/index.ts";
import { type BallotSpec, capabilityOfSeat } from "../../protocol/index.ts";
import type { Placer } from "../placement/placer.ts";
import type { Profile } from "../registry/profile.ts";
import type { OfficeState } from "../state.ts";
import { voterOf } from "./state/archive.ts";

/** Finds agents for the seats of a ballot, in order of the seats' numbers. Returns fewer seats when too few agents fit. */
export function findSeats(
  state: OfficeState,
  pick: Placer["pick"],
  wanted: { capability: string; spec: BallotSpec; labels?: Readonly<Record<string, string>> },
): Seat[] {
  const { capability, spec } = wanted;
  const record = recordOf(state, capability);
  if (spec.panel !== undefined) {
    return findPanel(state, pick, wanted).map(([seat, profile]) => seatOf(profile, seat, record));
  }
  const fitting = pickFitting(state, pick, { ...wanted, count: spec.seats, taken: new Set() });
  return fitting.map((profile, index) => seatOf(profile, index + 1, record));
}

/** Finds the agents of a panel, seat by seat: each offers its seat's capability and follows the rule of `diversity`. */
function findPanel(
  state: OfficeState,
  pick: Placer["pick"],
  wanted: { capability: string; spec: BallotSpec; labels?: Readonly<Record<string, string>> },
): [seat: number, profile: Profile][] {
  const { capability, spec } = wanted;
  const taken = new Set<string>();
  const found: [number, Profile][] = [];
  for (let seat = 1; seat <= spec.seats; seat += 1) {
    const sought = { ...wanted, capability: capabilityOfSeat(spec, seat, capability), count: 1, taken };
    const [profile] = pickFitting(state, pick, sought);
    if (profile === undefined) continue;
    found.push([seat, profile]);
    if (spec.diversity !== "none") taken.add(profile.id);
    if (spec.diversity === "model") for (const id of idsWithModel(state, modelOf(profile))) taken.add(id);
  }
  return found;
}

/** The ids of all agents whose answers come from this model. */
function idsWithModel(state: OfficeState, model: string): string[] {
  return [...state.registry.members.values()]
    .filter((member) => modelOf(member.profile) === model)
    .map((member) => member.profile.id);
}

function modelOf(profile: Profile): string {
  return profile.model ?? voterOf(profile);
}

/** Finds another agent for a seat whose agent is gone; null when no agent fits. */
export function findSubstitute(
  state: OfficeState,
  pick: Placer["pick"],
  {
    capability: ofTask,
    core,
    seat,
    labels,
  }: {
    capability: string;
    core: Ballot;
    seat: number;
    /** The labels of the ballot's task, which the first agents were chosen by. */
    labels?: Readonly<Record<string, string>> | undefined;
  },
): Seat | null {
  const { spec, seats } = core;
  const capability = capabilityOfSeat(spec, seat, ofTask);
  const taken = new Set(
    seats.filter((other) => other.seat === seat || spec.diversity !== "none").map(({ agent }) => agent),
  );
  if (spec.diversity === "model") {
    for (const other of seats.filter((each) => each.seat !== seat)) {
      const { profile } = state.registry.members.get(other.agent) ?? {};
      const model = profile === undefined ? other.model : modelOf(profile);
      if (model !== undefined) for (const id of idsWithModel(state, model)) taken.add(id);
    }
  }
  const wanted = labels === undefined ? {} : { labels };
  const [profile] = pickFitting(state, pick, { capability, spec, count: 1, taken, ...wanted });
  return profile === undefined ? null : seatOf(profile, seat, recordOf(state, ofTask));
}

/** The number of independent voters with the same weight as these seats; null while the record of the voters is too short. */
export function worthOf(state: OfficeState, capability: string, seats: readonly Seat[]): number | null {
  const voters = seats.flatMap(({ agent }) => {
    const member = state.registry.members.get(agent);
    return member === undefined ? [] : [voterOf(member.profile)];
  });
  const correlation = meanCorrelation(recordOf(state, capability), voters);
  return correlation === null ? null : effectiveVoters(seats.length, correlation);
}

function recordOf(state: OfficeState, capability: string): VoterRecord {
  return state.ballots.lessons.get(capability)?.voters ?? EMPTY_RECORD;
}

/** Picks up to `count` agents that are not `taken`; for `bft` only agents with a key that never signed two different votes. */
function pickFitting(
  state: OfficeState,
  pick: Placer["pick"],
  wanted: {
    capability: string;
    spec: BallotSpec;
    count: number;
    taken: ReadonlySet<string>;
    labels?: Readonly<Record<string, string>>;
  },
): Profile[] {
  const { capability, spec, count, taken, labels } = wanted;
  const { members, byCapability } = state.registry;
  const exclude = new Set(taken);
  if (spec.strategy === "bft") {
    for (const id of byCapability.get(capability) ?? []) {
      if (members.get(id)?.profile.publicKey === undefined || state.ballots.equivocators.has(id))
        exclude.add(id);
    }
  }
  const choices = pick({
    count,
    capability,
    diversity: spec.diversity,
    exclude,
    ...(labels === undefined ? {} : { labels }),
  });
  const profiles = choices.flatMap(({ agent }) => members.get(agent)?.profile ?? []);
  return spec.diversity === "model" ? distinctModels(profiles) : profiles;
}

function distinctModels(profiles: readonly Profile[]): Profile[] {
  const seen = new Set<string>();
  return profiles.filter((profile) => {
    const model = modelOf(profile);
    return seen.has(model) ? false : seen.add(model) !== undefined;
  });
}

function seatOf(profile: Profile, seat: number, record: VoterRecord): Seat {
  const { id: agent, model, publicKey } = profile;
  return {
    seat,
    agent,
    ...(model === undefined ? {} : { model }),
    weight: weightOf(record, { agent, voter: voterOf(profile) }),
    ...(publicKey === undefined ? {} : { publicKey }),
  };
}
