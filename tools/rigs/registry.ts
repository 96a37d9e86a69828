// Measures how soon the registry lists new agents and removes dead ones: node tools/rigs/registry.ts [--help]. Exit code 1 when
// a goal is missed.
import { createSubjects, decode, heartbeatSchema, parse } from "../../src/protocol/index.ts";
import { type Figure, makeFigure } from "./office/figures.ts";
import { printReport, readFlags, tellProgress } from "./office/flags.ts";
import { PATIENCE_MS, startWorld, type World } from "./office/world.ts";

const flags = readFlags(
  "node tools/rigs/registry.ts: one nats-server, one coordinator, and processes with many agents each.",
  {
    agents: { type: "count", default: 1_000, about: "agents that start at the same time" },
    processes: { type: "count", default: 4, about: "processes that run these agents" },
    kills: {
      type: "count",
      default: 3,
      about: "kills (-9) of one of these processes, each without and with disconnect advisories of NATS",
    },
  },
);

/** How often the list of agents is read, in ms. */
const SAMPLE_INTERVAL_MS = 50;
/** A server configuration that gives the swarm's account the disconnect advisories; see docs/coordinator.md. */
const ACCOUNTS = `accounts {
  SYS { users: [{ user: sys, password: sys }], exports: [{ stream: "$SYS.ACCOUNT.*.DISCONNECT" }] }
  SWARM {
    jetstream: enabled
    users: [{ user: swarm, password: swarm }]
    imports: [{ stream: { account: SYS, subject: "$SYS.ACCOUNT.*.DISCONNECT" } }]
  }
}
system_account: SYS`;

const agents = flags.count("agents");
const perProcess = Math.ceil(agents / flags.count("processes"));
const figures: Figure[] = [];
await within(startWorld({ members: ["a"] }), async (world) => {
  figures.push(...(await measureJoining(world)));
  figures.push(
    await measureDeaths(world, {
      name: "kill -9 of an agent process, until none of its agents is listed",
      goal: { text: "≤ 15500 ms", holds: ({ max }) => max <= 15_500 },
    }),
  );
});
const user = { name: "swarm", password: "swarm" };
await within(startWorld({ members: ["a"], config: ACCOUNTS, user }), async (world) => {
  figures.push(await measureDeaths(world, { name: "the same with disconnect advisories of NATS" }));
});
printReport(flags, figures);

async function within(starting: Promise<World>, use: (world: World) => Promise<void>): Promise<void> {
  const world = await starting;
  await use(world).finally(() => world.stop());
}

function startAgents(world: World, name: string, count: number) {
  return world.start(name, ["agent", "run", ...Array.from({ length: count }, () => "echo")]);
}

/** Starts all agents; the time of each announcement is that of its first heartbeat. */
async function measureJoining(world: World): Promise<Figure[]> {
  const announcedAt = new Map<string, number>();
  const listening = world.transport.bus.subscribe(
    createSubjects(world.transport.prefix).filters.allHeartbeats,
    ({ data }) => {
      for (const { id } of parse(heartbeatSchema, decode(data).value, "heartbeat").agents)
        if (!announcedAt.has(id)) announcedAt.set(id, performance.now());
    },
  );
  const processes = Array.from({ length: flags.count("processes") }, (_, index) =>
    startAgents(world, `agents-${index}`, Math.min(perProcess, agents - index * perProcess)),
  );
  const listedAtMs = await untilListed(world, (pids) => pids.length === agents);
  listening.close();
  const times = [...announcedAt.values()];
  const [firstMs, lastMs] = [Math.min(...times), Math.max(...times)];
  tellProgress(`${agents} agents are listed`);
  await Promise.all(processes.map((each) => each.kill()));
  await untilListed(world, (pids) => pids.length === 0);
  return [
    makeFigure({
      ...{ name: `${agents} agents announce themselves, the last after the first`, unit: "ms" },
      ...{ values: [lastMs - firstMs], goal: { text: "≤ 5000 ms", holds: ({ max }) => max <= 5_000 } },
    }),
    makeFigure({
      ...{ name: "all of them are listed, after the last", unit: "ms" },
      values: [Math.max(0, listedAtMs - lastMs)],
    }),
  ];
}

/** Kills one of two processes repeatedly; the agents of the other process must stay. */
async function measureDeaths(
  world: World,
  { name, goal }: { name: string; goal?: Parameters<typeof makeFigure>[0]["goal"] },
): Promise<Figure> {
  const staying = startAgents(world, "staying", perProcess);
  const victim = startAgents(world, "victim", perProcess);
  const values: number[] = [];
  for (let kill = 1; kill <= flags.count("kills"); kill++) {
    victim.start();
    await untilListed(world, (pids) => pids.length === 2 * perProcess);
    const { pid } = victim;
    await victim.kill();
    const startedMs = performance.now();
    const goneAtMs = await untilListed(world, (pids) => !pids.includes(pid));
    values.push(goneAtMs - startedMs);
    tellProgress(`${name} ${kill}: ${Math.round(goneAtMs - startedMs)} ms`);
  }
  if ((await listPids(world)).length !== perProcess) throw new Error("living agents are not listed any more");
  await staying.kill();
  return makeFigure({ name, unit: "ms", values, ...(goal === undefined ? {} : { goal }) });
}

/** Waits until the listed agents are as wanted, and returns them with the time of that answer. */
async function untilListed(world: World, isDone: (pids: readonly number[]) => boolean): Promise<number> {
  const giveUpMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const pids = await listPids(world);
    if (isDone(pids)) return performance.now();
    if (performance.now() > giveUpMs)
      throw new Error(`after ${PATIENCE_MS} ms ${pids.length} agents are listed`);
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_INTERVAL_MS));
  }
}

/** The process of each listed agent. */
async function listPids({ office }: World): Promise<number[]> {
  const listed = await office.read("agents", {}, { timeoutMs: PATIENCE_MS });
  return (listed.agents as { pid: number }[]).map(({ pid }) => pid);
}
