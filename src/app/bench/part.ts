// One process of a benchmark, driven by messages of its parent: a bare loop, or the real thing. Every figure that is
// a ratio comes from two of these that do the same publishes, consumes and acks.
import { askCapability, createHost, loadRoles } from "../../agent/index.ts";
import { createLogger, createMeter, newId, newInstanceId, utf8Bytes } from "../../base/index.ts";
import {
  createBallots,
  createOffice,
  createOfficeServer,
  createPlacement,
  foundOffice,
} from "../../coordinator/index.ts";
import { createSubjects } from "../../protocol/index.ts";
import {
  askBare,
  connectNats,
  decideBare,
  performBare,
  publishBare,
  respondBare,
  voteBare,
} from "../../transport/index.ts";
import { createTaskClient, createWorker } from "../../work/index.ts";

/** What a part is told when it starts. */
export interface PartSetup {
  kind: "bare-agent" | "bare-publisher" | "bare-voter" | "bare-hub" | "agent" | "publisher" | "hub";
  servers: string;
  prefix: string;
  /** Where role folders are; for agents. */
  roleDirectories: readonly string[];
  /** How many agents of the echo role; for agents. */
  agents: number;
  inFlight: number;
}

/** What a part can be asked to do. */
export type PartOrder =
  | { op: "tasks"; count: number; inFlight: number }
  | { op: "ballots"; count: number; inFlight: number }
  | { op: "enqueue"; count: number; inFlight: number }
  | { op: "asks"; count: number; inFlight: number }
  | { op: "usage" };

/** Seconds of the whole run, median latency in ms, and what the process used. */
export interface PartAnswer {
  seconds: number;
  medianMs: number;
  residentBytes: number;
  cpuSeconds: number;
}

/** A body of 256 bytes as a whole task. */
const INPUT = "x".repeat(208);

/** The ballot that is measured. */
const BALLOT = { seats: 5, strategy: "majority" } as const;

type Run = (order: PartOrder) => Promise<{ latencies: Float64Array | null }>;

/** Runs `count` jobs, `inFlight` at a time; resolves to the latency of each in ms. */
async function runPipelined(
  count: number,
  inFlight: number,
  job: () => Promise<unknown>,
): Promise<Float64Array> {
  const latencies = new Float64Array(count);
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < count; index = next++) {
      const startedMs = performance.now();
      await job();
      latencies[index] = performance.now() - startedMs;
    }
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, lane));
  return latencies;
}

async function openMurmurPublisher(setup: PartSetup): Promise<Run> {
  const meter = createMeter();
  const log = createLogger({ name: "bench", level: "warn" });
  const transport = await connectNats({
    servers: setup.servers,
    prefix: setup.prefix,
    name: "bench publisher",
    log,
    meter,
  });
  const client = createTaskClient({ transport, meter, log });
  const link = { bus: transport.bus, subjects: createSubjects(setup.prefix) };
  return async (order) => {
    switch (order.op) {
      case "tasks":
        return {
          latencies: await runPipelined(order.count, order.inFlight, async () => {
            const { status } = await client.run({ capability: "echo", input: INPUT });
            if (status !== "completed") throw new Error(`a benchmark task ended as ${status}`);
          }),
        };
      case "ballots":
        return {
          latencies: await runPipelined(order.count, order.inFlight, async () => {
            const { status } = await client.run({ capability: "echo", input: INPUT, ballot: BALLOT });
            if (status !== "completed") throw new Error(`a ballot of the benchmark ended as ${status}`);
          }),
        };
      case "enqueue":
        return {
          latencies: await runPipelined(order.count, order.inFlight, () =>
            client.submit({ capability: "echo", input: INPUT }),
          ),
        };
      case "asks":
        return {
          latencies: await runPipelined(order.count, order.inFlight, () =>
            askCapability(link, "echo", INPUT),
          ),
        };
      case "usage":
        return { latencies: null };
    }
  };
}

async function openMurmurAgent(setup: PartSetup): Promise<Run> {
  const meter = createMeter();
  const log = createLogger({ name: "bench", level: "warn" });
  const transport = await connectNats({
    servers: setup.servers,
    prefix: setup.prefix,
    name: "bench agent",
    log,
    meter,
  });
  const [definition] = await loadRoles(setup.roleDirectories, ["echo"]);
  const hostId = newInstanceId("bench");
  const roles = [{ definition: definition!, count: setup.agents }];
  const host = createHost({ transport, meter, log, hostId, role: "echo", version: "bench", roles });
  const worker = createWorker({
    transport,
    meter,
    log,
    hostId,
    workforce: host.workforce,
    capabilities: host.capabilities,
  });
  await host.service.start();
  await worker.start();
  return async () => ({ latencies: null });
}

/** A coordinator that holds the office, with the registry of the agents and the ballots. */
async function openMurmurHub(setup: PartSetup): Promise<Run> {
  const meter = createMeter();
  const log = createLogger({ name: "bench", level: "warn" });
  const { servers, prefix } = setup;
  const transport = await connectNats({ servers, prefix, name: "bench hub", log, meter });
  await foundOffice(transport);
  const parts = { transport, meter, log, id: "hub", members: ["hub"], version: "bench", seed: 1 };
  const office = createOffice(parts);
  const placement = createPlacement({ ...parts, office });
  const tasks = createTaskClient(parts);
  const ballots = createBallots({ ...parts, office, placement, tasks });
  const answers = { ...placement.answers, ...ballots.answers };
  const server = createOfficeServer({ ...parts, office, answers });
  for (const service of [placement.service, ballots.service, office.service, server]) await service.start();
  return async () => ({ latencies: null });
}

async function openBarePublisher(setup: PartSetup): Promise<Run> {
  const { servers, prefix } = setup;
  return async (order) => {
    if (order.op === "usage" || order.op === "enqueue") return { latencies: null };
    const { count, inFlight } = order;
    if (order.op === "asks")
      return {
        latencies: await askBare({
          servers,
          prefix,
          capability: "echo",
          inFlight,
          count,
          body: jsonBytes(INPUT),
        }),
      };
    const body = jsonBytes({ capability: "echo", input: INPUT });
    return {
      latencies: await publishBare({
        servers,
        prefix,
        capability: "echo",
        inFlight,
        count,
        body,
        runId: newId(),
      }),
    };
  };
}

async function openBareAgent(setup: PartSetup): Promise<Run> {
  const loop = { servers: setup.servers, prefix: setup.prefix, capability: "echo", inFlight: setup.inFlight };
  const { signal } = new AbortController();
  await Promise.all([
    new Promise<void>((onReady) => void performBare({ ...loop, signal, onReady })),
    new Promise<void>((onReady) => void respondBare({ ...loop, signal, onReady })),
  ]);
  return async () => ({ latencies: null });
}

async function openBareVoter(setup: PartSetup): Promise<Run> {
  const loop = { servers: setup.servers, prefix: setup.prefix, capability: "echo", inFlight: setup.inFlight };
  await new Promise<void>(
    (onReady) => void voteBare({ ...loop, signal: new AbortController().signal, onReady }),
  );
  return async () => ({ latencies: null });
}

async function openBareHub(setup: PartSetup): Promise<Run> {
  const loop = { servers: setup.servers, prefix: setup.prefix, capability: "echo", inFlight: setup.inFlight };
  await new Promise<void>(
    (onReady) => void decideBare({ ...loop, signal: new AbortController().signal, onReady }),
  );
  return async () => ({ latencies: null });
}

function jsonBytes(value: unknown): Uint8Array {
  return utf8Bytes(JSON.stringify(value));
}

const OPENERS = {
  "bare-agent": openBareAgent,
  "bare-publisher": openBarePublisher,
  "bare-voter": openBareVoter,
  "bare-hub": openBareHub,
  hub: openMurmurHub,
  agent: openMurmurAgent,
  publisher: openMurmurPublisher,
};

/** Serves orders over the parent's channel until the parent goes away. */
async function serve(): Promise<void> {
  const setup = JSON.parse(process.argv[2] ?? "{}") as PartSetup;
  const run = await OPENERS[setup.kind](setup);
  process.on("disconnect", () => process.exit(0));
  process.on("message", (order: PartOrder) => {
    const startedMs = performance.now();
    run(order).then(
      ({ latencies }) => {
        const { user, system } = process.cpuUsage();
        const answer: PartAnswer = {
          seconds: (performance.now() - startedMs) / 1000,
          medianMs:
            latencies === null || latencies.length === 0 ? 0 : latencies.sort()[latencies.length >> 1]!,
          residentBytes: process.memoryUsage.rss(),
          cpuSeconds: (user + system) / 1e6,
        };
        process.send?.({ answer });
      },
      (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
    );
  });
  process.send?.({ ready: true });
}

if (import.meta.main) await serve();
