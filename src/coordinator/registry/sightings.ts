// Sightings: the agents whose heartbeats a coordinator has received, and when. They are only in memory. registrar.ts reports
// heartbeats and asks for silent agents. Pure; time is an argument, in ms of a monotonic clock.
//
// H1  An agent is missing only after {@link SILENCE_MS} without a heartbeat. Time during which this coordinator could not
//     receive heartbeats (a pause of this process, a lost connection, the time before its start) does not count.
// H2  If two hosts claim one agent id, the host whose agent started later keeps the id.
// H3  Sightings are kept in the order of their time, so a search for silent agents reads only the silent ones.
import { type AgentStatus, classOf, type HostRef, hostName, isSameHost } from "../../protocol/index.ts";
import { MAX_MEMBERS } from "./registry.ts";

/** The silence after which an agent is missing, in ms: three heartbeats of 5 s. */
export const SILENCE_MS = 15_000;
/** The most remembered agents: as many as the registry holds, and some that the registry refused. */
const MAX_SIGHTINGS = MAX_MEMBERS + 10_000;

/** An agent with a received heartbeat, or a registered agent whose heartbeat is expected. */
export interface Sighting {
  readonly id: string;
  readonly class: string;
  readonly host: string;
  /** The last reported status; null when this coordinator has received no heartbeat of the agent yet. */
  status: AgentStatus | null;
  /** The time of the last heartbeat, or of the call of `presume`. */
  heardMs: number;
  /** The name of the other host that claims this id, once that conflict was reported. */
  rival: string | null;
}

/** The result of a heartbeat. The hosts of a conflict are named as {@link hostName} does. `conflict`: another host has this id too; `isNews`: this is the first report of it. */
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

  /** Measures the silence of all agents from now on, because this coordinator can receive heartbeats again (H1). */
  restartSilence(nowMs: number): void {
    this.#hearingSinceMs = nowMs;
  }

  /** Records a status that an agent reported. */
  hear(status: AgentStatus, nowMs: number): Heard {
    const { id, host } = status;
    const before = this.#byId.get(id);
    const isRival = before !== undefined && !isSameHost(before, status) && before.status !== null;
    if (isRival && isNewer(before.status as AgentStatus, status)) {
      const name = hostName(status);
      const isNews = before.rival !== name;
      before.rival = name;
      return { type: "conflict", kept: hostName(before), refused: name, isNews };
    }
    if (before === undefined && this.#byId.size >= MAX_SIGHTINGS) return { type: "full" };
    this.#byId.delete(id);
    const rival = isRival ? hostName(before) : (before?.rival ?? null);
    this.#byId.set(id, { id, class: classOf(status), host, status, heardMs: nowMs, rival }); // H3
    if (isRival) return { type: "conflict", kept: hostName(status), refused: hostName(before), isNews: true };
    return { type: "heard", before: before?.status ?? null };
  }

  /** Records a registered agent without a heartbeat so far: its silence is measured from now on. */
  presume(id: string, at: HostRef, nowMs: number): void {
    if (this.#byId.has(id)) return;
    this.#byId.set(id, { id, class: classOf(at), host: at.host, status: null, heardMs: nowMs, rival: null });
  }

  /** Forgets the agent if it belongs to this host. Returns true if it was forgotten. */
  forget(id: string, host: HostRef): boolean {
    const sighting = this.#byId.get(id);
    return sighting !== undefined && isSameHost(sighting, host) && this.#byId.delete(id);
  }

  /** Forgets and returns the agents that were silent for too long (H1). */
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

/** Whether the known agent started later than the claiming one (H2). If both started at once, the host names decide. */
function isNewer(known: AgentStatus, claiming: AgentStatus): boolean {
  const [one, other] = [Date.parse(known.since), Date.parse(claiming.since)];
  return one === other ? hostName(known) > hostName(claiming) : one > other;
}
