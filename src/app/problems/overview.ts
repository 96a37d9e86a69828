// The overview of a swarm, for `murmur top`: the figures of the board Overview, from the facts that the problems are found in. Pure.
import { PLACEHOLDER } from "../../protocol/index.ts";
import { LEAVING, type ProblemFacts } from "./find.ts";

/** One capability: its queue and its agents. */
export interface CapabilityOverview {
  readonly capability: string;
  readonly waiting: number;
  readonly running: number;
  /** When its oldest stored task was stored, ISO 8601; null when none is. */
  readonly oldest: string | null;
  readonly isPaused: boolean;
  /** Living agents that take its tasks. */
  readonly agents: number;
}

/** The figures of one moment. A part that is not known is null. */
export interface Overview {
  readonly at: string;
  /** The last sequences of streams: two overviews tell the rates. */
  readonly counts: { readonly arrived: number; readonly ended: number; readonly dead: number } | null;
  readonly capabilities: readonly CapabilityOverview[] | null;
  readonly agents: {
    readonly states: Readonly<Record<string, number>>;
    /** Waiting agents by reason. */
    readonly waits: Readonly<Record<string, number>>;
    readonly slots: { readonly used: number; readonly total: number };
  } | null;
  readonly office: {
    readonly leader: string | null;
    readonly coordinators: number;
    readonly lag: number;
  } | null;
  readonly delayed: number | null;
  /** Streams with a limit, the fullest first. */
  readonly streams: readonly { readonly stream: string; readonly share: number }[] | null;
}

/** Makes the overview of the facts. */
export function makeOverview(facts: ProblemFacts): Overview {
  const { nowMs, streams, office } = facts;
  const seqOf = (name: string) => streams?.streams.find(({ stream }) => stream === name)?.lastSeq ?? 0;
  return {
    at: new Date(nowMs).toISOString(),
    counts:
      streams === null ? null : { arrived: seqOf("tasks"), ended: seqOf("results"), dead: seqOf("dead") },
    capabilities: capabilitiesOf(facts),
    agents: agentsOf(facts),
    office:
      office === null ? null : { leader: office.leader, coordinators: office.coordinators, lag: office.lag },
    delayed: streams?.later ?? null,
    streams:
      streams?.streams
        .flatMap(({ stream, bytes, limitBytes }) =>
          limitBytes === null || limitBytes === 0 ? [] : [{ stream, share: bytes / limitBytes }],
        )
        .sort((a, b) => b.share - a.share) ?? null,
  };
}

function capabilitiesOf({ queues, agents, paused }: ProblemFacts): CapabilityOverview[] | null {
  if (queues === null) return null;
  const able = (agents ?? []).filter(({ state }) => !LEAVING.includes(state));
  const own = queues.filter(({ capability }) => capability !== PLACEHOLDER);
  const views = [...Map.groupBy(own, ({ capability }) => capability)].map(([capability, parts]) => {
    const times = parts.flatMap(({ oldestAtMs }) => (oldestAtMs === null ? [] : [oldestAtMs]));
    return {
      capability,
      waiting: parts.reduce((sum, { pending }) => sum + pending, 0),
      running: parts.reduce((sum, { inFlight }) => sum + inFlight, 0),
      oldest: times.length === 0 ? null : new Date(Math.min(...times)).toISOString(),
      isPaused: paused?.has(capability) === true,
      agents: able.filter(({ capabilities }) => capabilities.includes(capability)).length,
    };
  });
  return views.sort((a, b) => b.waiting - a.waiting || (a.capability < b.capability ? -1 : 1));
}

function agentsOf({ agents }: ProblemFacts): Overview["agents"] {
  if (agents === null) return null;
  const count = (values: readonly string[]) =>
    Object.fromEntries([...Map.groupBy(values, (each) => each)].map(([name, { length }]) => [name, length]));
  return {
    states: count(agents.map(({ state }) => state)),
    waits: count(agents.flatMap(({ waiting }) => (waiting === null ? [] : [waiting]))),
    slots: {
      used: agents.reduce((sum, { slots }) => sum + slots.used, 0),
      total: agents.reduce((sum, { slots }) => sum + slots.total, 0),
    },
  };
}

/** The rates between two overviews, each in events a second, and the time until the backlog is gone. */
export interface Rates {
  readonly arrivingPerSecond: number;
  readonly endingPerSecond: number;
  readonly deadPerSecond: number;
  /** The time until no task waits at the present speed, in seconds; null when nothing waits, or the backlog does not fall. */
  readonly backlogSeconds: number | null;
}

/** The rates between two overviews; null when one of them lacks its counts, or when no time lies between them. */
export function ratesBetween(before: Overview, after: Overview): Rates | null {
  const seconds = (Date.parse(after.at) - Date.parse(before.at)) / 1_000;
  if (before.counts === null || after.counts === null || seconds <= 0) return null;
  const { counts: from } = before;
  const { counts: to } = after;
  const waiting = (view: Overview) => view.capabilities?.reduce((sum, each) => sum + each.waiting, 0) ?? 0;
  const fallPerSecond = (waiting(before) - waiting(after)) / seconds;
  const left = waiting(after);
  return {
    arrivingPerSecond: Math.max(0, to.arrived - from.arrived) / seconds,
    endingPerSecond: Math.max(0, to.ended - from.ended) / seconds,
    deadPerSecond: Math.max(0, to.dead - from.dead) / seconds,
    backlogSeconds: left > 0 && fallPerSecond > 0 ? left / fallPerSecond : null,
  };
}
