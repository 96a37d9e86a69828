// `murmur bench`: measures the cost of Murmur as a ratio to a bare loop of the NATS client in the same run. The rounds of both
// alternate, so that a machine that becomes slower slows both down. The report gives the median of the rounds.
import { HEARTBEAT_INTERVAL_MS } from "../../agent/index.ts";
import { createLogger, createMeter, sleep } from "../../base/index.ts";
import { connectNats, refuseDifferences } from "../../transport/index.ts";
import { BenchProcess } from "./bench-child.ts";
import type { ProcessSetup } from "./bench-process.ts";
import { alternate, type Comparison } from "./comparison.ts";
import { MICROSECONDS } from "./cpu-times.ts";
import type { BenchFigure, BenchScenario } from "./figure.ts";
import { PairedFigures } from "./paired-figures.ts";
import type { BenchOptions, ScenarioTools } from "./scenario.ts";
import { measureSteps } from "./steps.ts";
import { measureWorkflows } from "./workflows.ts";

const IN_FLIGHT = 256;
/**
 * The heartbeats over which the CPU time of idle agents is measured, 35 s: they include the expiry of a pull. The figure of a heartbeat is the
 * median, because once after its start V8 cleans the heap of the idle process, which costs as much as several heartbeats.
 */
const IDLE_BEATS = 7;
const MIB = 1024 * 1024;

/** Runs the scenarios. @throws Error when a process of the benchmark fails or stalls: then there is no figure. */
export async function runBench(options: BenchOptions): Promise<BenchFigure[]> {
  const figures: BenchFigure[] = [];
  const parts: BenchProcess[] = [];
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  const life = { signal, onEnded: (error: Error) => failure.abort(error) };
  const open = async (kind: ProcessSetup["kind"], prefix: string, more: Partial<ProcessSetup> = {}) => {
    const { servers, roleDirectories } = options;
    const setup = { kind, servers, prefix, roleDirectories, agents: 1, inFlight: IN_FLIGHT, ...more };
    const part = await BenchProcess.open(setup, life);
    parts.push(part);
    return part;
  };
  const closeAll = () => Promise.all(parts.splice(0).map((part) => part.close()));
  try {
    for (const scenario of options.scenarios) {
      signal.throwIfAborted();
      const names = { murmur: `bench-${scenario}`, bare: `bare-${scenario}` };
      if (scenario !== "permissions") await initPrefixes(options.servers, Object.values(names));
      figures.push(...(await SCENARIOS[scenario]({ ...options, signal, names, open, closeAll })));
      await closeAll();
    }
    return figures;
  } finally {
    await closeAll();
  }
}

const SCENARIOS: Record<BenchScenario, (tools: ScenarioTools) => Promise<BenchFigure[]>> = {
  throughput: (tools) =>
    compare(tools, {
      order: { op: "tasks", count: tools.tasks, inFlight: IN_FLIGHT },
      figure: {
        scenario: "throughput",
        name: `durable tasks, ${IN_FLIGHT} in flight`,
        unit: "tasks/s",
        goal: "≥ 0.75 × bare",
      },
      read: ({ seconds }) => tools.tasks / seconds,
      met: (ratio) => ratio >= 0.75,
      cpu: {
        jobs: tools.tasks,
        job: "task",
        worker: { name: "worker", goal: "≤ 1.25 × bare", met: (ratio) => ratio <= 1.25 },
      },
    }),
  latency: (tools) => {
    const count = Math.max(200, Math.floor(tools.tasks / 10));
    return compare(tools, {
      order: { op: "tasks", count, inFlight: 1 },
      figure: {
        scenario: "latency",
        name: "durable tasks, one at a time, median",
        unit: "ms",
        goal: "≤ 1.3 × bare",
      },
      read: ({ medianMs }) => medianMs,
      met: (ratio) => ratio <= 1.3,
    });
  },
  ask: (tools) =>
    compare(tools, {
      order: { op: "asks", count: tools.tasks * 2, inFlight: IN_FLIGHT },
      figure: { scenario: "ask", name: `ask, ${IN_FLIGHT} in flight`, unit: "asks/s", goal: "≥ 0.7 × bare" },
      read: ({ seconds }) => (tools.tasks * 2) / seconds,
      met: (ratio) => ratio >= 0.7,
      cpu: { jobs: tools.tasks * 2, job: "ask", worker: { name: "worker" } },
    }),
  ballot: measureBallots,
  steps: measureSteps,
  idle: measureIdle,
  queue: measureQueue,
  permissions: measurePermissions,
  workflows: measureWorkflows,
};

/** Measures durable tasks on a server with permissions against a server without, in alternate rounds: the bare side is Murmur too. */
async function measurePermissions(tools: ScenarioTools): Promise<BenchFigure[]> {
  const { guarded, open, tasks } = tools;
  if (guarded === undefined) throw new Error("the scenario permissions needs a server with permissions");
  const { servers, prefix } = guarded;
  const [openAgent, openPublisher, agent, publisher] = await Promise.all([
    open("agent", prefix),
    open("publisher", prefix),
    open("agent", prefix, { servers, user: guarded.agent }),
    open("publisher", prefix, { servers, user: guarded.publisher }),
  ]);
  const what: Comparison = {
    order: { op: "tasks", count: tasks, inFlight: IN_FLIGHT },
    figure: {
      scenario: "permissions",
      name: `durable tasks with permissions, ${IN_FLIGHT} in flight (bare: without)`,
      unit: "tasks/s",
      goal: "≥ 0.97 × without",
    },
    read: ({ seconds }) => tasks / seconds,
    met: (ratio) => ratio >= 0.97,
    cpu: { jobs: tasks, job: "task", worker: { name: "worker" } },
  };
  return alternate(tools, what, {
    bare: { publisher: openPublisher, serving: [openAgent], serverPid: tools.serverPid },
    murmur: { publisher, serving: [agent], serverPid: guarded.serverPid },
  });
}

/** The seats of each ballot of the benchmark, and the number of agents. */
const BALLOT_AGENTS = 5;
/** The number of ballots in flight. */
const BALLOTS_IN_FLIGHT = 64;

/** Measures ballots of five seats, with agents that answer at once, in three processes: publisher, host, coordinator. */
async function measureBallots(tools: ScenarioTools): Promise<BenchFigure[]> {
  const { names, open } = tools;
  const [bareHub, hub] = await Promise.all([open("bare-hub", names.bare), open("hub", names.murmur)]);
  const [bareVoter, host] = await Promise.all([
    open("bare-voter", names.bare),
    open("agent", names.murmur, { agents: BALLOT_AGENTS }),
  ]);
  const served = { bare: [bareHub, bareVoter], murmur: [hub, host] };
  // Enough ballots to warm up the compiler in the first, uncounted round: a ballot runs far more code than a task.
  const count = Math.max(500, Math.floor(tools.tasks / 4));
  const throughput = await compareParts(tools, served, {
    order: { op: "ballots", count, inFlight: BALLOTS_IN_FLIGHT },
    figure: {
      scenario: "ballot",
      name: `ballots of 5 seats, ${BALLOTS_IN_FLIGHT} in flight`,
      unit: "ballots/s",
      goal: "≥ 0.55 × bare",
    },
    read: ({ seconds }) => count / seconds,
    met: (ratio) => ratio >= 0.55,
    cpu: { jobs: count, job: "ballot", worker: { name: "agents and coordinator" } },
  });
  const latency = await compareParts(tools, served, {
    order: { op: "ballots", count: Math.floor(count / 25), inFlight: 1 },
    figure: {
      scenario: "ballot",
      name: "ballots of 5 seats, one at a time, median",
      unit: "ms",
      goal: "≤ 10 ms",
    },
    read: ({ medianMs }) => medianMs,
    met: (_ratio, medianMs) => medianMs <= 10,
  });
  return [...throughput, ...latency];
}

/** The processes that serve the publishers of a comparison. */
interface ServingProcesses {
  bare: BenchProcess[];
  murmur: BenchProcess[];
}

async function compare(tools: ScenarioTools, what: Comparison): Promise<BenchFigure[]> {
  const { names, open } = tools;
  const [bare, murmur] = await Promise.all([open("bare-agent", names.bare), open("agent", names.murmur)]);
  return compareParts(tools, { bare: [bare], murmur: [murmur] }, what);
}

/** Compares the two publishers. The processes that serve them run already. */
async function compareParts(
  tools: ScenarioTools,
  served: ServingProcesses,
  what: Comparison,
): Promise<BenchFigure[]> {
  const { names, open, serverPid } = tools;
  const [bare, murmur] = await Promise.all([
    open("bare-publisher", names.bare),
    open("publisher", names.murmur),
  ]);
  return alternate(tools, what, {
    bare: { publisher: bare, serving: served.bare, serverPid },
    murmur: { publisher: murmur, serving: served.murmur, serverPid },
  });
}

async function measureIdle(tools: ScenarioTools): Promise<BenchFigure[]> {
  const { idleAgents, names, open, onProgress, signal } = tools;
  onProgress(`idle agents: starting ${idleAgents} in one process`);
  const murmur = await open("agent", names.murmur, { agents: idleAgents });
  // Reads one heartbeat of the host, then encodes and publishes the same values at the same interval.
  const bare = await open("bare-beat", names.murmur);
  const usage = () => Promise.all([murmur.ask({ op: "usage" }), bare.ask({ op: "usage" })]);
  const seconds = (IDLE_BEATS * HEARTBEAT_INTERVAL_MS) / 1000;
  onProgress(`idle agents: measuring ${seconds} s`);
  const first = await usage();
  const beat = new PairedFigures();
  let before = first;
  for (let beats = 1; beats <= IDLE_BEATS; beats++) {
    await sleep(HEARTBEAT_INTERVAL_MS, { signal });
    const after = await usage();
    const [ours, theirs] = after.map(({ cpuSeconds }, side) => cpuSeconds - before[side]!.cpuSeconds);
    beat.add((ours! / idleAgents) * MICROSECONDS, (theirs! / idleAgents) * MICROSECONDS);
    before = after;
  }
  const [host] = before;
  const resident = host.residentBytes / MIB;
  const share = ((host.cpuSeconds - first[0].cpuSeconds) / seconds) * 100;
  const alone = { scenario: "idle" as const, bare: null, ratio: null };
  return [
    {
      ...alone,
      name: `${idleAgents} idle agents, resident`,
      unit: "MiB",
      murmur: resident,
      goal: "≤ 500 MB",
      met: host.residentBytes <= 500e6,
      rounds: [resident],
    },
    {
      ...alone,
      name: `${idleAgents} idle agents, of one core`,
      unit: "%",
      murmur: share,
      goal: "< 10 %",
      met: share < 10,
      rounds: [share],
    },
    beat.figure(
      {
        scenario: "idle",
        name: "CPU time per heartbeat and agent",
        unit: "µs",
        goal: "≤ 3 × bare encode and publish",
      },
      (ratio) => ratio <= 3,
    ),
  ];
}

/** The growth in MiB that still counts as flat over a million tasks: garbage that is not collected yet. */
const FLAT_MIB = 64;
/** How often the queue is looked at while it shrinks, in ms. */
const QUEUE_LOOK_MS = 2_000;
/** The most looks one after the other that find the queue as long as before: 60 s, as long as a redelivery takes at most. */
const MAX_EQUAL_LOOKS = 30;

async function measureQueue(tools: ScenarioTools): Promise<BenchFigure[]> {
  const { queued, names, open, onProgress, signal } = tools;
  // The first agent makes the capability known; after its end no agent takes tasks.
  const first = await open("agent", names.murmur);
  const publisher = await open("publisher", names.murmur);
  await publisher.ask({ op: "tasks", count: 1_000, inFlight: IN_FLIGHT });
  await first.close();
  const slice = Math.max(1, Math.floor(queued / 20));
  const publisherSizes: number[] = [];
  for (let done = 0; done < queued; done += slice) {
    onProgress(`queue: ${done} of ${queued} submitted`);
    const { residentBytes } = await publisher.ask({ op: "enqueue", count: slice, inFlight: 512 });
    publisherSizes.push(residentBytes / MIB);
  }
  const agent = await open("agent", names.murmur);
  const agentSizes: number[] = [];
  const log = createLogger({ name: "bench", level: "warn" });
  const transport = await connectNats({
    servers: tools.servers,
    prefix: names.murmur,
    name: "bench",
    log,
    meter: createMeter(),
  });
  try {
    let left = Number.POSITIVE_INFINITY;
    let equalLooks = 0;
    for (;;) {
      const { messages } = await transport.log("tasks").info();
      const { residentBytes } = await agent.ask({ op: "usage" });
      agentSizes.push(residentBytes / MIB);
      onProgress(`queue: ${messages} left`);
      if (messages === 0) break;
      equalLooks = messages < left ? 0 : equalLooks + 1;
      if (equalLooks === MAX_EQUAL_LOOKS) {
        const seconds = (MAX_EQUAL_LOOKS * QUEUE_LOOK_MS) / 1000;
        throw new Error(
          `the queue has ${messages} tasks, and the agent ended none for ${seconds} s; run the benchmark again`,
        );
      }
      left = messages;
      await sleep(QUEUE_LOOK_MS, { signal });
    }
  } finally {
    await transport.close();
  }
  return [growth("publisher", publisherSizes, queued), growth("agent", agentSizes, queued)];
}

/** The growth from the largest size of the first quarter (warm-up) to the largest size of the rest. */
function growth(who: string, sizes: number[], queued: number): BenchFigure {
  const warm = Math.max(1, Math.floor(sizes.length / 4));
  const grown = Math.max(...sizes.slice(warm), 0) - Math.max(...sizes.slice(0, warm));
  return {
    scenario: "queue",
    name: `${queued} queued tasks, growth of the ${who}`,
    unit: "MiB",
    murmur: grown,
    bare: null,
    ratio: null,
    goal: `≤ ${FLAT_MIB} MiB`,
    met: grown <= FLAT_MIB,
    rounds: sizes,
  };
}

async function initPrefixes(servers: string, prefixes: string[]): Promise<void> {
  for (const prefix of prefixes) {
    const log = createLogger({ name: "bench", level: "warn" });
    const limits = { taskBytes: 2 * 1024 ** 3 };
    const transport = await connectNats({
      servers,
      prefix,
      name: "bench",
      log,
      meter: createMeter(),
      limits,
    });
    await transport
      .init()
      .then(refuseDifferences)
      .finally(() => transport.close());
  }
}
