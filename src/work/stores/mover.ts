// Moves each task that has come due from `due.…` to the task stream. All movers of the swarm share one consumer.
// I1: a mover acks after the task is stored. A crash between the two moves the task again; the message id and the task
//     subject's single place make the second move do nothing.
//     A task that an operator moves from another queue first leaves it: moves.ts.
//     Only a message of the same move counts as this. Another message in the place (the delivery of the earlier attempt, whose
//     ack is still on its way) makes the mover wait: its place becomes free, and the task would be lost.
// I2: a task that cannot be moved now (queue full, no connection) stays due, and the mover retries it later.
import {
  backoffDelayMs,
  type Chance,
  type Clock,
  createService,
  type Logger,
  type Meter,
  type Service,
  systemChance,
} from "../../base/index.ts";
import {
  createSubjects,
  HEADERS,
  type Subjects,
  SwarmError,
  type TaskAddress,
} from "../../protocol/index.ts";
import type { Delivery, Pull, PullEnd, QueueConsumer, Transport } from "../../transport/index.ts";
import { blobsOf, renewBlobs } from "./blob-refs.ts";
import { carriedHeaders } from "./later.ts";
import { type MovedFrom, readMovedFrom, takeForMove } from "./moves.ts";
import { buryUnreadable, createResultStore, type ResultStore } from "./results.ts";

/** The shared consumer's name. */
export const MOVER_CONSUMER = "mover";
/** How many due tasks one pull of a mover asks for. */
const BATCH = 256;
/** How long a pull stays open on the server, in ms. */
const PULL_EXPIRES_MS = 30_000;
/** Waits before a task that could not be moved, a lost pull or a missing consumer is retried. */
const BACKOFF = { backoffMs: 100, factor: 2, maxBackoffMs: 5_000, jitter: 0.5 };

/** The parts of a mover. */
interface MoverParts {
  transport: Transport;
  meter: Meter;
  log: Logger;
  clock?: Clock;
  chance?: Chance;
}

/** Makes one process's mover. */
export function createMover(parts: MoverParts): Service {
  const mover = new Mover(parts);
  return createService({ name: "mover", start: () => mover.start(), stop: () => mover.stop() });
}

class Mover {
  readonly #transport: Transport;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #chance: Chance;
  readonly #subjects: Subjects;
  readonly #results: ResultStore;
  #consumer: QueueConsumer | null = null;
  #pull: Pull | undefined;
  #isStopped = false;
  #failures = 0;
  #cancelWait: (() => void) | undefined;

  constructor({ transport, meter, log, clock = transport.clock, chance = systemChance }: MoverParts) {
    this.#transport = transport;
    this.#log = log;
    this.#clock = clock;
    this.#chance = chance;
    this.#subjects = createSubjects(transport.prefix);
    this.#results = createResultStore({ transport, subjects: this.#subjects, meter, clock, chance });
  }

  async start(): Promise<void> {
    this.#consumer = await this.#makeConsumer();
    this.#openPull();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelWait?.();
    this.#pull?.cancel();
  }

  async #move(delivery: Delivery): Promise<void> {
    try {
      await this.#store(delivery);
    } catch (error) {
      this.#log.warn({ err: error, subject: delivery.subject }, "due task not moved; retrying");
      delivery.nak(backoffDelayMs(BACKOFF, delivery.deliveryCount, this.#chance)); // I2
      return;
    }
    delivery.ack(); // I1
  }

  /** Stores the task in its queue; a message without a task address becomes a dead letter. */
  async #store(delivery: Delivery): Promise<void> {
    const at = this.#subjects.readTask(delivery.subject);
    if (at === null) {
      await buryUnreadable(this.#results, delivery, this.#clock.now());
      return;
    }
    // A message that was in its place ran in the meantime (I1): a result ends the task.
    if (delivery.deliveryCount > 1 && (await this.#results.read(at.taskId)) !== null) return;
    const from = readMovedFrom(this.#subjects, delivery, at);
    if (from !== null && !(await this.#take(delivery, at, from))) return;
    const messageId = `later-${at.taskId}-${delivery.seq}`;
    const headers = { ...carriedHeaders(delivery), [HEADERS.due]: "1" };
    const tasks = this.#transport.log("tasks");
    await renewBlobs(blobsOf(delivery), this.#transport.blobs);
    try {
      await tasks.append(this.#subjects.task(at), delivery.data, { headers, messageId });
    } catch (error) {
      if (!(error instanceof SwarmError) || error.code !== "conflict") throw error;
      const inPlace = await tasks.last(this.#subjects.task(at), { fresh: true });
      if (inPlace?.header(HEADERS.messageId) !== messageId) throw error; // I1, I2
    }
  }

  /** Removes the earlier message of a task that an operator moves; false when the task stays where it is. */
  #take(delivery: Delivery, at: TaskAddress, from: MovedFrom): Promise<boolean> {
    const isEnded = async (taskId: string) => (await this.#results.read(taskId)) !== null;
    const parts = { transport: this.#transport, subjects: this.#subjects, isEnded, nowMs: this.#clock.now() };
    return takeForMove(parts, delivery, { at, from });
  }

  #makeConsumer(): Promise<QueueConsumer> {
    const filter = this.#subjects.filters.allDue;
    return this.#transport.queue("later").consumer({ name: MOVER_CONSUMER, filter });
  }

  #openPull(): void {
    if (this.#isStopped || this.#consumer === null) return;
    this.#pull = this.#consumer.pull(
      { max: BATCH, expiresMs: PULL_EXPIRES_MS },
      { onDelivery: (delivery) => void this.#move(delivery), onEnd: (end) => this.#onPullEnd(end) },
    );
  }

  #onPullEnd(end: PullEnd): void {
    if (this.#isStopped) return;
    if (end === "filled" || end === "expired") {
      this.#failures = 0;
      this.#openPull();
      return;
    }
    if (end === "gone") this.#consumer = null;
    this.#reopenLater();
  }

  #reopenLater(): void {
    const delayMs = backoffDelayMs(BACKOFF, ++this.#failures, this.#chance);
    this.#cancelWait = this.#clock.after(delayMs, () => void this.#reopen());
  }

  /** Makes the consumer again where it is missing, and opens the next pull. */
  async #reopen(): Promise<void> {
    if (this.#isStopped) return;
    try {
      this.#consumer ??= await this.#makeConsumer();
      this.#openPull();
    } catch (error) {
      this.#log.warn({ err: error }, "consumer of due tasks not made; retrying");
      this.#reopenLater();
    }
  }
}
