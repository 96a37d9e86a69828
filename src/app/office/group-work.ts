// The work that waits for a group of agents, or runs on it: the number that an autoscaler divides by the slots of one pod. Counts
// the stored messages of the group's capabilities, and the seats of ballots that wait for agents. The operation `scaling-show`
// shows it.
// I1: a stored task counts once, also while it moves from its queue to a host and both have a message of it.
import { dropOldest } from "../../base/index.ts";
import type { OfficeClient } from "../../coordinator/index.ts";
import { ACK_WAIT_MS, createSubjects, type TaskAddress, toSwarmError } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { placedStreams, readPlacedTask } from "../../work/index.ts";
import { readCapabilities } from "./capabilities.ts";

/** How long the office may take to count vacant seats, in ms. An autoscaler gives up after 3 s. */
const VACANCIES_TIMEOUT_MS = 1_000;
/** The most placed tasks whose capability one count looks up; each look-up is one request. It keeps the answers. */
const MAX_PLACED_LOOKUPS = 256;
/** The placed tasks whose capability is remembered: twice the most subjects that one read lists. */
const MAX_KNOWN = 20_000;
/** While a task is placed, its message in the queue stays until the host's ack, or until a redelivery finds the placed one. */
const MOVE_MS = 2 * ACK_WAIT_MS;

/** A group of agents that scales together. */
export interface ScaledGroup {
  readonly name: string;
  readonly capabilities: readonly string[];
}

/** The work of a group. `work` is the sum of the parts. */
export interface GroupWork {
  work: number;
  /** Tasks in the queues of the capabilities, waiting or running. */
  queued: number;
  /** Tasks on hosts: placed ones, and the questions of ballots to their seats. */
  placed: number;
  /** The seats without an agent of ballots that wait for agents. */
  seats: number;
  /** Capabilities that do not count, because they are paused. */
  paused: string[];
  /** Placed tasks among `placed` that were counted without knowing their capability: there are too many to look at in one go. */
  guessed: number;
  /** False: no coordinator in office answered, so that vacant seats are missing. */
  isOfficeKnown: boolean;
}

/** A placed task as the first look showed it. Null: no task. */
type KnownTask = { readonly at: TaskAddress; readonly storedAtMs: number } | null;

/** Counts the work of the groups of one swarm, and remembers the placed tasks that it looked at. */
export class GroupWorkCounter {
  readonly #transport: Transport;
  readonly #office: OfficeClient;
  readonly #groups: () => readonly ScaledGroup[];
  readonly #nowMs: () => number;
  readonly #known = new Map<string, KnownTask>();

  constructor(parts: {
    transport: Transport;
    office: OfficeClient;
    /** The groups now: the permissions file may change while the process runs. */
    groups: () => readonly ScaledGroup[];
    nowMs?: () => number;
  }) {
    this.#transport = parts.transport;
    this.#office = parts.office;
    this.#groups = parts.groups;
    this.#nowMs = parts.nowMs ?? (() => parts.transport.clock.now());
  }

  /** The names of the groups. */
  get names(): string[] {
    return this.#groups().map(({ name }) => name);
  }

  /** Counts the work of a group; null when there is no such group. @throws SwarmError `unavailable`. */
  async count(name: string): Promise<GroupWork | null> {
    const group = this.#groups().find((each) => each.name === name);
    if (group === undefined) return null;
    const [{ capabilities: known }, vacancies] = await Promise.all([
      readCapabilities({ transport: this.#transport, office: this.#office }),
      this.#readVacancies(),
    ]);
    const views = new Map(known.map((view) => [view.capability, view]));
    const isPaused = (capability: string) =>
      ["paused", "pausing", "held"].includes(views.get(capability)?.state ?? "open");
    const counted = new Set(group.capabilities.filter((capability) => !isPaused(capability)));
    const queues = await Promise.all(
      [...counted].map((capability) => {
        const view = views.get(capability);
        return view === undefined ? this.#countStored(capability) : view.waiting + view.inFlight;
      }),
    );
    const queued = sum(queues);
    const { placed, guessed } = await this.#countPlaced(counted);
    const seats = sum([...counted].map((capability) => vacancies?.get(capability) ?? 0));
    const paused = group.capabilities.filter((capability) => !counted.has(capability));
    const work = queued + placed + seats;
    return { work, queued, placed, seats, paused, guessed, isOfficeKnown: vacancies !== null };
  }

  /** The stored tasks of a capability without consumers: no agent offered it yet, and its tasks wait all the same. */
  async #countStored(capability: string): Promise<number> {
    const filter = `${this.#transport.prefix}.task.${capability}.>`;
    return (await this.#transport.log("tasks").subjects(filter)).size;
  }

  async #countPlaced(capabilities: ReadonlySet<string>): Promise<{ placed: number; guessed: number }> {
    const subjects = createSubjects(this.#transport.prefix);
    const tasks = this.#transport.log("tasks");
    const streams = await placedStreams(this.#transport);
    const lists = await Promise.all(streams.map(({ log }) => log.subjects(subjects.filters.allPlaced)));
    const stored = lists.flatMap((list) => [...list.keys()]);
    const logOf = new Map(
      lists.flatMap((list, index) => [...list.keys()].map((name) => [name, streams[index]!.log])),
    );
    const unknown = stored.filter((subject) => !this.#known.has(subject));
    const lookedUp = new Set(unknown.slice(0, MAX_PLACED_LOOKUPS));
    await Promise.all(
      [...lookedUp].map(async (subject) => {
        const message = await logOf.get(subject)!.last(subject);
        if (message === null) return; // taken in the meantime
        const task = readPlacedTask(subjects, message);
        this.#known.set(subject, task === null ? null : { at: task.at, storedAtMs: message.storedAtMs });
      }),
    );
    dropOldest(this.#known, MAX_KNOWN);
    let placed = 0;
    let guessed = 0;
    const moving: TaskAddress[] = [];
    for (const subject of stored) {
      const task = this.#known.get(subject);
      if (task === undefined) guessed += lookedUp.has(subject) ? 0 : 1;
      else if (task !== null && capabilities.has(task.at.capability)) {
        placed += 1;
        if (this.#nowMs() - task.storedAtMs < MOVE_MS) moving.push(task.at);
      }
    }
    const twice = await Promise.all(
      moving.slice(0, MAX_PLACED_LOOKUPS).map((at) => tasks.last(subjects.task(at), { fresh: true })),
    );
    const isTwice = twice.filter((message) => message !== null).length; // I1: the queue counts these
    return { placed: placed - isTwice + guessed, guessed };
  }

  async #readVacancies(): Promise<ReadonlyMap<string, number> | null> {
    try {
      const { vacancies } = await this.#office.read("vacancies", {}, { timeoutMs: VACANCIES_TIMEOUT_MS });
      return new Map(vacancies.map(({ capability, seats }) => [capability, seats]));
    } catch (error) {
      if (toSwarmError(error).code === "unavailable") return null;
      throw error;
    }
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
