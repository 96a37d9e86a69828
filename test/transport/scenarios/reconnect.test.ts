import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectAdmin } from "@nats-io/transport-node";
import { expect, test, vi } from "vitest";
import type { Delivery, PullEnd, Transport } from "../../../src/transport/index.ts";
import { bounce, read, SOON, startSwarm, TEST_TIMEOUT_MS, text } from "../support.ts";

const address = (taskId: string) => ({ capability: "echo", priority: "normal", scope: "-", taskId }) as const;

async function openPull(transport: Transport, expiresMs = 30_000) {
  const consumer = await transport
    .queue("tasks")
    .consumer({ name: "echo-normal", filter: "murmur.task.echo.normal.>" });
  const deliveries: Delivery[] = [];
  const ends: PullEnd[] = [];
  const again = () =>
    consumer.pull(
      { max: 10, expiresMs },
      { onDelivery: (delivery) => deliveries.push(delivery), onEnd: (end) => ends.push(end) },
    );
  again();
  await vi.waitFor(async () => expect((await consumer.info())?.openPulls).toBe(1), SOON);
  return { consumer, deliveries, ends, again };
}

test("kill -9 of the server ends open pulls as lost, and after its restart a new pull gets the stored messages", {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  const { server, transport, subjects, meter } = await startSwarm();
  const states: string[] = [];
  transport.onState((state) => states.push(state));
  await transport.log("tasks").append(subjects.task(address("a")), text("a"));
  const { deliveries, ends, again } = await openPull(transport);
  await vi.waitFor(() => expect(deliveries).toHaveLength(1), SOON);

  await server.kill();
  await vi.waitFor(() => expect(ends).toEqual(["lost"]), SOON);
  expect(transport.state).toBe("disconnected");
  expect(await gauge(meter)).toBe(0);
  again(); // while there is no connection
  await vi.waitFor(() => expect(ends).toEqual(["lost", "lost"]), SOON);

  await server.restart();
  await vi.waitFor(() => expect(transport.state).toBe("connected"), SOON);
  expect(await gauge(meter)).toBe(1);
  expect(states).toEqual(["disconnected", "connected"]);
  await transport.log("tasks").append(subjects.task(address("b")), text("b"));
  again();
  await vi.waitFor(() => expect(deliveries.map(read)).toContain("b"), SOON);
});

test("an unacked message is redelivered after the server was killed", {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  const { server, transport, subjects } = await startSwarm();
  const { deliveries, again } = await openPull(transport);
  await transport.log("tasks").append(subjects.task(address("a")), text("a"));
  await vi.waitFor(() => expect(deliveries).toHaveLength(1), SOON);
  await bounce(server, transport);
  again();
  await vi.waitFor(() => expect(deliveries.map(read)).toEqual(["a", "a"]), SOON);
});

test("subscriptions, requests and appends continue after the server's restart", {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  const { server, transport, subjects } = await startSwarm();
  transport.bus.subscribe("murmur.ask.echo", (request) => request.respond(request.data));
  await server.kill();
  await vi.waitFor(() => expect(transport.state).toBe("disconnected"), SOON);
  // Both wait for the connection within their own timeout.
  const asked = transport.bus.request("murmur.ask.echo", text("hello"), { timeoutMs: 30_000 });
  const appended = transport
    .log("results")
    .append(subjects.result("echo", "-", "a"), text("a"), { timeoutMs: 30_000 });
  await server.restart();
  expect(read(await asked)).toBe("hello");
  expect(await appended).toMatchObject({ seq: 1 });
});

test("a tail continues after the server's restart, without a gap or a repeat", {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  const { server, transport, subjects } = await startSwarm();
  const log = transport.log("results");
  const add = (id: string) => log.append(subjects.result("echo", "-", id), text(id), { timeoutMs: 30_000 });
  const seqs: number[] = [];
  await add("a");
  await log.tail({ afterSeq: 0, onStored: ({ seq }) => seqs.push(seq) });
  await add("b");
  await server.kill();
  await vi.waitFor(() => expect(transport.state).toBe("disconnected"), SOON);
  await server.restart();
  for (const id of ["c", "d"]) await add(id);
  await vi.waitFor(() => expect(seqs).toEqual([1, 2, 3, 4]), SOON);
});

test("a request or append without a connection is unavailable after its timeout", async () => {
  const { server, transport, subjects } = await startSwarm();
  await server.kill();
  await vi.waitFor(() => expect(transport.state).toBe("disconnected"), SOON);
  const asked = transport.bus.request("murmur.ask.echo", text(""), { timeoutMs: 50 });
  await expect(asked).rejects.toMatchObject({ code: "unavailable" });
  const append = transport
    .log("results")
    .append(subjects.result("echo", "-", "a"), text(""), { timeoutMs: 50 });
  await expect(append).rejects.toMatchObject({ code: "unavailable" });
});

test("a request in flight fails at once when the server dies, not after its timeout", async () => {
  const { server, transport } = await startSwarm();
  transport.bus.subscribe("murmur.ask.silent", () => void server.kill());
  const asked = transport.bus.request("murmur.ask.silent", text(""), { timeoutMs: 10 * TEST_TIMEOUT_MS });
  await expect(asked).rejects.toThrow(/connection broke/);
});

test("deleting consumer or stream ends a pull as gone", { timeout: TEST_TIMEOUT_MS }, async () => {
  const { server, transport } = await startSwarm();
  const admin = await connectAdmin({ servers: server.url });
  const manager = await jetstreamManager(admin);
  const first = await openPull(transport);
  await manager.consumers.delete("MURMUR_TASKS", "echo-normal");
  await vi.waitFor(() => expect(first.ends).toEqual(["gone"]), SOON);
  first.again(); // no responders, so it ends at once
  await vi.waitFor(() => expect(first.ends).toEqual(["gone", "gone"]), SOON);

  const second = await openPull(transport); // created again
  await manager.streams.delete("MURMUR_TASKS");
  await vi.waitFor(() => expect(second.ends).toEqual(["gone"]), SOON);
  await admin.close();
});

test("a server that hangs ends a long pull as lost after two missed heartbeats", {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  const { server, transport } = await startSwarm();
  const { ends } = await openPull(transport);
  process.kill(server.pid, "SIGSTOP");
  try {
    await vi.waitFor(() => expect(ends).toEqual(["lost"]), SOON);
    await transport.close(); // must not wait for the server either
  } finally {
    process.kill(server.pid, "SIGCONT");
  }
});

test("a scatter to a server that hangs fails: its silence is not that of subscribers", {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  const { server, transport } = await startSwarm();
  transport.bus.subscribe("murmur.where.x", () => undefined);
  expect(await transport.bus.scatter("murmur.where.x", text(""), { timeoutMs: 50 })).toEqual([]);
  process.kill(server.pid, "SIGSTOP"); // it may answer for a moment more
  try {
    const scatter = () => transport.bus.scatter("murmur.where.x", text(""), { timeoutMs: 50 });
    const silent = { code: "unavailable", message: expect.stringContaining("did not answer") };
    await vi.waitFor(() => expect(scatter()).rejects.toMatchObject(silent), SOON);
  } finally {
    process.kill(server.pid, "SIGCONT");
  }
});

test("a publish during an outage is dropped, and a flush fails", {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  const { server, transport, connect } = await startSwarm();
  const listener = await connect();
  const received: string[] = [];
  listener.bus.subscribe("murmur.topic.x", (message) => received.push(read(message)));
  await listener.bus.flush();
  await server.kill();
  await vi.waitFor(() => expect(transport.state).toBe("disconnected"), SOON);
  transport.bus.publish("murmur.topic.x", text("into the void"));
  await expect(transport.bus.flush()).rejects.toMatchObject({ code: "unavailable" });
  await server.restart();
  for (const each of [transport, listener])
    await vi.waitFor(() => expect(each.state).toBe("connected"), SOON);
  await listener.bus.flush();
  transport.bus.publish("murmur.topic.x", text("after"));
  await vi.waitFor(() => expect(received).toEqual(["after"]), SOON);
});

async function gauge(meter: { registry: { getSingleMetricAsString(name: string): Promise<string> } }) {
  const lines = await meter.registry.getSingleMetricAsString("murmur_nats_connected");
  return Number(/^murmur_nats_connected (\d)$/m.exec(lines)?.[1]);
}
