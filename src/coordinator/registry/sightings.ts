// Who was heard, and when: what a coordinator remembers of heartbeats and never stores. Pure; time is an argument, in ms
// of a clock that nobody sets.
//
// H1  An agent is missing only after {@link SILENCE_MS} in which it could have been heard: time in which nothing could be
//     received (a pause of this process, a lost connection, before it listened) does not count.
// H2  Of two hosts that claim one agent id, the one whose agent began later is believed.
// H3  Sightings are kept in the order of their time, so finding the silent ones costs only as much as there are.
import type { AgentStatus } from "../../protocol/index.ts";
import { MAX_MEMBERS } from "./registry.ts";

/** Silence that means missing: three heartbeats of 5 s. */
export const SILENCE_MS = 15_000;
/** Agents that are remembered: those that the registry holds, and some that it refused. */
const MAX_SIGHTINGS = MAX_MEMBERS + 10_000;

/** An agent that was heard, or that is in the registry and will be. */
export interface Sighting {
  readonly id: string;
  readonly host: string;
  /** What it said last; null when it was not heard here yet. */
  status: AgentStatus | null;
  heardMs: number;
  /** The other host that claims this id, once it was told so. */
  rival: string | null;
}

/** What a heartbeat turned out to be. `conflict`: another host has this id too; `isNews` tells it for the first time. */
export type Heard =
  | { type: "heard"; before: AgentStatus | null }
  | { type: "conflict"; kept: string; refused: string; isNews: boolean }
  | { type: "full" };

/** The sightings of one coordinator. */
export class Sightings {
  readonly #byId = new Map<string, Sighting>();
  #hearingSinceMs: number;

  constructor(nowMs: number) {
    this.#hearingSinceMs = nowMs;
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): Sighting | undefined {
    return this.#byId.get(id);
  }

  /** Heartbeats can be received again, or anew: silence counts from here (H1). */
  grant(nowMs: number): void {
    this.#hearingSinceMs = nowMs;
  }

  /** Takes what an agent said. */
  hear(status: AgentStatus, nowMs: number): Heard {
    const { id, host } = status;
    const before = this.#byId.get(id);
    const isRival = before !== undefined && before.host !== host && before.status !== null;
    if (isRival && isNewer(before.status as AgentStatus, status)) {
      const isNews = before.rival !== host;
      before.rival = host;
      return { type: "conflict", kept: before.host, refused: host, isNews };
    }
    if (before === undefined && this.#byId.size >= MAX_SIGHTINGS) return { type: "full" };
    this.#byId.delete(id);
    const rival = isRival ? before.host : (before?.rival ?? null);
    this.#byId.set(id, { id, host, status, heardMs: nowMs, rival }); // H3
    if (isRival) return { type: "conflict", kept: host, refused: before.host, isNews: true };
    return { type: "heard", before: before?.status ?? null };
  }

  /** The agent is in the registry: from now on its silence counts. */
  presume(id: string, host: string, nowMs: number): void {
    if (this.#byId.has(id)) return;
    this.#byId.set(id, { id, host, status: null, heardMs: nowMs, rival: null });
  }

  /** Forgets the agent, if it is this host's. */
  forget(id: string, host: string): boolean {
    return this.#byId.get(id)?.host === host && this.#byId.delete(id);
  }

  /** Forgets and gives those that were silent too long (H1). */
  takeSilent(nowMs: number): Sighting[] {
    const silent: Sighting[] = [];
    for (const sighting of this.#byId.values()) {
      if (nowMs - Math.max(sighting.heardMs, this.#hearingSinceMs) <= SILENCE_MS) break;
      silent.push(sighting);
    }
    for (const { id } of silent) this.#byId.delete(id);
    return silent;
  }
}

/** Whether the agent that is known began later than the one that claims its id (H2); of two at once one is taken. */
function isNewer(known: AgentStatus, claiming: AgentStatus): boolean {
  const [one, other] = [Date.parse(known.since), Date.parse(claiming.since)];
  return one === other ? known.host > claiming.host : one > other;
}
