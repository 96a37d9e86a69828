// The memory of an api process and of a coordinator while many agents come and go: it must not grow with their number.
import { sleep } from "../../../src/base/index.ts";
import { createOfficeClient } from "../../../src/coordinator/index.ts";
import { type Figure, makeFigure } from "../office/figures.ts";
import { tellProgress } from "../office/flags.ts";
import { beat, ObservedSwarm, playedAgents, until, valueIn } from "./world.ts";

/** The memory that each agent may leave behind, in bytes: 100,000 agents leave 10 MiB at most. */
const MAX_BYTES_PER_AGENT = 100;
const PER_HOST = 20;
/** The agents that are there at the same time. */
const WAVE = 1_000;
/** The first part of the waves fills caches, and does not count. */
const WARM_SHARE = 0.3;
/** The samples of memory after each wave; the lowest counts, which is nearest to a collection of garbage. */
const SAMPLES = 5;
const SAMPLE_MS = 100;
const WATCHED = ["api", "coordinator"] as const;

/** Lets `agents` agents come and go in waves. */
export async function measureChurn({ agents }: { agents: number }): Promise<Figure[]> {
  const swarm = await ObservedSwarm.start([...WATCHED]);
  try {
    const office = createOfficeClient({ transport: swarm.transport });
    const heap: Record<string, { agents: number; bytes: number }[]> = { api: [], coordinator: [] };
    const waves = Math.ceil(agents / WAVE);
    for (let wave = 0; wave < waves; wave++) {
      const hosts = playedAgents(WAVE / PER_HOST, PER_HOST, wave * (WAVE / PER_HOST));
      beat(swarm.transport, hosts);
      await untilListed(office, WAVE, () => beat(swarm.transport, hosts));
      beat(swarm.transport, hosts, true);
      await untilListed(office, 0, () => beat(swarm.transport, hosts, true));
      for (const role of WATCHED)
        heap[role]?.push({ agents: (wave + 1) * WAVE, bytes: await lowestHeap(swarm, role) });
      if (wave % 10 === 9) tellProgress(`${(wave + 1) * WAVE} of ${agents} agents came and went`);
    }
    return WATCHED.flatMap((role) => {
      const points = (heap[role] ?? []).slice(Math.floor(waves * WARM_SHARE));
      return [
        makeFigure({
          name: `used heap of the ${role}`,
          unit: "MiB",
          values: points.map(({ bytes }) => bytes / 2 ** 20),
        }),
        makeFigure({
          ...{
            name: `growth of the ${role} with each agent that came and went`,
            unit: "bytes",
            values: [slopeOf(points)],
          },
          goal: { text: `≤ ${MAX_BYTES_PER_AGENT} bytes`, holds: ({ max }) => max <= MAX_BYTES_PER_AGENT },
        }),
      ];
    });
  } finally {
    await swarm.stop();
  }
}

/** Waits until the office lists so many agents; beats again each second, as hosts do. */
async function untilListed(
  office: ReturnType<typeof createOfficeClient>,
  count: number,
  again: () => void,
): Promise<void> {
  let beatAtMs = performance.now();
  await until(`the office lists ${count} agents`, async () => {
    if (performance.now() - beatAtMs > 1_000) {
      again();
      beatAtMs = performance.now();
    }
    const { agents } = await office.read("agents", {}, { timeoutMs: 5_000 });
    return (agents as unknown[]).length === count;
  });
}

async function lowestHeap(swarm: ObservedSwarm, role: string): Promise<number> {
  let lowest = Number.POSITIVE_INFINITY;
  for (let sample = 0; sample < SAMPLES; sample++) {
    lowest = Math.min(lowest, valueIn(await swarm.scrape(role), "nodejs_heap_size_used_bytes"));
    await sleep(SAMPLE_MS);
  }
  return lowest;
}

/** The slope of a line through the points (least squares). */
function slopeOf(points: readonly { agents: number; bytes: number }[]): number {
  const mean = (pick: (point: { agents: number; bytes: number }) => number) =>
    points.reduce((sum, point) => sum + pick(point), 0) / points.length;
  const [x, y] = [mean(({ agents }) => agents), mean(({ bytes }) => bytes)];
  const above = points.reduce((sum, { agents, bytes }) => sum + (agents - x) * (bytes - y), 0);
  const below = points.reduce((sum, { agents }) => sum + (agents - x) ** 2, 0);
  return below === 0 ? 0 : above / below;
}
