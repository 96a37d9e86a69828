// Placed tasks over real processes: agents and leaders that are killed while they have some.
import { expect, onTestFinished, test } from "vitest";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { createOfficeClient } from "../../../src/coordinator/index.ts";
import { SILENCE_MS } from "../../../src/coordinator/registry/sightings.ts";
import { connectNats } from "../../../src/transport/index.ts";
import { createTaskClient } from "../../../src/work/index.ts";
import { eventually, setupWorld } from "../support.ts";

async function setup(args: string, environment: Record<string, string> = {}) {
  const world = setupWorld(environment);
  const swarm = await world.up(args);
  const meter = createMeter();
  const transport = await connectNats({
    servers: swarm.server,
    name: "test",
    prefix: "murmur",
    log: silentLogger,
    meter,
  });
  const tasks = createTaskClient({ transport, meter });
  onTestFinished(async () => {
    tasks.close();
    await transport.close();
  });
  return { world, swarm, transport, tasks, office: createOfficeClient({ transport }) };
}

const listed = async (world: ReturnType<typeof setupWorld>) =>
  (await world.run("agent ls --json")).json() as {
    agents: { id: string; pid: number; slots: { used: number } }[];
  };

test("kill -9 of an agent process and of the leader: what was placed there ends elsewhere, once", {
  timeout: 240_000,
}, async () => {
  const { world, tasks, office } = await setup("--agents echo,echo --coordinators 3");
  const before = await eventually(async () => {
    const { agents } = await listed(world);
    return agents.length === 2 ? agents : undefined;
  });
  const submitted = await Promise.all(
    Array.from({ length: 24 }, (_, n) =>
      tasks.submit({ capability: "echo", route: "best", input: { n, $sleepMs: 2_000 } }),
    ),
  );
  const placements = await eventually(async () => {
    const statuses = await Promise.all(submitted.map(({ taskId }) => tasks.status(taskId)));
    return statuses.every(({ placement }) => placement !== undefined) ? statuses : undefined;
  });
  const victim = before.find(({ id }) => placements.some(({ placement }) => placement?.agent === id));
  const lost = placements
    .filter(({ placement }) => placement?.agent === victim?.id)
    .map(({ taskId }) => taskId);
  process.kill(victim!.pid, "SIGKILL");
  process.kill((await office.tenure({ timeoutMs: 60_000 })).leaderPid, "SIGKILL");

  const results = await Promise.all(
    submitted.map(({ taskId }) => tasks.result(taskId, { timeoutMs: 60_000 })),
  );
  expect(results.every(({ status }) => status === "completed")).toBe(true);
  for (const { taskId, agent } of results) if (lost.includes(taskId)) expect(agent).not.toBe(victim?.id);
  const { agents } = await listed(world);
  expect(agents.map(({ id }) => id)).not.toContain(victim?.id);
  expect(agents).toHaveLength(2); // its supervisor brought a new one
});

test("a coordinator that stood still misses nobody when it goes on", { timeout: 90_000 }, async () => {
  const { world, swarm, transport } = await setup("--agents echo*2 --coordinators 1", {
    MURMUR_SILENCE_MS: "60000", // else its supervisor takes it for hung
  });
  await eventually(async () => ((await listed(world)).agents.length === 2 ? true : undefined));
  const { pid } = swarm.processes.find(({ role }) => role === "coordinator")!;
  process.kill(pid, "SIGSTOP");
  // The silence that means missing, and a second; there is nothing to wait for but time.
  await new Promise((resolve) => setTimeout(resolve, SILENCE_MS + 1_000));
  process.kill(pid, "SIGCONT");
  await eventually(async () => ((await listed(world)).agents.length === 2 ? true : undefined));
  let leaves = 0;
  for await (const stored of transport.log("office").read()) {
    if (new TextDecoder().decode(stored.data).includes("members-leave")) leaves++;
  }
  expect(leaves).toBe(0);
});
