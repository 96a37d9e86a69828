// Ages, windows and long waits of the in-memory server, with a clock moved by hand. The conformance suite cannot wait that
// long.
import { expect, test, vi } from "vitest";
import { ManualClock } from "../../../src/base/index.ts";
import {
  ACK_WAIT_MS,
  createSubjects,
  DEDUP_WINDOW_MS,
  HEADERS,
  streamSpecs,
} from "../../../src/protocol/index.ts";
import { connectMemory, type Delivery, MemoryServer, type PullEnd } from "../../../src/transport/index.ts";
import { makeMessage } from "../../../src/transport/memory/message.ts";
import { MemoryStream } from "../../../src/transport/memory/stream.ts";
import { Timers } from "../../../src/transport/memory/timers.ts";

const text = (value: string) => new TextEncoder().encode(value);
const address = (taskId: string) => ({ capability: "echo", priority: "normal", scope: "-", taskId }) as const;
const DAY_MS = 86_400_000;

async function setup() {
  const clock = new ManualClock(Date.parse("2026-01-01T00:00:00Z"));
  const server = new MemoryServer({ clock });
  const transport = connectMemory({ prefix: "murmur", server });
  await transport.init();
  const subjects = createSubjects("murmur");
  const consumer = await transport
    .queue("tasks")
    .consumer({ name: "echo-normal", filter: subjects.filters.tasks("echo", "normal") });
  const deliveries: Delivery[] = [];
  const ends: PullEnd[] = [];
  const pull = (max: number, expiresMs: number) =>
    consumer.pull(
      { max, expiresMs },
      { onDelivery: (delivery) => deliveries.push(delivery), onEnd: (end) => ends.push(end) },
    );
  return { clock, server, transport, subjects, deliveries, ends, pull, settle: () => transport.bus.flush() };
}

test("the server drops results after a week", async () => {
  const { clock, transport, subjects } = await setup();
  const log = transport.log("results");
  await log.append(subjects.result("echo", "-", "old"), text("old"));
  clock.advance(6 * DAY_MS);
  await log.append(subjects.result("echo", "-", "new"), text("new"));
  clock.advance(DAY_MS);
  expect(await log.last(subjects.filters.resultById("old"))).toBeNull();
  expect(await log.info()).toMatchObject({ messages: 1, firstSeq: 2 });
  await log.append(subjects.result("echo", "-", "old"), text("again")); // the subject is free again
});

test("a message id is remembered for the dedup window", async () => {
  const { clock, transport, subjects } = await setup();
  const log = transport.log("journal");
  const append = () => log.append(subjects.journal("echo", "a"), text("1"), { messageId: "id" });
  await append();
  clock.advance(DEDUP_WINDOW_MS - 1);
  expect(await append()).toMatchObject({ duplicate: true });
  clock.advance(1);
  expect(await append()).toMatchObject({ duplicate: false });
});

test("a message is redelivered exactly after its ack-wait, counted from the last `working`", async () => {
  const { clock, transport, subjects, deliveries, pull, settle } = await setup();
  await transport.log("tasks").append(subjects.task(address("a")), text("a"));
  pull(5, 10 * ACK_WAIT_MS);
  await settle();
  clock.advance(ACK_WAIT_MS - 1);
  deliveries[0]?.working();
  clock.advance(ACK_WAIT_MS - 1);
  await settle();
  expect(deliveries).toHaveLength(1);
  clock.advance(1);
  await settle();
  expect(deliveries.map(({ deliveryCount }) => deliveryCount)).toEqual([1, 2]);
});

test("a pull expires after its expiry and not before", async () => {
  const { clock, ends, pull, settle } = await setup();
  pull(1, 30_000);
  clock.advance(29_999);
  await settle();
  expect(ends).toEqual([]);
  clock.advance(1);
  await settle();
  expect(ends).toEqual(["expired"]);
});

test("a schedule that is due in a year fires on that day", async () => {
  const { clock, transport, subjects } = await setup();
  const log = transport.log("later");
  const due = clock.now() + 365 * DAY_MS;
  const headers = {
    [HEADERS.schedule]: `@at ${new Date(due).toISOString()}`,
    [HEADERS.scheduleTarget]: subjects.due(address("a")),
  };
  await log.append(subjects.later("-", "a"), text("a"), { headers });
  clock.advance(365 * DAY_MS - 1);
  expect(await log.last(subjects.filters.allDue)).toBeNull();
  clock.advance(1);
  expect(await log.last(subjects.filters.allDue)).not.toBeNull();
  expect(await log.last(subjects.filters.allLater)).toBeNull();
});

test("the server drops bucket entries and blobs by age; storing a blob again restarts its age", async () => {
  const { clock, transport } = await setup();
  await transport.bucket("cancelled").put("scope", text("1"));
  await transport.bucket("limits").put("for-ever", text("1"));
  const ref = await transport.blobs.put(text("blob"));
  clock.advance(7 * DAY_MS);
  expect(await transport.bucket("cancelled").get("scope")).toBeNull();
  expect(await transport.bucket("cancelled").keys()).toEqual([]);
  expect(await transport.bucket("limits").get("for-ever")).not.toBeNull();
  clock.advance(22 * DAY_MS);
  await transport.blobs.put(text("blob"));
  clock.advance(2 * DAY_MS);
  expect(await transport.blobs.get(ref)).toEqual(text("blob"));
  clock.advance(30 * DAY_MS);
  await expect(transport.blobs.get(ref)).rejects.toMatchObject({ code: "not_found" });
});

test("stored messages outlive their connection, and ack-waits run on without a connection", async () => {
  const { clock, server, transport, subjects, deliveries, pull, settle } = await setup();
  await transport.log("tasks").append(subjects.task(address("a")), text("a"));
  pull(1, 30_000);
  await settle();
  expect(deliveries).toHaveLength(1);
  await transport.close(); // the process dies without an ack
  clock.advance(ACK_WAIT_MS);
  const next = connectMemory({ prefix: "murmur", server });
  const again: Delivery[] = [];
  const consumer = await next
    .queue("tasks")
    .consumer({ name: "echo-normal", filter: subjects.filters.tasks("echo", "normal") });
  consumer.pull({ max: 1, expiresMs: 0 }, { onDelivery: (delivery) => again.push(delivery), onEnd: vi.fn() });
  clock.advance(0); // a new connection arms the timers; the overdue ones run now
  consumer.pull({ max: 1, expiresMs: 0 }, { onDelivery: (delivery) => again.push(delivery), onEnd: vi.fn() });
  await next.bus.flush();
  expect(again.map(({ deliveryCount }) => deliveryCount)).toEqual([2]);
});

test("without a connection the server holds no timer that keeps the process alive", async () => {
  const timers = new Set<object>();
  const clock = {
    now: () => 0,
    after: () => {
      const timer = {};
      timers.add(timer);
      return () => timers.delete(timer);
    },
  };
  const transport = connectMemory({ prefix: "murmur", server: new MemoryServer({ clock }) });
  await transport.init();
  await transport.log("journal").append("murmur.journal.echo.a", text(""), { ttlMs: 60_000 });
  expect(timers.size).toBe(1);
  await transport.close();
  expect(timers.size).toBe(0);
});

test("the members of a queue group are picked by chance", async () => {
  const picks = [0.1, 0.9, 0.4];
  const server = new MemoryServer({ chance: { next: () => picks.shift() ?? 0 } });
  const { bus } = connectMemory({ prefix: "murmur", server });
  const received: string[] = [];
  for (const name of ["a", "b"]) bus.subscribe("x", () => received.push(name), { queue: "group" });
  for (let count = 0; count < 3; count++) bus.publish("x", text(""));
  await bus.flush();
  expect(received).toEqual(["a", "b", "a"]);
});

test("a due message that its stream does not take waits, and moves when there is room", () => {
  const clock = new ManualClock(Date.parse("2026-01-01T00:00:00Z"));
  const spec = streamSpecs("murmur").find(({ key }) => key === "later")!;
  const limits = { discard: "new", maxPerSubject: 1 } as const;
  const timers = new Timers(clock);
  timers.setArmed(true);
  const stream = new MemoryStream({ ...spec, ...limits }, timers, () => false);
  const put = (subject: string, headers?: Record<string, string>) =>
    stream.append(makeMessage(subject, new Uint8Array(), headers)).seq;
  put("murmur.later.-.t1", {
    [HEADERS.schedule]: "@at 2026-01-01T00:00:10Z",
    [HEADERS.scheduleTarget]: "murmur.due.echo.normal.-.t1",
  });
  const earlier = put("murmur.due.echo.normal.-.t1");
  clock.advance(10_000);
  expect(stream.last("murmur.later.-.t1")).not.toBeNull();
  stream.remove(earlier);
  clock.advance(1_000);
  expect(stream.last("murmur.due.echo.normal.-.t1")?.seq).toBeGreaterThan(earlier);
  expect(stream.last("murmur.later.-.t1")).toBeNull();
});
