import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { finish } from "../../../src/work/client/list.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { signal, TestSwarm, until, untilState } from "../support.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());

const TASKS = 60;

test("a purge beside a busy host: each task ends once, as performed or as cancelled, and running tasks stay", async () => {
  const swarm = new TestSwarm(server.url);
  onTestFinished(() => swarm.stop());
  const client = await swarm.client();
  const [go, flow, both] = [signal(), signal(), signal()];
  const started: string[] = [];
  await swarm.work(
    async ({ task }) => {
      started.push(task.id);
      if (started.length === 2) both.resolve();
      await (task.id === "t0" ? go.promise : flow.promise);
      return task.id;
    },
    { slots: 2 },
  );
  for (let index = 0; index < TASKS; index++) await client.submit({ capability: "echo", id: `t${index}` });
  await client.submit({ capability: "echo", id: "tomorrow", notBefore: 600_000 });
  await both.promise;

  const selection = await finish(client.purge.select({ idPrefix: "t" }));
  expect(selection).toMatchObject({ running: 2, unseen: 0, unknown: 0 });
  const ids = selection.found.map(({ taskId }) => taskId);
  expect(ids).toContain("tomorrow");
  expect(ids).not.toContain("t0");
  expect(ids).toHaveLength(TASKS - 2 + 1);
  // From here on the host takes the oldest tasks while the purge takes the newest.
  flow.resolve();
  const purged = new Set<string>();
  for (const task of selection.found) if (await client.purge.purge(task)) purged.add(task.taskId);
  expect(purged).toContain("tomorrow");
  expect(await client.status("t0")).toMatchObject({ state: "running" });
  // A task of an earlier selection that runs by now is skipped.
  expect(await client.purge.purge({ ...selection.found[0]!, taskId: "t0" })).toBe(false);
  go.resolve();
  await untilState(client, "t0", "completed");

  const states = new Map<string, string>();
  for (const taskId of [...ids, "t0"]) {
    const { state } = await untilState(client, taskId, "completed", "cancelled", "failed");
    states.set(taskId, state);
    expect(state).toBe(purged.has(taskId) ? "cancelled" : "completed");
  }
  const log = (await swarm.connect()).log("tasks");
  await until(async () => ((await log.info()).messages === 0 ? true : undefined));

  const ended = await finish(client.purge.select({ idPrefix: "t" }, { state: "completed" }));
  for (const task of ended.found) expect(await client.purge.purge(task)).toBe(true);
  expect((await client.list({ limit: 1_000 })).every(({ state }) => state === "cancelled")).toBe(true);
  expect(started.filter((id) => id === "t0")).toHaveLength(1);
});
