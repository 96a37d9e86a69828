// The queue's gauges: murmur_queue_pending, murmur_queue_oldest_seconds, murmur_dead_letters. Filled by the api process
// when it is scraped, from the server's counts. Tasks that wait on the agents that they were placed on are counted
// together, under capability "-" and priority "placed": their consumers are the hosts'.
import type { Clock, Logger, Meter } from "../../base/index.ts";
import { createSubjects } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { capabilityOfConsumer, type DeadLetters } from "../../work/index.ts";

/** How long counts are kept: several scrapers, and people who reload, must not become load on the server. */
const CACHE_MS = 2_000;
/** Capabilities whose oldest task is looked up; each costs one request. Above it the counts stay, ages are left out. */
const MAX_LOOKUPS = 400;

/** Tasks that wait for the same reason. */
interface QueueGauge {
  capability: string;
  priority: string;
  filter: string;
  pending: number;
}

/** Brings the gauges up to date, at most every two seconds. What cannot be read now keeps its last value. */
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
  let reading: Promise<void> | undefined;

  function toLanes(consumers: readonly { name: string; filter: string; pending: number }[]): QueueGauge[] {
    const lanes = consumers
      .filter(({ filter }) => filter.includes(".task."))
      .map(({ name, filter, pending }) => ({
        capability: capabilityOfConsumer(name),
        priority: filter.slice(subjects.prefix.length).split(".")[3] ?? "",
        filter,
        pending,
      }));
    const placed = consumers.filter(({ filter }) => filter.includes(".placed."));
    if (placed.length === 0) return lanes;
    const pending = placed.reduce((sum, consumer) => sum + consumer.pending, 0);
    return [...lanes, { capability: "-", priority: "placed", filter: subjects.filters.allPlaced, pending }];
  }

  async function read(): Promise<void> {
    const lanes = toLanes(await transport.queue("tasks").consumers());
    const tasks = transport.log("tasks");
    const oldest = new Map<QueueGauge, number>();
    await Promise.all(
      lanes
        .filter(({ pending }) => pending > 0)
        .slice(0, MAX_LOOKUPS)
        .map(async (lane) => {
          const { filter } = lane;
          for await (const stored of tasks.read({ filter, limit: 1 })) oldest.set(lane, stored.storedAtMs);
        }),
    );
    const letters = await dead.counts();
    meter.queuePending.reset();
    meter.queueOldestSeconds.reset();
    meter.deadLetters.reset();
    for (const lane of lanes) {
      const { capability, priority, pending } = lane;
      const storedAtMs = oldest.get(lane);
      const waitedMs = storedAtMs === undefined ? 0 : Math.max(0, clock.now() - storedAtMs);
      meter.queuePending.set({ capability, priority }, pending);
      meter.queueOldestSeconds.set({ capability, priority }, waitedMs / 1_000);
    }
    for (const [capability, count] of letters) meter.deadLetters.set({ capability }, count);
    readAtMs = clock.now();
  }

  return async () => {
    if (clock.now() - readAtMs < CACHE_MS) return;
    reading ??= read()
      .catch((error: unknown) => log.warn({ err: error }, "the queue's counts cannot be read now"))
      .finally(() => {
        reading = undefined;
      });
    await reading;
  };
}
