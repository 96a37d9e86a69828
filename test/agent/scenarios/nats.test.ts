// The host over a real nats-server: the behaviour that depends on the subscriptions, queue groups and headers of NATS.
import { afterAll, beforeAll, expect, test } from "vitest";
import { askAgent, askCapability, defineAgent } from "../../../src/agent/index.ts";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { decode, type Heartbeat } from "../../../src/protocol/index.ts";
import { connectNats, type Transport } from "../../../src/transport/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { startHost, subjects, until } from "../support.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());

const connect = (name: string): Promise<Transport> =>
  connectNats({ servers: server.url, name, prefix: "murmur", log: silentLogger, meter: createMeter() });

const named = (answer: string) =>
  defineAgent({ name: answer, capabilities: ["echo"], run: (task) => ({ answer, input: task.input }) });

test("hosts share the asks of a capability, and an agent can ask an agent of another host", async () => {
  const one = await startHost(named("one"), { transport: await connect("one"), hostId: "h1" });
  const asker = defineAgent({
    name: "asker",
    capabilities: ["relay"],
    run: (task, ctx) => ctx.ask("echo", task.input, { timeoutMs: 60_000 }),
  });
  const two = await startHost([named("two"), asker], { transport: await connect("two"), hostId: "h2" });
  const client = await connect("client");
  const link = { bus: client.bus, subjects };

  const answers = await Promise.all(
    Array.from({ length: 64 }, (_, n) => askCapability(link, "relay", { n }) as Promise<{ answer: string }>),
  );
  expect(new Set(answers.map(({ answer }) => answer))).toEqual(new Set(["one", "two"]));
  const id = one.host.status()[0]?.id ?? "";
  expect(await askAgent(link, id, "text")).toEqual({ answer: "one", input: "text" });

  await one.stop();
  await two.stop();
  await expect(askCapability(link, "echo", 1)).rejects.toMatchObject({ code: "unavailable" });
  await client.close();
});

test("a thousand agents have a mailbox each, and their heartbeats take few messages", async () => {
  const client = await connect("client");
  const beats: Heartbeat[] = [];
  client.bus.subscribe(subjects.filters.allHeartbeats, ({ data }) =>
    beats.push(decode(data).value as Heartbeat),
  );
  await client.bus.flush();
  const definition = named("many");
  const many = await startHost([], {
    transport: await connect("many"),
    roles: [{ definition, count: 1_000 }],
  });
  await until(() => beats.flatMap(({ agents }) => agents).length === 1_000);
  expect(beats.length).toBeLessThanOrEqual(4);

  const { id } = many.host.status()[500] ?? { id: "" };
  const reply = await client.bus.request(
    subjects.agent({ class: "default", agent: id }, "pause"),
    new Uint8Array(),
    {
      timeoutMs: 60_000,
    },
  );
  expect(decode(reply.data).value).toMatchObject({ id, state: "paused" });
  await many.stop();
  await until(
    () => beats.filter(({ goodbye }) => goodbye === true).flatMap(({ agents }) => agents).length === 1_000,
  );
  await client.close();
});
