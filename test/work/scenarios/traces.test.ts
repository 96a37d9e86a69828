// A thrown error leaves its stack in the log, the journal and the dead letter, and never on the subjects that others read.
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { createLogger } from "../../../src/base/index.ts";
import { RetryableError, TerminalError } from "../../../src/protocol/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { signal, TestSwarm, until, untilState } from "../support.ts";

let server: NatsServer;
let swarm: TestSwarm;
beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());
beforeEach(() => {
  swarm = new TestSwarm(server.url);
});
afterEach(() => swarm.stop());

const quick = { max: 2, backoffMs: 5, factor: 1, maxBackoffMs: 5, jitter: 0 };

/** A script that fails twice, with a secret in its message, and then ends in `end`. */
function failsTwice(end: () => unknown) {
  return async ({ number }: { number: number }) => {
    if (number < 3)
      throw new Error(`kaboom ${number} at nats://ada:s3cret@host`, { cause: new Error("the disk") });
    return end();
  };
}

/** A logger that keeps its lines. */
function collectLog() {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({ name: "test", stream: { write: (line) => void lines.push(JSON.parse(line)) } });
  return { lines, log };
}

it("each failed attempt is logged once, with stack, code, task, agent and attempt", async () => {
  const { lines, log } = collectLog();
  const { workforce } = await swarm.work(
    failsTwice(() => "well"),
    { log },
  );
  const { taskId } = await (await swarm.client()).run({ capability: "echo", retry: quick });
  const failed = lines.filter(({ taskId: id }) => id === taskId);
  expect(failed).toMatchObject(
    [1, 2].map((attempt) => ({
      level: 40,
      code: "internal",
      agent: workforce.agentId,
      attempt,
      capability: "echo",
    })),
  );
  expect(failed[0]?.msg).toBe("attempt failed; retrying in 5 ms");
  expect(failed[0]?.stack).toMatch(
    /^Error: kaboom 1 at nats:\/\/\[redacted\]@host\n {4}at .*test\/work\/scenarios\/traces\.test\.ts:\d+[\s\S]*caused by: Error: the disk/,
  );
  expect(JSON.stringify(lines)).not.toContain(process.cwd());
});

it("a task that completed at last shows its attempts with times, agents, errors and stacks", async () => {
  const { workforce } = await swarm.work(failsTwice(() => "well"));
  const client = await swarm.client();
  const { taskId } = await client.run({ capability: "echo", retry: quick });
  const { history } = await until(async () => {
    const status = await client.statusWithHistory(taskId);
    return status.history?.attempts.length === 3 ? status : undefined;
  });
  const agent = workforce.agentId;
  const times = { startedAt: expect.any(String), endedAt: expect.any(String) };
  const failed = { agent, outcome: "failed", ...times, retryAt: expect.any(String) };
  expect(history).toMatchObject({
    attempts: [
      { ...failed, attempt: 1, trace: expect.stringContaining("traces.test.ts") },
      { ...failed, attempt: 2, error: { code: "internal", message: "kaboom 2 at nats://[redacted]@host" } },
      { ...times, agent, attempt: 3, outcome: "completed" },
    ],
    droppedAttempts: 0,
    droppedTraces: 0,
  });
});

it("a task that failed has the stack of its last attempt in the dead letter and in its history", async () => {
  await swarm.work(
    failsTwice(() => {
      throw new TerminalError("the end");
    }),
  );
  const client = await swarm.client();
  const { taskId } = await client.run({ capability: "echo", retry: quick });
  const letter = await until(() => client.dead.show(taskId).catch(() => undefined));
  expect(letter.trace).toMatch(/^TerminalError: the end\n {4}at .*traces\.test\.ts/);
  const { history } = await until(async () => {
    const status = await client.statusWithHistory(taskId);
    return status.history?.attempts.length === 3 ? status : undefined;
  });
  expect(history?.attempts.at(-1)).toMatchObject({ attempt: 3, outcome: "failed", trace: letter.trace });
});

it("a task that failed at its first attempt has its history from the result and the dead letter", async () => {
  const { workforce } = await swarm.work(async () => {
    throw new TerminalError("at once");
  });
  const client = await swarm.client();
  const { taskId } = await client.run({ capability: "echo" });
  await until(() => client.dead.show(taskId).catch(() => undefined));
  const { history } = await client.statusWithHistory(taskId);
  expect(history?.attempts).toMatchObject([
    {
      attempt: 1,
      agent: workforce.agentId,
      outcome: "failed",
      trace: expect.stringContaining("traces.test.ts"),
    },
  ]);
});

it("a task that runs or waits for its retry shows its earlier attempts", async () => {
  const go = signal();
  await swarm.work(async ({ number }) => {
    if (number === 1) throw new RetryableError("first");
    await go.promise;
  });
  const client = await swarm.client();
  const { taskId } = await client.submit({ capability: "echo", retry: quick });
  await untilState(client, taskId, "running");
  const { history } = await client.statusWithHistory(taskId);
  expect(history?.attempts).toMatchObject([
    { attempt: 1, outcome: "failed", error: { message: "first" } },
    { attempt: 2, outcome: "running" },
  ]);
  await client.cancel(taskId);
  go.resolve();
  const ended = await client.statusWithHistory(taskId);
  expect(ended.history?.attempts).toMatchObject([
    { outcome: "failed" },
    { attempt: 2, outcome: "cancelled" },
  ]);
});

it("no result, no republished result and no event has a stack or a secret", async () => {
  const seen: string[] = [];
  const { transport } = await swarm.work(
    failsTwice(() => Promise.reject(new TerminalError("token=abcdefgh1234"))),
  );
  for (const subject of ["event.>", "done.>", "result.>"])
    transport.bus.subscribe(`${swarm.prefix}.${subject}`, ({ data }) =>
      seen.push(Buffer.from(data).toString()),
    );
  const client = await swarm.client();
  const result = await client.run({ capability: "echo", retry: quick });
  await swarm.roundTrips();
  expect(seen.length).toBeGreaterThanOrEqual(4); // two retries, the result, and its copy
  expect(seen.join("\n")).not.toMatch(/traces\.test| {4}at |"trace"|"stack"|s3cret|abcdefgh1234/);
  expect(JSON.stringify(result)).not.toMatch(/"trace"|abcdefgh1234/);
});

it("a flood of failures writes a bounded number of lines and counts the rest", async () => {
  const { lines, log } = collectLog();
  await swarm.work(
    async () => {
      throw new TerminalError("always");
    },
    { log },
  );
  const client = await swarm.client();
  const tasks = Array.from({ length: 100 }, () => client.run({ capability: "echo" }));
  await Promise.all(tasks);
  const isLine = ({ msg }: Record<string, unknown>) => String(msg).startsWith("attempt failed");
  const counted = await until(async () => {
    const left = lines.reduce(
      (sum, { notLogged }) => sum + (typeof notLogged === "number" ? notLogged : 0),
      0,
    );
    return left + lines.filter(isLine).length === 100 ? left : undefined;
  });
  expect(counted).toBeGreaterThan(0);
});
