// Placed tasks over real processes: agents and leaders that are killed while they have some.
import { expect, onTestFinished, test } from "vitest";
import { createMeter, silentLogger } from "../../src/base/index.ts";
import { createOfficeClient } from "../../src/coordinator/index.ts";
import { connectNats } from "../../src/transport/index.ts";
import { createTaskClient } from "../../src/work/index.ts";
import { eventually, setupWorld } from "./support.ts";

async function setup(args: string) {
  const world = setupWorld();
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
  return { world, tasks, office: createOfficeClient({ transport }) };
}

const listed = async (world: ReturnType<typeof setupWorld>) =>
  (await world.run("agent ls --json")).json() as {
    agents: { id: string; pid: number; slots: { used: number } }[];
  };

test("kill -9 of an agent process and of the leader: what was placed there ends elsewhere, once", {
  timeout: 120_000,
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
  process.kill((await office.tenure({ timeoutMs: 20_000 })).leaderPid, "SIGKILL");

  const results = await Promise.all(
    submitted.map(({ taskId }) => tasks.result(taskId, { timeoutMs: 60_000 })),
  );
  expect(results.every(({ status }) => status === "completed")).toBe(true);
  for (const { taskId, agent } of results) if (lost.includes(taskId)) expect(agent).not.toBe(victim?.id);
  const { agents } = await listed(world);
  expect(agents.map(({ id }) => id)).not.toContain(victim?.id);
  expect(agents).toHaveLength(2); // its supervisor brought a new one
});
