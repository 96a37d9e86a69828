// The queue's gauges: murmur_queue_pending, murmur_queue_oldest_seconds, murmur_dead_letters. The api process fills them from
// the server's counts when it is scraped. Tasks in the placed queues of hosts are counted together, under capability "-" and
// priority "placed", because each host has a consumer of its own.
import { type Clock, type Logger, type Meter, singleFlight } from "../../base/index.ts";
import { createSubjects, PLACEHOLDER } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import {
  allConsumers,
  capabilityOfConsumer,
  type DeadLetters,
  isQueueFilter,
  placedStreams,
} from "../../work/index.ts";

/** How long counts are reused, in ms: several scrapers, or a person who reloads, must not load the server. */
const CACHE_MS = 2_000;
/** The most queues whose oldest task is looked up; each lookup is one request. Queues above it have counts and no ages. */
const MAX_LOOKUPS = 400;

/** One capability's queue of one priority, or all placed queues together. */
interface QueueGauge {
  capability: string;
  priority: string;
  filter: string;
  pending: number;
}

/** The returned function updates the gauges, at most every two seconds. Gauges that cannot be read keep their last value. */
export function createQueueGauges(parts: {
  transport: Transport;
  dead: DeadLetters;
  meter: Meter;
  clock: Clock;
  log: Logger;
}): () => Promise<void> {
  const { transport, dead, meter, clock, log } = parts;
  const subjects = createSubjects(transport.prefix);
  let readAtMs = Number.NEGATIVE_INFINITY;

  function toQueues(consumers: readonly { name: string; filter: string; pending: number }[]): QueueGauge[] {
    const queues = consumers
      .filter(({ filter }) => isQueueFilter(subjects.prefix, filter))
      .map(({ name, filter, pending }) => ({
        capability: capabilityOfConsumer(name),
        priority: filter.slice(subjects.prefix.length).split(".")[3] ?? "",
        filter,
        pending,
      }));
    const placed = consumers.filter(({ filter }) => filter.startsWith(`${subjects.prefix}.placed.`));
    if (placed.length === 0) return queues;
    const pending = placed.reduce((sum, consumer) => sum + consumer.pending, 0);
    return [
      ...queues,
      { capability: PLACEHOLDER, priority: "placed", filter: subjects.filters.allPlaced, pending },
    ];
  }

  async function read(): Promise<void> {
    const queues = toQueues(await allConsumers(transport));
    const placed = await placedStreams(transport);
    const tasks = transport.log("tasks");
    const oldest = new Map<QueueGauge, number>();
    await Promise.all(
      queues
        .filter(({ pending }) => pending > 0)
        .slice(0, MAX_LOOKUPS)
        .map(async (queue) => {
          const { filter } = queue;
          for (const log of queue.priority === "placed" ? placed.map((stream) => stream.log) : [tasks])
            for await (const { storedAtMs } of log.read({ filter, limit: 1 }))
              oldest.set(queue, Math.min(storedAtMs, oldest.get(queue) ?? storedAtMs));
        }),
    );
    const letters = await dead.counts();
    meter.queuePending.reset();
    meter.queueOldestSeconds.reset();
    meter.deadLetters.reset();
    for (const queue of queues) {
      const { capability, priority, pending } = queue;
      const storedAtMs = oldest.get(queue);
      const waitedMs = storedAtMs === undefined ? 0 : Math.max(0, clock.now() - storedAtMs);
      meter.queuePending.set({ capability, priority }, pending);
      meter.queueOldestSeconds.set({ capability, priority }, waitedMs / 1_000);
    }
    for (const [capability, count] of letters) meter.deadLetters.set({ capability }, count);
    readAtMs = clock.now();
  }

  const readOnce = singleFlight(() =>
    read().catch((error: unknown) =>
      log.warn({ err: error }, "queue counts not read; the gauges keep their last values"),
    ),
  );
  return async () => {
    if (clock.now() - readAtMs >= CACHE_MS) await readOnce();
  };
}
