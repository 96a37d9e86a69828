// `murmur bench`: what Murmur costs, as ratios against a bare loop of the NATS client in the same run. Rounds of both
// alternate, so that a machine that gets slower meanwhile slows both; the median round is told.
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { createLogger, createMeter } from "../../base/index.ts";
import { connectNats } from "../../transport/index.ts";
import type { PartAnswer, PartOrder, PartSetup } from "./part.ts";

/** What can be measured, in the order in which it is. */
export const BENCH_SCENARIOS = ["throughput", "latency", "ask", "ballot", "idle", "queue"] as const;
/** One measurement. */
export type BenchScenario = (typeof BENCH_SCENARIOS)[number];

/** One line of the report. */
export interface BenchFigure {
  scenario: BenchScenario;
  name: string;
  unit: string;
  murmur: number;
  /** The same of the bare loop; null where there is no bare counterpart. */
  bare: number | null;
  /** Murmur over bare: median of the rounds' ratios. */
  ratio: number | null;
  /** What the figure is held to. */
  goal: string;
  met: boolean;
  /** Every round's figure (of Murmur), for those who distrust medians. */
  rounds: number[];
}

/** What a benchmark runs with. */
export interface BenchOptions {
  scenarios: readonly BenchScenario[];
  rounds: number;
  /** Tasks of one throughput round. */
  tasks: number;
  /** Tasks of the queue scenario. */
  queued: number;
  idleAgents: number;
  /** A server with JetStream whose streams may be filled. */
  servers: string;
  roleDirectories: readonly string[];
  onProgress(text: string): void;
  signal: AbortSignal;
}

const IN_FLIGHT = 256;
/** Seconds over which the CPU of idle agents is measured: two heartbeats and a pull's expiry are in it. */
const IDLE_SECONDS = 35;
const MIB = 1024 * 1024;

class Part {
  readonly #child: ChildProcess;
  #waiting: { resolve(answer: PartAnswer): void; reject(error: Error): void } | undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (message: { answer?: PartAnswer; error?: string }) => {
      if (message.answer !== undefined) this.#waiting?.resolve(message.answer);
      if (message.error !== undefined) this.#waiting?.reject(new Error(message.error));
    });
    child.on("exit", (code, signal) =>
      this.#waiting?.reject(new Error(`a process of the benchmark ended (${signal ?? code})`)),
    );
  }

  static open(setup: PartSetup): Promise<Part> {
    const child = fork(join(import.meta.dirname, "part.ts"), [JSON.stringify(setup)], {
      env: { ...process.env, MURMUR_ECHO_SLOTS: String(setup.inFlight) },
    });
    const part = new Part(child);
    return new Promise((resolve, reject) => {
      child.once("message", () => resolve(part));
      child.once("exit", (code) =>
        reject(new Error(`a process of the benchmark did not start (exit ${code})`)),
      );
    });
  }

  ask(order: PartOrder): Promise<PartAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#child.send(order);
    });
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await gone;
  }
}

/** Runs the scenarios. @throws when a process of the benchmark fails: a figure is never made up. */
export async function runBench(options: BenchOptions): Promise<BenchFigure[]> {
  const figures: BenchFigure[] = [];
  const parts: Part[] = [];
  const open = async (kind: PartSetup["kind"], prefix: string, more: Partial<PartSetup> = {}) => {
    const { servers, roleDirectories } = options;
    const part = await Part.open({
      kind,
      servers,
      prefix,
      roleDirectories,
      agents: 1,
      inFlight: IN_FLIGHT,
      ...more,
    });
    parts.push(part);
    return part;
  };
  const closeAll = () => Promise.all(parts.splice(0).map((part) => part.close()));
  try {
    for (const scenario of options.scenarios) {
      options.signal.throwIfAborted();
      const names = { murmur: `bench-${scenario}`, bare: `bare-${scenario}` };
      await initPrefixes(options.servers, Object.values(names));
      figures.push(...(await SCENARIOS[scenario]({ ...options, names, open, closeAll })));
      await closeAll();
    }
    return figures;
  } finally {
    await closeAll();
  }
}

interface ScenarioTools extends BenchOptions {
  names: { murmur: string; bare: string };
  open(kind: PartSetup["kind"], prefix: string, more?: Partial<PartSetup>): Promise<Part>;
  closeAll(): Promise<unknown>;
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
    }),
  ballot: measureBallots,
  idle: measureIdle,
  queue: measureQueue,
};

/** Seats of a ballot of the benchmark: as many agents as there are in the host. */
const BALLOT_AGENTS = 5;
/** Ballots on their way at the same time. */
const BALLOTS_IN_FLIGHT = 64;

/** Ballots of five seats with instant agents, in three processes: publisher, host, coordinator. */
async function measureBallots(tools: ScenarioTools): Promise<BenchFigure[]> {
  const { names, open } = tools;
  await Promise.all([open("bare-hub", names.bare), open("hub", names.murmur)]);
  await Promise.all([open("bare-voter", names.bare), open("agent", names.murmur, { agents: BALLOT_AGENTS })]);
  // Enough that the first, uncounted round warms the compiler up: a ballot is far more code than a task.
  const count = Math.max(500, Math.floor(tools.tasks / 4));
  const throughput = await compareParts(tools, {
    order: { op: "ballots", count, inFlight: BALLOTS_IN_FLIGHT },
    figure: {
      scenario: "ballot",
      name: `ballots of 5 seats, ${BALLOTS_IN_FLIGHT} in flight`,
      unit: "ballots/s",
      goal: "≥ 0.42 × bare",
    },
    read: ({ seconds }) => count / seconds,
    met: (ratio) => ratio >= 0.42,
  });
  const latency = await compareParts(tools, {
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

interface Comparison {
  order: PartOrder;
  figure: Pick<BenchFigure, "scenario" | "name" | "unit" | "goal">;
  read(answer: PartAnswer): number;
  /** Of the ratio to the bare loop and of the own figure. */
  met(ratio: number, figure: number): boolean;
}

async function compare(tools: ScenarioTools, what: Comparison): Promise<BenchFigure[]> {
  const { names, open } = tools;
  await Promise.all([open("bare-agent", names.bare), open("agent", names.murmur)]);
  return compareParts(tools, what);
}

/** Compares publishers, over whatever serves them. */
async function compareParts(tools: ScenarioTools, what: Comparison): Promise<BenchFigure[]> {
  const { names, open, rounds } = tools;
  const [bare, murmur] = await Promise.all([
    open("bare-publisher", names.bare),
    open("publisher", names.murmur),
  ]);
  const ours: number[] = [];
  const theirs: number[] = [];
  // Round 0 warms both up and is not counted.
  for (let round = 0; round <= rounds; round++) {
    tools.onProgress(`${what.figure.name}: round ${round} of ${rounds}`);
    const bareFigure = what.read(await bare.ask(what.order));
    const murmurFigure = what.read(await murmur.ask(what.order));
    if (round === 0) continue;
    theirs.push(bareFigure);
    ours.push(murmurFigure);
  }
  const ratio = median(ours.map((figure, index) => figure / theirs[index]!));
  return [
    {
      ...what.figure,
      murmur: median(ours),
      bare: median(theirs),
      ratio,
      met: what.met(ratio, median(ours)),
      rounds: ours,
    },
  ];
}

async function measureIdle(tools: ScenarioTools): Promise<BenchFigure[]> {
  const { idleAgents, names, open, onProgress } = tools;
  onProgress(`idle agents: starting ${idleAgents} in one process`);
  const host = await open("agent", names.murmur, { agents: idleAgents });
  const before = await host.ask({ op: "usage" });
  onProgress(`idle agents: measuring ${IDLE_SECONDS} s`);
  await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000));
  const after = await host.ask({ op: "usage" });
  const resident = after.residentBytes / MIB;
  const share = ((after.cpuSeconds - before.cpuSeconds) / IDLE_SECONDS) * 100;
  const alone = { scenario: "idle" as const, bare: null, ratio: null };
  return [
    {
      ...alone,
      name: `${idleAgents} idle agents, resident`,
      unit: "MiB",
      murmur: resident,
      goal: "≤ 500 MB",
      met: after.residentBytes <= 500e6,
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
  ];
}

/** How much a process may grow over a million tasks and still be flat: garbage waiting for its collector. */
const FLAT_MIB = 64;

async function measureQueue(tools: ScenarioTools): Promise<BenchFigure[]> {
  const { queued, names, open, onProgress } = tools;
  // The capability becomes known, then nobody takes from it.
  const first = await open("agent", names.murmur);
  const publisher = await open("publisher", names.murmur);
  await publisher.ask({ op: "tasks", count: 1_000, inFlight: IN_FLIGHT });
  await first.close();
  const slice = Math.max(1, Math.floor(queued / 20));
  const publisherSizes: number[] = [];
  for (let done = 0; done < queued; done += slice) {
    onProgress(`queue: ${done} of ${queued} handed in`);
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
    for (;;) {
      const { messages } = await transport.log("tasks").info();
      const { residentBytes } = await agent.ask({ op: "usage" });
      agentSizes.push(residentBytes / MIB);
      onProgress(`queue: ${messages} left`);
      if (messages === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 2_000));
    }
  } finally {
    await transport.close();
  }
  return [growth("publisher", publisherSizes, queued), growth("agent", agentSizes, queued)];
}

/** Growth from the warm first quarter's largest size to the rest's largest. */
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
    await transport.init().finally(() => transport.close());
  }
}

function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
