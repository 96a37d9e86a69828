// One process of a benchmark: a bare loop or a part of Murmur, driven by messages of its parent. Each ratio compares two such
// processes that do the same publishes, consumes and acks.
import {
  type AgentDefinition,
  askCapability,
  createHost,
  defineAgent,
  HEARTBEAT_INTERVAL_MS,
  loadRoles,
} from "../../agent/index.ts";
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
  beatBare,
  connectNats,
  decideBare,
  engineBare,
  performBare,
  publishBare,
  respondBare,
  stepBare,
  voteBare,
} from "../../transport/index.ts";
import { createHostDoor, createTaskClient, createWorker } from "../../work/index.ts";
import { STEPS_PER_RUN, STEPS_PER_TASK } from "./figure.ts";
import { createRunner, startEngine } from "./workflow-processes.ts";

/** The settings that a process of the benchmark gets at its start. */
export interface ProcessSetup {
  kind:
    | "bare-agent"
    | "bare-publisher"
    | "bare-voter"
    | "bare-hub"
    | "bare-beat"
    | "bare-stepper"
    | "bare-engine"
    | "agent"
    | "stepper"
    | "engine"
    | "publisher"
    | "hub";
  servers: string;
  prefix: string;
  /** The directories of role folders; for agents. */
  roleDirectories: readonly string[];
  /** The number of agents of the role echo; for agents. */
  agents: number;
  inFlight: number;
  /** The NATS user of a process of Murmur on a server with permissions; for agents with their class. */
  user?: { name: string; nkeyFile: string; inboxPrefix: string; agentClass?: string | undefined } | undefined;
}

/** The settings of the connection that come from the user. */
const connectionOf = ({ user }: ProcessSetup) =>
  user === undefined ? {} : { credentials: { nkeyFile: user.nkeyFile }, inboxPrefix: user.inboxPrefix };

/** An order of the parent. */
export type ProcessOrder =
  | { op: "tasks"; count: number; inFlight: number }
  | { op: "ballots"; count: number; inFlight: number }
  | { op: "enqueue"; count: number; inFlight: number }
  | { op: "asks"; count: number; inFlight: number }
  | { op: "steps"; count: number; inFlight: number }
  | { op: "workflows"; count: number; inFlight: number }
  | { op: "usage" };

/**
 * The answer to an order: seconds of the whole run, median latency in ms, and the resources that the process used. A stepper answers
 * `usage` with the median latency of the steps since the order before.
 */
export interface ProcessAnswer {
  seconds: number;
  medianMs: number;
  residentBytes: number;
  cpuSeconds: number;
}

/** A message of the process: it is ready, the jobs of an order that have ended so far, or the end of an order. */
export type ProcessMessage =
  | { ready: true }
  | { jobs: number }
  | { answer: ProcessAnswer }
  | { error: string };

/** How often a process tells the jobs that have ended, in ms: well below the limit of a job (bench-child.ts). */
const JOBS_TOLD_EVERY_MS = 1_000;
/** The jobs of the present order that have ended. */
let endedJobs = 0;
const onJob = () => {
  endedJobs++;
};

/** The input that makes the whole body of a task 256 bytes long. */
const INPUT = "x".repeat(208);

/** The ballot to measure. */
const BALLOT = { seats: 5, strategy: "majority" } as const;

type OrderRunner = (order: ProcessOrder) => Promise<{ latencies: Float64Array | null }>;

/** Runs `count` jobs, `inFlight` at a time; resolves to the latency of each in ms. */
async function runPipelined(
  count: number,
  inFlight: number,
  job: () => Promise<unknown>,
): Promise<Float64Array> {
  const latencies = new Float64Array(count);
  let next = 0;
  const work = async () => {
    for (let index = next++; index < count; index = next++) {
      const startedMs = performance.now();
      await job();
      latencies[index] = performance.now() - startedMs;
      onJob();
    }
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, work));
  return latencies;
}

async function openMurmurPublisher(setup: ProcessSetup): Promise<OrderRunner> {
  const meter = createMeter();
  const log = createLogger({ name: "bench", level: "warn" });
  const transport = await connectNats({
    ...connectionOf(setup),
    servers: setup.servers,
    prefix: setup.prefix,
    name: "bench publisher",
    log,
    meter,
  });
  const client = createTaskClient({ transport, meter, log });
  const link = { bus: transport.bus, subjects: createSubjects(setup.prefix) };
  const runWorkflow = createRunner(transport, client, INPUT);
  return async (order) => {
    switch (order.op) {
      case "tasks":
        return {
          latencies: await runPipelined(order.count, order.inFlight, async () => {
            const { status } = await client.run({ capability: "echo", input: INPUT });
            if (status !== "completed") throw new Error(`expected a completed task, got ${status}`);
          }),
        };
      case "ballots":
        return {
          latencies: await runPipelined(order.count, order.inFlight, async () => {
            const { status } = await client.run({ capability: "echo", input: INPUT, ballot: BALLOT });
            if (status !== "completed") throw new Error(`expected a completed ballot, got ${status}`);
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
      case "steps":
        return {
          latencies: await runPipelined(order.count, order.inFlight, async () => {
            const { status } = await client.run({ capability: "steps", input: STEPS_PER_TASK });
            if (status !== "completed") throw new Error(`expected a completed task, got ${status}`);
          }),
        };
      case "workflows":
        return { latencies: await runPipelined(order.count, order.inFlight, runWorkflow) };
      case "usage":
        return { latencies: null };
    }
  };
}

async function openMurmurEngine({ servers, prefix }: ProcessSetup): Promise<OrderRunner> {
  const log = createLogger({ name: "bench", level: "warn" });
  const name = "bench engine";
  await startEngine(await connectNats({ servers, prefix, name, log, meter: createMeter() }));
  return async () => ({ latencies: null });
}

async function openMurmurAgent(setup: ProcessSetup): Promise<OrderRunner> {
  const [definition] = await loadRoles(setup.roleDirectories, ["echo"]);
  await startAgents(setup, definition!);
  return async () => ({ latencies: null });
}

/** Starts an agent whose tasks consist of recorded steps, and that measures each of them. */
async function openMurmurStepper(setup: ProcessSetup): Promise<OrderRunner> {
  let latencies: number[] = [];
  const stepper = defineAgent({
    name: "stepper",
    capabilities: ["steps"],
    slots: setup.inFlight,
    run: async ({ input }, ctx) => {
      for (let step = 0; step < Number(input); step++) {
        const startedMs = performance.now();
        await ctx.step("step", { key: step }, () => step);
        latencies.push(performance.now() - startedMs);
      }
    },
  });
  await startAgents(setup, stepper);
  return async () => {
    const taken = Float64Array.from(latencies);
    latencies = [];
    return { latencies: taken };
  };
}

async function startAgents(setup: ProcessSetup, definition: AgentDefinition): Promise<void> {
  const meter = createMeter();
  const log = createLogger({ name: "bench", level: "warn" });
  const transport = await connectNats({
    ...connectionOf(setup),
    servers: setup.servers,
    prefix: setup.prefix,
    name: "bench agent",
    log,
    meter,
  });
  const hostId = newInstanceId("bench");
  const roles = [{ definition, count: setup.agents }];
  const agentClass = setup.user?.agentClass;
  const host = createHost({
    transport,
    meter,
    log,
    hostId,
    agentClass,
    role: definition.name,
    version: "bench",
    roles,
  });
  const worker = createWorker({
    transport,
    meter,
    log,
    hostId,
    agentClass,
    workforce: host.workforce,
    capabilities: host.capabilities,
    createsConsumers: setup.user === undefined,
    // NATS lets the user of a class touch its own subjects only.
    door: setup.user === undefined ? undefined : createHostDoor({ transport, user: setup.user.name }),
  });
  await host.service.start();
  await worker.start();
}

/** Starts a coordinator in office, with the registry of agents and the ballots. */
async function openMurmurHub(setup: ProcessSetup): Promise<OrderRunner> {
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

async function openBarePublisher(setup: ProcessSetup): Promise<OrderRunner> {
  const { servers, prefix } = setup;
  return async (order) => {
    if (!("count" in order) || order.op === "enqueue" || order.op === "steps") return { latencies: null };
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
          onJob,
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
        onJob,
        isWorkflow: order.op === "workflows",
      }),
    };
  };
}

async function openBareAgent(setup: ProcessSetup): Promise<OrderRunner> {
  const loop = { servers: setup.servers, prefix: setup.prefix, capability: "echo", inFlight: setup.inFlight };
  const { signal } = new AbortController();
  await Promise.all([
    new Promise<void>((onReady) => void performBare({ ...loop, signal, onReady })),
    new Promise<void>((onReady) => void respondBare({ ...loop, signal, onReady })),
  ]);
  return async () => ({ latencies: null });
}

async function openBareVoter(setup: ProcessSetup): Promise<OrderRunner> {
  const loop = { servers: setup.servers, prefix: setup.prefix, capability: "echo", inFlight: setup.inFlight };
  await new Promise<void>(
    (onReady) => void voteBare({ ...loop, signal: new AbortController().signal, onReady }),
  );
  return async () => ({ latencies: null });
}

async function openBareEngine(setup: ProcessSetup): Promise<OrderRunner> {
  const loop = { servers: setup.servers, prefix: setup.prefix, capability: "echo", inFlight: setup.inFlight };
  const { signal } = new AbortController();
  await new Promise<void>((onReady) => void engineBare({ ...loop, steps: STEPS_PER_RUN, signal, onReady }));
  return async () => ({ latencies: null });
}

async function openBareHub(setup: ProcessSetup): Promise<OrderRunner> {
  const loop = { servers: setup.servers, prefix: setup.prefix, capability: "echo", inFlight: setup.inFlight };
  await new Promise<void>(
    (onReady) => void decideBare({ ...loop, signal: new AbortController().signal, onReady }),
  );
  return async () => ({ latencies: null });
}

/** The record of one step, as the stepper of Murmur writes it. */
const STEP_RECORD = {
  type: "steps",
  attempt: 1,
  agent: "stepper-01J9Z3V8K4M5N6P7Q8R9S0T1U2",
  at: "2026-01-31T12:00:00.000Z",
  run: "01J9Z3V8K4M5N6P7Q8R9S0T1U2",
  batch: 50,
  steps: [{ step: "step:50", state: "done", at: "2026-01-31T12:00:00.000Z", ms: 0, bytes: 2, output: 50 }],
};

async function openBareStepper({ servers, prefix }: ProcessSetup): Promise<OrderRunner> {
  const body = jsonBytes(STEP_RECORD);
  return async (order) => {
    if (order.op !== "steps") return { latencies: null };
    const { count, inFlight } = order;
    const loop = { servers, prefix, capability: "steps", inFlight, count, steps: STEPS_PER_TASK };
    return { latencies: await stepBare({ ...loop, body, runId: newId(), onJob }) };
  };
}

async function openBareBeat({ servers, prefix }: ProcessSetup): Promise<OrderRunner> {
  await beatBare({ servers, prefix, intervalMs: HEARTBEAT_INTERVAL_MS });
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
  "bare-beat": openBareBeat,
  "bare-stepper": openBareStepper,
  "bare-engine": openBareEngine,
  hub: openMurmurHub,
  agent: openMurmurAgent,
  stepper: openMurmurStepper,
  engine: openMurmurEngine,
  publisher: openMurmurPublisher,
};

/** The orders whose answer has a median. */
const MEASURED_OPS: ReadonlySet<ProcessOrder["op"]> = new Set([
  "tasks",
  "ballots",
  "asks",
  "steps",
  "workflows",
]);

/** Performs the orders of the parent until the parent closes the channel. */
async function serve(): Promise<void> {
  const setup = JSON.parse(process.argv[2] ?? "{}") as ProcessSetup;
  const run = await OPENERS[setup.kind](setup);
  process.on("disconnect", () => process.exit(0));
  const tell = (message: ProcessMessage) => process.send?.(message);
  process.on("message", (order: ProcessOrder) => {
    const startedMs = performance.now();
    endedJobs = 0;
    const telling = setInterval(() => tell({ jobs: endedJobs }), JOBS_TOLD_EVERY_MS);
    run(order)
      .then(({ latencies }) => {
        // Without this check a process that does not know an order would count as endlessly fast.
        if (latencies === null && MEASURED_OPS.has(order.op))
          throw new Error(`the process ${setup.kind} of the benchmark does not measure ${order.op}`);
        const { user, system } = process.cpuUsage();
        const answer: ProcessAnswer = {
          seconds: (performance.now() - startedMs) / 1000,
          medianMs:
            latencies === null || latencies.length === 0 ? 0 : latencies.sort()[latencies.length >> 1]!,
          residentBytes: process.memoryUsage.rss(),
          cpuSeconds: (user + system) / 1e6,
        };
        tell({ answer });
      })
      .catch((error: unknown) => tell({ error: error instanceof Error ? error.message : String(error) }))
      .finally(() => clearInterval(telling));
  });
  tell({ ready: true });
}

if (import.meta.main) await serve();
