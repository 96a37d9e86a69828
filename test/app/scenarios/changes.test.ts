// Changes of a running swarm: another `up`, `restart`, `up --watch`, and the wanted state that they leave. The tests share a swarm
// and run in their order: each continues with the swarm that its predecessor left.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { SwarmState } from "../../../src/app/supervisor/state.ts";
import { readWanted } from "../../../src/app/supervisor/wanted/wanted.ts";
import { createLogger } from "../../../src/base/index.ts";
import type { TaskClient } from "../../../src/work/index.ts";
import { scaled } from "../../support/scale.ts";
import { atFileEnd, connectTo, eventually, expectGone, setupWorld } from "../support.ts";

const atEnd = atFileEnd();
const world = setupWorld({}, atEnd);
const folder = join(world.directory, "agents/hello");
const dataDir = join(world.directory, ".murmur");
/** The log of the supervisor. */
const lines: string[] = [];
let first: SwarmState;
let tasks: TaskClient;

const writeGreeting = (text: string) => writeFileSync(join(folder, "greeting.ts"), text);
const names = () => world.state().processes.map(({ name }) => name);
const pidOf = (name: string) => world.state().processes.find((each) => each.name === name)?.pid;
const greet = async () => (await tasks.run({ capability: "hello", input: 1 })).output;

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  writeGreeting('export const greeting = "one";');
  writeFileSync(
    join(folder, "agent.ts"),
    `import { defineAgent } from "murmur-swarm";
import { greeting } from "./greeting.ts";
export default defineAgent({ name: "hello", capabilities: ["hello"], run: async () => greeting });`,
  );
  const log = createLogger({
    name: "supervisor",
    level: "info",
    stream: { write: (line) => void lines.push(line) },
  });
  first = await world.host({ roles: ["echo"], log });
  ({ tasks } = await connectTo(first.server, atEnd));
}, 120_000);

test("up --agents adds and removes processes of a running swarm, and up without --agents changes no role", async () => {
  const added = await world.call("up --agents hello,echo --json");
  expect(added).toMatchObject({ exitCode: 0 });
  expect(added.json()).toMatchObject({ alreadyRunning: true, changes: ["started hello-1"], differences: [] });
  expect(names()).toEqual(["echo-1", "hello-1"]);
  expect(await greet()).toBe("one");
  const echo = pidOf("echo-1")!;
  const removed = await world.call("up --agents hello --json");
  expect(removed.json()).toMatchObject({ changes: ["ended echo-1"] });
  expectGone([echo]);
  expect(readWanted(dataDir)).toMatchObject({ agents: { hello: 1 } });
  const same = await world.call("up --json");
  expect(same.json()).toMatchObject({ changes: [], differences: [] });
  expect(names()).toEqual(["hello-1"]);
});

test("status shows the processes and the queues of the data directory, and of a server that is named", async () => {
  const here = await world.call("status --json");
  expect(here.exitCode).toBe(0);
  expect(here.json()).toMatchObject({
    local: { dataDir, processes: [{ name: "hello-1", status: "running", restarts: 0 }] },
    swarm: { processes: [{ role: "hello", pid: pidOf("hello-1") }], agents: { idle: 1 }, unanswered: [] },
  });
  const elsewhere = await setupWorld().call(`status --server ${first.server}`);
  expect(elsewhere).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/no coordinator answers[\s\S]*hello +0 +0 +open/),
  });
  const none = await setupWorld().call("status --json");
  expect(none.exitCode).toBe(3);
  expect(none.json()).toMatchObject({
    error: { code: "unavailable", message: expect.stringMatching(/no swarm runs in .*murmur up --detach/) },
  });
});

test("up --server joins a swarm of another directory", async () => {
  const guest = setupWorld();
  const joined = await guest.up(`--server ${first.server} --agents echo`);
  expect(joined.processes.map(({ role }) => role)).toEqual(["api", "echo"]);
  const { pid } = joined.processes.find(({ name }) => name === "echo-1")!;
  await eventually(async () => {
    const { agents } = (await world.call("agent ls --json")).json() as { agents: { pid: number }[] };
    return agents.find((agent) => agent.pid === pid);
  });
  expect((await world.call("submit echo --input 1 --wait --json")).exitCode).toBe(0);
});

test("up tells a setting that it asks for and the swarm does not have, with exit code 1", async () => {
  const refused = await world.call("up --log-level debug");
  expect(refused.exitCode).toBe(1);
  expect(refused.stdout).toMatch(
    /logLevel differs: "info" runs.*flag --log-level[\s\S]*→ murmur down, then murmur up/,
  );
});

test("up names code that is newer than its process, and restart applies it", async () => {
  const before = pidOf("hello-1")!;
  writeGreeting('export const greeting = "two";');
  const told = await world.call("up --json");
  expect(told.exitCode).toBe(0);
  expect(told.json()).toMatchObject({
    differences: [{ kind: "code", name: "hello", apply: "murmur restart hello" }],
  });
  expect((await world.call("restart hello --json")).json()).toMatchObject({ restarted: ["hello-1"] });
  expectGone([before]);
  expect(await greet()).toBe("two");
  expect((await world.call("up --json")).json()).toMatchObject({ differences: [] });
});

test("restart keeps the process whose new files do not load, and knows the names of all processes", async () => {
  const before = pidOf("hello-1");
  writeGreeting("export const greeting = ;");
  const refused = await world.call("restart --json");
  expect(refused.exitCode).not.toBe(0);
  expect(refused.json()).toMatchObject({ error: { message: expect.stringContaining("old code") } });
  expect(pidOf("hello-1")).toBe(before);
  const unknown = await world.call("restart unknown --json");
  expect(unknown).toMatchObject({ exitCode: 1 });
  expect(unknown.json()).toMatchObject({
    error: { code: "not_found", message: expect.stringContaining("hello-1") },
  });
});

test("a role that cannot start is removed again, and the rest of the swarm stays as it is", async () => {
  const broken = join(world.directory, "agents/broken");
  mkdirSync(broken, { recursive: true });
  writeFileSync(join(broken, "agent.ts"), "export default 1;");
  const refused = await world.call("up --agents hello,broken --json");
  expect(refused.exitCode).not.toBe(0);
  expect(refused.json()).toMatchObject({ error: { message: expect.stringContaining("defineAgent") } });
  expect(names()).toEqual(["hello-1"]);
  expect(readWanted(dataDir)).toMatchObject({ agents: { hello: 1 } });
});

test("up --watch restarts a role when its files change, and a broken file leaves the running process alone", async () => {
  const before = pidOf("hello-1");
  writeGreeting('export const greeting = "two"; // as it runs, but for this remark');
  expect((await world.call("up --watch --json")).json()).toMatchObject({
    changes: ["watching the files of the roles"],
  });
  writeGreeting('export const greeting = "three";');
  const after = await eventually(() => {
    const record = world.state().processes.find(({ name }) => name === "hello-1");
    return record?.status === "running" && record.pid !== before ? record.pid : undefined;
  });
  expect(await greet()).toBe("three");
  writeGreeting("export const greeting = ;");
  await eventually(() => (lines.some((line) => line.includes("do not load")) ? true : undefined));
  expect(pidOf("hello-1")).toBe(after);
  expect(await greet()).toBe("three");
});

test("restart of a role renews its processes one after the other, so that one of them serves at all times", async () => {
  writeGreeting('export const greeting = "three";'); // as it runs
  expect(await world.call("up --agents hello*2 --json")).toMatchObject({ exitCode: 0 });
  const pids = world.state().processes.map(({ pid }) => pid);
  let isOver = false;
  const restarted = world.call("restart hello --json").finally(() => {
    isOver = true;
  });
  const serving: number[] = [];
  await eventually(() => {
    const { processes } = world.state();
    serving.push(processes.filter(({ status }) => status === "running").length);
    return isOver || undefined;
  });
  expect((await restarted).json()).toMatchObject({ restarted: ["hello-1", "hello-2"] });
  expectGone(pids);
  expect(serving).toContain(1);
  expect(Math.min(...serving)).toBe(1);
});

test("restart of the coordinators takes one after the other, so that the office changes hands at most once", async () => {
  const coordinators = scaled(1, 3);
  const crowd = setupWorld({}, undefined, { roles: ["echo"] });
  const { server } = await crowd.host({ coordinators });
  const { office } = await connectTo(server, undefined, crowd.keys());
  const before = await eventually(() => office.tenure({ timeoutMs: 2_000 }).catch(() => undefined));
  const { processes } = crowd.state();
  const pids = processes.filter(({ role }) => role === "coordinator").map(({ pid }) => pid);
  const restarted = await crowd.call("restart coordinator --json");
  expect(restarted).toMatchObject({ exitCode: 0 });
  expectGone(pids);
  const after = await office.tenure({ timeoutMs: 2_000 });
  expect(after.term - before.term).toBeLessThanOrEqual(1);
});
