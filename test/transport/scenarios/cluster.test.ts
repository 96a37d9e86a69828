// A cluster of three servers: the copies of streams, and a server that is cut off from the others.
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { createSubjects } from "../../../src/protocol/index.ts";
import { type ConnectNatsOptions, connectNats } from "../../../src/transport/index.ts";
import { around, type NatsCluster, startNatsCluster } from "../../support/nats-cluster.ts";
import { between } from "../../support/wires.ts";
import { startSwarm } from "../support.ts";

let cluster: NatsCluster;
beforeAll(async () => {
  cluster = await startNatsCluster();
  return () => cluster.stop();
});

async function setup(options: Partial<ConnectNatsOptions> & { prefix: string }) {
  const transport = await connectNats({
    servers: cluster.servers.map(({ url }) => url),
    name: "test",
    log: silentLogger,
    meter: createMeter(),
    ...options,
  });
  onTestFinished(() => transport.close());
  return transport;
}

test("in a cluster init makes three copies of each stream, and the cluster names the stream's leader", async () => {
  const transport = await setup({ prefix: "three" });
  const { created, warnings } = await transport.init();
  expect(created).toContain("THREE_OFFICE_LOG");
  expect(warnings).toEqual([]);
  expect((await (await setup({ prefix: "three", replicas: 3 })).init()).created).toEqual([]);
  await transport.log("office").append(createSubjects("three").officeLog, new Uint8Array());
  await expect.poll(() => cluster.streamLeader("THREE_OFFICE_LOG")).toMatch(/^n[123]$/);
});

test("init warns about streams with fewer copies, and tells them as a blocking difference when the caller asked for a number", async () => {
  const one = await setup({ prefix: "one", replicas: 1 });
  await one.init();
  const { warnings } = await (await setup({ prefix: "one" })).init();
  expect(warnings[0]).toMatch(
    /stream ONE_TASKS has 1 of 3 copies: `nats stream edit ONE_TASKS --replicas 3`/,
  );
  const three = await setup({ prefix: "one", replicas: 3 });
  const { differences } = await three.init();
  expect(differences[0]).toMatchObject({ stream: "ONE_TASKS", setting: "num_replicas", isBlocking: true });
  expect(differences[0]?.text).toContain("num_replicas must be 3, found 1");
  expect((await three.inspect())[0]?.problem).toContain("num_replicas must be 3, found 1");
});

test("a stream that fits on no server is told as too little storage, and not as missing servers", async () => {
  const limits = { taskBytes: 2 ** 52 };
  const refused = (await setup({ prefix: "large", limits })).init();
  await expect(refused).rejects.toThrow(
    /create LARGE_TASKS: it wants 4503599627370496 bytes .* on each of 3 servers, and JetStream has too little storage left \(.*insufficient storage/,
  );
  await expect(refused).rejects.toMatchObject({ code: "unavailable", retryable: false });
});

test("three copies on one server are unavailable, and the message names the next step", async () => {
  const { connect } = await startSwarm({ init: false });
  const refused = (await connect({ replicas: 3 })).init();
  await expect(refused).rejects.toThrow(/start 3 servers with JetStream, or ask for fewer copies/);
  await expect(refused).rejects.toMatchObject({ code: "unavailable", field: "replicas" });
});

test("more copies than servers are unavailable", async () => {
  const refused = (await setup({ prefix: "five", replicas: 5 })).init();
  await expect(refused).rejects.toThrow(/start 5 servers/);
});

test("a client leaves a server that is cut off from the others when its appends get no answer", {
  timeout: 240_000,
}, async () => {
  const prefix = "cut";
  const transport = await setup({ prefix, servers: await cluster.clientUrl("client"), leaveAfterMs: 1_000 });
  await transport.init();
  const log = transport.log("office");
  const subject = createSubjects(prefix).officeLog;
  const append = () => log.append(subject, new Uint8Array(), { timeoutMs: 800 }).catch(() => undefined);
  await append();
  const leader = await cluster.streamLeader("CUT_OFFICE_LOG");
  const others = cluster.servers.map(({ name }) => name).filter((name) => name !== leader);
  onTestFinished(() => cluster.ready());
  // Force the client onto the stream's leader, then cut the leader off: the client must change the server by itself.
  cluster.wires.cut(between(["client"], others), "break");
  await expect.poll(() => transport.state).toBe("connected");
  await expect.poll(append).toBeDefined();
  cluster.wires.heal();
  cluster.wires.cut(around(cluster, leader!), "hold");
  await expect.poll(append, { timeout: 40_000 }).toBeDefined();
});
