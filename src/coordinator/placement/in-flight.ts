// Placed tasks without a result, and open seats of ballots: they tell how loaded an agent is before its next heartbeat, and
// which agent an outcome belongs to. Soft state, lost with the office; time is an argument. Pure.
//
// U1  An agent's load is its last reported load, plus the placements and minus the ends since then. It is never below the
//     number of its open placements. Seats of ballots count like tasks.
import type { Choice } from "./choose.ts";

/** The most placed tasks that are remembered. The oldest makes room, and only loses its place in the record. */
export const MAX_IN_FLIGHT = 10_000;
/**
 * The time, in ms, after which an agent's heartbeats include a placement: a reply, a publish, a delivery and a slot. A
 * heartbeat within that time may have been sent before the task came.
 */
const UNSEEN_MS = 500;
/**
 * How long a placement counts as load by itself, in ms; after that, only the agent's heartbeats count. A task that never
 * runs on the agent (it failed and waits for its retry) must not fill the agent for ever.
 */
const OPEN_MS = 60_000;

/** A placed task. */
export interface Placed {
  readonly taskId: string;
  readonly capability: string;
  readonly choice: Choice;
  readonly placedMs: number;
}

/** The placements of one kind (tasks or seats) on one agent. */
interface Given {
  /** Placements minus ends since the agent's last heartbeat. */
  since: number;
  /** Open placements and their times, the oldest first. */
  readonly open: Map<string, number>;
}

interface AgentLoad {
  readonly tasks: Given;
  readonly seats: Given;
}

/** The placed tasks of one tenure, and the seats of its ballots. */
export class InFlight {
  readonly #tasks = new Map<string, Placed>();
  /** The agent of each open seat. There are as many as questions of open ballots. */
  readonly #seats = new Map<string, string>();
  readonly #agents = new Map<string, AgentLoad>();

  get size(): number {
    return this.#tasks.size;
  }

  get(taskId: string): Placed | undefined {
    return this.#tasks.get(taskId);
  }

  /** Adds a placement. Returns the placements that it replaced: one with the same id, and the oldest if there are too many. */
  add(placed: Placed): Placed[] {
    const gone = [...this.#take(placed.taskId)];
    if (this.#tasks.size >= MAX_IN_FLIGHT)
      gone.push(...this.#take(this.#tasks.keys().next().value as string));
    this.#tasks.set(placed.taskId, placed);
    give(this.#loadFor(placed.choice.agent).tasks, placed.taskId, placed.placedMs);
    return gone;
  }

  /** Removes a task that has ended, or that is placed elsewhere now. */
  remove(taskId: string): Placed | undefined {
    return this.#take(taskId)[0];
  }

  /** Adds a seat of an agent that is asked, or will be in a moment. A repeat is ignored; another agent takes the seat over. */
  seat(taskId: string, agent: string, nowMs: number): void {
    const before = this.#seats.get(taskId);
    if (before === agent) return;
    if (before !== undefined) this.unseat(taskId);
    this.#seats.set(taskId, agent);
    give(this.#loadFor(agent).seats, taskId, nowMs);
  }

  /** Removes a seat whose answer is not awaited any more. */
  unseat(taskId: string): void {
    const agent = this.#seats.get(taskId);
    if (agent === undefined) return;
    this.#seats.delete(taskId);
    const load = this.#agents.get(agent);
    if (load !== undefined) takeBack(load.seats, taskId);
  }

  /** Notes that an agent has reported its used slots. */
  hear(agent: string, nowMs: number): void {
    const load = this.#agents.get(agent);
    if (load === undefined) return;
    recount(load.tasks, nowMs);
    recount(load.seats, nowMs);
    if (load.tasks.open.size + load.seats.open.size === 0) this.#agents.delete(agent);
  }

  /** The attempts that an agent has or will have; `used` is its last reported number of used slots (U1). */
  loadOf(agent: string, used: number): number {
    const load = this.#agents.get(agent);
    if (load === undefined) return used;
    const { tasks, seats } = load;
    return Math.max(tasks.open.size + seats.open.size, used + tasks.since + seats.since, 0);
  }

  /** The same without seats that the agent got since its last heartbeat. */
  tasksOf(agent: string, used: number): number {
    const tasks = this.#agents.get(agent)?.tasks;
    return tasks === undefined ? used : Math.max(tasks.open.size, used + tasks.since, 0);
  }

  /** Forgets everything, and returns the placed tasks. */
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

/** Recounts after a heartbeat: only placements that it may not include yet are added to it. */
function recount(given: Given, nowMs: number): void {
  given.since = 0;
  for (const [taskId, placedMs] of given.open) {
    if (placedMs < nowMs - OPEN_MS) given.open.delete(taskId);
    else if (placedMs >= nowMs - UNSEEN_MS) given.since++;
  }
}
