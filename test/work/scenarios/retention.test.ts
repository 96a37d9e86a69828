// How long the traces of ended tasks stay, on a real server.
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { connect } from "../../../src/client/index.ts";
import { createSubjects } from "../../../src/protocol/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { TestSwarm, until, untilState } from "../support.ts";

let server: NatsServer;
let swarm: TestSwarm;
beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());
beforeEach(() => {
  swarm = new TestSwarm(server.url, { journalAgeMs: 3 * 86_400_000 });
});
afterEach(() => swarm.stop());

const quick = { max: 2, backoffMs: 5, factor: 1, maxBackoffMs: 5, jitter: 0 };

/** Waits for the closing record of a task, and returns its time to live. */
async function untilClosed(taskId: string): Promise<string | undefined> {
  const transport = await swarm.connect();
  const subject = createSubjects(swarm.prefix).journal("echo", taskId);
  const closing = await until(async () => {
    const last = await transport.log("journal").last(subject, { fresh: true });
    return last !== null && Buffer.from(last.data).toString().includes('"finished"') ? last : undefined;
  });
  return closing.header("Nats-TTL");
}

it("a host keeps the journal of an ended task for the time of the setting", async () => {
  await swarm.work(async ({ number }) => {
    if (number === 1) throw new Error("once");
    return "well";
  });
  const { taskId } = await (await swarm.client()).run({ capability: "echo", retry: quick });
  expect(await untilClosed(taskId)).toBe("259200s");
});

it("a cancel keeps the journal of the cancelled task for the time of the setting", async () => {
  await swarm.work(async () => {
    throw new Error("always");
  });
  const client = await swarm.client();
  const slow = { ...quick, backoffMs: 60_000, maxBackoffMs: 60_000 };
  const { taskId } = await client.submit({ capability: "echo", retry: slow });
  await untilState(client, taskId, "scheduled", "retrying");
  await client.cancel(taskId);
  expect(await untilClosed(taskId)).toBe("259200s");
});

it("a cancel of a program's client keeps the journal for the time that the client was given", async () => {
  await swarm.work(async () => {
    throw new Error("always");
  });
  const client = await connect({ servers: server.url, prefix: swarm.prefix, journalDays: 2 });
  const slow = { ...quick, backoffMs: 60_000, maxBackoffMs: 60_000 };
  const { taskId } = await client.submit({ capability: "echo", retry: slow });
  await untilState(await swarm.client(), taskId, "scheduled", "retrying");
  await client.cancel(taskId);
  await client.close();
  expect(await untilClosed(taskId)).toBe("172800s");
  const wrong = connect({ servers: server.url, journalDays: 0 });
  await expect(wrong).rejects.toMatchObject({ code: "invalid_input", field: "journalDays" });
});

it("a new task with the id of an ended one, whose result is gone, counts its attempts from 1", async () => {
  const starts: number[] = [];
  await swarm.work(async ({ number }) => {
    starts.push(number);
    throw new Error("always");
  });
  const client = await swarm.client();
  const task = { id: "again", capability: "echo", retry: quick };
  await client.run(task);
  await untilClosed("again");
  const transport = await swarm.connect();
  await transport.log("results").purge();
  const second = { ...task, labels: { round: "2" } };
  await transport.log("tasks").append(
    createSubjects(swarm.prefix).task({
      capability: "echo",
      priority: "normal",
      scope: "-",
      taskId: "again",
    }),
    Buffer.from(JSON.stringify(second)),
    { headers: { "Content-Type": "application/json" } },
  );
  const result = await client.result("again", { timeoutMs: 60_000 });
  expect(result).toMatchObject({ status: "failed", attempt: 3 });
  const { history } = await client.statusWithHistory("again");
  expect(history?.attempts.map(({ attempt }) => attempt).at(-1)).toBe(3);
  expect(history?.attempts.length).toBeLessThanOrEqual(4);
  expect(starts).toEqual([1, 2, 3, 1, 1, 2, 3]);
});
