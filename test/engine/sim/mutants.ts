// Deliberate bugs of an engine, of its stores or of a host. Each bends the transport of the engines, so production code has no switch for them.
import { decode, encode, HEADERS, SwarmError } from "../../../src/protocol/index.ts";
import type { Delivery, Log, Stored, Transport } from "../../../src/transport/index.ts";
import { markScope } from "../../../src/work/stores/scopes.ts";
import type { SimulatedProcess } from "./process.ts";

/** The parts that a bug may use. */
export interface Bend {
  readonly transport: Transport;
  /** The transport without faults. */
  readonly raw: Transport;
  readonly process: SimulatedProcess;
}

/** A bug. `knownSeed` is the first seed that notices it; the short run of the tests starts there. */
export interface Mutant {
  readonly name: string;
  readonly knownSeed: number;
  bend(parts: Bend): Transport;
}

/** All bugs. To renew the known seeds: `npm run sim -- --mutants --world workflow`. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "acks before its effects",
    knownSeed: 18,
    bend: (parts) =>
      withLog(parts.transport, "tasks", (log) => ({
        append: async (subject, data, options) => {
          later(parts, () => parts.raw.log("tasks").append(subject, data, options));
          return { seq: 1, duplicate: false };
        },
        last: log.last,
      })),
  },
  {
    name: "has its effects before its entry is stored",
    knownSeed: 1,
    bend: (parts) =>
      withLog(parts.transport, "workflows", () => ({
        append: async (subject, data, options) => {
          const log = parts.raw.log("workflows");
          const { lastSeq } = await log.info();
          later(parts, () => log.append(subject, data, options));
          return { seq: lastSeq + 1, duplicate: false };
        },
      })),
  },
  {
    name: "takes commands as they are delivered",
    knownSeed: 4,
    bend: ({ transport }) => withLog(transport, "flow", () => ({ next: async () => null })),
  },
  {
    name: "believes a stale fold",
    knownSeed: 51,
    bend: ({ transport }) => {
      const seen = new Map<string, Stored | null>();
      return withLog(transport, "workflows", (log) => ({
        append: async (subject, data, options) => {
          const ack = await log.append(subject, data, options);
          seen.set(subject, { ...NOTHING, subject, seq: ack.seq });
          return ack;
        },
        last: async (subject, options) => {
          const known = seen.get(subject);
          if (options?.fresh === true && known !== undefined) return known;
          const last = await log.last(subject, options);
          seen.set(subject, last);
          return last;
        },
      }));
    },
  },
  {
    name: "takes an append without an answer as stored",
    knownSeed: 6,
    bend: ({ transport, raw }) =>
      withLog(transport, "workflows", (log) => ({
        append: async (subject, data, options) => {
          try {
            return await log.append(subject, data, options);
          } catch (error) {
            if (!(error instanceof SwarmError) || error.code !== "unavailable") throw error;
            return { seq: (await raw.log("workflows").info()).lastSeq, duplicate: false };
          }
        },
      })),
  },
  {
    name: "marks the scope when it cancels a step",
    knownSeed: 1,
    bend: ({ transport, raw }) => {
      const bus = {
        ...transport.bus,
        publish: (...args: Parameters<Transport["bus"]["publish"]>) => {
          const [subject] = args;
          const scope = /\.cancel\.([^.]+)\./.exec(subject)?.[1];
          if (scope !== undefined) void markScope(raw, scope, 0);
          transport.bus.publish(...args);
        },
      };
      return replaced(transport, { bus });
    },
  },
  {
    name: "leaves a cancelled step to its host without a mark",
    knownSeed: 179,
    bend: ({ transport }) =>
      replaced(transport, {
        bucket: (key) => {
          const bucket = transport.bucket(key);
          return key === "cancelled" ? { ...bucket, put: async () => 1 } : bucket;
        },
      }),
  },
  {
    name: "undoes only completed steps",
    knownSeed: 10,
    bend: ({ transport }) => {
      const queue: Transport["queue"] = (key) => {
        const inner = transport.queue(key);
        if (key !== "results") return inner;
        return {
          ...inner,
          consumer: async (spec) => {
            const consumer = await inner.consumer(spec);
            return {
              ...consumer,
              pull: (request, sink) =>
                consumer.pull(request, {
                  onDelivery: (came) => sink.onDelivery(asNeverStarted(came)),
                  onEnd: (end) => sink.onEnd(end),
                }),
            };
          },
        };
      };
      return replaced(transport, { queue });
    },
  },
];

/** The prefix of the simulated swarm. */
const PREFIX = "murmur";
/** How late, in ms. */
const LATE_MS = 1_000;
const NOTHING = { data: new Uint8Array(), storedAtMs: 0, header: () => undefined };

/** Does a thing that the process believes to be done; its death may prevent it. */
function later({ process }: Bend, effect: () => Promise<unknown>): void {
  process.clock.after(LATE_MS, () => void effect().catch(() => undefined));
}

function withLog(transport: Transport, key: string, bend: (log: Log) => Partial<Log>): Transport {
  const bent: Transport["log"] = (name) => {
    const log = transport.log(name);
    return name === key ? { ...log, ...bend(log) } : log;
  };
  return replaced(transport, { log: bent });
}

function replaced(transport: Transport, parts: Partial<Transport>): Transport {
  return new Proxy(transport, {
    get: (target, name) => {
      if (Object.hasOwn(parts, name)) return parts[name as keyof Transport];
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** The result of a failed step as that of a step that no agent began. */
function asNeverStarted(delivery: Delivery): Delivery {
  if (delivery.subject.startsWith(`${PREFIX}.result.workflow.`)) return delivery;
  const result = decode(delivery.data).value as { status?: string };
  if (result.status !== "failed") return delivery;
  const data = encode({ ...result, status: "cancelled" });
  const header = (name: string) => (name === HEADERS.neverStarted ? "1" : delivery.header(name));
  return {
    ...delivery,
    data,
    header,
    ack: () => delivery.ack(),
    nak: (delayMs) => delivery.nak(delayMs),
    working: () => delivery.working(),
  };
}
