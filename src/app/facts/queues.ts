// The facts about the queues of the swarm: the waiting and running tasks of each, and the age of the oldest. Tasks in the placed queues
// of hosts are counted together, under capability "-" and priority "placed", because each host has a consumer of its own.
import type { GaugeRow, Meter } from "../../base/index.ts";
import { createSubjects, PLACEHOLDER } from "../../protocol/index.ts";
import type { QueueConsumerInfo, Transport } from "../../transport/index.ts";
import { allConsumers, capabilityOfConsumer, isQueueFilter, placedStreams } from "../../work/index.ts";

/** The most queues whose oldest task is looked up; each lookup is one request. Queues above it have counts and no ages. */
const MAX_LOOKUPS = 400;

/** One capability's queue of one priority, or all placed queues together. */
export interface QueueFacts {
  readonly capability: string;
  readonly priority: string;
  /** Tasks that wait. */
  readonly pending: number;
  /** Tasks that a host holds. */
  readonly inFlight: number;
  /** When the oldest stored task was stored, Unix ms; null when none waits, or it was not looked up. */
  readonly oldestAtMs: number | null;
}

/** Reads all queues. @throws SwarmError `unavailable`. */
export async function readQueues(transport: Transport): Promise<QueueFacts[]> {
  const { prefix } = transport;
  const queues = toQueues(prefix, await allConsumers(transport));
  const lookups = queues.filter(({ pending }) => pending > 0).slice(0, MAX_LOOKUPS);
  const placed = lookups.some(({ isPlaced }) => isPlaced) ? await placedStreams(transport) : [];
  const tasks = transport.log("tasks");
  const oldest = new Map<Queue, number>();
  await Promise.all(
    lookups.map(async (queue) => {
      for (const log of queue.isPlaced ? placed.map((stream) => stream.log) : [tasks])
        for await (const { storedAtMs } of log.read({ filter: queue.filter, limit: 1 }))
          oldest.set(queue, Math.min(storedAtMs, oldest.get(queue) ?? storedAtMs));
    }),
  );
  return queues.map((queue) => {
    const { capability, priority, pending, inFlight } = queue;
    return { capability, priority, pending, inFlight, oldestAtMs: oldest.get(queue) ?? null };
  });
}

/** Shows the queues in the gauges. A queue that is gone leaves them. */
export function showQueues(
  meter: Pick<Meter, "queuePending" | "queueOldestSeconds">,
  queues: readonly QueueFacts[],
  nowMs: number,
): void {
  const rows = (value: (queue: QueueFacts) => number): GaugeRow<"capability" | "priority">[] =>
    queues.map((queue) => ({
      labels: { capability: queue.capability, priority: queue.priority },
      value: value(queue),
    }));
  meter.queuePending.replace(rows(({ pending }) => pending));
  meter.queueOldestSeconds.replace(
    rows(({ oldestAtMs }) => (oldestAtMs === null ? 0 : Math.max(0, nowMs - oldestAtMs) / 1_000)),
  );
}

interface Queue {
  readonly capability: string;
  readonly priority: string;
  readonly filter: string;
  readonly isPlaced: boolean;
  readonly pending: number;
  readonly inFlight: number;
}

function toQueues(prefix: string, consumers: readonly QueueConsumerInfo[]): Queue[] {
  const queues = consumers
    .filter(({ filter }) => isQueueFilter(prefix, filter))
    .map(({ name, filter, pending, ackPending }) => ({
      capability: capabilityOfConsumer(name),
      priority: filter.slice(prefix.length).split(".")[3] ?? "",
      filter,
      isPlaced: false,
      pending,
      inFlight: ackPending,
    }));
  const placed = consumers.filter(({ filter }) => filter.startsWith(`${prefix}.placed.`));
  if (placed.length === 0) return queues;
  const all = {
    capability: PLACEHOLDER,
    priority: "placed",
    filter: createSubjects(prefix).filters.allPlaced,
    isPlaced: true,
    pending: placed.reduce((sum, consumer) => sum + consumer.pending, 0),
    inFlight: placed.reduce((sum, consumer) => sum + consumer.ackPending, 0),
  };
  return [...queues, all];
}
