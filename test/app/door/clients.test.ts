// The client and the command line of users that reach nothing but the front door: their NATS permissions allow no JetStream request.
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createOperateDoor } from "../../../src/app/door/index.ts";
import { auditThrough } from "../../../src/app/office/operation-audit.ts";
import { OPERATIONS } from "../../../src/app/operations/index.ts";
import { parsePermissions, rightsOf } from "../../../src/app/permissions/index.ts";
import { createAuditWriter } from "../../../src/audit/index.ts";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { type Client, connect } from "../../../src/client/index.ts";
import { connectNats, type Transport } from "../../../src/transport/index.ts";
import { createMover, createTaskClient, createWorker } from "../../../src/work/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { ScriptedWorkforce } from "../../work/support.ts";
import { setupWorld } from "../support.ts";

const PERMISSIONS = `
version: 1
publishers: [{ name: shop, capabilities: [echo] }]
operators: [{ name: anna, access: admin }]
`;
const user = (name: string, publish: string[], subscribe: string[]) =>
  `{ user: ${name}, password: s, permissions: { publish: { allow: ${JSON.stringify(publish)} }, subscribe: { allow: ${JSON.stringify(subscribe)} } } }`;

let server: NatsServer;
let swarm: Transport;
let shop: Client;
const stops: (() => Promise<void>)[] = [];
beforeAll(async () => {
  server = await startNatsServer({
    config: `authorization { users = [
      { user: swarm, password: s }
      ${user("shop", ["murmur.operate.shop.>"], ["_INBOX.shop.>", "murmur.done.echo.*.*"])}
      ${user("anna", ["murmur.operate.anna.>"], ["_INBOX.anna.>"])}
    ] }`,
  });
  const meter = createMeter();
  const parts = { log: silentLogger, meter };
  const credentials = { user: "swarm", password: "s" };
  swarm = await connectNats({ ...parts, servers: server.url, credentials, name: "swarm", prefix: "murmur" });
  await swarm.init();
  const workforce = new ScriptedWorkforce(8, async ({ task }) => task.input);
  const tasks = createTaskClient({ transport: swarm, meter });
  const writer = createAuditWriter({
    transport: swarm,
    role: "api",
    processId: "api-1",
    version: "1",
    ...parts,
  });
  const permissions = await parsePermissions(PERMISSIONS, "permissions.yaml");
  for (const service of [
    createWorker({ transport: swarm, ...parts, hostId: "host", workforce, capabilities: [{ name: "echo" }] }),
    createMover({ transport: swarm, ...parts }),
    createOperateDoor({
      ...{ transport: swarm, tasks, ...parts, operations: OPERATIONS, auditor: auditThrough(writer) },
      rightsOf: (name) => rightsOf(name, permissions),
      onRefused: () => undefined,
    }),
  ]) {
    await service.start();
    stops.unshift(() => service.stop());
  }
  stops.push(async () => tasks.close());
  shop = await connect({
    servers: server.url,
    credentials: { user: "shop", password: "s" },
    inboxPrefix: "_INBOX.shop",
    prefix: "murmur",
    operateAs: "shop",
  });
});
afterAll(async () => {
  await shop?.close();
  for (const stop of stops) await stop();
  await swarm?.close();
  await server?.stop();
});

test("the client submits, runs, waits, watches, cancels and lists with no other right than the front door", async () => {
  const input = "x".repeat(1_500_000);
  expect(await shop.run({ capability: "echo", input }, { timeoutMs: 60_000 })).toMatchObject({
    output: input,
  });
  const bytes = new Uint8Array([1, 2, 3]);
  const ran = await shop.run(
    { capability: "echo", input: bytes },
    { encoding: "msgpack", timeoutMs: 60_000 },
  );
  expect([...(ran.output as Uint8Array)]).toEqual([1, 2, 3]);

  const own = { capability: "echo", id: "own-1", input: 1 };
  expect(await shop.submit(own)).toMatchObject({ taskId: "own-1", duplicate: false });
  expect(await shop.wait("own-1", { timeoutMs: 60_000 })).toMatchObject({ output: 1 });
  expect(await shop.submit(own)).toMatchObject({ duplicate: true });
  expect(await shop.run(own, { timeoutMs: 60_000 })).toMatchObject({ output: 1 });
  expect(await shop.status("own-1")).toMatchObject({ state: "completed" });

  const { taskId } = await shop.submit({ capability: "echo", notBefore: 50 });
  const states: string[] = [];
  for await (const { state } of shop.watch(taskId)) states.push(state);
  expect(states.at(-1)).toBe("completed");

  const later = await shop.submit({ capability: "echo", notBefore: 600_000, id: "later-1" });
  expect(later.duplicate).toBe(false);
  expect((await shop.list({ state: "scheduled" })).map((each) => each.taskId)).toEqual(["later-1"]);
  await shop.cancel("later-1");
  expect(await shop.status("later-1")).toMatchObject({ state: "cancelled" });
  const batch: unknown[] = [];
  for await (const { value } of shop.runAll([
    { capability: "echo", input: 1 },
    { capability: "echo", input: 2 },
  ]))
    batch.push(value?.output);
  expect(batch.sort()).toEqual([1, 2]);
});

test("the client is refused other capabilities, scopes and operations", async () => {
  const refused = expect.objectContaining({ code: "not_permitted" });
  const call = { patienceMs: 0 };
  await expect(shop.submit({ capability: "other" }, call)).rejects.toThrow(refused);
  await expect(shop.list({ capability: "other" }, call)).rejects.toThrow(refused);
  await expect(shop.cancelScope("s", call)).rejects.toThrow(refused);
  const tasks = createTaskClient({ transport: swarm, meter: createMeter() });
  onTestFinished(() => tasks.close());
  await swarm.queue("tasks").consumer({ name: "other-normal", filter: "murmur.task.other.normal.>" });
  await tasks.submit({ capability: "other", id: "foreign-1" });
  await expect(shop.status("foreign-1", call)).rejects.toThrow(refused);
  await expect(shop.cancel("foreign-1", call)).rejects.toThrow(refused);
});

test("commands go through the front door with operateAs, with the answers of the swarm and the proven name", async () => {
  const world = setupWorld({
    MURMUR_SERVER: server.url,
    MURMUR_USER: "anna",
    MURMUR_PASSWORD: "s",
    MURMUR_INBOX_PREFIX: "_INBOX.anna",
    MURMUR_OPERATE_AS: "anna",
  });
  const ran = await world.call(`submit echo --input {"a":1} --id cli-1 --wait --json`);
  expect(ran.json()).toMatchObject({ taskId: "cli-1", output: { a: 1 } });
  expect((await world.call("task show cli-1 --json")).json()).toMatchObject({ state: "completed" });
  expect((await world.call("task ls --limit 1 --json")).json()).toMatchObject({ tasks: [expect.anything()] });
  expect((await world.call("task watch cli-1")).exitCode).toBe(0);
  expect((await world.call("task show nosuch --json")).json()).toMatchObject({
    error: { code: "not_found" },
  });
  expect(
    (await world.call("task purge --state completed --id-prefix cli- --yes --json")).json(),
  ).toMatchObject({
    done: 1,
    audited: true,
  });
  const { entries } = (await world.call("audit ls --kind operation --json")).json() as unknown as {
    entries: { facts: object }[];
  };
  expect(entries.map(({ facts }) => facts)).toContainEqual(
    expect.objectContaining({ command: "task-purge", by: "anna", isProven: true, done: 1 }),
  );
  expect((await world.call("completion bash --names capabilities --timeout 30s")).stdout).toContain("echo");
});
