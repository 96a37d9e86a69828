// The placed queue: the tasks that were placed on the agents of this process. It has one consumer, one standing pull, and
// a line of waiting tasks for each agent. Owns the order of the waiting tasks; worker.ts opens the queue and performs the
// tasks.
// I1: a task starts only on the agent that it was placed on, and never two tasks on one slot.
// I2: the queue renews the ack-wait of waiting tasks. Their number is bounded, for each agent and in all; the queue naks
//     further tasks with a growing delay.
// I3: the queue naks a task whose agent is gone, and the task stays stored. Only the leader in office moves it, so that it is
//     not moved twice; without a leader it waits, like every task that needs a placement.
// I4: the office makes and removes the consumer; the queue only looks at it and pulls from it. While it does not exist, the queue
//     looks for it again and again, and placed tasks wait in the stream. It also opens the pull again after a broken connection.
import { backoffDelayMs, type Chance, type Clock, type Logger } from "../../base/index.ts";
import {
  type HostAddress,
  type Placement,
  PRIORITY_WEIGHTS,
  type Priority,
  placedKey,
  type Subjects,
} from "../../protocol/index.ts";
import type { Delivery, Pull, PullEnd, QueueConsumer, Transport } from "../../transport/index.ts";
import type { Arrival } from "../attempt/in-flight.ts";
import type { Returns } from "../attempt/redelivery.ts";
import type { SlotRefusal } from "../ports.ts";
import { placedConsumer } from "../stores/consumers.ts";
import { readPlacedTask } from "../stores/messages.ts";
import { AGEING_MS, REOPEN_BACKOFF, STANDING_EXPIRES_MS } from "./pulls.ts";

/** The number of tasks that the standing pull asks for; when they have come, the queue opens the next pull. */
const PULL_MAX = 64;
/**
 * The pauses between two looks for the consumer, in ms. The office makes it a moment after the first heartbeat. Without a
 * coordinator there is none, and no task is placed; then a look every 5 s bounds the wait for the office's first act.
 */
const LOOK_BACKOFF = { backoffMs: 50, factor: 2, maxBackoffMs: 5_000, jitter: 0.2 };
/** The most tasks that wait here for one agent: enough to fill all its slots at once. */
const LINE_MAX = 64;
/** The most tasks that wait here for all agents. It bounds the memory to 264 MiB: the largest task message has 528 KiB. */
const WAITING_MAX = 512;
/** Delays of tasks that found the line of their agent full. */
const FULL_BACKOFF = { backoffMs: 500, factor: 2, maxBackoffMs: 5_000, jitter: 0.5 };
/** Delays of tasks whose agent is gone, until the leader moves them. */
const GONE_BACKOFF = { backoffMs: 1_000, factor: 2, maxBackoffMs: 30_000, jitter: 0.5 };

/** A placed task that waits for its agent. */
export interface PlacedTask extends Arrival {
  readonly placement: Placement;
}

/** The reason why a task cannot start now; `limited`: its capability's limit is used up. */
export type NotStarted = SlotRefusal | "limited";

/** The parts of a placed queue. */
interface PlacedQueueParts {
  transport: Transport;
  subjects: Subjects;
  log: Logger;
  clock: Clock;
  chance: Chance;
  host: HostAddress;
  /** Starts a task, or returns the reason why it cannot start. Must not throw. */
  begin(task: PlacedTask): NotStarted | null;
  /** The deliveries that this host gave back. */
  returns: Returns;
  /** Fails a task that its agent can never perform. */
  fail(task: PlacedTask): void;
  /** Ends a message that is not a readable placed task. */
  refuse(delivery: Delivery): void;
}

/** The placed queue of one process. */
export class PlacedQueue {
  readonly #parts: PlacedQueueParts;
  readonly #consumerName: string;
  readonly #lines = new Map<string, PlacedTask[]>();
  #waiting = 0;
  #consumer: QueueConsumer | null = null;
  #pull: Pull | undefined;
  #failures = 0;
  #isAccepting = false;
  #cancelReopen: (() => void) | undefined;

  constructor(parts: PlacedQueueParts) {
    this.#parts = parts;
    this.#consumerName = placedConsumer(parts.host.host);
  }

  /** Begins to pull tasks, as soon as the office has made the consumer (I4). */
  open(): void {
    this.#isAccepting = true;
    void this.#reopen();
  }

  /** False while the consumer does not exist, as far as this queue knows: then no placed task arrives. */
  get hasConsumer(): boolean {
    return this.#consumer !== null;
  }

  /** Starts each waiting task that can start now. */
  serve(): void {
    for (const [agent, line] of this.#lines) this.#serveLine(agent, line);
  }

  /** The number of tasks that wait here for a slot. */
  get waiting(): number {
    return this.#waiting;
  }

  /** The number of tasks of one capability that wait here for a slot. */
  waitingOf(capability: string): number {
    let count = 0;
    for (const task of this.#tasks()) if (task.at.capability === capability) count++;
    return count;
  }

  /** Keeps waiting tasks from being redelivered; call it every {@link ACK_RENEW_MS}. */
  renew(): void {
    this.serve(); // the host does not announce every change of an agent
    for (const { delivery } of this.#tasks()) delivery.working();
  }

  /** Stops pulling and gives the waiting tasks back. */
  drain(): void {
    this.#isAccepting = false;
    this.#cancelReopen?.();
    this.#pull?.cancel();
    for (const { delivery } of this.#tasks()) delivery.nak(0);
    this.#lines.clear();
    this.#waiting = 0;
  }

  *#tasks(): Generator<PlacedTask> {
    for (const line of this.#lines.values()) yield* line;
  }

  #onDelivery(delivery: Delivery): void {
    this.#failures = 0;
    const task = readPlacedTask(this.#parts.subjects, delivery);
    if (task === null) this.#parts.refuse(delivery);
    else if (!this.#isAccepting) delivery.nak(0);
    else this.#lineUp({ ...task, delivery });
  }

  /** Puts a task into the line of its agent, and serves that line. */
  #lineUp(task: PlacedTask): void {
    const { delivery, placement } = task;
    const line = this.#lines.get(placement.agent) ?? [];
    if (line.length >= LINE_MAX || this.#waiting >= WAITING_MAX) {
      delivery.nak(backoffDelayMs(FULL_BACKOFF, delivery.deliveryCount, this.#parts.chance)); // I2
      return;
    }
    this.#lines.set(placement.agent, line);
    insertInTurn(line, task);
    this.#waiting++;
    this.#serveLine(placement.agent, line);
  }

  /** Starts the tasks of one agent's line that can start now. */
  #serveLine(agent: string, line: PlacedTask[]): void {
    for (let index = 0; index < line.length; ) {
      const task = line[index]!;
      const reason = this.#parts.begin(task);
      if (reason === "busy") break;
      if (reason === "limited") {
        index++; // a task of another capability may start
        continue;
      }
      line.splice(index, 1);
      this.#waiting--;
      if (reason === "unable") this.#parts.fail(task);
      if (reason === "gone") this.#giveBack(task, agent);
    }
    if (line.length === 0) this.#lines.delete(agent);
  }

  #giveBack({ delivery, at }: PlacedTask, agent: string): void {
    const delayMs = backoffDelayMs(GONE_BACKOFF, delivery.deliveryCount, this.#parts.chance);
    this.#parts.log.info(
      { taskId: at.taskId, agent, delayMs },
      "placed task given back: its agent is gone; the leader moves it",
    ); // I3
    delivery.nak(delayMs);
  }

  #openPull(): void {
    this.#pull = this.#consumer?.pull(
      { max: PULL_MAX, expiresMs: STANDING_EXPIRES_MS },
      {
        onDelivery: (delivery) => this.#onDelivery(delivery),
        onNak: (delivery) => this.#parts.returns.note(delivery),
        onEnd: (end) => this.#onPullEnd(end),
      },
    );
  }

  #onPullEnd(end: PullEnd): void {
    if (!this.#isAccepting) return;
    if (end === "filled" || end === "expired") {
      this.#openPull();
      return;
    }
    if (end === "gone") this.#consumer = null;
    this.#reopenLater();
  }

  #reopenLater(): void {
    const policy = this.#consumer === null ? LOOK_BACKOFF : REOPEN_BACKOFF;
    const delayMs = backoffDelayMs(policy, ++this.#failures, this.#parts.chance);
    this.#cancelReopen = this.#parts.clock.after(delayMs, () => void this.#reopen());
  }

  /** Looks for the consumer if it is not known, and opens the next pull (I4). */
  async #reopen(): Promise<void> {
    const isNew = this.#consumer === null;
    try {
      this.#consumer ??= await this.#findConsumer();
    } catch (error) {
      this.#parts.log.warn(
        { err: error, consumer: this.#consumerName },
        "consumer of placed tasks not found; retrying",
      );
    }
    if (!this.#isAccepting) return;
    if (this.#consumer === null) this.#reopenLater();
    else {
      if (isNew) this.#failures = 0;
      this.#openPull();
    }
  }

  #findConsumer(): Promise<QueueConsumer | null> {
    const { transport, subjects, host } = this.#parts;
    const filter = subjects.filters.placedOnHost(host);
    return transport.queue(placedKey(host.class)).existing({ name: this.#consumerName, filter });
  }
}

/**
 * Inserts a task at its turn: by the time at which it was stored, with a head start by priority. As in the queue, a task that
 * has waited longer than the ageing bound comes before a new urgent task.
 */
function insertInTurn(line: PlacedTask[], task: PlacedTask): void {
  const turnMs = turnOf(task);
  let index = line.length;
  while (index > 0 && turnOf(line[index - 1]!) > turnMs) index--;
  line.splice(index, 0, task);
}

function turnOf({ at, delivery }: PlacedTask): number {
  return delivery.storedAtMs - HEAD_START_MS[at.priority];
}

/** The head start of each priority, in ms: none for `low`, the ageing bound for `urgent`, between them by weight. */
const HEAD_START_MS = Object.fromEntries(
  Object.entries(PRIORITY_WEIGHTS).map(([priority, weight]) => [
    priority,
    (AGEING_MS * (weight - PRIORITY_WEIGHTS.low)) / (PRIORITY_WEIGHTS.urgent - PRIORITY_WEIGHTS.low),
  ]),
) as Record<Priority, number>;
