// The facts that an api process keeps about its swarm, and the gauges that it shows from them.
import type { Meter } from "../../base/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { DeadLetters } from "../../work/index.ts";
import type { GroupWorkCounter } from "../office/group-work.ts";
import { KeptFact } from "./kept.ts";
import { readQueues, showQueues } from "./queues.ts";
import { createDueReader, type DueFacts, readStreams, showStreams } from "./streams.ts";

/** The time between two looks at the oldest due task, in ms: movers that stand show within 5 s, and a look is one message. */
const DUE_LOOK_INTERVAL_MS = 1_000;

/** The oldest due task; null when none waits for a mover. */
export interface DueFact {
  readonly oldest: DueFacts | null;
}

/** Keeps the oldest due task. `show`: hears of each look. */
export function keepDue(transport: Transport, show?: (due: DueFact) => void): KeptFact<DueFact> {
  const read = createDueReader(transport);
  return new KeptFact({
    name: "due",
    intervalMs: DUE_LOOK_INTERVAL_MS,
    read: async () => ({ oldest: await read() }),
    ...(show === undefined ? {} : { show }),
  });
}

/** The kept facts of one swarm. */
export interface SwarmFacts {
  readonly queues: KeptFact<Awaited<ReturnType<typeof readQueues>>>;
  readonly streams: KeptFact<Awaited<ReturnType<typeof readStreams>>>;
  readonly due: KeptFact<DueFact>;
  readonly deadLetters: KeptFact<ReadonlyMap<string, number>>;
  /** The work of each group; empty without a permissions file. */
  readonly work: KeptFact<ReadonlyMap<string, number>>;
}

/** Makes the facts of one swarm; {@link keepFacts} reads them. */
export function createSwarmFacts(parts: {
  transport: Transport;
  dead: Pick<DeadLetters, "counts">;
  scaling: Pick<GroupWorkCounter, "count" | "names"> | undefined;
  meter: Meter;
}): SwarmFacts {
  const { transport, dead, scaling, meter } = parts;
  const nowMs = () => transport.clock.now();
  return {
    queues: new KeptFact({
      name: "queues",
      read: () => readQueues(transport),
      show: (queues) => showQueues(meter, queues, nowMs()),
    }),
    streams: new KeptFact({
      name: "streams",
      read: () => readStreams(transport),
      show: (streams) => showStreams(meter, streams),
    }),
    due: keepDue(transport, ({ oldest }) =>
      meter.laterLateSeconds.set(oldest === null ? 0 : Math.max(0, nowMs() - oldest.dueAtMs) / 1_000),
    ),
    deadLetters: new KeptFact<ReadonlyMap<string, number>>({
      name: "dead_letters",
      read: () => dead.counts(),
      show: (counts) =>
        meter.deadLetters.replace(
          [...counts].map(([capability, value]) => ({ labels: { capability }, value })),
        ),
    }),
    work: new KeptFact({
      name: "work",
      read: () => countWork(scaling),
      show: (work) => meter.work.replace([...work].map(([group, value]) => ({ labels: { group }, value }))),
    }),
  };
}

async function countWork(
  scaling: Pick<GroupWorkCounter, "count" | "names"> | undefined,
): Promise<ReadonlyMap<string, number>> {
  const work = new Map<string, number>();
  for (const name of scaling?.names ?? []) {
    const counted = await scaling?.count(name);
    if (counted !== undefined && counted !== null) work.set(name, counted.work);
  }
  return work;
}
