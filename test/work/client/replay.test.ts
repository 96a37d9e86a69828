import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createMeter } from "../../../src/base/index.ts";
import { TerminalError } from "../../../src/protocol/index.ts";
import { createTaskClient } from "../../../src/work/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { cutOff, Failpoint } from "../failpoint.ts";
import { TestSwarm, until } from "../support.ts";

let server: NatsServer;
let swarm: TestSwarm;
beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());
beforeEach(() => {
  swarm = new TestSwarm(server.url);
});
afterEach(() => swarm.stop());

/** A task that failed, and the ids of the tasks that ran after it. */
async function setup(id = "d1") {
  const ran: string[] = [];
  const isBroken = new Set([id]);
  const { transport } = await swarm.work(async ({ task }) => {
    if (isBroken.has(task.id)) throw new TerminalError("broken");
    ran.push(task.id);
  });
  const client = await swarm.client();
  await client.run({ capability: "echo", id });
  await until(() => client.dead.show(id).catch(() => undefined));
  return { client, transport, ran, isBroken };
}

const REPLAY_ID = /^d1-r[0-9a-f]{12}$/;

describe("the replay of a dead letter", () => {
  it("is one task, however often it is asked for at the same time", async () => {
    const { client, transport, ran } = await setup();
    const replies = await Promise.all([1, 2, 3].map(() => client.dead.replay("d1")));
    const ids = new Set(replies.map(({ taskId }) => taskId));
    expect(ids.size).toBe(1);
    expect([...ids][0]).toMatch(REPLAY_ID);
    expect(replies.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    await client.result([...ids][0]!, { timeoutMs: 60_000 });
    expect(await client.dead.replay("d1")).toMatchObject({ taskId: [...ids][0], duplicate: true });
    expect(ran).toEqual([...ids]);
    expect((await transport.log("results").info()).messages).toBe(2);
    expect(await client.dead.list()).toEqual([]);
  });

  it.each(["before", "after"] as const)("is one task after a crash %s each of its effects", async (mode) => {
    for (const at of [1, 2]) {
      swarm = new TestSwarm(server.url);
      const { client, ran } = await setup();
      const point = new Failpoint(at, mode);
      const transport = cutOff(await swarm.connect(), point);
      const crashing = createTaskClient({ transport, meter: createMeter() });
      void crashing.dead.replay("d1");
      await until(() => (point.dead ? true : undefined));
      const { taskId } = await client.dead.replay("d1");
      await client.result(taskId, { timeoutMs: 60_000 });
      expect(ran, `crash ${mode} effect ${at} (${point.effects.at(-1)})`).toEqual([taskId]);
      expect(await client.dead.list()).toEqual([]);
      crashing.close();
      await swarm.stop();
    }
  });

  it("keeps the first 38 characters of a long id, and another end gives another id", async () => {
    const id = "x".repeat(64);
    const { client } = await setup(id);
    const { taskId } = await client.dead.replay(id);
    expect(taskId).toMatch(/^x{38}-r[0-9a-f]{12}$/);
    expect(await client.retry(id)).toMatchObject({ taskId, duplicate: true });
  });
});

describe("the retry of a failed task", () => {
  it("names the task of the first retry when it is asked for again, and that task can be retried", async () => {
    const { client, isBroken, ran } = await setup();
    const first = await client.retry("d1");
    expect(first).toMatchObject({ taskId: expect.stringMatching(REPLAY_ID), duplicate: false });
    await client.result(first.taskId, { timeoutMs: 60_000 });
    expect(await client.retry("d1")).toMatchObject({ taskId: first.taskId, duplicate: true });
    await expect(client.retry(first.taskId)).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining("is completed; only a failed task can be retried"),
    });
    isBroken.clear();
    expect(ran).toEqual([first.taskId]);
  });

  it("and the replay of its letter are one task", async () => {
    const { client, ran } = await setup();
    const [one, other] = await Promise.all([client.retry("d1"), client.dead.replay("d1")]);
    expect(one.taskId).toBe(other.taskId);
    await client.result(one.taskId, { timeoutMs: 60_000 });
    expect(ran).toEqual([one.taskId]);
  });
});
