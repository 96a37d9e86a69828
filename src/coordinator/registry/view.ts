// Builds the replies to the reads of agents (`agent ls`, `agent show`) from the registered profiles and records, and
// the last reported statuses. Pure.
import { z } from "zod";
import { type AgentStatus, isSameHost, SwarmError, tokenSchema } from "../../protocol/index.ts";
import { takePage } from "../pages.ts";
import type { WorkRecord } from "./record.ts";
import type { Member, Registry } from "./registry.ts";
import type { Sightings } from "./sightings.ts";

/** The request for a page of agents; `after` is the last id of the page before. */
export const agentsRequestSchema = z.strictObject({ after: z.string().max(64).optional() });
/** The request for one agent. */
export const agentRequestSchema = z.strictObject({ agent: tokenSchema });

/** One agent in a list. */
export type AgentLine = Omit<AgentStatus, "expertise" | "triggers" | "model" | "publicKey">;

/** One page of agents, ordered by id. `next` is the `after` of the request for the next page; null on the last page. */
export interface AgentPage {
  agents: AgentLine[];
  next: string | null;
}

/** One agent, as `agent show` shows it. */
export interface ShownAgent {
  /** The last reported status; null when this coordinator has no report of the agent yet. */
  agent: AgentStatus | null;
  record: RecordView[];
  /**
   * The number of ballots where the agent's key signed two different values. If it is above 0, the agent gets
   * no seat in signed ballots.
   */
  equivocations: number;
}

/** An agent's record on one capability. */
export interface RecordView extends WorkRecord {
  capability: string;
}

/** Builds the replies, and caches the sorted ids until the registry changes. */
export class AgentView {
  readonly #sightings: Sightings;
  #sorted: readonly string[] = [];
  #sortedOf: Registry | null = null;
  #revision = -1;

  constructor(sightings: Sightings) {
    this.#sightings = sightings;
  }

  /** A page of the registered agents with a reported status, after the id `after`. */
  page(registry: Registry, after = ""): AgentPage {
    const { items, next } = takePage(this.#linesAfter(registry, after), ({ id }) => id);
    return { agents: items, next };
  }

  *#linesAfter(registry: Registry, after: string): Iterable<AgentLine> {
    const ids = this.#sort(registry);
    for (let index = indexAfter(ids, after); index < ids.length; index++) {
      const status = this.find(registry.members.get(ids[index] as string) as Member);
      if (status === null) continue;
      const { expertise: _expertise, triggers: _triggers, model: _model, publicKey: _key, ...line } = status;
      yield line;
    }
  }

  /** One agent and its record. @throws SwarmError `not_found`. */
  show(registry: Registry, id: string): Omit<ShownAgent, "equivocations"> {
    const member = registry.members.get(id);
    if (member === undefined) {
      throw new SwarmError(
        "not_found",
        `this swarm has no agent ${id}; it may have left; murmur agent ls lists all agents`,
        { field: "agent" },
      );
    }
    const record = [...member.record]
      .map(([capability, work]) => ({ capability, ...work }))
      .sort((a, b) => (a.capability < b.capability ? -1 : 1));
    return { agent: this.find(member), record };
  }

  /** The last reported status of a member; null when this coordinator has no report of it yet. */
  find({ profile }: Member): AgentStatus | null {
    const sighting = this.#sightings.get(profile.id);
    return sighting !== undefined && isSameHost(sighting, profile) ? sighting.status : null;
  }

  #sort(registry: Registry): readonly string[] {
    if (this.#sortedOf !== registry || this.#revision !== registry.revision) {
      this.#sorted = [...registry.members.keys()].sort();
      this.#sortedOf = registry;
      this.#revision = registry.revision;
    }
    return this.#sorted;
  }
}

/** The index of the first id that is greater than `after`. */
function indexAfter(ids: readonly string[], after: string): number {
  let [low, high] = [0, ids.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ids[middle] as string) > after) high = middle;
    else low = middle + 1;
  }
  return low;
}
