// A pool: the agents of one host that offer one capability, and the number of their free slots. host.ts updates the
// pool when a slot is taken or released, so that the choice of an agent needs no search.
// I1: `free` is the sum of the free slots of the agents that take work. The set `ready` holds exactly the agents with at
//     least one free slot.
import type { CapabilityLimits } from "../../work/index.ts";
import type { Agent } from "../agent.ts";

/** The agents of one host that offer one capability. */
export class Pool {
  readonly capability: string;
  readonly limits: CapabilityLimits | undefined;
  /** The free slots of all agents of the pool. An agent's slots count in each of its pools. */
  free = 0;
  /** The agents with a free slot, the least recently used first. */
  readonly #ready = new Set<Agent>();
  /** The agents with a free slot that an ask may use, the least recently used first. */
  readonly #askable = new Set<Agent>();
  /** The number of agents of the pool that take work. */
  #accepting = 0;

  constructor(capability: string, limits: CapabilityLimits | undefined) {
    this.capability = capability;
    this.limits = limits;
  }

  /** True when at least one agent of the pool takes work, even if all its slots are in use. */
  get isOpen(): boolean {
    return this.#accepting > 0;
  }

  /** Returns the least recently used agent that can take a task (or an ask); undefined when no agent can. */
  nextAgent(forAsk: boolean): Agent | undefined {
    const agents = forAsk ? this.#askable : this.#ready;
    for (const agent of agents) {
      if (agents.size > 1) {
        agents.delete(agent);
        agents.add(agent);
      }
      return agent;
    }
    return undefined;
  }

  /** Records that an agent's number of free slots has changed by `delta`. */
  updateFree(agent: Agent, delta: number): void {
    this.free += delta;
    const isReady = agent.countedFree > 0;
    if (isReady !== agent.countedFree - delta > 0) setMembership(this.#ready, agent, isReady);
    setMembership(this.#askable, agent, agent.countedFree > 0 && agent.askCount < agent.askLimit);
  }

  /** Records that one more agent takes work (1), or one fewer (-1). */
  countAccepting(delta: 1 | -1): void {
    this.#accepting += delta;
  }
}

function setMembership(agents: Set<Agent>, agent: Agent, isMember: boolean): void {
  if (isMember) agents.add(agent);
  else agents.delete(agent);
}
