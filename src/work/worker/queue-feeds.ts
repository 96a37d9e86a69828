// The queue feeds of one process: a consumer and open pulls for each capability and priority. pulls.ts decides which pulls
// to open; this file opens them and keeps the consumers there. worker.ts takes the deliveries.
// I1: a consumer that vanished is made again; a pull that was lost with its connection is opened again after a wait.
// I2: after close() no pull is opened.
import { backoffDelayMs, type Chance, type Clock, type Logger } from "../../base/index.ts";
import { PRIORITIES, type Subjects } from "../../protocol/index.ts";
import type { Delivery, Pull, PullEnd, QueueConsumer, Transport } from "../../transport/index.ts";
import { queueConsumer } from "../stores/consumers.ts";
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
  onDelivery(delivery: Delivery, feed: QueueFeed): void;
  /** Called when a further pull may be due. */
  onMore(): void;
}

/** A feed with its consumer; null while the consumer is missing. */
interface Source {
  readonly feed: QueueFeed;
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

  constructor(parts: QueueFeedsParts) {
    this.#parts = parts;
    this.#sources = parts.capabilities.flatMap((name) =>
      PRIORITIES.map((priority) => ({ feed: createQueueFeed(name, priority), consumer: null, failures: 0 })),
    );
    this.#sourceOf = new Map(this.#sources.map((source) => [source.feed, source]));
  }

  /** Makes all consumers. @throws SwarmError `unavailable`, `not_permitted`. */
  async prepare(): Promise<void> {
    await Promise.all(this.#sources.map((source) => this.#makeConsumer(source)));
  }

  open(): void {
    this.#isOpen = true;
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
      void this.#remakeConsumer(source);
    } else if (end === "lost") {
      this.#parts.clock.after(this.#nextDelayMs(source), this.#parts.onMore);
    } else this.#parts.onMore();
  }

  /** Makes a feed's consumer again, and retries until it is there or the feeds are closed (I1). */
  async #remakeConsumer(source: Source): Promise<void> {
    try {
      await this.#makeConsumer(source);
      this.#parts.onMore();
    } catch (error) {
      if (!this.#isOpen) return;
      const consumer = queueConsumer(source.feed.capability, source.feed.priority);
      this.#parts.log.warn({ err: error, consumer }, "consumer not made; retrying");
      this.#parts.clock.after(this.#nextDelayMs(source), () => {
        if (this.#isOpen) void this.#remakeConsumer(source);
      });
    }
  }

  async #makeConsumer(source: Source): Promise<void> {
    const { transport, subjects } = this.#parts;
    const { capability, priority } = source.feed;
    const spec = {
      name: queueConsumer(capability, priority),
      filter: subjects.filters.tasks(capability, priority),
    };
    source.consumer = await transport.queue("tasks").consumer(spec);
    source.failures = 0;
  }

  #nextDelayMs(source: Source): number {
    return backoffDelayMs(REOPEN_BACKOFF, ++source.failures, this.#parts.chance);
  }
}
