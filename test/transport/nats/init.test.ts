import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect, onTestFinished, test } from "vitest";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { PRIORITIES } from "../../../src/protocol/index.ts";
import { connectNats, refuseDifferences } from "../../../src/transport/index.ts";
import { startSwarm, text } from "../support.ts";

async function setup() {
  const swarm = await startSwarm({ init: false });
  const admin = await connect({ servers: swarm.server.url });
  onTestFinished(() => admin.close());
  return { ...swarm, manager: await jetstreamManager(admin) };
}

test("the streams that init creates have the settings of their definitions", async () => {
  const { transport, manager } = await setup();
  const { created } = await transport.init();
  const config = async (name: string) => (await manager.streams.info(name)).config;
  expect(created).toEqual([
    "MURMUR_TASKS",
    "MURMUR_PLACED-DEFAULT",
    "MURMUR_LATER",
    "MURMUR_RESULTS",
    "MURMUR_JOURNAL",
    "MURMUR_DEAD",
    "MURMUR_OFFICE_LOG",
    "MURMUR_AUDIT",
    "MURMUR_WORKFLOWS",
    "MURMUR_FLOW",
    "MURMUR_SHARED",
    "MURMUR_LIMITS",
    "MURMUR_CANCELLED",
    "MURMUR_BLOBS",
    "MURMUR_SNAPSHOTS",
    "MURMUR_ENTRIES",
  ]);
  expect(await config("MURMUR_TASKS")).toMatchObject({
    subjects: [
      "murmur.task.*.urgent.*.*",
      "murmur.task.*.high.*.*",
      "murmur.task.*.normal.*.*",
      "murmur.task.*.low.*.*",
    ],
    retention: "workqueue",
    discard: "new",
    discard_new_per_subject: true,
    max_msgs_per_subject: 1,
    max_bytes: 4 * 1024 ** 3,
    max_msg_size: 528 * 1024,
    storage: "file",
    num_replicas: 1,
  });
  expect(await config("MURMUR_PLACED-DEFAULT")).toMatchObject({
    subjects: ["murmur.placed.default.*.*.*.*"],
    retention: "workqueue",
    discard: "new",
    discard_new_per_subject: true,
    max_msgs_per_subject: 1,
    max_bytes: 1024 ** 3,
    max_msg_size: 528 * 1024,
  });
  expect(await config("MURMUR_LATER")).toMatchObject({
    allow_msg_schedules: true,
    allow_msg_ttl: true,
    discard: "old",
    max_bytes: -1,
    max_msgs: -1,
    max_age: 0,
  });
  expect(await config("MURMUR_RESULTS")).toMatchObject({
    discard_new_per_subject: true,
    republish: { src: "murmur.result.>", dest: "murmur.done.>" },
  });
  expect(await config("MURMUR_OFFICE_LOG")).toMatchObject({
    subjects: ["murmur.log.office"],
    retention: "limits",
    discard: "new",
    deny_delete: true,
    max_age: 0,
    max_bytes: -1,
    max_msgs: -1,
  });
  expect(await config("MURMUR_AUDIT")).toMatchObject({
    subjects: ["murmur.audit.*.*"],
    retention: "limits",
    deny_delete: true,
    deny_purge: true,
    max_age: 90 * 86_400 * 1e9,
    max_bytes: 1024 ** 3,
  });
  expect(await config("MURMUR_SHARED")).toMatchObject({
    retention: "limits",
    discard: "new",
    max_msgs_per_subject: 16,
    max_bytes: 512 * 1024 ** 2,
  });
  expect(await config("KV_MURMUR_LIMITS")).toMatchObject({ max_msgs_per_subject: 1, allow_direct: true });
  expect(await config("OBJ_MURMUR_BLOBS")).toMatchObject({
    subjects: ["$O.MURMUR_BLOBS.C.>", "$O.MURMUR_BLOBS.M.>"],
  });
});

test.each([
  ["MURMUR_TASKS", { max_msgs_per_subject: 5 }, "max_msgs_per_subject must be 1, found 5"],
  ["MURMUR_RESULTS", { discard_new_per_subject: false }, "discard_new_per_subject must be true, found false"],
  [
    "MURMUR_RESULTS",
    { republish: undefined },
    "republish must be murmur.result.> → murmur.done.>, found none",
  ],
  ["MURMUR_JOURNAL", { allow_msg_ttl: false }, "allow_msg_ttl must be true, found false"],
  ["MURMUR_LATER", { max_bytes: 1_000_000 }, "max_bytes must be unlimited, found 1000000"],
  ["MURMUR_LATER", { max_age: 3_600_000_000_000 }, "max_age must be unlimited, found 3600000000000"],
  [
    "MURMUR_DEAD",
    { subjects: ["murmur.dead.*"] },
    'subjects must be ["murmur.dead.*.*"], found ["murmur.dead.*"]',
  ],
])("init names a %s with %o as a difference", async (name, changes, message) => {
  const { transport, manager } = await setup();
  await transport.init();
  const { config } = await manager.streams.info(name);
  await manager.streams.delete(name);
  await manager.streams.add({ ...config, ...changes } as typeof config);
  const report = await transport.init();
  const [setting] = Object.keys(changes);
  expect(report.differences).toMatchObject([{ stream: name, setting, isBlocking: true }]);
  expect(report.differences[0]?.text).toContain(`stream ${name}: ${message}`);
  expect(() => refuseDifferences(report)).toThrow(
    expect.objectContaining({ code: "conflict", field: setting }),
  );
});

test("roll-ups of the journal and of blobs are allowed or refused without permissions, and refused with them", async () => {
  const { transport } = await setup();
  await transport.init();
  const { differences } = await transport.init({ hasPermissions: true });
  expect(
    differences.map(({ stream, setting, found, canApply }) => [stream, setting, found, canApply]),
  ).toEqual([
    ["MURMUR_JOURNAL", "allow_rollup_hdrs", "true", true],
    ["OBJ_MURMUR_BLOBS", "allow_rollup_hdrs", "true", true],
  ]);
  expect((await transport.init({ hasPermissions: true, apply: true })).differences).toEqual([]);
  expect((await transport.init()).differences).toEqual([]);
  expect((await transport.inspect()).filter(({ problem }) => problem !== null)).toEqual([]);
  const reference = await transport.blobs.put(new Uint8Array(600_000));
  expect((await transport.blobs.get(reference)).length).toBe(600_000);
});

test("init with apply makes the changes that NATS allows, and leaves a change that could lose messages", async () => {
  const { transport, manager } = await setup();
  await transport.init();
  await manager.streams.update("KV_MURMUR_LIMITS", { allow_direct: false });
  await manager.streams.update("MURMUR_RESULTS", { discard_new_per_subject: false });
  await manager.streams.update("MURMUR_LATER", { max_bytes: 1_000_000 });
  expect((await transport.init()).applied).toEqual([]);
  const { applied, differences } = await transport.init({ apply: true });
  expect(applied.map(({ stream, setting }) => [stream, setting])).toEqual([
    ["MURMUR_RESULTS", "discard_new_per_subject"],
    ["KV_MURMUR_LIMITS", "allow_direct"],
  ]);
  expect(differences).toMatchObject([{ stream: "MURMUR_LATER", setting: "max_bytes", canApply: false }]);
  expect((await transport.init()).differences).toHaveLength(1);
});

test("a change that NATS refuses stays a difference, with the reason of NATS", async () => {
  const { connect, transport, manager } = await setup();
  await transport.init();
  // An age below the window for message ids (2 min).
  const given = await connect({ limits: { deadAgeMs: 60_000 } });
  const { applied, differences } = await given.init({ apply: true });
  expect(applied).toEqual([]);
  expect(differences).toMatchObject([{ stream: "MURMUR_DEAD", setting: "max_age", canApply: false }]);
  expect(differences[0]?.text).toMatch(
    /keeps messages 30 days.*; NATS refuses the change: .*duplicates window/,
  );
  expect((await manager.streams.info("MURMUR_DEAD")).config.max_age).toBe(30 * DAY_NANOS);
});

test("sizes and ages belong to the operator, so init accepts other values", async () => {
  const { transport, manager } = await setup();
  await transport.init();
  await manager.streams.update("MURMUR_TASKS", { max_bytes: 1_000_000 });
  await manager.streams.update("MURMUR_RESULTS", { max_age: 3_600_000_000_000 });
  expect((await transport.init()).created).toEqual([]);
});

/** Gives the swarm's streams the subjects that earlier versions created. */
async function makeOlder(manager: Awaited<ReturnType<typeof jetstreamManager>>): Promise<void> {
  for (const [name, kinds] of [
    ["MURMUR_LATER", ["later", "due"]],
    ["MURMUR_RESULTS", ["result"]],
    ["MURMUR_JOURNAL", ["journal"]],
    ["MURMUR_DEAD", ["dead"]],
  ] as const) {
    await manager.streams.update(name, { subjects: kinds.map((kind) => `murmur.${kind}.>`) });
  }
  const tasks = PRIORITIES.map((priority) => `murmur.task.*.${priority}.*.*`);
  await manager.streams.update("MURMUR_TASKS", { subjects: [...tasks, "murmur.placed.*.*.*.*"] });
}

test("init creates a stream of placed tasks for each class, and knows the classes from then on", async () => {
  const { transport } = await setup();
  await transport.init();
  expect((await transport.init({ classes: ["gpu", "web2"] })).created).toEqual([
    "MURMUR_PLACED-GPU",
    "MURMUR_PLACED-WEB2",
  ]);
  expect(await transport.placedClasses()).toEqual(["default", "gpu", "web2"]);
  expect((await transport.init()).verified).toContain("MURMUR_PLACED-GPU");
  const seen = await transport.inspect({ classes: ["none"] });
  expect(seen.filter(({ problem }) => problem !== null).map(({ name }) => name)).toEqual([
    "MURMUR_PLACED-NONE",
  ]);
  await expect(transport.init({ classes: ["Big"] })).rejects.toMatchObject({ code: "invalid_input" });
});

test("init with update takes the placed tasks out of the task stream of any earlier version, and tells how many are left", async () => {
  const { transport, manager } = await setup();
  await transport.init();
  await manager.streams.delete("MURMUR_PLACED-DEFAULT");
  await manager.streams.update("MURMUR_TASKS", { subjects: ["murmur.task.>", "murmur.placed.>"] });
  await transport.log("tasks").append("murmur.placed.h1.a1.-.t1", text("old"));
  await expect(transport.init()).rejects.toThrow(/create MURMUR_PLACED-DEFAULT: .*murmur init --apply/);
  expect(await transport.init({ apply: true })).toMatchObject({
    created: ["MURMUR_PLACED-DEFAULT"],
    applied: [expect.objectContaining({ stream: "MURMUR_TASKS", setting: "subjects" })],
    warnings: [expect.stringMatching(/^stream MURMUR_TASKS still has 1 placed task of an earlier version/)],
  });
  expect(await transport.log("tasks").last("murmur.placed.h1.a1.-.t1")).not.toBeNull();
});

test("init and inspect accept the subjects of an earlier version, and name the way to those of this version", async () => {
  const { transport, manager } = await setup();
  await transport.init();
  await makeOlder(manager);
  const { differences } = await transport.init();
  expect(differences).toHaveLength(5);
  expect(differences[0]?.text).toMatch(
    /^stream MURMUR_TASKS has the subjects of an earlier version.*init --apply/,
  );
  const seen = await transport.inspect();
  expect(seen.filter(({ problem }) => problem !== null)).toEqual([]);
  expect(seen.flatMap(({ name, advice }) => advice.map(() => name))).toHaveLength(5);
});

test("init with apply replaces the subjects of an earlier version, and keeps messages, consumers and sizes", async () => {
  const { transport, manager, subjects } = await setup();
  await transport.init();
  await makeOlder(manager);
  await manager.streams.update("MURMUR_TASKS", { max_bytes: 1_000_000 });
  const tasks = transport.log("tasks");
  const filter = subjects.filters.tasks("echo", "high");
  const consumer = await transport.queue("tasks").consumer({ name: "echo-high", filter });
  const address = { capability: "echo", priority: "high", scope: "-", taskId: "a" } as const;
  await tasks.append(subjects.task(address), text("a"));
  await tasks.append("murmur.placed.h1.a1.-.b", text("b"));
  expect((await transport.init({ apply: true })).applied.map(({ stream }) => stream)).toEqual([
    "MURMUR_TASKS",
    "MURMUR_LATER",
    "MURMUR_RESULTS",
    "MURMUR_JOURNAL",
    "MURMUR_DEAD",
  ]);
  expect(await transport.init({ apply: true })).toMatchObject({
    applied: [],
    differences: [],
    warnings: [expect.stringContaining("1 placed task")],
  });
  expect((await manager.streams.info("MURMUR_TASKS")).config).toMatchObject({ max_bytes: 1_000_000 });
  await expect(tasks.append("murmur.placed.h1.a1.-.c", text("c"))).rejects.toMatchObject({
    code: "unavailable",
  });
  await tasks.append(subjects.task({ ...address, taskId: "d" }), text("d"));
  expect(await tasks.last("murmur.placed.h1.a1.-.b")).toMatchObject({ seq: 2 });
  expect(await consumer.info()).toMatchObject({ pending: 2 });
  await manager.streams.update("MURMUR_TASKS", { subjects: ["murmur.task.echo.>"] });
  expect((await transport.init({ apply: true })).differences).toMatchObject([
    { setting: "subjects", canApply: false, isBlocking: true },
  ]);
});

const DAY_MS = 86_400_000;
const DAY_NANOS = DAY_MS * 1e6;

test("init creates the streams with the ages that it is given, and blobs outlive results and dead letters twice", async () => {
  const { connect, manager } = await setup();
  const limits = { resultAgeMs: 2 * DAY_MS, deadAgeMs: 40 * DAY_MS, journalAgeMs: 3 * DAY_MS };
  await (await connect({ limits })).init();
  const ages = await readAges(manager);
  expect(ages).toMatchObject({ MURMUR_RESULTS: 2, MURMUR_DEAD: 40, MURMUR_JOURNAL: 0, OBJ_MURMUR_BLOBS: 80 });
});

test("ages that are given reach existing streams with apply; without it, init and inspect only name them", async () => {
  const { transport, connect, manager, subjects } = await setup();
  await transport.init();
  await transport.log("results").append(subjects.result("echo", "-", "a"), text("a"));
  const given = await connect({ limits: { resultAgeMs: 2 * DAY_MS, deadAgeMs: 40 * DAY_MS } });
  const { differences } = await given.init();
  expect(differences).toHaveLength(3);
  expect(differences[0]?.text).toMatch(
    /^stream MURMUR_RESULTS keeps messages 7 days, and the wanted age is 2 days; .*init --apply/,
  );
  const seen = (await given.inspect()).filter(({ advice }) => advice.length > 0);
  expect(seen.map(({ name }) => name)).toEqual(["MURMUR_RESULTS", "MURMUR_DEAD", "MURMUR_BLOBS"]);
  expect(await readAges(manager)).toMatchObject({ MURMUR_RESULTS: 7, MURMUR_DEAD: 30, OBJ_MURMUR_BLOBS: 30 });
  expect((await given.init({ apply: true })).applied.map(({ stream }) => stream)).toEqual([
    "MURMUR_RESULTS",
    "MURMUR_DEAD",
    "OBJ_MURMUR_BLOBS",
  ]);
  expect(await given.init({ apply: true })).toMatchObject({ applied: [], differences: [] });
  expect(await readAges(manager)).toMatchObject({ MURMUR_RESULTS: 2, MURMUR_DEAD: 40, OBJ_MURMUR_BLOBS: 80 });
  expect(await given.log("results").info()).toMatchObject({ messages: 1 });
  expect((await manager.streams.info("MURMUR_RESULTS")).config).toMatchObject({
    discard_new_per_subject: true,
    republish: { src: "murmur.result.>", dest: "murmur.done.>" },
  });
});

test("an age that an operator edited stays while no setting gives one, also with apply", async () => {
  const { transport, manager } = await setup();
  await transport.init();
  await manager.streams.update("MURMUR_RESULTS", { max_age: 90 * DAY_NANOS });
  await manager.streams.update("MURMUR_DEAD", { max_age: 90 * DAY_NANOS });
  expect(await transport.init({ apply: true })).toMatchObject({ applied: [], differences: [] });
  expect((await transport.inspect()).flatMap(({ advice }) => advice)).toEqual([]);
  expect(await readAges(manager)).toMatchObject({ MURMUR_RESULTS: 90, MURMUR_DEAD: 90 });
});

test("the journal has no age: a stream of an earlier version gets advice, and apply removes its age", async () => {
  const { transport, manager, subjects } = await setup();
  await transport.init();
  expect(await readAges(manager)).toMatchObject({ MURMUR_JOURNAL: 0 });
  await manager.streams.update("MURMUR_JOURNAL", { max_age: 30 * DAY_NANOS });
  await transport.log("journal").append(subjects.journal("echo", "a"), text("{}"));
  expect((await transport.init()).differences.map(({ text }) => text)).toEqual([
    expect.stringMatching(/^stream MURMUR_JOURNAL keeps messages 30 days, .*for ever; .*--apply/),
  ]);
  expect((await transport.init({ apply: true })).applied.map(({ stream }) => stream)).toEqual([
    "MURMUR_JOURNAL",
  ]);
  expect(await readAges(manager)).toMatchObject({ MURMUR_JOURNAL: 0 });
  expect(await transport.log("journal").info()).toMatchObject({ messages: 1 });
});

/** The ages of the streams, in days; 0: none. */
async function readAges(
  manager: Awaited<ReturnType<typeof jetstreamManager>>,
): Promise<Record<string, number>> {
  const names = ["MURMUR_RESULTS", "MURMUR_DEAD", "MURMUR_JOURNAL", "OBJ_MURMUR_BLOBS"];
  const ages = names.map(async (name) => {
    const { config } = await manager.streams.info(name);
    return [name, config.max_age / DAY_NANOS] as const;
  });
  return Object.fromEntries(await Promise.all(ages));
}

test("init rejects subjects that another stream holds", async () => {
  const { transport, manager } = await setup();
  await manager.streams.add({ name: "OTHER", subjects: ["murmur.task.echo.>"] });
  await expect(transport.init()).rejects.toThrow(
    /create MURMUR_TASKS: another stream holds one of its subjects/,
  );
});

test("the error of a stream that does not fit names its bytes, the bytes of the account, and the setting of the servers", async () => {
  const { transport } = await startSwarm({
    init: false,
    server: { config: "jetstream { max_file_store: 1GB }" },
  });
  const refused = transport.init();
  await expect(refused).rejects.toThrow(
    "create MURMUR_TASKS: it wants 4294967296 bytes (4 GiB) on the server, and JetStream has too little storage left",
  );
  await expect(refused).rejects.toThrow("the account uses 0 bytes and reserves 0 bytes, without a limit");
  await expect(refused).rejects.toThrow(
    /reserve \d+ bytes \(6\.5 GiB\) on the server: raise max_file_store .* nats\.bundled\.storage\.size\), then run init again/,
  );
  // A repeat cannot help, so `init --wait` ends.
  await expect(refused).rejects.toMatchObject({ code: "unavailable", retryable: false });
});

test("when the account's own limit is too low, the error names that limit and its setting", async () => {
  const { transport } = await startSwarm({
    init: false,
    server: {
      config: `accounts { A { jetstream: { max_file: 1GB, max_mem: 0 }, users: [{ user: a, password: a }] } }
no_auth_user: a`,
    },
  });
  const refused = transport.init();
  await expect(refused).rejects.toThrow(
    "reserves 0 bytes, and its limit is 1073741824 bytes (1 GiB) for all copies",
  );
  await expect(refused).rejects.toThrow(
    /raise limits\.storageBytes of permissions\.yaml, .* more than \d+ bytes/,
  );
});

test("init keeps the stored messages", async () => {
  const { transport, subjects } = await setup();
  await transport.init();
  await transport.log("results").append(subjects.result("echo", "-", "a"), text("a"));
  await transport.init();
  expect(await transport.log("results").info()).toMatchObject({ messages: 1 });
});

test("a server without JetStream is unavailable, and the message says how to start it", async () => {
  const { transport } = await startSwarm({ init: false, server: { jetstream: false } });
  await expect(transport.init()).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("start it with -js"),
  });
});

test("a server older than 2.12 is unavailable, and the message says the required version", async () => {
  const port = await startOldServer();
  const transport = await connectNats({
    servers: `nats://127.0.0.1:${port}`,
    name: "test",
    prefix: "murmur",
    log: silentLogger,
    meter: createMeter(),
  });
  onTestFinished(() => transport.close());
  await expect(transport.init()).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/nats-server is 2\.11\.4; Murmur needs 2\.12 or newer/),
  });
});

/** Starts a server that only sends its greeting, as version 2.11.4. */
async function startOldServer(): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const info = {
      server_id: "old",
      version: "2.11.4",
      proto: 1,
      headers: true,
      max_payload: 1_048_576,
      jetstream: true,
    };
    socket.write(`INFO ${JSON.stringify(info)}\r\n`);
    socket.on("data", (bytes) => {
      if (bytes.includes("PING\r\n")) socket.write("PONG\r\n");
    });
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test("inspect reports missing and different streams, and creates nothing", async () => {
  const { transport, manager } = await setup();
  const before = await transport.inspect();
  expect(before).toContainEqual({
    key: "tasks",
    name: "MURMUR_TASKS",
    exists: false,
    problem: "does not exist; run `murmur init`",
    advice: [],
  });
  await transport.init();
  await manager.streams.update("MURMUR_LATER", { max_bytes: 1_000_000 });
  const problems = (await transport.inspect()).filter(({ problem }) => problem !== null);
  expect(problems).toMatchObject([
    {
      exists: true,
      name: "MURMUR_LATER",
      problem: expect.stringContaining("max_bytes must be unlimited"),
      advice: [],
    },
  ]);
});
