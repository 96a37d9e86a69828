// The cost of being observed: the throughput of agents that are scraped and send one trace of a hundred, beside agents that are
// not, in one run and in turns, with the CPU time of a task beside it.
import { createMeter } from "../../../src/base/index.ts";
import { createTaskClient } from "../../../src/work/index.ts";
import { startOtlpReceiver } from "../../../test/support/otlp.ts";
import { type Figure, makeFigure } from "../office/figures.ts";
import { tellProgress } from "../office/flags.ts";
import { cpuSeconds, ObservedSwarm } from "./world.ts";

const RATIO_GOAL = 0.97;
/** As often as the chart's PodMonitor lets Prometheus scrape. */
const SCRAPE_MS = 15_000;
/** Tasks in flight: the slots of each agent. */
const IN_FLIGHT = 64;
const SIDES = ["off", "on"] as const;
type Side = (typeof SIDES)[number];

/** Runs `rounds` rounds of `tasks` tasks on each side. */
export async function measureOverhead({
  rounds,
  tasks,
}: {
  rounds: number;
  tasks: number;
}): Promise<Figure[]> {
  const receiver = await startOtlpReceiver();
  // Each side has a swarm of its own, because both agents must have the same role.
  const swarms = { off: await ObservedSwarm.start([]), on: await ObservedSwarm.start([]) };
  let scraping: NodeJS.Timeout | undefined;
  try {
    const slots = { MURMUR_ECHO_SLOTS: String(IN_FLIGHT) };
    await swarms.off.add("agent", ["agent", "run", "echo"], slots);
    await swarms.on.add("agent", ["agent", "run", "echo"], {
      ...slots,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.01",
    });
    for (const side of SIDES) await runTasks(swarms[side], tasks); // both warm
    scraping = setInterval(() => void swarms.on.scrape("agent").catch(() => ""), SCRAPE_MS);
    const rates: Record<Side, number[]> = { off: [], on: [] };
    const costs: Record<Side, number[]> = { off: [], on: [] };
    for (let round = 0; round < rounds; round++) {
      for (const side of round % 2 === 0 ? SIDES : SIDES.toReversed()) {
        const before = cpuSeconds(swarms[side].process("agent").pid);
        const seconds = await runTasks(swarms[side], tasks);
        rates[side].push(tasks / seconds);
        costs[side].push(((cpuSeconds(swarms[side].process("agent").pid) - before) * 1e6) / tasks);
      }
      tellProgress(`round ${round + 1} of ${rounds}`);
    }
    const ratios = rates.on.map((rate, at) => rate / (rates.off[at] ?? Number.NaN));
    const cpu = costs.on.map((cost, at) => cost / (costs.off[at] ?? Number.NaN));
    return [
      ...SIDES.flatMap((side) => [
        makeFigure({ name: `tasks, observed ${side}`, unit: "tasks/s", values: rates[side] }),
        makeFigure({ name: `CPU of the agents, observed ${side}`, unit: "µs a task", values: costs[side] }),
      ]),
      makeFigure({
        ...{ name: "throughput observed / not, in turns", unit: "", values: ratios },
        goal: { text: `p50 ≥ ${RATIO_GOAL}`, holds: ({ p50 }) => p50 >= RATIO_GOAL },
      }),
      makeFigure({ name: "CPU time observed / not", unit: "", values: cpu }),
      makeFigure({ name: "spans received", unit: "spans", values: [receiver.spans.length] }),
    ];
  } finally {
    clearInterval(scraping);
    await Promise.all([swarms.off.stop(), swarms.on.stop(), receiver.stop()]);
  }
}

/** Runs tasks with {@link IN_FLIGHT} in flight; resolves to the time in seconds. */
async function runTasks({ transport }: ObservedSwarm, count: number): Promise<number> {
  const client = createTaskClient({ transport, meter: createMeter() });
  try {
    let left = count;
    const startedMs = performance.now();
    const next = async () => {
      while (left-- > 0) {
        const { status } = await client.run({ capability: "echo", input: {} });
        if (status !== "completed") throw new Error(`a task ended as ${status}`);
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, next));
    return (performance.now() - startedMs) / 1_000;
  } finally {
    await client.close();
  }
}
