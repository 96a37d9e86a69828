// Shows agents: their registered profile and record together with their last reported status. Pure.
import { z } from "zod";
import { type AgentStatus, SwarmError, tokenSchema } from "../../protocol/index.ts";
import { takePage } from "../pages.ts";
import type { WorkRecord } from "./record.ts";
import type { Member, Registry } from "./registry.ts";
import type { Sightings } from "./sightings.ts";

/** The request for a list of agents: the page after an id. */
export const agentsRequestSchema = z.strictObject({ after: z.string().max(64).optional() });
/** The request for one agent. */
export const agentRequestSchema = z.strictObject({ agent: tokenSchema });

/** One agent in a list. */
export type AgentLine = Omit<AgentStatus, "expertise" | "triggers" | "model" | "publicKey">;

/** One page of agents by id. `next` is the id after which the next page starts; null on the last page. */
export interface AgentPage {
  agents: AgentLine[];
  next: string | null;
}

/** One agent, as `agent show` shows it. */
export interface ShownAgent {
  /** The last reported status; null when the agent was not heard yet. */
  agent: AgentStatus | null;
  record: RecordView[];
  /** The number of ballots where its key signed two different values. Above 0, the agent gets no seat in signed ballots. */
  equivocations: number;
}

/** An agent's record on one capability. */
export interface RecordView extends WorkRecord {
  capability: string;
}

/** Shows agents, and caches their order until the registry changes. */
export class AgentView {
  readonly #sightings: Sightings;
  #sorted: readonly string[] = [];
  #sortedOf: Registry | null = null;
  #revision = -1;

  constructor(sightings: Sightings) {
    this.#sightings = sightings;
  }

  /** A page of the registered agents that were heard, after the id `after`. */
  page(registry: Registry, after = ""): AgentPage {
    const { items, next } = takePage(this.#linesBehind(registry, after), ({ id }) => id);
    return { agents: items, next };
  }

  *#linesBehind(registry: Registry, after: string): Iterable<AgentLine> {
    const ids = this.#sort(registry);
    for (let index = firstBehind(ids, after); index < ids.length; index++) {
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
        `no agent ${id} belongs to this swarm (any more); murmur agent ls lists its agents`,
        { field: "agent" },
      );
    }
    const record = [...member.record]
      .map(([capability, made]) => ({ capability, ...made }))
      .sort((a, b) => (a.capability < b.capability ? -1 : 1));
    return { agent: this.find(member), record };
  }

  /** The last reported status of a member; null when it was not heard yet. */
  find({ profile: { id, host } }: Member): AgentStatus | null {
    const sighting = this.#sightings.get(id);
    return sighting?.host === host ? sighting.status : null;
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
function firstBehind(ids: readonly string[], after: string): number {
  let [low, high] = [0, ids.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ids[middle] as string) > after) high = middle;
    else low = middle + 1;
  }
  return low;
}
