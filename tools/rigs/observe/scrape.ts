// The time and the size of a scrape of each role: alone, with 10,000 agents in 500 hosts, and while NATS is away.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sleep } from "../../../src/base/index.ts";
import { isInstalled } from "../alerts/monitor.ts";
import { type Figure, makeFigure } from "../office/figures.ts";
import { tellProgress } from "../office/flags.ts";
import { countSeries, ObservedSwarm, playedAgents, playHosts, ROLES, until } from "./world.ts";

const SCRAPE_GOAL_MS = 50;
/** The pause between two scrapes, in ms: they fall on every part of the background work. */
const PAUSE_MS = 23;
const MAX_SERIES = 300;
const MAX_SERIES_PER_CAPABILITY = 220;
/** A process notices a lost connection, and its reads time out, within this time, in ms. */
const AWAY_MS = 3_000;

/** An agent with as many capabilities as its role has digits: `cap-0` to `cap-<n>`. */
const manyAgent = (count: number) => `import { defineAgent } from "murmur-swarm";
export default defineAgent({
  name: "many${count}",
  capabilities: ${JSON.stringify(Array.from({ length: count }, (_, at) => `many-${count}-${at}`))},
  run: async () => "done",
});
`;

/** Measures the scrapes. `count`: of each role and state. `faults` gets complaints of promtool. */
export async function measureScrapes(
  { count, hosts, perHost }: { count: number; hosts: number; perHost: number },
  faults: string[],
): Promise<Figure[]> {
  const swarm = await ObservedSwarm.start();
  try {
    const figures = await timeAll(swarm, "alone", count);
    for (const role of ROLES) {
      const text = await swarm.scrape(role);
      const fault = checkMetrics(text);
      if (fault !== null) faults.push(`promtool check metrics, ${role}: ${fault}`);
      figures.push(
        makeFigure({
          ...{ name: `series of one process, ${role}`, unit: "series", values: [countSeries(text)] },
          goal: {
            text: `≤ ${MAX_SERIES}`,
            holds: ({ max }) => max <= MAX_SERIES + servedBy(role) * MAX_SERIES_PER_CAPABILITY,
          },
        }),
      );
    }
    figures.push(await measurePerCapability(swarm));
    const played = playHosts(swarm.transport, playedAgents(hosts, perHost));
    await until("the api process counts the agents", async () =>
      (await swarm.scrape("api")).includes('murmur_capability_agents{capability="played-0"'),
    );
    tellProgress(`${hosts * perHost} agents in ${hosts} hosts`);
    figures.push(...(await timeAll(swarm, `with ${hosts * perHost} agents`, count)));
    const large = await Promise.all(ROLES.map(async (role) => countSeries(await swarm.scrape(role))));
    figures.push(
      makeFigure({ name: "series of one process with them, the most", unit: "series", values: large }),
    );
    played.stop();
    await swarm.nats.kill();
    await sleep(AWAY_MS);
    figures.push(...(await timeAll(swarm, "without NATS", count)));
    return figures;
  } finally {
    await swarm.stop();
  }
}

/** The capabilities whose series a process of a role has: echo. */
const servedBy = (role: string) => (role === "agent" || role === "api" ? 1 : 0);

async function timeAll(swarm: ObservedSwarm, state: string, count: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const role of ROLES) {
    const values: number[] = [];
    await swarm.scrape(role); // the first one compiles
    for (let scrape = 0; scrape < count; scrape++) {
      const startedMs = performance.now();
      await swarm.scrape(role);
      values.push(performance.now() - startedMs);
      await sleep(PAUSE_MS);
    }
    figures.push(
      makeFigure({
        ...{ name: `scrape of ${role}, ${state}`, unit: "ms", values },
        goal: { text: `p99 ≤ ${SCRAPE_GOAL_MS} ms`, holds: ({ p99 }) => p99 <= SCRAPE_GOAL_MS },
      }),
    );
    tellProgress(`scrapes of ${role}, ${state}`);
  }
  return figures;
}

/** The series that one more capability makes in the process that serves it, after it has ended a task. */
async function measurePerCapability(swarm: ObservedSwarm): Promise<Figure> {
  const folder = mkdtempSync(join(tmpdir(), "murmur-observe-agents-"));
  try {
    const sizes: number[] = [];
    for (const count of [1, 3]) {
      const role = `many${count}`;
      mkdirSync(join(folder, role), { recursive: true });
      writeFileSync(join(folder, role, "agent.ts"), manyAgent(count));
      await swarm.add(role, ["agent", "run", role], { MURMUR_AGENTS_DIR: folder });
      for (let at = 0; at < count; at++)
        for (const priority of ["urgent", "high", "normal", "low"])
          await runTask(swarm, `many-${count}-${at}`, priority);
      sizes.push(countSeries(await swarm.scrape(role)));
      await swarm.process(role).kill();
    }
    const [one = 0, three = 0] = sizes;
    return makeFigure({
      ...{
        name: "more series for each capability, with tasks of all priorities",
        unit: "series",
        values: [(three - one) / 2],
      },
      goal: {
        text: `≤ ${MAX_SERIES_PER_CAPABILITY}`,
        holds: ({ max }) => max <= MAX_SERIES_PER_CAPABILITY,
      },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runTask(swarm: ObservedSwarm, capability: string, priority: string): Promise<void> {
  const run = async () => {
    const answer = await fetch(`${swarm.url("api")}/v1/tasks?wait=10000`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ capability, priority, input: {} }),
    });
    return answer.status === 200;
  };
  await until(`a task of ${capability} ends`, run);
}

/** The complaint of promtool; null for good metrics, and without promtool. */
function checkMetrics(text: string): string | null {
  if (!isInstalled("promtool")) return null;
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
    input: text,
    encoding: "utf8",
  });
  const said = `${stdout}${stderr}`.trim();
  return status === 0 && said === "" ? null : `${status}: ${said.slice(0, 500)}`;
}
