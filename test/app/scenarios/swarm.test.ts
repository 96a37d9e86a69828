// A whole swarm as people run it: real processes, a private nats-server, signals.
import { once } from "node:events";
import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { connectNats } from "../../../src/transport/index.ts";
import { createTaskClient } from "../../../src/work/index.ts";
import {
  collect,
  eventually,
  expectGone,
  type Swarm,
  setupWorld,
  untilGone,
  type World,
} from "../support.ts";

const pidOf = (swarm: Swarm, name: string) => swarm.processes.find((each) => each.name === name)!.pid;

const listAgents = async (world: World) =>
  ((await world.run("agent ls --json")).json() as { agents: { id: string; pid: number }[] }).agents;

async function connect(swarm: Swarm) {
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
  return { transport, tasks };
}

test("up answers once all is ready, and everything that it names works", async () => {
  const world = setupWorld();
  const swarm = await world.up("--agents echo*2");
  expect(swarm.processes.map(({ role, name }) => [role, name])).toEqual([
    ["nats", "nats-1"],
    ["api", "api-1"],
    ["coordinator", "coordinator-1"],
    ["echo", "echo-1"],
    ["echo", "echo-2"],
  ]);
  const done = await world.run('submit echo --input {"a":1} --wait --json');
  expect(done).toMatchObject({ exitCode: 0, stderr: "" });
  expect(done.json()).toMatchObject({ status: "completed", output: { a: 1 }, attempt: 1 });
  const { taskId } = done.json() as { taskId: string };

  expect((await world.run(`task show ${taskId} --json`)).json()).toMatchObject({
    taskId,
    state: "completed",
  });
  expect((await world.run("task ls --json")).json()).toMatchObject({
    tasks: [{ taskId, state: "completed" }],
  });
  expect((await world.run(`task watch ${taskId} --json`)).json()).toMatchObject({ state: "completed" });
  const agents = await eventually(async () => {
    const found = await listAgents(world);
    return found.length === 2 ? found : undefined;
  });
  expect(agents.map(({ pid }) => pid).sort()).toEqual(
    [pidOf(swarm, "echo-1"), pidOf(swarm, "echo-2")].sort(),
  );
  for (const { metrics } of swarm.processes.slice(1)) {
    expect(await (await fetch(metrics!)).text()).toContain("murmur_nats_connected 1");
    expect((await fetch(metrics!.replace("metrics", "readyz"))).status).toBe(200);
  }
  const posted = await fetch(`${swarm.http}/v1/tasks?wait=10000`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: '{"capability":"echo","input":"over HTTP"}',
  });
  expect(await posted.json()).toMatchObject({ status: "completed", output: "over HTTP" });
  expect((await world.run("doctor --json")).json()).toMatchObject({ healthy: true });
});

test("a second up tells what runs, also when both start at once", async () => {
  const world = setupWorld();
  const both = await Promise.all([world.up(), world.up()]);
  const [first, second] = both[0].alreadyRunning === true ? [both[1], both[0]] : both;
  expect(first.alreadyRunning).toBeUndefined();
  expect(second).toEqual({ ...first, alreadyRunning: true });
  expect(await world.run("up")).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining("a swarm runs here already"),
  });
});

test("down leaves no process and keeps the data; --purge removes it; a stopped swarm is no error", async () => {
  const world = setupWorld();
  const swarm = await world.up();
  const { taskId } = (await world.run("submit echo --input 1 --wait --json")).json() as { taskId: string };
  expect((await world.run("down --json")).json()).toMatchObject({ stopped: true, purged: false });
  expectGone(swarm.processes.map(({ pid }) => pid));
  await world.up();
  expect((await world.run(`task show ${taskId} --json`)).json()).toMatchObject({ state: "completed" });
  expect((await world.run("down --purge --json")).json()).toMatchObject({ stopped: true, purged: true });
  expect((await world.run("down --json")).json()).toMatchObject({ stopped: false });
});

test("two swarms run side by side and know nothing of each other", async () => {
  const world = setupWorld();
  const [one, two] = await Promise.all([world.up(), world.up("--data second")]);
  onTestFinished(async () => void (await world.run("down --purge --data second")));
  expect(one.server).not.toBe(two.server);
  const { taskId } = (await world.run("submit echo --input 1 --wait --json")).json() as { taskId: string };
  const elsewhere = await world.run(`task show ${taskId} --json --data second`);
  expect(elsewhere).toMatchObject({ exitCode: 1 });
  expect(elsewhere.json()).toMatchObject({ error: { code: "not_found" } });
});

test("whatever is killed comes back: an agent, the api, nats-server", async () => {
  const world = setupWorld();
  const swarm = await world.up();
  for (const name of ["echo-1", "api-1", "nats-1"]) {
    const before = pidOf(swarm, name);
    process.kill(before, "SIGKILL");
    const record = await eventually(() =>
      world
        .state()
        .processes.find((each) => each.name === name && each.pid !== before && each.status === "running"),
    );
    expect(record).toMatchObject({ restarts: 1, lastExit: "signal SIGKILL" });
  }
  const done = await eventually(async () => {
    const ran = await world.run("submit echo --input 1 --wait --json --timeout 10s");
    return ran.exitCode === 0 ? ran.json() : undefined;
  });
  expect(done).toMatchObject({ status: "completed" });
});

test("after kill -9 of the supervisor agents end by themselves and down ends the rest", async () => {
  const world = setupWorld();
  const swarm = await world.up();
  process.kill(world.state().supervisor.pid, "SIGKILL");
  await Promise.all(["api-1", "echo-1"].map((name) => untilGone(pidOf(swarm, name))));
  expect(await world.run("doctor")).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining("the supervisor of this directory is gone"),
  });
  const read = await world.run("task ls --json");
  expect(read).toMatchObject({ exitCode: 3 });
  expect(read.json()).toMatchObject({
    error: { code: "unavailable", message: expect.stringContaining(`${swarm.dataDir} is dead`) },
  });
  expect((await world.run("down --json")).json()).toMatchObject({ stopped: true });
  expectGone(swarm.processes.map(({ pid }) => pid));
});

test("an up after kill -9 of everything recognises the stale state", async () => {
  const world = setupWorld();
  const before = await world.up();
  for (const pid of [world.state().supervisor.pid, ...before.processes.map(({ pid }) => pid)]) {
    process.kill(pid, "SIGKILL");
  }
  const after = await world.up();
  expect(after.alreadyRunning).toBeUndefined();
  expect((await world.run("submit echo --input 1 --wait --json")).exitCode).toBe(0);
});

test("up in the foreground says what it does and ends on SIGINT with nothing left", async () => {
  const world = setupWorld();
  const child = world.start("up");
  child.stdin?.destroy();
  const ended = collect(child);
  const state = await eventually(() => {
    try {
      return world.state().ready ? world.state() : undefined;
    } catch {
      return undefined;
    }
  });
  child.kill("SIGINT");
  const { exitCode, stdout, stderr } = await ended;
  expect(exitCode).toBe(0);
  expect(stdout).toContain(state.server);
  expect(stderr).toContain("starting nats-1, api-1, coordinator-1, echo-1");
  expect(stderr).toMatch(/echo-1 {2}agents are ready/);
  expectGone(state.processes.map(({ pid }) => pid));
});

test("a taken port and an unknown role are said before anything starts", async () => {
  const world = setupWorld();
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  onTestFinished(() => void taken.close());
  const { port } = taken.address() as { port: number };
  const clash = await world.run(`up --detach --json --http ${port}`);
  expect(clash.exitCode).toBe(1);
  expect(clash.json()).toMatchObject({
    error: { code: "conflict", message: expect.stringContaining(`port ${port}`) },
  });
  const unknown = await world.run("up --detach --json --agents nobody");
  expect(unknown.exitCode).toBe(2);
  expect(unknown.json()).toMatchObject({
    error: { field: "agents", message: expect.stringMatching(/known: .*echo/) },
  });
});

test("a nats-server that does not start is named with what it said, and nothing stays", async () => {
  const world = setupWorld({ MURMUR_NATS_SERVER: "/nowhere/nats-server" });
  const failed = await world.run("up --detach --json");
  expect(failed.exitCode).toBe(3);
  expect(failed.json()).toMatchObject({
    error: { message: expect.stringContaining("/nowhere/nats-server") },
  });
  expect((await world.run("down --json")).json()).toMatchObject({ stopped: false });
});

test("up --server joins a swarm of another directory", async () => {
  const host = setupWorld();
  const swarm = await host.up("--agents echo*0");
  const guest = setupWorld();
  const joined = await guest.up(`--server ${swarm.server}`);
  expect(joined.processes.map(({ role }) => role)).toEqual(["api", "echo"]);
  expect((await host.run("submit echo --input 1 --wait --json")).exitCode).toBe(0);
});

test("without a server, a read is unavailable; bad input is a usage error; neither has a stack", async () => {
  const world = setupWorld();
  const down = await world.run("task ls --json --server nats://127.0.0.1:1");
  expect(down.exitCode).toBe(3);
  expect(down.json()).toMatchObject({ error: { code: "unavailable" } });
  const bad = await world.run("submit echo --input - --server nats://127.0.0.1:1", { input: "{" });
  expect(bad.exitCode).not.toBe(0);
  expect(bad.stderr).not.toMatch(/\n\s+at /);
});

test("an agent is paused, resumed and drained by its id", async () => {
  const world = setupWorld();
  await world.up();
  const { id } = await eventually(async () => (await listAgents(world))[0]);
  expect((await world.run(`agent pause ${id} --json`)).json()).toMatchObject({ state: "paused" });
  expect((await world.run(`agent show ${id} --json`)).json()).toMatchObject({ id, state: "paused" });
  expect((await world.run(`agent resume ${id} --json`)).json()).toMatchObject({ state: "idle" });
  const nobody = await world.run("agent show nobody --json");
  expect(nobody.exitCode).toBe(1);
  expect(nobody.json()).toMatchObject({ error: { code: "not_found", field: "agent" } });
  expect((await world.run(`agent drain ${id}`)).exitCode).toBe(0);
  await eventually(async () => ((await listAgents(world)).length === 0 ? true : undefined));
});

test("kill -9 of an agent in a run of 1,000 tasks loses none and stores none twice", async () => {
  const world = setupWorld();
  const swarm = await world.up("--agents echo*2");
  const { transport, tasks } = await connect(swarm);
  const total = 1_000;
  const victim = pidOf(swarm, "echo-1");
  let finished = 0;
  const results = await Promise.all(
    Array.from({ length: total }, async (_, index) => {
      const result = await tasks.run({ capability: "echo", id: `t-${index}`, input: { $sleepMs: 20 } });
      if (++finished === 200) process.kill(victim, "SIGKILL");
      return result;
    }),
  );
  expect(new Set(results.map(({ taskId }) => taskId)).size).toBe(total);
  expect(results.filter(({ status }) => status !== "completed")).toEqual([]);
  expect(await transport.log("results").info()).toMatchObject({ messages: total, lastSeq: total });
  // What the killed one had answered and not acknowledged comes again once its claim has run out.
  await eventually(async () => ((await transport.log("tasks").info())?.messages === 0 ? true : undefined));
  expect(await transport.log("results").info()).toMatchObject({ messages: total, lastSeq: total });
  expect(world.state().processes.find(({ name }) => name === "echo-1")).toMatchObject({ restarts: 1 });
}, 240_000);
