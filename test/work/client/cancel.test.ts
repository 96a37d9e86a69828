import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { signal, TestSwarm, until, untilState } from "../support.ts";

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

test("the queue is empty once the tasks behind a running one are cancelled, also by the count of its consumer", async () => {
  const gate = signal();
  await swarm.work(() => gate.promise, { slots: 1 });
  const client = await swarm.client();
  const ids: string[] = [];
  for (let task = 0; task < 4; task++) ids.push((await client.submit({ capability: "echo" })).taskId);
  const [first = "-", ...waiting] = ids;
  await untilState(client, first, "running");
  const transport = await swarm.connect();
  const pending = async () =>
    (await transport.queue("tasks").consumers()).find(({ name }) => name === "echo-normal")?.pending;
  await until(async () => ((await pending()) === waiting.length ? true : undefined));
  for (const id of waiting) await client.cancel(id);
  expect(await pending()).toBe(0);
  gate.resolve();
  expect(await client.result(first, { timeoutMs: 60_000 })).toMatchObject({ status: "completed" });
});
