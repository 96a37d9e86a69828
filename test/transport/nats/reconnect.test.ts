import { expect, test, vi } from "vitest";
import type { Delivery, PullEnd, Transport } from "../../../src/transport/index.ts";
import { read, SOON, startSwarm, TEST_TIMEOUT_MS, text } from "./support.ts";

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

test("kill -9 of the server ends open pulls as lost, and after its restart a new pull gets what was stored", {
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

test("an unacked delivery comes back after the server was killed", { timeout: TEST_TIMEOUT_MS }, async () => {
  const { server, transport, subjects } = await startSwarm();
  const { deliveries, again } = await openPull(transport);
  await transport.log("tasks").append(subjects.task(address("a")), text("a"));
  await vi.waitFor(() => expect(deliveries).toHaveLength(1), SOON);
  await server.kill();
  await server.restart();
  await vi.waitFor(() => expect(transport.state).toBe("connected"), SOON);
  again();
  await vi.waitFor(() => expect(deliveries.map(read)).toEqual(["a", "a"]), SOON);
});

test("subscriptions, requests and appends go on after the server came back", {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  const { server, transport, subjects } = await startSwarm();
  transport.bus.subscribe("murmur.ask.echo", (request) => request.respond(request.data));
  await server.kill();
  await vi.waitFor(() => expect(transport.state).toBe("disconnected"), SOON);
  // Both wait for the connection within their own time.
  const asked = transport.bus.request("murmur.ask.echo", text("hello"), { timeoutMs: 30_000 });
  const appended = transport
    .log("results")
    .append(subjects.result("echo", "-", "a"), text("a"), { timeoutMs: 30_000 });
  await server.restart();
  expect(read(await asked)).toBe("hello");
  expect(await appended).toMatchObject({ seq: 1 });
});

test("a request or append without a connection is unavailable when its time is over", async () => {
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

test("a request on its way when the server dies is reported at once, not after its time", async () => {
  const { server, transport } = await startSwarm();
  transport.bus.subscribe("murmur.ask.silent", () => void server.kill());
  const asked = transport.bus.request("murmur.ask.silent", text(""), { timeoutMs: 10 * TEST_TIMEOUT_MS });
  await expect(asked).rejects.toThrow(/connection broke/);
});

test("a watcher sees what was changed while it was away", { timeout: TEST_TIMEOUT_MS }, async () => {
  const { server, transport, connect } = await startSwarm();
  const other = await connect();
  const bucket = transport.bucket("cancelled");
  await bucket.put("before", text("1"));
  const seen = new Map<string, string | null>();
  let calls = 0;
  const watch = await bucket.watch((key, value) => {
    calls++;
    seen.set(key, value === null ? null : new TextDecoder().decode(value));
  });
  for (let round = 0; round < 2; round++) {
    await server.kill();
    await server.restart();
    await vi.waitFor(() => expect(other.state).toBe("connected"), SOON);
    await other.bucket("cancelled").put(`away${round}`, text("2"));
    await vi.waitFor(() => expect(seen.get(`away${round}`)).toBe("2"), SOON);
  }
  await other.bucket("cancelled").delete("before");
  await vi.waitFor(() => expect(seen.get("before")).toBeNull(), SOON);
  expect(calls).toBe(4); // each change once
  watch.close();
});

test("a watcher whose consumer is deleted on the server is made anew", {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  const { server, transport } = await startSwarm();
  const { connect } = await import("@nats-io/transport-node");
  const { jetstreamManager } = await import("@nats-io/jetstream");
  const admin = await connect({ servers: server.url });
  const manager = await jetstreamManager(admin);
  const seen: string[] = [];
  await transport.bucket("limits").watch((key) => seen.push(key));
  for await (const consumer of manager.consumers.list("KV_MURMUR_LIMITS"))
    await manager.consumers.delete("KV_MURMUR_LIMITS", consumer.name);
  await transport.bucket("limits").put("after", text("1"));
  await vi.waitFor(() => expect(seen).toEqual(["after"]), SOON);
  await admin.close();
});

test("deleting consumer or stream ends a pull as gone", { timeout: TEST_TIMEOUT_MS }, async () => {
  const { server, transport } = await startSwarm();
  const { connect } = await import("@nats-io/transport-node");
  const { jetstreamManager } = await import("@nats-io/jetstream");
  const admin = await connect({ servers: server.url });
  const manager = await jetstreamManager(admin);
  const first = await openPull(transport);
  await manager.consumers.delete("MURMUR_TASKS", "echo-normal");
  await vi.waitFor(() => expect(first.ends).toEqual(["gone"]), SOON);
  first.again(); // nobody answers: at once
  await vi.waitFor(() => expect(first.ends).toEqual(["gone", "gone"]), SOON);

  const second = await openPull(transport); // created again
  await manager.streams.delete("MURMUR_TASKS");
  await vi.waitFor(() => expect(second.ends).toEqual(["gone"]), SOON);
  await admin.close();
});

async function gauge(meter: { registry: { getSingleMetricAsString(name: string): Promise<string> } }) {
  const lines = await meter.registry.getSingleMetricAsString("murmur_nats_connected");
  return Number(/^murmur_nats_connected (\d)$/m.exec(lines)?.[1]);
}
