// What was placed and has no result yet: how loaded an agent is before its next heartbeat tells, and whose outcome it is.
// Soft state, lost with the office; time is an argument. Pure.
//
// U1  An agent's load is what its last heartbeat told, with what was placed and what ended since; never below what is
//     known to be placed on it and open. The seats of ballots count like tasks.
import type { Choice } from "./choose.ts";

/** Placed tasks that are remembered; the oldest makes room. It costs its place in the record, nothing else. */
export const MAX_IN_FLIGHT = 10_000;
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

/** What one agent was given of one kind. */
interface Given {
  /** Placed less ended since its last heartbeat. */
  since: number;
  /** Open placements, oldest first, and when each was made. */
  readonly open: Map<string, number>;
}

interface AgentLoad {
  readonly tasks: Given;
  readonly seats: Given;
}

/** The placed tasks of one tenure, and the seats of its ballots. */
export class InFlight {
  readonly #tasks = new Map<string, Placed>();
  /** The agent of each seat that is open. As many as there are questions of open ballots. */
  readonly #seats = new Map<string, string>();
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
    if (this.#tasks.size >= MAX_IN_FLIGHT)
      gone.push(...this.#take(this.#tasks.keys().next().value as string));
    this.#tasks.set(placed.taskId, placed);
    give(this.#loadFor(placed.choice.agent).tasks, placed.taskId, placed.placedMs);
    return gone;
  }

  /** The task has ended, or is elsewhere. */
  remove(taskId: string): Placed | undefined {
    return this.#take(taskId)[0];
  }

  /** An agent has a seat in a ballot, or will be asked in a moment. It may be told again; another agent takes the seat over. */
  seat(taskId: string, agent: string, nowMs: number): void {
    const before = this.#seats.get(taskId);
    if (before === agent) return;
    if (before !== undefined) this.unseat(taskId);
    this.#seats.set(taskId, agent);
    give(this.#loadFor(agent).seats, taskId, nowMs);
  }

  /** Nobody waits for the seat's answer any more. */
  unseat(taskId: string): void {
    const agent = this.#seats.get(taskId);
    if (agent === undefined) return;
    this.#seats.delete(taskId);
    const load = this.#agents.get(agent);
    if (load !== undefined) takeBack(load.seats, taskId);
  }

  /** An agent told how many slots it uses. */
  hear(agent: string, nowMs: number): void {
    const load = this.#agents.get(agent);
    if (load === undefined) return;
    recount(load.tasks, nowMs);
    recount(load.seats, nowMs);
    if (load.tasks.open.size + load.seats.open.size === 0) this.#agents.delete(agent);
  }

  /** How many attempts an agent has or will have; `used` is what it told last (U1). */
  loadOf(agent: string, used: number): number {
    const load = this.#agents.get(agent);
    if (load === undefined) return used;
    const { tasks, seats } = load;
    return Math.max(tasks.open.size + seats.open.size, used + tasks.since + seats.since, 0);
  }

  /** The same without the seats that it was given since it told. */
  tasksOf(agent: string, used: number): number {
    const tasks = this.#agents.get(agent)?.tasks;
    return tasks === undefined ? used : Math.max(tasks.open.size, used + tasks.since, 0);
  }

  /** Forgets everything, and gives the placed tasks that there were. */
  clear(): Placed[] {
    const all = [...this.#tasks.values()];
    this.#tasks.clear();
    this.#seats.clear();
    this.#agents.clear();
    return all;
  }

  #loadFor(agent: string): AgentLoad {
    let load = this.#agents.get(agent);
    if (load === undefined) {
      load = { tasks: { since: 0, open: new Map() }, seats: { since: 0, open: new Map() } };
      this.#agents.set(agent, load);
    }
    return load;
  }

  #take(taskId: string): Placed[] {
    const placed = this.#tasks.get(taskId);
    if (placed === undefined) return [];
    this.#tasks.delete(taskId);
    const load = this.#agents.get(placed.choice.agent);
    if (load !== undefined) takeBack(load.tasks, taskId);
    return [placed];
  }
}

function give(given: Given, taskId: string, nowMs: number): void {
  given.since++;
  given.open.set(taskId, nowMs);
}

function takeBack(given: Given, taskId: string): void {
  if (given.open.delete(taskId)) given.since--;
}

/** The agent told what it has: only what it may not have had yet is added to that. */
function recount(given: Given, nowMs: number): void {
  given.since = 0;
  for (const [taskId, placedMs] of given.open) {
    if (placedMs < nowMs - OPEN_MS) given.open.delete(taskId);
    else if (placedMs >= nowMs - UNSEEN_MS) given.since++;
  }
}
