// A user of NATS with the permissions that docs/client.md names uses the client.
import { afterAll, beforeAll, expect, test } from "vitest";
import { createMeter, silentLogger } from "../../src/base/index.ts";
import { type Client, connect } from "../../src/client/index.ts";
import { connectNats, type Transport } from "../../src/transport/index.ts";
import { createMover, createWorker } from "../../src/work/index.ts";
import { type NatsServer, startNatsServer } from "../support/nats-server.ts";
import { ScriptedWorkforce } from "../work/support.ts";

const PUBLISH = [
  "murmur.task.echo.>",
  "murmur.later.>",
  "murmur.where.*",
  "murmur.office.*",
  "$O.MURMUR_BLOBS.>",
  "$JS.API.>",
];
const SUBSCRIBE = ["_INBOX.>", "murmur.done.echo.*.*", "murmur.event.task.>"];

let server: NatsServer;
let swarm: Transport;
let shop: Client;
const stops: (() => Promise<void>)[] = [];
beforeAll(async () => {
  const list = (subjects: string[]) => JSON.stringify(subjects);
  server = await startNatsServer({
    config: `authorization { users = [
      { user: swarm, password: s }
      { user: shop, password: s, permissions: {
        publish: { allow: ${list(PUBLISH)} }, subscribe: { allow: ${list(SUBSCRIBE)} } } }
    ] }`,
  });
  const meter = createMeter();
  const parts = { log: silentLogger, meter };
  const credentials = { user: "swarm", password: "s" };
  swarm = await connectNats({ ...parts, servers: server.url, credentials, name: "swarm", prefix: "murmur" });
  await swarm.init();
  const workforce = new ScriptedWorkforce(8, async ({ task }) => task.input);
  const capabilities = [{ name: "echo" }];
  for (const service of [
    createWorker({ transport: swarm, ...parts, hostId: "host", workforce, capabilities }),
    createMover({ transport: swarm, ...parts }),
  ]) {
    await service.start();
    stops.push(() => service.stop());
  }
  shop = await connect({
    servers: server.url,
    credentials: { user: "shop", password: "s" },
    prefix: "murmur",
  });
});
afterAll(async () => {
  await shop?.close();
  for (const stop of stops) await stop();
  await swarm?.close();
  await server?.stop();
});

test("the permissions of docs/client.md are enough to submit, wait and watch, also with delays and large bodies", async () => {
  const input = "x".repeat(600_000);
  expect(await shop.run({ capability: "echo", input }, { timeoutMs: 20_000 })).toMatchObject({
    output: input,
  });
  const { taskId } = await shop.submit({ capability: "echo", notBefore: 50 });
  const states: string[] = [];
  for await (const { state } of shop.watch(taskId)) states.push(state);
  expect(states.at(-1)).toBe("completed");
  await expect(shop.submit({ capability: "other" }, { patienceMs: 0 })).rejects.toThrow();
});
