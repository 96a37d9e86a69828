// The tokens that stand for "none" or "all", and the names that Murmur derives, against tasks whose own names equal them.
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { encode, PLACEHOLDER, parse, taskSchema } from "../../../src/protocol/index.ts";
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

it.each([{ id: "-" }, { capability: "-" }, { route: { agent: "-" } }])(
  "a task with %o is refused, and the error names the field",
  async (fields) => {
    await swarm.work(async () => null);
    const submitting = (await swarm.client()).submit({ capability: "echo", ...fields } as never);
    await expect(submitting).rejects.toMatchObject({
      code: "invalid_input",
      field: expect.stringMatching(Object.keys(fields)[0]!),
    });
    expect(() => parse(taskSchema, { capability: "echo", scope: PLACEHOLDER }, "task")).not.toThrow();
  },
);

it("a direct publish with the id - becomes a dead letter, and no running task of its scope is cancelled", async () => {
  const go = signal();
  await swarm.work(async () => go.promise);
  const client = await swarm.client();
  const transport = await swarm.connect();
  await client.submit({ capability: "echo", id: "runs", scope: "s" });
  await untilState(client, "runs", "running");
  const body = encode({ capability: "echo" });
  await transport.log("tasks").append(`${swarm.prefix}.task.echo.normal.s.-`, body);
  const letter = await until(async () => (await client.dead.list())[0]);
  expect(letter).toMatchObject({
    taskId: expect.stringMatching(/^unreadable-/),
    reason: { field: "subject" },
  });
  await expect(client.cancel("-")).rejects.toMatchObject({ code: "invalid_input" });
  await swarm.roundTrips();
  expect(await client.status("runs")).toMatchObject({ state: "running" });
  go.resolve();
  expect(await client.result("runs", { timeoutMs: 60_000 })).toMatchObject({ status: "completed" });
});

it("a ballot that ends cancels its own questions only, although a scope of tasks has the ballot's id", async () => {
  const go = signal();
  await swarm.work(async () => go.promise);
  const client = await swarm.client();
  const transport = await swarm.connect();
  await client.submit({ capability: "echo", id: "runs", scope: "b1" });
  await untilState(client, "runs", "running");
  transport.bus.publish(`${swarm.prefix}.cancel.b1.-`, encode({ ballot: "b1" }));
  await transport.bus.flush();
  await swarm.roundTrips();
  expect(await client.status("runs")).toMatchObject({ state: "running" });
  go.resolve();
  expect(await client.result("runs", { timeoutMs: 60_000 })).toMatchObject({ status: "completed" });
});

it("a cancelled scope leaves the questions of a ballot that has its name", async () => {
  const client = await swarm.client();
  const transport = await swarm.connect();
  const log = transport.log("placed-default");
  const placed = `${swarm.prefix}.placed.default.h.a.b1`;
  const placement = { agent: "a", host: "h", capability: "echo", priority: "normal", score: 1, reasons: [] };
  const headers = {
    "Murmur-Placement": JSON.stringify({ ...placement, placedAt: new Date().toISOString() }),
  };
  await log.append(`${placed}.question`, encode({ capability: "echo" }), {
    headers: { ...headers, "Murmur-Ballot": "b1" },
  });
  await log.append(`${placed}.task`, encode({ capability: "echo" }), { headers });
  await client.cancelScope("b1");
  expect([...(await log.subjects(`${placed}.*`)).keys()]).toEqual([`${placed}.question`]);
  expect(await client.status("task")).toMatchObject({ state: "cancelled" });
});
