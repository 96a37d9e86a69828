// A client of the same server that may publish requests, but not results, tries to make the processes of a swarm write a
// result for it: by the reply subject of its requests, and by the target of a schedule.
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { expect, onTestFinished, test, vi } from "vitest";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { createSubjects } from "../../../src/protocol/index.ts";
import { connectNats } from "../../../src/transport/index.ts";
import { createMover } from "../../../src/work/index.ts";
import { startSwarm } from "../../transport/support.ts";
import { setupWorld } from "../support.ts";

const SOON = { timeout: 60_000, interval: 20 };
const REQUEST_TIMEOUT_MS = 30_000;
const subjects = createSubjects("murmur");
const VICTIM = subjects.result("echo", "-", "victim");

async function connectClient(servers: string): Promise<NatsConnection> {
  const client = await connect({ servers });
  onTestFinished(() => client.close());
  return client;
}

test("no process of a swarm answers on the subject of a result, and the audit log tells of the tries", {
  timeout: 180_000,
}, async () => {
  const world = setupWorld();
  const { server } = await world.host({ roles: ["echo"], coordinators: 1, withApi: true });
  const client = await connectClient(server);
  const forged: string[] = [];
  client.subscribe("murmur.result.>", {
    callback: (_, message) => void forged.push(`${message.subject} ${message.string()}`),
  });
  await client.flush();
  const asked = [
    "murmur.ask.echo",
    "murmur.submit",
    "murmur.agent.-.-.status",
    "murmur.office.agents",
    "murmur.stale.config",
    "murmur.coordinators",
    "$SRV.PING",
    "$SRV.INFO",
    "$SRV.STATS",
  ];
  await vi.waitFor(() => client.request("murmur.office.agents", "{}", { timeout: REQUEST_TIMEOUT_MS }), SOON);
  for (const subject of asked) client.publish(subject, "{}", { reply: VICTIM });
  // Each subscriber handles its requests in order, so an answer to a later one comes behind a forged answer.
  for (const subject of asked) await client.request(subject, "{}", { timeout: REQUEST_TIMEOUT_MS });
  expect(forged).toEqual([]);

  const own = await world.call("submit echo --input 7 --id victim --wait --timeout 60s --json");
  expect(own.json()).toMatchObject({ taskId: "victim", status: "completed", output: 7 });

  await vi.waitFor(async () => {
    const { entries } = (await world.call("audit ls --kind reply-refused --json")).json() as {
      entries: { writer: string; facts: { reply: string } }[];
    };
    const roles = entries.map(({ writer }) => writer.split(".")[0]);
    expect([...new Set(roles)].sort()).toEqual(["api", "coordinator", "echo"]);
    expect(entries.map(({ facts }) => facts.reply)).toEqual(entries.map(() => VICTIM));
  }, SOON);
});

test("a schedule cannot target a result, and a message that came due moves into the queue of its own subject only", async () => {
  const { server, transport } = await startSwarm();
  const client = await connectClient(server.url);
  const schedule = async (id: string, target: string) => {
    const { headers } = await import("@nats-io/transport-node");
    const sent = headers();
    sent.set("Nats-Schedule", `@at ${new Date(Date.now() - 1_000).toISOString()}`);
    sent.set("Nats-Schedule-Target", target);
    const reply = await client.request(subjects.later("-", id), '{"capability":"echo"}', {
      headers: sent,
      timeout: REQUEST_TIMEOUT_MS,
    });
    return reply.json<{ error?: { code: number } }>();
  };
  for (const target of [
    VICTIM,
    "murmur.journal.echo.victim",
    "$JS.API.STREAM.PURGE.MURMUR_TASKS",
    "other.due.x",
  ])
    expect(await schedule("x1", target), target).toMatchObject({ error: { code: expect.any(Number) } });

  const mover = createMover({ transport, meter: createMeter(), log: silentLogger });
  await mover.start();
  onTestFinished(() => mover.stop());
  const at = { capability: "echo", priority: "normal", scope: "-", taskId: "moved" } as const;
  expect((await schedule("moved", subjects.due(at))).error).toBeUndefined();
  await vi.waitFor(
    async () => expect(await transport.log("tasks").last(subjects.task(at))).not.toBeNull(),
    SOON,
  );
  expect(await transport.log("results").last(VICTIM)).toBeNull();
});

test("a message in the inbox of a pull that is no delivery of its consumer is not acknowledged", async () => {
  const { server, transport } = await startSwarm();
  const client = await connectClient(server.url);
  const forged: string[] = [];
  client.subscribe("murmur.result.>", { callback: (_, message) => void forged.push(message.subject) });
  const inboxes: string[] = [];
  client.subscribe("$JS.API.CONSUMER.MSG.NEXT.>", {
    callback: (_, message) => void inboxes.push(message.reply ?? ""),
  });
  await client.flush();
  const refused: string[] = [];
  transport.onReplyRefused(({ kind, reply }) => refused.push(`${kind} ${reply}`));
  const consumer = await transport
    .queue("tasks")
    .consumer({ name: "echo-normal", filter: "murmur.task.echo.normal.>" });
  const delivered: string[] = [];
  consumer.pull(
    { max: 2, expiresMs: 60_000 },
    {
      onDelivery: (delivery) => {
        delivered.push(delivery.subject);
        delivery.ack();
      },
      onEnd: () => undefined,
    },
  );
  await vi.waitFor(() => expect(inboxes).toHaveLength(1), SOON);
  client.publish(inboxes[0]!, "{}", { reply: VICTIM });
  await client.flush();
  await transport.log("tasks").append("murmur.task.echo.normal.-.t1", new Uint8Array());
  await vi.waitFor(() => expect(delivered).toEqual(["murmur.task.echo.normal.-.t1"]), SOON);
  expect(refused).toEqual([`ack ${VICTIM}`]);
  expect(forged).toEqual([]);
});

test("an inbox prefix outside _INBOX is refused at the connection, with the reason", async () => {
  const { server, transport } = await startSwarm({ init: false });
  const options = { servers: server.url, name: "test", prefix: "murmur", log: silentLogger };
  const opened = connectNats({ ...options, meter: createMeter(), inboxPrefix: "_INBOX_anna" });
  await expect(opened).rejects.toMatchObject({ code: "invalid_input", field: "inboxPrefix" });
  const anna = await connectNats({ ...options, meter: createMeter(), inboxPrefix: "_INBOX.anna" });
  onTestFinished(() => anna.close());
  transport.bus.subscribe("murmur.ask.echo", (request) => request.respond(request.data));
  await transport.bus.flush();
  await anna.bus.request("murmur.ask.echo", new Uint8Array(), { timeoutMs: REQUEST_TIMEOUT_MS });
});
