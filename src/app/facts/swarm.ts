// The facts that an api process keeps about its swarm, and the gauges that it shows from them.
import type { Meter } from "../../base/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { DeadLetters } from "../../work/index.ts";
import type { GroupWorkCounter } from "../office/group-work.ts";
import { KeptFact } from "./kept.ts";
import { readQueues, showQueues } from "./queues.ts";
import { readStreams, showStreams } from "./streams.ts";

/** The kept facts of one swarm. */
export interface SwarmFacts {
  readonly queues: KeptFact<Awaited<ReturnType<typeof readQueues>>>;
  readonly streams: KeptFact<Awaited<ReturnType<typeof readStreams>>>;
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
      show: (streams) => showStreams(meter, streams, nowMs()),
    }),
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
