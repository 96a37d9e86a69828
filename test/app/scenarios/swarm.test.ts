// A whole swarm as people run it: real processes, a private nats-server with permissions, signals. All tests of this file share one
// swarm.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { atFileEnd, connectTo, eventually, type Swarm, setupWorld, type World } from "../support.ts";

let world: World;
let swarm: Swarm;
let clients: Awaited<ReturnType<typeof connectTo>>;

const atEnd = atFileEnd();

beforeAll(async () => {
  world = setupWorld({}, atEnd, { roles: ["echo"], isEveryday: true });
  swarm = await world.up("--agents echo*2");
  clients = await connectTo(swarm.server, atEnd, world.keys());
});

const pidOf = (of: Swarm, name: string) => of.processes.find((each) => each.name === name)!.pid;
/** The process of that name, as the supervisor knows it now. */
const recordOf = (name: string) => world.state().processes.find((each) => each.name === name)!;

const listAgents = async () =>
  ((await world.call("agent ls --json")).json() as { agents: { id: string; pid: number }[] }).agents;
const untilAgents = (count: number) =>
  eventually(async () => {
    const agents = await listAgents();
    return agents.length === count ? agents : undefined;
  });

test("up answers once all is ready, and everything that it names works", async () => {
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
  expect((await world.call("task ls --json")).json()).toMatchObject({
    tasks: [{ taskId, state: "completed" }],
  });
  expect((await world.call(`task watch ${taskId} --json`)).json()).toMatchObject({ state: "completed" });
  const agents = await untilAgents(2);
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
  expect((await world.call("doctor --json")).json()).toMatchObject({ healthy: true });
});

test("task watch shows each change of a task until it has ended", async () => {
  const { taskId } = await clients.tasks.submit({ capability: "echo", input: { $sleepMs: 1_000 } });
  const watched = await world.call(`task watch ${taskId}`);
  expect(watched.exitCode).toBe(0);
  expect(watched.stderr).toMatch(/^(?:.+\n)*running, attempt 1.*, echo-.*\n$/);
});

test("up starts a coordinator, and its commands answer", async () => {
  const { pid, metrics } = swarm.processes.find(({ role }) => role === "coordinator")!;
  const status = await eventually(async () => {
    const ran = await world.call("office status --json");
    const { members } = ran.json() as { members: { role: string }[] };
    // On a loaded machine a member may be silent.
    return members.every(({ role }) => role === "leader") ? ran : undefined;
  });
  expect(status.exitCode).toBe(0);
  expect(status.json()).toMatchObject({
    leader: "coordinator-1",
    leaderPid: pid,
    members: [{ id: "coordinator-1", role: "leader", pid, lag: 0 }],
  });
  expect((await fetch(metrics!.replace("metrics", "readyz"))).status).toBe(200);
  expect(await (await fetch(metrics!)).text()).toContain("murmur_office_leader 1");

  const mine = await world.run("lock acquire deploy --owner me --json");
  expect(mine).toMatchObject({ exitCode: 0 });
  expect(mine.json()).toMatchObject({ acquired: true, owner: "me", token: 1 });
  const other = await world.call("lock acquire deploy --json");
  expect(other).toMatchObject({ exitCode: 1 });
  expect(other.json()).toMatchObject({ acquired: false, token: null, heldBy: "me" });
  expect((await world.call("lock ls --json")).json()).toMatchObject({
    locks: [{ name: "deploy", token: 1 }],
  });
  expect((await world.call("lock release deploy --owner me --token 2 --json")).exitCode).toBe(1);
  expect((await world.call("lock release deploy --owner me --token 1 --json")).exitCode).toBe(0);

  expect((await world.call('config set review.model "m-1" --json')).json()).toMatchObject({ revision: 1 });
  expect((await world.call("config set review.model 2 --if-revision 0 --json")).exitCode).toBe(1);
  expect((await world.call("config show --json")).json()).toEqual({
    values: [{ name: "review.model", value: "m-1", revision: 1 }],
  });
  expect((await world.call("config history review.model --json")).json()).toMatchObject({
    changes: [{ name: "review.model", value: "m-1", revision: 1, by: expect.any(String) }],
  });
  expect((await world.call("office transfer --timeout 200ms --json")).json()).toMatchObject({
    error: { code: "unavailable" },
  });
});

test("commands of the data directory have the user that they need: init its own, office recover that of a coordinator", async () => {
  const init = await world.call("init --json");
  expect(init, init.stdout).toMatchObject({ exitCode: 0 });
  expect(init.json()).toMatchObject({ created: [], differences: [] });
  const recover = await world.call("office recover --json");
  expect(recover.json()).toMatchObject({
    error: { code: "conflict", message: expect.stringContaining("sound") },
  });
});

test("a schedule submits a task for each tick until it is removed", async () => {
  const set = await world.call("schedule set pulse --every-ms 1000 --capability echo --input [1] --json");
  expect(set).toMatchObject({ exitCode: 0 });
  const taskId = `pulse-${Date.parse((set.json() as { next: string }).next)}`;
  await eventually(async () => {
    const shown = await world.call(`task show ${taskId} --json`);
    return shown.exitCode === 0 && shown.json().state === "completed" ? true : undefined;
  });
  expect((await world.call("schedule ls --json")).json()).toMatchObject({
    schedules: [{ id: "pulse", when: { everyMs: 1_000 }, task: { input: [1] }, lastError: null }],
  });
  expect((await world.call("schedule rm pulse --json")).json()).toEqual({ removed: true, id: "pulse" });
  expect((await world.call("schedule rm pulse --json")).exitCode).toBe(1);
  expect((await world.call("schedule set x --capability echo --json")).exitCode).toBe(2);
});

test("a budget is limited, listed and removed", async () => {
  expect((await world.call("budget set models --json")).json()).toMatchObject({
    error: { code: "invalid_input", field: "usd" },
  });
  expect((await world.call("budget set models --usd 25 --window day --json")).exitCode).toBe(0);
  expect((await world.call("budget ls --json")).json()).toMatchObject({
    budgets: [{ name: "models", limit: { costUsd: 25, tokens: null }, windowEnds: expect.any(String) }],
  });
  expect((await world.call("budget rm models --json")).json()).toEqual({ removed: true, name: "models" });
});

test("kill -9 of an agent in a run of 1,000 tasks loses none and stores none twice", async () => {
  const { transport, tasks } = clients;
  const before = await transport.log("results").info();
  const total = 1_000;
  const after = { messages: before.messages + total, lastSeq: before.lastSeq + total };
  let finished = 0;
  const results = await Promise.all(
    Array.from({ length: total }, async (_, index) => {
      const result = await tasks.run({ capability: "echo", id: `t-${index}`, input: { $sleepMs: 20 } });
      if (++finished === 200) process.kill(pidOf(swarm, "echo-1"), "SIGKILL");
      return result;
    }),
  );
  expect(new Set(results.map(({ taskId }) => taskId)).size).toBe(total);
  expect(results.filter(({ status }) => status !== "completed")).toEqual([]);
  expect(await transport.log("results").info()).toMatchObject(after);
  // JetStream redelivers the tasks that the killed agent had answered and not acknowledged.
  await eventually(async () => ((await transport.log("tasks").info()).messages === 0 ? true : undefined));
  expect(await transport.log("results").info()).toMatchObject(after);
  expect(recordOf("echo-1")).toMatchObject({ restarts: 1 });
}, 240_000);

test("an agent is paused, resumed and drained by its id", async () => {
  const [{ id }] = (await untilAgents(2)) as [{ id: string }, ...unknown[]];
  expect((await world.call(`agent pause ${id} --json`)).json()).toMatchObject({ state: "paused" });
  expect((await world.call(`agent show ${id} --json`)).json()).toMatchObject({ id, state: "paused" });
  expect((await world.call(`agent resume ${id} --json`)).json()).toMatchObject({ state: "idle" });
  const unknown = await world.call("agent show unknown --json");
  expect(unknown.exitCode).toBe(1);
  expect(unknown.json()).toMatchObject({ error: { code: "not_found", field: "agent" } });
  expect((await world.call(`agent drain ${id}`)).exitCode).toBe(0);
  const [last] = (await untilAgents(1)) as [{ id: string }, ...unknown[]];
  await world.call(`agent pause ${last.id}`);
  const waited = await world.call("submit echo --input 1 --wait --timeout 2s");
  expect(waited).toMatchObject({ exitCode: 3, stdout: "" });
  const absence = `no agent of echo takes work now (${last.id} is paused); the task waits`;
  expect(waited.stderr.split("\n")[0]).toBe(absence);
  expect(waited.stderr).toContain(`; the task continues; ${absence}`);
  await world.call(`agent resume ${last.id}`);
});

/** The bound for the supervisor's notice of a death: it takes well below a second, and a silence 15 s. */
const NOTICE_MS = 5_000;

test("a killed agent process leaves the list of agents without waiting for its silence", async () => {
  const pids = world.state().processes.map(({ pid }) => pid);
  const { id, pid } = await eventually(async () =>
    (await listAgents()).find((agent) => pids.includes(agent.pid)),
  );
  process.kill(pid, "SIGKILL");
  const killedAtMs = Date.now();
  await eventually(async () => ((await listAgents()).every((agent) => agent.id !== id) ? true : undefined));
  expect(Date.now() - killedAtMs).toBeLessThan(NOTICE_MS);
});

test("the supervisor restarts a killed agent, api and nats-server", async () => {
  for (const name of ["echo-1", "api-1", "nats-1"]) {
    const before = recordOf(name);
    process.kill(before.pid, "SIGKILL");
    const after = await eventually(() => {
      const record = recordOf(name);
      return record.pid !== before.pid && record.status === "running" ? record : undefined;
    });
    expect(after).toMatchObject({ restarts: before.restarts + 1, lastExit: "signal SIGKILL" });
  }
  const done = await eventually(async () => {
    const ran = await world.call("submit echo --input 1 --wait --json --timeout 10s");
    return ran.exitCode === 0 ? ran.json() : undefined;
  });
  expect(done).toMatchObject({ status: "completed" });
});

test("no process of the swarm tried an operation that its user may not do", () => {
  const log = readFileSync(join(world.directory, ".murmur/logs/nats-1.log"), "utf8");
  expect(log.split("\n").filter((line) => line.includes("Violation"))).toEqual([]);
});
