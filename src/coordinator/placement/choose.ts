// Chooses the agent of a task. Scores each candidate by its description, its load and its record, and sometimes prefers an
// agent with few outcomes, to learn about it. placer.ts calls it for tasks, pick.ts for seats of ballots. Pure: chance (the
// random numbers) is an argument.
//
// Q1  An agent that does not offer the capability, or takes no new work, is never chosen.
// Q2  While a candidate has a free slot, no candidate without one is chosen. When all are busy, each agent may
//     have up to twice as many tasks as slots, so that a task is ready when a slot becomes free; beyond that no agent is
//     chosen. Seats of ballots fill slots but do not count toward this limit, because ballots have their own bounds.
// Q3  The same candidates, task and seed give the same choice.
//
// The record is explored by Thompson sampling. A success rate is drawn from Beta(successes + 1, failures + 1), and the draw
// is scored instead of the mean, so that an agent with few outcomes is tried in proportion to the chance that it is the
// best (W. R. Thompson, Biometrika 25, 1933). Unlike an upper confidence bound, this does not send all tasks to one agent
// while outcomes are pending (O. Chapelle, L. Li, "An empirical evaluation of Thompson sampling", NIPS 2011).
import type { Chance } from "../../base/index.ts";
import { classField, type PlacementReason, SwarmError } from "../../protocol/index.ts";
import type { Profile } from "../registry/profile.ts";
import type { Expectation } from "../registry/record.ts";
import { drawBeta } from "./beta.ts";
import { findTriggers, matchExpertise, type Wanted } from "./skills.ts";

/**
 * The weight of each part of the score. Parts lie between 0 and 1 (exploration may be below 0). An agent's description
 * counts more than its record, because a task that names an expertise wants it; the record counts more than free slots.
 */
export const WEIGHTS = { expertise: 4, triggers: 2, success: 2, latency: 1, slots: 1 } as const;
/** The most agents of one kind in one choice, drawn at random: a choice among thousands of agents must be cheap. */
export const MAX_PER_KIND = 32;
/** The most tasks of an agent, in multiples of its slots (Q2). */
const MAX_LOAD = 2;
/** The longest list of triggers that a reason shows, in characters. */
const MAX_SHOWN = 100;

/** An agent that may be chosen. All fields but the profile are computed only when they are read. */
export interface Candidate {
  readonly profile: Profile;
  /** Whether the agent takes new work. */
  readonly takesWork: boolean;
  /** The attempts that the agent runs, plus the placed tasks and the seats of ballots that it will run. */
  readonly load: number;
  /** The load without the seats that the agent's heartbeats do not include yet (Q2). */
  readonly tasks: number;
  /** The expected work of the agent. */
  readonly expectation: Expectation;
}

/** Candidates by kind. Candidates of one kind have the same description, so only their records and loads differ. */
export type Kinds<C extends Candidate = Candidate> = readonly (readonly C[])[];

/** Groups candidates by kind. */
export function groupKinds<C extends Candidate>(candidates: Iterable<C>): C[][] {
  const kinds = new Map<string, C[]>();
  for (const candidate of candidates) {
    const { role, model, expertise, triggers } = candidate.profile;
    const name = JSON.stringify([role, model, expertise, triggers]);
    const kind = kinds.get(name);
    if (kind === undefined) kinds.set(name, [candidate]);
    else kind.push(candidate);
  }
  return [...kinds.values()];
}

/** The candidates without the agents `exclude`. */
export function without<C extends Candidate>(kinds: Kinds<C>, exclude: ReadonlySet<string>): Kinds<C> {
  if (exclude.size === 0) return kinds;
  return kinds.map((kind) => kind.filter(({ profile }) => !exclude.has(profile.id)));
}

/** A choice with its reasons, the heaviest first. */
export interface Choice {
  /** The class of the host; absent means `default`. */
  readonly class?: string;
  readonly host: string;
  readonly agent: string;
  readonly score: number;
  readonly reasons: PlacementReason[];
}

/** Chooses among all candidates; null when no candidate can take the task now. */
export function choose(kinds: Kinds, wanted: Wanted, chance: Chance): Choice | null {
  let able = kinds.flatMap((kind) => drawAble(kind, isFree, 1, chance)); // Q1
  if (able.length === 0) able = kinds.flatMap((kind) => drawAble(kind, mayQueue, 1, chance)); // Q2
  return best(able, wanted, chance);
}

/**
 * Returns the candidates with a free slot, best first; with `areBusy`, the candidates without a free slot that may get another
 * task. Scores each candidate once. From a large kind it draws only some candidates, at least `count`.
 */
export function rank(
  kinds: Kinds,
  { count, areBusy, wanted }: { count: number; areBusy: boolean; wanted: Wanted },
  chance: Chance,
): Candidate[] {
  const isAble = areBusy ? (one: Candidate) => mayQueue(one) && !isFree(one) : isFree;
  const able = kinds.flatMap((kind) => drawAble(kind, isAble, count, chance));
  return scoreAll(able, wanted, chance)
    .sort((one, other) => other.score - one.score)
    .map(({ candidate }) => candidate);
}

/** Draws able candidates of a kind, at least `count` if there are as many. Reads all only if the first draw has too few. */
function drawAble(
  kind: readonly Candidate[],
  isAble: (candidate: Candidate) => boolean,
  count: number,
  chance: Chance,
): readonly Candidate[] {
  const most = Math.max(count, MAX_PER_KIND);
  const drawn = draw(kind, most, chance).filter(isAble);
  if (drawn.length >= count || kind.length <= most) return drawn;
  return draw(kind.filter(isAble), most, chance);
}

/**
 * Chooses a named agent.
 * @throws SwarmError `invalid_input` when it does not offer the capability, `unavailable` when it cannot take it now.
 */
export function chooseNamed(candidate: Candidate, capability: string): Choice {
  const { profile, takesWork } = candidate;
  if (!profile.capabilities.includes(capability)) {
    throw new SwarmError(
      "invalid_input",
      `agent ${profile.id} does not offer ${capability}; it offers ${profile.capabilities.join(", ")}`,
      { field: "route" },
    );
  }
  if (!mayQueue(candidate)) {
    throw new SwarmError(
      "unavailable",
      `agent ${profile.id} ${takesWork ? "already has twice as many tasks as slots" : "takes no new work"} at the moment; the task waits`,
    );
  }
  const reasons = [{ what: "named by the task", value: profile.id }];
  return { ...classField(profile), host: profile.host, agent: profile.id, score: 0, reasons };
}

function isFree({ takesWork, load, profile }: Candidate): boolean {
  return takesWork && load < profile.slots;
}

/** Whether the agent may be given one more task, though that task may have to wait for a slot (Q2). */
function mayQueue({ takesWork, tasks, profile }: Candidate): boolean {
  return takesWork && tasks < profile.slots * MAX_LOAD;
}

/** Draws up to `count` items evenly (R. Floyd's algorithm, Comm. ACM 30, 1987). */
function draw<T>(all: readonly T[], count: number, chance: Chance): readonly T[] {
  if (all.length <= count) return all;
  const places = new Set<number>();
  for (let last = all.length - count; last < all.length; last++) {
    const place = Math.floor(chance.next() * (last + 1));
    places.add(places.has(place) ? last : place);
  }
  return [...places].map((place) => all[place] as T);
}

interface Scored {
  readonly candidate: Candidate;
  readonly parts: ScoreParts;
  readonly score: number;
}

function scoreAll(able: readonly Candidate[], wanted: Wanted, chance: Chance): Scored[] {
  const expected = able.map(({ expectation }) => expectation);
  const fastestMs = Math.min(...expected.map(({ meanMs }) => meanMs ?? Number.POSITIVE_INFINITY));
  return able.map((candidate, index) => {
    const parts = weigh(candidate, expected[index] as Expectation, { fastestMs, wanted, chance });
    return { candidate, parts, score: scoreOf(parts) };
  });
}

function best(able: readonly Candidate[], wanted: Wanted, chance: Chance): Choice | null {
  let chosen: Scored | null = null;
  for (const scored of scoreAll(able, wanted, chance)) {
    if (chosen === null || scored.score > chosen.score) chosen = scored;
  }
  if (chosen === null) return null;
  const { profile } = chosen.candidate;
  const reasons = explain(profile, chosen.parts)
    .sort((one, other) => (other.weight ?? 0) - (one.weight ?? 0))
    .map(({ what, value, weight = 0 }) => ({ what, value, weight: round(weight) }));
  return {
    ...classField(profile),
    host: profile.host,
    agent: profile.id,
    score: round(chosen.score),
    reasons: [...reasons, { what: "agents compared", value: able.length }],
  };
}

/** The parts of an agent's score, each between 0 and 1; null when the task does not ask for the part. */
interface ScoreParts {
  readonly expertise: number | null;
  readonly triggers: readonly string[];
  readonly successRate: number;
  /** The drawn success rate. */
  readonly drawnRate: number;
  readonly meanMs: number | null;
  readonly latency: number;
  /** Free slots, and their share of all slots. */
  readonly free: number;
  readonly freeShare: number;
}

function weigh(
  { profile, load }: Candidate,
  { outcomes, successRate, meanMs }: Expectation,
  { fastestMs, wanted, chance }: { fastestMs: number; wanted: Wanted; chance: Chance },
): ScoreParts {
  const successes = outcomes * successRate;
  const [a, b] = [Math.max(0, successes) + 1, Math.max(0, outcomes - successes) + 1];
  const free = Math.max(0, profile.slots - load);
  return {
    expertise: matchExpertise(profile, wanted),
    triggers: findTriggers(profile, wanted),
    successRate: a / (a + b),
    drawnRate: drawBeta(a, b, chance),
    meanMs,
    latency: meanMs === null || meanMs <= fastestMs ? 1 : fastestMs / meanMs,
    free,
    freeShare: profile.slots === 0 ? 0 : free / profile.slots,
  };
}

function scoreOf({ expertise, triggers, drawnRate, latency, freeShare }: ScoreParts): number {
  return (
    WEIGHTS.expertise * (expertise ?? 0) +
    WEIGHTS.triggers * shareOf(triggers) +
    WEIGHTS.success * drawnRate +
    WEIGHTS.latency * latency +
    WEIGHTS.slots * freeShare
  );
}

/** The score of triggers: the first gives a half, and each further one half of the rest. */
function shareOf(triggers: readonly string[]): number {
  return 1 - 0.5 ** triggers.length;
}

/** The reasons for a choice: each part with its share of the score, without the parts that the task does not ask for. */
function explain({ slots }: Profile, parts: ScoreParts): PlacementReason[] {
  const { expertise, triggers, successRate, drawnRate, meanMs, latency, free, freeShare } = parts;
  const reasons: PlacementReason[] = [];
  if (expertise !== null) {
    reasons.push({ what: "expertise", value: round(expertise), weight: WEIGHTS.expertise * expertise });
  }
  if (triggers.length > 0) {
    const value = triggers.join(", ").slice(0, MAX_SHOWN);
    reasons.push({ what: "triggers", value, weight: WEIGHTS.triggers * shareOf(triggers) });
  }
  const explored = drawnRate - successRate;
  reasons.push(
    { what: "success rate", value: round(successRate), weight: WEIGHTS.success * successRate },
    { what: "exploration", value: round(explored), weight: WEIGHTS.success * explored },
    {
      what: "mean time in ms",
      value: meanMs === null ? "not known yet" : round(meanMs),
      weight: WEIGHTS.latency * latency,
    },
    { what: "free slots", value: `${free} of ${slots}`, weight: WEIGHTS.slots * freeShare },
  );
  return reasons;
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
