// The life of a swarm in one directory: `up` and `down` as people run them, and the remains after kill -9. The tests share the
// directory and run in their order: each continues with the swarm that its predecessor left.
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { atFileEnd, collect, eventually, expectGone, type Swarm, setupWorld, untilGone } from "../support.ts";

const world = setupWorld({}, atFileEnd(), { roles: ["echo"], isEveryday: true });
/** The id of a task that has completed in the directory's swarm. */
let taskId: string;

const pidsOf = (swarm: Pick<Swarm, "processes">) => swarm.processes.map(({ pid }) => pid);

test("a second up answers the running swarm, also when both start at once", async () => {
  const both = await Promise.all([world.up(), world.up()]);
  const [first, second] = both[0].alreadyRunning === true ? [both[1], both[0]] : both;
  expect(first.alreadyRunning).toBeUndefined();
  expect(second).toEqual({ ...first, alreadyRunning: true, changes: [], differences: [] });
  expect(await world.run("up")).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining("a swarm runs here already"),
  });
});

test("two swarms run side by side and know nothing of each other, and down --purge removes one of them", async () => {
  const one = world.state();
  const two = await world.up("--data second --agents echo*0");
  const purge = () => world.run("down --purge --data second --json");
  onTestFinished(async () => void (await purge()));
  expect(one.server).not.toBe(two.server);
  ({ taskId } = (await world.run("submit echo --input 1 --wait --json")).json() as { taskId: string });
  const elsewhere = await world.run(`task show ${taskId} --json --data second`);
  expect(elsewhere).toMatchObject({ exitCode: 1 });
  expect(elsewhere.json()).toMatchObject({ error: { code: "not_found" } });
  expect((await purge()).json()).toMatchObject({ stopped: true, purged: true });
  expect(existsSync(two.dataDir)).toBe(false);
  expect((await world.run("down --data second --json")).json()).toMatchObject({ stopped: false });
});

test("down leaves no process and keeps the data", async () => {
  const swarm = world.state();
  expect((await world.run("down --json")).json()).toMatchObject({ stopped: true, purged: false });
  expectGone(pidsOf(swarm));
});

test("up in the foreground reports its steps, finds the data, and ends on SIGINT with no process left", async () => {
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
  expect((await world.call(`task show ${taskId} --json`)).json()).toMatchObject({ state: "completed" });
  child.kill("SIGINT");
  const { exitCode, stdout, stderr } = await ended;
  expect(exitCode).toBe(0);
  expect(stdout).toContain(state.server);
  expect(stderr).toContain("starting nats-1, api-1, coordinator-1, echo-1");
  expect(stderr).toMatch(/echo-1 {2}agents are ready/);
  expectGone(pidsOf(state));
});

test("without a coordinator tasks flow, and no coordinator is said to lead", async () => {
  await world.up("--coordinators 0");
  expect((await world.call("submit echo --input 1 --wait --json")).exitCode).toBe(0);
  const status = await world.call("office status --json");
  expect(status.exitCode).toBe(3);
  expect(status.json()).toMatchObject({ leader: null, members: [] });
  expect((await world.call("lock ls --timeout 200ms --json")).exitCode).toBe(3);
  expect((await world.run("up --coordinators 2 --json")).exitCode).toBe(2);
});

test("an up after kill -9 of everything recognises the stale state, and starts the swarm that ran", async () => {
  const before = world.state();
  for (const pid of [before.supervisor.pid, ...pidsOf(before)]) process.kill(pid, "SIGKILL");
  const after = await world.up();
  expect(after.alreadyRunning).toBeUndefined();
  expect(after.processes.map(({ name }) => name)).toEqual(["nats-1", "api-1", "echo-1"]);
  expect((await world.call("submit echo --input 1 --wait --json")).exitCode).toBe(0);
});

test("after kill -9 of the supervisor its processes end by themselves, and down ends nats-server", async () => {
  const swarm = world.state();
  process.kill(swarm.supervisor.pid, "SIGKILL");
  const pidOf = (name: string) => swarm.processes.find((each) => each.name === name)!.pid;
  await Promise.all(["api-1", "echo-1"].map((name) => untilGone(pidOf(name))));
  expect(await world.call("doctor")).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining("the supervisor of this directory is gone"),
  });
  const read = await world.call("task ls --json");
  expect(read).toMatchObject({ exitCode: 3 });
  expect(read.json()).toMatchObject({
    error: {
      code: "unavailable",
      message: expect.stringContaining(`${join(world.directory, ".murmur")} is dead`),
    },
  });
  expect((await world.run("down --json")).json()).toMatchObject({ stopped: true, purged: false });
  expectGone(pidsOf(swarm));
});

test("up refuses a taken port and an unknown role before anything starts", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  onTestFinished(() => void taken.close());
  const { port } = taken.address() as { port: number };
  const clash = await world.run(`up --detach --json --http ${port}`);
  expect(clash.exitCode).toBe(1);
  expect(clash.json()).toMatchObject({
    error: { code: "conflict", message: expect.stringContaining(`port ${port}`) },
  });
  const unknown = await world.run("up --detach --json --agents unknown");
  expect(unknown.exitCode).toBe(2);
  expect(unknown.json()).toMatchObject({
    error: { field: "agents", message: expect.stringMatching(/known: .*echo/) },
  });
});

test("up names a nats-server that does not start with its output, and leaves nothing", async () => {
  const env = { MURMUR_NATS_SERVER: "/nowhere/nats-server" };
  const failed = await world.run("up --detach --json", { env });
  expect(failed.exitCode).toBe(3);
  expect(failed.json()).toMatchObject({
    error: { message: expect.stringContaining("/nowhere/nats-server") },
  });
  expect((await world.run("down --json")).json()).toMatchObject({ stopped: false });
});

test("without a server, a read is unavailable; bad input is a usage error; neither has a stack", async () => {
  const down = await world.call("task ls --json --server nats://127.0.0.1:1");
  expect(down.exitCode).toBe(3);
  expect(down.json()).toMatchObject({ error: { code: "unavailable" } });
  const bad = await world.run("submit echo --input - --server nats://127.0.0.1:1", { input: "{" });
  expect(bad.exitCode).not.toBe(0);
  expect(bad.stderr).not.toMatch(/\n\s+at /);
});

test("up refuses TLS files of the configuration file for its own server, which has no TLS", async () => {
  const world = setupWorld();
  writeFileSync(join(world.directory, "murmur.yaml"), "tlsCa: /ca.pem\n");
  const refused = await world.call("up --detach --json");
  expect(refused.exitCode).toBe(2);
  expect(refused.json()).toMatchObject({
    error: {
      code: "invalid_input",
      field: "tlsCa",
      message: expect.stringContaining("name the server beside it"),
    },
  });
});

test.each(["task cancel", "task cancel t1 --scope s", "dead purge", "dead purge t1 --all", "budget set b"])(
  "%s is a usage error before it connects",
  async (args) => {
    const refused = await world.call(`${args} --json --server nats://127.0.0.1:1`);
    expect(refused.exitCode).toBe(2);
    expect(refused.json()).toMatchObject({ error: { code: "invalid_input" } });
  },
);
