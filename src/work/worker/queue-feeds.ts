// The queue feeds of one process: a consumer and open pulls for each capability and priority. pulls.ts decides which pulls
// to open; this file opens them and keeps the consumers there. worker.ts takes the deliveries.
// I1: a consumer that vanished is made again, or looked for until another process has made it, as `createsConsumers` says; a
//     pull that was lost with its connection is opened again after a wait.
// I2: after close() no pull is opened.
import { backoffDelayMs, type Chance, type Clock, type Logger } from "../../base/index.ts";
import { type Subjects, SwarmError } from "../../protocol/index.ts";
import type { Delivery, Pull, PullEnd, QueueConsumer, Transport } from "../../transport/index.ts";
import { commandForConsumers, MISSING_CONSUMERS, queueConsumersOf } from "../stores/consumers.ts";
import {
  createQueueFeed,
  decidePulls,
  noteDelivery,
  noteEnd,
  type PullOrder,
  type QueueFeed,
  REOPEN_BACKOFF,
  STANDING_EXPIRES_MS,
} from "./pulls.ts";

/** The parts of the feeds. */
interface QueueFeedsParts {
  transport: Transport;
  subjects: Subjects;
  log: Logger;
  clock: Clock;
  chance: Chance;
  capabilities: readonly string[];
  /** True: makes missing consumers. False: waits until another process has made them, because this one may not. */
  createsConsumers: boolean;
  onDelivery(delivery: Delivery, feed: QueueFeed): void;
  /** Called when this process gives a delivery back. */
  onNak(delivery: Delivery): void;
  /** Called when a further pull may be due. */
  onMore(): void;
}

/** A feed with its consumer; null while the consumer is missing. */
interface Source {
  readonly feed: QueueFeed;
  readonly name: string;
  readonly filter: string;
  consumer: QueueConsumer | null;
  failures: number;
}

/** The feeds of one process. */
export class QueueFeeds {
  readonly #parts: QueueFeedsParts;
  readonly #sources: readonly Source[];
  readonly #sourceOf: ReadonlyMap<QueueFeed, Source>;
  readonly #pulls = new Set<Pull>();
  #isOpen = false;
  #isMissingLogged = false;

  constructor(parts: QueueFeedsParts) {
    this.#parts = parts;
    this.#sources = parts.capabilities.flatMap((capability) =>
      queueConsumersOf(parts.subjects, capability).map(({ name, filter, priority }) => ({
        feed: createQueueFeed(capability, priority),
        name,
        filter,
        consumer: null,
        failures: 0,
      })),
    );
    this.#sourceOf = new Map(this.#sources.map((source) => [source.feed, source]));
  }

  /**
   * Makes all consumers, or finds them: a missing one does not fail the start, and is looked for once the feeds are open.
   * @throws SwarmError `unavailable`, `not_permitted`.
   */
  async prepare(): Promise<void> {
    await Promise.all(
      this.#sources.map((source) =>
        this.#getConsumer(source).catch((error: unknown) => {
          if (!isMissing(error)) throw error;
        }),
      ),
    );
  }

  open(): void {
    this.#isOpen = true;
    for (const source of this.#sources) if (source.consumer === null) void this.#regainConsumer(source);
  }

  /** The names of the consumers that are missing now, as far as this process knows: a closed pull tells it. */
  missing(): string[] {
    return this.#sources.flatMap(({ name, consumer }) => (consumer === null ? [name] : []));
  }

  /** Cancels all pulls (I2). */
  close(): void {
    this.#isOpen = false;
    for (const pull of this.#pulls) pull.cancel();
  }

  /** The number of tasks of a capability that wait in its queues, as far as this process knows. */
  backlogOf(capability: string): number {
    let backlog = 0;
    for (const { feed } of this.#sources) if (feed.capability === capability) backlog += feed.backlog;
    return backlog;
  }

  /** Opens the pulls that the free slots allow. `freeOf` is asked once for each capability. */
  pull(freeTotal: number, freeOf: (capability: string) => number): void {
    const feeds: QueueFeed[] = [];
    const free = new Map<string, number>();
    for (const { feed, consumer } of this.#sources) {
      if (consumer === null) continue;
      feeds.push(feed);
      if (!free.has(feed.capability)) free.set(feed.capability, freeOf(feed.capability));
    }
    const slots = { total: freeTotal, of: (capability: string) => free.get(capability) ?? 0 };
    for (const order of decidePulls(feeds, slots, this.#parts.clock.now())) this.#openPull(order);
  }

  #openPull(order: PullOrder): void {
    const { feed, max, standing } = order;
    const source = this.#sourceOf.get(feed)!;
    const pull = source.consumer!.pull(
      { max, expiresMs: standing ? STANDING_EXPIRES_MS : 0 },
      {
        onDelivery: (delivery) => {
          noteDelivery(feed, order, delivery);
          source.failures = 0;
          this.#parts.onDelivery(delivery, feed);
        },
        onNak: this.#parts.onNak,
        onEnd: (end) => {
          this.#pulls.delete(pull);
          noteEnd(feed, order, pull.remaining, this.#parts.clock.now());
          this.#onPullEnd(source, end);
        },
      },
    );
    this.#pulls.add(pull);
  }

  #onPullEnd(source: Source, end: PullEnd): void {
    if (!this.#isOpen) return;
    if (end === "gone") {
      source.consumer = null;
      void this.#regainConsumer(source);
    } else if (end === "lost") {
      this.#parts.clock.after(this.#nextDelayMs(source), this.#parts.onMore);
    } else this.#parts.onMore();
  }

  /** Gets a feed's consumer again, and retries until it is there or the feeds are closed (I1). */
  async #regainConsumer(source: Source): Promise<void> {
    try {
      await this.#getConsumer(source);
      this.#parts.onMore();
    } catch (error) {
      if (!this.#isOpen) return;
      this.#logFailure(source, error);
      this.#parts.clock.after(this.#nextDelayMs(source), () => {
        if (this.#isOpen) void this.#regainConsumer(source);
      });
    }
  }

  /** One line for all consumers that are missing now: usually they vanish together, so the second look tells all of them. */
  #logFailure({ name, failures }: Source, error: unknown): void {
    const { log } = this.#parts;
    if (!isMissing(error)) {
      log.warn({ err: error, consumer: name }, "consumer not made; retrying");
    } else if (failures > 0 && !this.#isMissingLogged) {
      this.#isMissingLogged = true;
      const missing = this.missing();
      log.warn({ missing, command: commandForConsumers(missing) }, MISSING_CONSUMERS);
    }
  }

  /** Makes the consumer, or finds it. @throws SwarmError `not_found` when this process may not make it. */
  async #getConsumer(source: Source): Promise<void> {
    const { transport, createsConsumers } = this.#parts;
    const { name, filter } = source;
    const queue = transport.queue("tasks");
    source.consumer = createsConsumers
      ? await queue.consumer({ name, filter })
      : await queue.existing({ name, filter });
    if (source.consumer === null) throw new SwarmError("not_found", `consumer ${name} is missing`);
    source.failures = 0;
    if (this.missing().length === 0) this.#isMissingLogged = false;
  }

  #nextDelayMs(source: Source): number {
    return backoffDelayMs(REOPEN_BACKOFF, ++source.failures, this.#parts.chance);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof SwarmError && error.code === "not_found";
}
