// What was placed and has no result yet: how loaded an agent is before its next heartbeat tells, and whose outcome it is.
// Soft state, lost with the office; time is an argument. Pure.
//
// U1  An agent's load is what its last heartbeat told, with what was placed and what ended since; never below what is
//     known to be placed on it and open.
import type { Choice } from "./choose.ts";

/** Placed tasks that are remembered; the oldest makes room. It costs its place in the record, nothing else. */
export const MAX_OUTSTANDING = 10_000;
/**
 * A placement is in its agent's heartbeats after this long, in ms: a reply, a publish, a delivery and a slot. Until then a
 * heartbeat may have been sent before the task came.
 */
const UNSEEN_MS = 500;
/**
 * A placement counts as load of its own for this long, in ms; then the agent's heartbeats speak for it. What never runs
 * there (it failed and waits for its retry) must not fill the agent for ever.
 */
const OPEN_MS = 60_000;

/** A placed task. */
export interface Placed {
  readonly taskId: string;
  readonly capability: string;
  readonly choice: Choice;
  readonly placedMs: number;
}

interface AgentLoad {
  /** Placed less ended since its last heartbeat. */
  since: number;
  /** Open placements, oldest first. */
  readonly open: Map<string, number>;
}

/** The placed tasks of one tenure. */
export class Outstanding {
  readonly #tasks = new Map<string, Placed>();
  readonly #agents = new Map<string, AgentLoad>();

  get size(): number {
    return this.#tasks.size;
  }

  get(taskId: string): Placed | undefined {
    return this.#tasks.get(taskId);
  }

  /** Adds a placement; gives what had to make room for it, or was placed under this id before. */
  add(placed: Placed): Placed[] {
    const gone = [...this.#take(placed.taskId)];
    if (this.#tasks.size >= MAX_OUTSTANDING)
      gone.push(...this.#take(this.#tasks.keys().next().value as string));
    this.#tasks.set(placed.taskId, placed);
    const load = this.#agents.get(placed.choice.agent) ?? { since: 0, open: new Map() };
    load.since++;
    load.open.set(placed.taskId, placed.placedMs);
    this.#agents.set(placed.choice.agent, load);
    return gone;
  }

  /** The task has ended, or is elsewhere. */
  remove(taskId: string): Placed | undefined {
    return this.#take(taskId)[0];
  }

  /** An agent told how many slots it uses. */
  hear(agent: string, nowMs: number): void {
    const load = this.#agents.get(agent);
    if (load === undefined) return;
    load.since = 0;
    for (const [taskId, placedMs] of load.open) {
      if (placedMs < nowMs - OPEN_MS) load.open.delete(taskId);
      else if (placedMs >= nowMs - UNSEEN_MS) load.since++;
    }
    if (load.open.size === 0) this.#agents.delete(agent);
  }

  /** How many attempts an agent has or will have; `used` is what it told last (U1). */
  loadOf(agent: string, used: number): number {
    const load = this.#agents.get(agent);
    return load === undefined ? used : Math.max(load.open.size, used + load.since, 0);
  }

  /** Forgets everything, and gives what there was. */
  clear(): Placed[] {
    const all = [...this.#tasks.values()];
    this.#tasks.clear();
    this.#agents.clear();
    return all;
  }

  #take(taskId: string): Placed[] {
    const placed = this.#tasks.get(taskId);
    if (placed === undefined) return [];
    this.#tasks.delete(taskId);
    const load = this.#agents.get(placed.choice.agent);
    if (load?.open.delete(taskId) === true) load.since--;
    return [placed];
  }
}
