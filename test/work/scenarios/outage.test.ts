import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { singleFlight, sleep } from "../../../src/base/index.ts";
import { type Result, SwarmError } from "../../../src/protocol/index.ts";
import type { TaskClient } from "../../../src/work/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { TestSwarm, until } from "../support.ts";

let server: NatsServer;
let swarm: TestSwarm;
beforeEach(async () => {
  server = await startNatsServer();
  swarm = new TestSwarm(server.url);
});
afterEach(async () => {
  await swarm.stop();
  await server.stop();
});

/** Submits like a careful publisher: the same id again while the answer is unknown. `untilServed`: the streams answer. */
async function runSurely(
  client: TaskClient,
  id: string,
  untilServed: () => Promise<unknown>,
): Promise<Result> {
  for (;;) {
    try {
      return await client.run({ id, capability: "echo", input: id }, { timeoutMs: 30_000 });
    } catch (error) {
      if (!(error instanceof SwarmError) || error.code !== "unavailable") throw error;
      await untilServed();
    }
  }
}

describe("a nats-server that dies and restarts", () => {
  it("every task ends with one result", async () => {
    const runs = new Map<string, number>();
    const script = async ({ task }: { task: { id: string; input?: unknown } }) => {
      runs.set(task.id, (runs.get(task.id) ?? 0) + 1);
      await sleep(2);
      return task.input;
    };
    const { transport } = await swarm.work(script, { slots: 16 });
    const client = await swarm.client();
    const ids = Array.from({ length: 400 }, (_, index) => `task-${index}`);
    const tasks = transport.log("tasks");
    const look = () => tasks.info().catch(() => undefined);
    const untilServed = singleFlight(() => until(look));
    const running = Promise.all(ids.map((id) => runSurely(client, id, untilServed)));
    await until(() => (runs.size > 50 ? true : undefined));
    await server.kill();
    await server.restart();
    const results = await running;
    expect(results.map(({ status, output }) => [status, output])).toEqual(ids.map((id) => ["completed", id]));
    expect((await transport.log("results").info()).messages).toBe(ids.length);
    await until(async () => ((await tasks.info()).messages === 0 ? true : undefined));
  }, 120_000);
});
