// Locks that agents hold, with real processes: three agents, three coordinators, and a crane that checks tokens. The crane
// is what a lock protects: it must never see two loads at once, nor take orders with an old token.
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { connectNats } from "../../../src/transport/index.ts";
import { createTaskClient } from "../../../src/work/index.ts";
import { eventually, setupWorld } from "../support.ts";

/** The agent: it lifts and puts down under the lock; with `stay` it keeps the lock until it is lost, and tells. */
const CRANE_AGENT = `
import { defineAgent } from "murmur";

const order = async (what, token) => {
  const url = process.env.CRANE_URL + "/" + what + "?token=" + token + "&pid=" + process.pid;
  return (await fetch(url, { method: "POST" })).status;
};

export default defineAgent({
  name: "crane",
  capabilities: ["crane"],
  slots: 1,
  async run(task, ctx) {
    const lock = await ctx.lock("crane", { ttlMs: task.input.ttlMs, patienceMs: 120_000 });
    const lifted = await order("lift", lock.token);
    if (task.input.stay === true && ctx.attempt === 1) {
      await new Promise((resolve) => lock.signal.addEventListener("abort", resolve));
      await order("wake", lock.token);
    }
    await ctx.sleep(20);
    return { lifted, put: await order("put", lock.token), token: lock.token };
  },
});
`;

/** The crane: refuses tokens that are lower than one it has seen, and writes down what it is told. */
async function startCrane() {
  const told: { what: string; token: number; pid: number; refused: boolean }[] = [];
  let highest = 0;
  let carrying: number | null = null;
  let collisions = 0;
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://crane");
    const [token, pid] = [Number(url.searchParams.get("token")), Number(url.searchParams.get("pid"))];
    const what = url.pathname.slice(1);
    const refused = token < highest;
    told.push({ what, token, pid, refused });
    highest = Math.max(highest, token);
    if (!refused && what === "lift") {
      if (carrying !== null) collisions++;
      carrying = token;
    }
    if (!refused && what === "put") carrying = null;
    response.statusCode = refused ? 409 : 200;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, told, collisions: () => collisions };
}

async function setup(coordinators: number) {
  const crane = await startCrane();
  const world = setupWorld({ CRANE_URL: crane.url });
  mkdirSync(join(world.directory, "agents/crane"), { recursive: true });
  writeFileSync(join(world.directory, "agents/crane/agent.ts"), CRANE_AGENT);
  const swarm = await world.up(`--agents crane*3 --coordinators ${coordinators}`);
  const meter = createMeter();
  const to = { servers: swarm.server, name: "test", prefix: "murmur", log: silentLogger, meter };
  const transport = await connectNats(to);
  const tasks = createTaskClient({ transport, meter });
  onTestFinished(async () => {
    tasks.close();
    await transport.close();
  });
  return {
    ...{ crane, world, swarm },
    submit: (id: string, input: object) => tasks.submit({ id, capability: "crane", input }),
    /** The result of a task, which must be completed. */
    async completed(id: string) {
      const result = await tasks.result(id, { timeoutMs: 120_000 });
      expect(result.status).toBe("completed");
      return result as typeof result & { output: { lifted: number; put: number; token: number } };
    },
  };
}

test("three agents take turns under a lock while the coordinator in office is killed again and again", async () => {
  const TASKS = 24;
  const { crane, world, submit, completed } = await setup(3);
  for (let index = 0; index < TASKS; index++) await submit(`t${index}`, { ttlMs: 20_000 });
  for (let kills = 0; kills < 3; kills++) {
    const before = crane.told.length;
    const pid = await eventually(async () => {
      const status = (await world.run("office status --json")).json() as { leaderPid: number | null };
      return status.leaderPid ?? undefined;
    });
    process.kill(pid, "SIGKILL");
    // Turns go on after each kill, unless all are done.
    await eventually(() => (crane.told.length > before || crane.told.length >= 2 * TASKS ? true : undefined));
  }
  for (let index = 0; index < TASKS; index++) {
    expect(await completed(`t${index}`)).toMatchObject({ output: { lifted: 200, put: 200 } });
  }
  expect(crane.collisions()).toBe(0);
  const lifts = crane.told.filter(({ what }) => what === "lift").map(({ token }) => token);
  expect(lifts).toEqual([...new Set(lifts)].sort((a, b) => a - b));
  expect(new Set(crane.told.map(({ pid }) => pid)).size).toBe(3);
  await eventually(async () => {
    const { locks } = (await world.run("lock ls --json --timeout 20s")).json() as { locks: unknown[] };
    return locks.length === 0 ? true : undefined;
  });
}, 240_000);

test("a holder that stood still learns on waking that its lock is lost, and the crane refuses its old token", async () => {
  const { crane, world, submit, completed } = await setup(1);
  await submit("sleeper", { ttlMs: 5_000, stay: true });
  const { pid, token } = await eventually(() => crane.told.find(({ what }) => what === "lift"));
  const [holder] = (
    (await world.run("agent ls --json")).json() as { agents: { pid: number; id: string }[] }
  ).agents.filter((agent) => agent.pid === pid);
  expect((await world.run("lock ls --json")).json()).toMatchObject({ locks: [{ name: "crane", token }] });
  await submit("next", { ttlMs: 5_000 });
  await eventually(async () => {
    const { agents } = (await world.run("agent ls --json")).json() as {
      agents: { id: string; state: string; waiting: string | null }[];
    };
    return agents.find(({ id, waiting }) => id !== holder?.id && waiting === "lock");
  });

  process.kill(pid, "SIGSTOP");
  const taken = await completed("next");
  expect(taken.output.token).toBeGreaterThan(token);
  process.kill(pid, "SIGCONT");
  expect(await eventually(() => crane.told.find(({ what }) => what === "wake"))).toMatchObject({
    pid,
    token,
    refused: true,
  });
  // The attempt failed with its lock, and was repeated with a new one.
  expect(await completed("sleeper")).toMatchObject({ attempt: 2, output: { lifted: 200, put: 200 } });
}, 240_000);
