// The agents of one host that offer one capability, and how many of their slots are free. Kept up to date as slots are
// taken and freed, so that choosing an agent never searches.
// I1: `free` is the sum of the free slots of the agents that take work; `ready` holds exactly those that have one.
import type { CapabilityLimits } from "../../work/index.ts";
import type { Agent } from "../agent.ts";

export class Pool {
  readonly capability: string;
  readonly limits: CapabilityLimits | undefined;
  /** Free slots of all its agents. An agent's slots count in each pool that it belongs to. */
  free = 0;
  /** Agents with a free slot, the one that was used longest ago first. */
  readonly #ready = new Set<Agent>();
  /** Agents with a free slot that an ask may have. */
  readonly #askable = new Set<Agent>();
  #accepting = 0;

  constructor(capability: string, limits: CapabilityLimits | undefined) {
    this.capability = capability;
    this.limits = limits;
  }

  /** True when at least one of its agents takes work, free or not. */
  get isOpen(): boolean {
    return this.#accepting > 0;
  }

  /** The next agent to take a task (or an ask), in turn, or undefined. */
  next(forAsk: boolean): Agent | undefined {
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

  /** Takes note of an agent's free slots after a change of `delta`. */
  count(agent: Agent, delta: number): void {
    this.free += delta;
    keep(this.#ready, agent, agent.countedFree > 0);
    keep(this.#askable, agent, agent.countedFree > 0 && agent.asking < agent.askLimit);
  }

  /** Takes note that one more agent takes work, or one fewer. */
  countAccepting(delta: 1 | -1): void {
    this.#accepting += delta;
  }
}

function keep(agents: Set<Agent>, agent: Agent, isMember: boolean): void {
  if (isMember) agents.add(agent);
  else agents.delete(agent);
}
