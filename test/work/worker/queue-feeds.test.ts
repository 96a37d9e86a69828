import { afterAll, expect, onTestFinished, test } from "vitest";
import { createSubjects } from "../../../src/protocol/index.ts";
import { MemoryServer } from "../../../src/transport/index.ts";
import { queueConsumersOf } from "../../../src/work/index.ts";
import { collectLines } from "../../coordinator/log-lines.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { TestSwarm, until } from "../support.ts";

let server: NatsServer | undefined;
afterAll(() => server?.stop());

async function setup(kind: "memory" | "nats") {
  if (kind === "nats") server ??= await startNatsServer();
  const swarm = new TestSwarm(kind === "nats" ? server!.url : new MemoryServer());
  onTestFinished(() => swarm.stop());
  const { log, lines } = collectLines();
  const { worker, transport } = await swarm.work(async ({ task }) => task.input, {
    log,
    createsConsumers: false,
  });
  const queue = transport.queue("tasks");
  const consumers = queueConsumersOf(createSubjects(swarm.prefix), "echo");
  return { swarm, worker, queue, consumers, lines };
}

test.each(["memory", "nats"] as const)(
  "a worker that creates no consumers begins when they appear, and says once which are missing (%s)",
  async (kind) => {
    const { swarm, worker, queue, consumers, lines } = await setup(kind);
    const names = consumers.map(({ name }) => name);
    expect(worker.missingConsumers()).toEqual(names);
    await until(() => (lines.length > 0 ? true : undefined));
    expect(await queue.consumers()).not.toContainEqual(expect.objectContaining({ name: "echo-normal" }));
    for (const consumer of consumers) await queue.consumer(consumer);
    await until(() => (worker.missingConsumers().length === 0 ? true : undefined));
    const client = await swarm.client();
    expect(await client.run({ capability: "echo", input: 1 })).toMatchObject({ output: 1 });
    expect(lines).toMatchObject([
      {
        level: "warn",
        missing: names,
        command: "murmur init --capabilities echo",
        message: "waiting for missing consumers; the command makes them",
      },
    ]);
  },
);

test("a worker that creates no consumers waits for a vanished consumer, and does not make it again", async () => {
  const { swarm, worker, queue, consumers } = await setup("nats");
  for (const consumer of consumers) await queue.consumer(consumer);
  await until(() => (worker.missingConsumers().length === 0 ? true : undefined));
  await queue.deleteConsumer("echo-normal");
  await until(() => (worker.missingConsumers().includes("echo-normal") ? true : undefined));
  await swarm.roundTrips();
  expect((await queue.consumers()).map(({ name }) => name)).not.toContain("echo-normal");
});
