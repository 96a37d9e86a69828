import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { utf8Bytes } from "../../../src/base/index.ts";
import {
  createSubjects,
  encode,
  PRIORITIES,
  RetryableError,
  SwarmError,
  TerminalError,
} from "../../../src/protocol/index.ts";
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

const echo = async ({ task }: { task: { input?: unknown } }) => task.input;
const quick = { max: 3, backoffMs: 5, factor: 1, maxBackoffMs: 5, jitter: 0 };

describe("a task that goes well", () => {
  it("is performed once, has one result, and leaves the queue", async () => {
    const { transport } = await swarm.work(echo);
    const client = await swarm.client();
    const result = await client.run({ capability: "echo", input: { hello: "world" } });
    expect(result).toMatchObject({ status: "completed", output: { hello: "world" }, attempt: 1 });
    expect(result.ranMs).toBeGreaterThanOrEqual(0);
    await until(async () => ((await transport.log("tasks").info()).messages === 0 ? true : undefined));
    expect(await client.status(result.taskId)).toMatchObject({
      state: "completed",
      result: { taskId: result.taskId },
    });
    expect(await client.result(result.taskId)).toEqual(result);
  });

  it("has its result in the encoding of the request", async () => {
    const { transport } = await swarm.work(echo);
    const client = await swarm.client();
    const { taskId } = await client.run({ capability: "echo", input: [1, "two"] }, { encoding: "msgpack" });
    const stored = await transport.log("results").last(`${swarm.prefix}.result.*.*.${taskId}`);
    expect(stored?.header("content-type")).toBe("application/msgpack");
    expect(await client.result(taskId)).toMatchObject({ output: [1, "two"] });
  });

  it("has input and output over 512 KiB as blobs", async () => {
    await swarm.work(echo);
    const input = "x".repeat(700 * 1024);
    const result = await (await swarm.client()).run({ capability: "echo", input });
    expect(result.output).toBe(input);
  });

  it("is delayed when a service publishes it with a blob as its body and a time", async () => {
    const { transport } = await swarm.work(echo);
    await swarm.move();
    const client = await swarm.client();
    const input = "x".repeat(700 * 1024);
    const body = encode(await transport.blobs.put(encode({ capability: "echo", input, notBefore: 1_500 })));
    await transport.log("tasks").append(`${swarm.prefix}.task.echo.normal.-.large`, body);
    expect((await until(() => client.result("large").catch(() => undefined))).output).toBe(input);
  });

  it("has a state with progress, attempt and agent while it runs", async () => {
    const go = signal();
    const { workforce } = await swarm.work(async (attempt) => {
      attempt.progress(40, "half way, nearly");
      await go.promise;
    });
    const client = await swarm.client();
    const { taskId } = await client.submit({ capability: "echo" });
    const status = await until(async () => {
      const found = await client.status(taskId).catch(() => undefined);
      return found?.progress === 40 ? found : undefined;
    });
    expect(status).toMatchObject({ state: "running", attempt: 1, agent: workforce.agentId });
    go.resolve();
    await untilState(client, taskId, "completed");
  });
});

describe("an agent that reports carelessly", () => {
  it("has its progress clamped, and `started` comes before the first progress", async () => {
    const events: { name: string; progress?: number }[] = [];
    const { transport } = await swarm.work(async (attempt) => {
      attempt.progress(150);
      await new Promise((resolve) => setTimeout(resolve, 150));
      attempt.progress(-5);
      await new Promise((resolve) => setTimeout(resolve, 150));
      attempt.progress(Number.NaN);
    });
    transport.bus.subscribe(`${swarm.prefix}.event.task.>`, ({ subject, data }) =>
      events.push({ name: subject.split(".").at(-1) ?? "", ...JSON.parse(Buffer.from(data).toString()) }),
    );
    await transport.bus.flush();
    const client = await swarm.client();
    expect(await client.run({ capability: "echo" })).toMatchObject({ status: "completed", attempt: 1 });
    await swarm.roundTrips();
    expect(events.map(({ name, progress }) => progress ?? name)).toEqual(["started", 100, 0, 0]);
  });

  it("fails at once, with the path, when a result would not show its output as it is", async () => {
    await swarm.work(async () => ({ rows: [{ at: new Map([["a", 1]]) }] }));
    const client = await swarm.client();
    const result = await client.run({ capability: "echo", retry: quick });
    expect(result).toMatchObject({
      status: "failed",
      attempt: 1,
      error: { code: "internal", field: "output.rows.0.at", retryable: false },
    });
    expect(result.error?.message).toMatch(
      /^output\.rows\.0\.at is an instance of Map, .*; return plain data/,
    );
  });
});

describe("a task that fails", () => {
  it("is retried, and its result has the number of the attempt that completed it", async () => {
    await swarm.work(async ({ number }) => {
      if (number < 3) throw new RetryableError("not yet");
      return number;
    });
    const result = await (await swarm.client()).run({ capability: "echo", retry: quick });
    expect(result).toMatchObject({ status: "completed", attempt: 3, output: 3 });
  });

  it("fails with the last error and leaves a dead letter after its last attempt", async () => {
    await swarm.work(async () => {
      throw new RetryableError("never");
    });
    const client = await swarm.client();
    const result = await client.run({ capability: "echo", input: 7, retry: { ...quick, max: 2 } });
    expect(result).toMatchObject({
      status: "failed",
      attempt: 3,
      error: { code: "tool_failed", message: "never" },
    });
    const letter = await until(() => client.dead.show(result.taskId).catch(() => undefined));
    expect(letter).toMatchObject({ attempts: 3, capability: "echo", reason: { message: "never" } });
  });

  it("fails at once on an error that is not retryable", async () => {
    await swarm.work(async () => {
      throw new TerminalError("no such customer");
    });
    const result = await (await swarm.client()).run({ capability: "echo", retry: quick });
    expect(result).toMatchObject({ status: "failed", attempt: 1, error: { retryable: false } });
  });

  it("is `retrying` between attempts, with the time of the next attempt", async () => {
    await swarm.work(async () => {
      throw new RetryableError("later", { retryAfterMs: 5_000 });
    });
    const client = await swarm.client();
    const { taskId } = await client.submit({ capability: "echo" });
    const status = await untilState(client, taskId, "retrying");
    expect(status.attempt).toBe(1);
    expect(Date.parse(status.dueAt ?? "")).toBeGreaterThan(Date.now() + 3_000);
    await client.cancel(taskId);
  });

  it("keeps its attempt count when a retry waits longer than the ack-wait", async () => {
    await swarm.move();
    await swarm.work(async ({ number }) => {
      if (number === 1) throw new RetryableError("later", { retryAfterMs: 10_500 });
      return number;
    });
    const client = await swarm.client();
    const { taskId } = await client.submit({ capability: "echo" });
    await untilState(client, taskId, "retrying");
    expect(await client.result(taskId, { timeoutMs: 60_000 })).toMatchObject({
      status: "completed",
      attempt: 2,
      output: 2,
    });
  });

  it("is replayed from its dead letter as a new task with a label", async () => {
    let broken = true;
    await swarm.work(async ({ task }) => {
      if (broken) throw new TerminalError("broken");
      return task.labels;
    });
    const client = await swarm.client();
    const failed = await client.run({ capability: "echo", scope: "group-1", labels: { team: "a" } });
    await until(() => client.dead.show(failed.taskId).catch(() => undefined));
    broken = false;
    const { taskId } = await client.retry(failed.taskId);
    const result = await client.result(taskId, { timeoutMs: 30_000 });
    expect(result.output).toEqual({ team: "a", replayOf: failed.taskId });
    expect(await client.dead.list()).toEqual([]);
    expect((await client.status(failed.taskId)).state).toBe("failed");
  });
});

describe("time", () => {
  it("an attempt is aborted at its timeout", async () => {
    const aborted = signal<unknown>();
    await swarm.work(({ signal: abort }) => {
      abort.addEventListener("abort", () => aborted.resolve(abort.reason));
      return new Promise(() => {});
    });
    const result = await (await swarm.client()).run({
      capability: "echo",
      timeoutMs: 100,
      retry: { ...quick, max: 0 },
    });
    expect(result).toMatchObject({ status: "failed", error: { code: "timeout" } });
    expect(await aborted.promise).toMatchObject({ code: "timeout" });
  });

  it("a submit is refused when its deadline has passed, or passes before notBefore, and stores nothing", async () => {
    await swarm.work(echo);
    const client = await swarm.client();
    const late = { id: "late", capability: "echo", deadline: "2020-01-01T00:00:00Z" };
    await expect(client.submit(late)).rejects.toMatchObject({
      code: "deadline",
      field: "deadline",
      message: expect.stringContaining("deadline must be in the future (now: 20"),
    });
    const deadline = new Date(Date.now() + 600_000).toISOString();
    const early = { id: "late", capability: "echo", deadline, notBefore: 900_000 };
    await expect(client.submit(early)).rejects.toMatchObject({
      message: expect.stringContaining("deadline must be after notBefore (20"),
    });
    await expect(client.status("late")).rejects.toMatchObject({ code: "not_found" });
  });

  it("a repeated submit of a stored task is a duplicate, also after its deadline", async () => {
    await swarm.work(echo);
    const client = await swarm.client();
    const task = { id: "once", capability: "echo", deadline: new Date(Date.now() + 1_000).toISOString() };
    await client.run(task);
    await until(async () => (Date.now() > Date.parse(task.deadline) ? true : undefined));
    expect(await client.submit(task)).toMatchObject({ duplicate: true });
  });

  it("a published task does not start after its deadline", async () => {
    let started = 0;
    const { transport } = await swarm.work(async () => ++started);
    const client = await swarm.client();
    const task = { capability: "echo", deadline: "2020-01-01T00:00:00Z" };
    await transport.log("tasks").append(`${swarm.prefix}.task.echo.normal.-.t1`, encode(task));
    const result = await client.result("t1");
    expect(result).toMatchObject({ status: "failed", error: { code: "deadline" }, attempt: 0 });
    expect(started).toBe(0);
  });

  it("a running task fails at its deadline, without a retry", async () => {
    await swarm.work(
      ({ signal: abort }) =>
        new Promise((_, reject) => abort.addEventListener("abort", () => reject(abort.reason))),
    );
    const client = await swarm.client();
    // On a loaded machine the task may not have started by then: try again with a later deadline.
    for (let leftMs = 400; ; leftMs *= 3) {
      const deadline = new Date(Date.now() + leftMs).toISOString();
      const result = await client.run({ capability: "echo", deadline, retry: quick });
      expect(result).toMatchObject({ status: "failed", error: { code: "deadline" } });
      expect(result.attempt).toBeLessThanOrEqual(1);
      if (result.attempt === 1) break;
    }
  });

  it("a delayed task starts when it is due", async () => {
    await swarm.move();
    await swarm.work(async () => Date.now());
    const client = await swarm.client();
    const notBefore = new Date(Date.now() + 1_200).toISOString();
    const { taskId } = await client.submit({ capability: "echo", notBefore });
    const far = await client.submit({ capability: "echo", notBefore: 600_000 });
    expect((await client.status(far.taskId)).state).toBe("scheduled");
    const result = await client.result(taskId, { timeoutMs: 30_000 });
    expect(result.output).toBeGreaterThanOrEqual(Date.parse(notBefore));
  });

  it("a task that was published directly with a later notBefore is delayed too", async () => {
    await swarm.move();
    const { transport } = await swarm.work(async () => Date.now());
    const client = await swarm.client();
    const publish = (id: string, notBefore: number) =>
      transport
        .log("tasks")
        .append(`${swarm.prefix}.task.echo.normal.-.${id}`, encode({ capability: "echo", notBefore }));
    const publishedMs = Date.now();
    await publish("direct", 1_200);
    await publish("far", 600_000);
    await untilState(client, "far", "scheduled");
    const result = await client.result("direct", { timeoutMs: 30_000 });
    expect(result.output).toBeGreaterThanOrEqual(publishedMs + 1_000);
  });
});

describe("cancelling", () => {
  it("a queued task is cancelled at once", async () => {
    const { worker } = await swarm.work(echo);
    await worker.stop();
    const client = await swarm.client();
    const { taskId } = await client.submit({ capability: "echo" });
    await client.cancel(taskId);
    expect(await client.status(taskId)).toMatchObject({
      state: "cancelled",
      result: { error: { code: "cancelled" } },
    });
    await expect(client.cancel(taskId)).rejects.toMatchObject({ code: "conflict" });
  });

  it("a running task is aborted", async () => {
    const aborted = signal<unknown>();
    const { workforce } = await swarm.work(({ signal: abort }) => {
      abort.addEventListener("abort", () => aborted.resolve(abort.reason));
      return new Promise((_, reject) => abort.addEventListener("abort", () => reject(abort.reason)));
    });
    const client = await swarm.client();
    const { taskId } = await client.submit({ capability: "echo" });
    await untilState(client, taskId, "running");
    await client.cancel(taskId);
    expect(await aborted.promise).toMatchObject({ code: "cancelled" });
    expect(await client.status(taskId)).toMatchObject({
      state: "cancelled",
      attempt: 1,
      agent: workforce.agentId,
      result: { attempt: 1, agent: workforce.agentId, ranMs: expect.any(Number) },
    });
  });

  it("a task whose cancel overtakes its delivery is not performed", async () => {
    let isPerformed = false;
    const { transport } = await swarm.work(async ({ task }) => {
      if (task.id === "late") isPerformed = true;
      return 1;
    });
    const client = await swarm.client();
    const subjects = createSubjects(swarm.prefix);
    const at = { capability: "echo", priority: "normal", scope: "-", taskId: "late" } as const;
    const now = new Date().toISOString();
    const times = { startedAt: now, finishedAt: now, queuedMs: 0, ranMs: 0 };
    const error = { code: "cancelled", message: "the task was cancelled", retryable: false };
    const result = { taskId: "late", status: "cancelled", error, attempt: 0, agent: "-", ...times };
    await transport.log("results").append(subjects.result("echo", "-", "late"), encode(result));
    transport.bus.publish(subjects.cancel("-", "late"), encode({}));
    await transport.bus.flush();
    await transport.log("tasks").append(subjects.task(at), encode({ capability: "echo" }));
    await until(async () => ((await transport.log("tasks").info()).messages === 0 ? true : undefined));
    await client.run({ capability: "echo" });
    expect(isPerformed).toBe(false);
  });

  it("a scheduled task is cancelled", async () => {
    await swarm.work(echo);
    const client = await swarm.client();
    const { taskId } = await client.submit({ capability: "echo", notBefore: 600_000 });
    await client.cancel(taskId);
    expect((await client.status(taskId)).state).toBe("cancelled");
  });

  it("a cancelled scope ends its queued, scheduled and running tasks, and rejects later ones", async () => {
    const started = signal();
    await swarm.work(
      ({ signal: abort }) => {
        started.resolve();
        return new Promise((_, reject) => abort.addEventListener("abort", () => reject(abort.reason)));
      },
      { slots: 1 },
    );
    const client = await swarm.client();
    const scoped = { capability: "echo", scope: "flow-1" } as const;
    const ids = [
      await client.submit(scoped),
      await client.submit(scoped),
      await client.submit({ ...scoped, notBefore: 60_000 }),
    ];
    await started.promise;
    const outside = await client.submit({ capability: "echo", scope: "flow-2" });
    await client.cancelScope("flow-1");
    for (const { taskId } of ids) expect((await client.status(taskId)).state).toBe("cancelled");
    await expect(client.submit(scoped)).rejects.toMatchObject({ code: "cancelled", field: "scope" });
    await untilState(client, outside.taskId, "running");
    await client.cancelScope("flow-2");
  });

  it("an unknown id is rejected with not_found", async () => {
    await expect((await swarm.client()).cancel("unknown")).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("submitting", () => {
  it("the same id twice is one task", async () => {
    let runs = 0;
    await swarm.work(async () => ++runs);
    const client = await swarm.client();
    const first = await client.run({ id: "order-7", capability: "echo" });
    expect(await client.submit({ id: "order-7", capability: "echo" })).toMatchObject({
      taskId: "order-7",
      duplicate: true,
    });
    expect(await client.run({ id: "order-7", capability: "echo" })).toEqual(first);
    expect(runs).toBe(1);
  });

  it("an id that belongs to another capability or scope is rejected", async () => {
    await swarm.work(echo, { capabilities: [{ name: "echo" }, { name: "other" }] });
    const client = await swarm.client();
    await client.run({ id: "order-8", capability: "echo" });
    await expect(client.submit({ id: "order-8", capability: "other" })).rejects.toMatchObject({
      code: "conflict",
      field: "id",
    });
    await expect(client.submit({ id: "order-8", capability: "echo", scope: "s" })).rejects.toMatchObject({
      code: "conflict",
    });
  });

  it("a task is stored under an id that the deduplication window remembers from a purged task", async () => {
    const { worker, transport } = await swarm.work(echo);
    await worker.stop();
    const client = await swarm.client();
    await client.submit({ id: "order-9", capability: "echo" });
    await transport.log("tasks").purge();
    expect(await client.submit({ id: "order-9", capability: "echo" })).toMatchObject({ duplicate: false });
    expect((await client.status("order-9")).state).toBe("pending");
  });

  it("a capability that no agent ever offered is rejected, with the known names", async () => {
    await swarm.work(echo);
    const submitting = (await swarm.client()).submit({ capability: "ehco" });
    await expect(submitting).rejects.toMatchObject({
      code: "unknown_capability",
      message: expect.stringContaining("echo"),
    });
  });

  it.each([
    [{ capability: "echo", retry: { max: -1 } }, "retry.max"],
    [{ capability: "echo", priorty: "high" }, "priorty"],
    [{ capability: "echo", ballot: { seats: 3 } }, "ballot.strategy"],
    [{ capability: "echo", ballot: { seats: 3, strategy: "coin" } }, "ballot.strategy"],
    [{ capability: "echo", ballot: { seats: 0, strategy: "majority" } }, "ballot.seats"],
    [{ capability: "echo", ballot: { seats: 10_000, strategy: "majority" } }, "ballot.seats"],
    [{ capability: "echo", ballot: { seats: 3, strategy: "quorum", quorum: 4 } }, "ballot.quorum"],
    [{ capability: "echo", ballot: { seats: 3, strategy: "majority", weights: [9] } }, "ballot.weights"],
    [{ capability: "echo", ballot: { seats: 3, strategy: "majority" }, route: "best" }, "route"],
    [{ capability: "echo", question: {} }, "question"],
    [{ capability: "echo", route: "worst" }, "route"],
    [{ capability: "echo", session: "s" }, "session"],
    [{ capability: "echo", budget: {} }, "budget"],
    [{ capability: "a.b" }, "capability"],
    [{ capability: "echo", id: "x".repeat(300) }, "id"],
    [{ capability: "echo", id: "a b" }, "id"],
    [{ capability: "echo", scope: ">" }, "scope"],
    [{ capability: "echo", deadline: "tomorrow" }, "deadline"],
  ])("%j is rejected, naming %s", async (task, field) => {
    await swarm.work(echo);
    await expect((await swarm.client()).submit(task as never)).rejects.toMatchObject({
      code: "invalid_input",
      field,
    });
  });
});

describe("a body that is no valid task", () => {
  it.each([
    ["broken JSON", '{"capability":', "body"],
    ["a wrong type", '{"capability":"echo","timeoutMs":"soon"}', "timeoutMs"],
    ["an unknown field", '{"capability":"echo","prio":1}', "prio"],
    ["a contradiction", '{"capability":"other"}', "capability"],
    ["a __proto__ key", '{"capability":"echo","input":{"__proto__":{"a":1}}}', "input.__proto__"],
    ["too much depth", `{"capability":"echo","input":${"[".repeat(10_000)}${"]".repeat(10_000)}}`, undefined],
    ["random bytes", "\u0000\u0001\u0002", "body"],
  ])("ends as a failed result and a dead letter that keeps the payload: %s", async (_name, body, field) => {
    const { transport } = await swarm.work(echo);
    const client = await swarm.client();
    await transport.log("tasks").append(`${swarm.prefix}.task.echo.normal.-.bad`, utf8Bytes(body));
    const status = await untilState(client, "bad", "failed");
    expect(status.result?.error).toMatchObject({
      code: "invalid_input",
      ...(field === undefined ? {} : { field }),
    });
    const letter = await until(() => client.dead.show("bad").catch(() => undefined));
    expect(Buffer.from(letter.payload, "base64").toString()).toBe(body);
    expect((await client.run({ capability: "echo", input: 1 })).status).toBe("completed");
  });
});

describe("a subject that is no task address", () => {
  it.each(["x".repeat(65), "x".repeat(300), "a*b", "id%1", "ü"])(
    "ends as a dead letter that keeps the payload: %s",
    async (id) => {
      const { transport } = await swarm.work(echo);
      const client = await swarm.client();
      const body = encode({ capability: "echo", input: id });
      await transport.log("tasks").append(`${swarm.prefix}.task.echo.normal.-.${id}`, body);
      const letter = await until(async () => (await client.dead.list())[0]);
      expect(letter).toMatchObject({
        capability: "echo",
        attempts: 0,
        reason: { code: "invalid_input", field: "subject" },
      });
      const { taskId } = await client.dead.replay(letter.taskId);
      expect((await client.result(taskId, { timeoutMs: 30_000 })).output).toBe(id);
    },
  );
});

describe("limits across processes", () => {
  it("attempts of a capability never exceed its concurrency", async () => {
    let now = 0;
    let most = 0;
    const full = signal();
    const script = async () => {
      most = Math.max(most, ++now);
      if (now === 2) full.resolve();
      await full.promise; // no attempt ends before two run
      await swarm.roundTrips();
      now--;
    };
    const capabilities = [{ name: "echo", limits: { concurrency: 2 } }];
    await swarm.work(script, { capabilities });
    await swarm.work(script, { capabilities });
    const client = await swarm.client();
    const results = await Promise.all(Array.from({ length: 12 }, () => client.run({ capability: "echo" })));
    expect(results.every(({ status, attempt }) => status === "completed" && attempt === 1)).toBe(true);
    expect(most).toBe(2);
  });

  it("each key has a limit of its own", async () => {
    const now = new Map<string, number>();
    let most = 0;
    const bothRun = signal();
    const script = async ({ task }: { task: { input?: unknown } }) => {
      const key = String(task.input);
      now.set(key, (now.get(key) ?? 0) + 1);
      most = Math.max(most, now.get(key)!);
      if ((now.get("k0") ?? 0) > 0 && (now.get("k1") ?? 0) > 0) bothRun.resolve();
      await bothRun.promise; // no attempt ends before both keys run at once
      await swarm.roundTrips();
      now.set(key, now.get(key)! - 1);
    };
    const of = ({ input }: { input?: unknown }) => String(input);
    const capabilities = [{ name: "echo", limits: { perKey: { of, concurrency: 1 } } }];
    await swarm.work(script, { capabilities });
    await swarm.work(script, { capabilities });
    const client = await swarm.client();
    await Promise.all(
      Array.from({ length: 8 }, (_, index) => client.run({ capability: "echo", input: `k${index % 2}` })),
    );
    expect(most).toBe(1);
  });

  it("the backlog of a full key is not pulled again and again", async () => {
    const go = signal();
    const started = signal();
    const script = async ({ task }: { task: { input?: unknown } }) => {
      if (task.input !== "full") return "other";
      started.resolve();
      await go.promise;
      return "full";
    };
    const of = ({ input }: { input?: unknown }) => String(input);
    await swarm.work(script, {
      slots: 8,
      capabilities: [{ name: "echo", limits: { perKey: { of, concurrency: 1 } } }],
    });
    const client = await swarm.client();
    await client.submit({ capability: "echo", input: "full" });
    await started.promise;
    await Promise.all(
      Array.from({ length: 300 }, () => client.submit({ capability: "echo", input: "full" })),
    );
    expect((await client.run({ capability: "echo", input: "free" })).output).toBe("other");
    const redelivered = (await swarm.meter.taskRedeliveries.get()).values[0]?.value ?? 0;
    expect(redelivered).toBeLessThan(1_500);
    go.resolve();
  });

  it("attempts never start faster than the rate", async () => {
    const startsMs: number[] = [];
    const script = async () => {
      startsMs.push(Date.now());
    };
    const capabilities = [{ name: "echo", limits: { rate: { count: 10, windowMs: 1_000 } } }];
    await swarm.work(script, { capabilities });
    await swarm.work(script, { capabilities });
    const client = await swarm.client();
    const beganMs = Date.now();
    await Promise.all(Array.from({ length: 15 }, () => client.run({ capability: "echo" })));
    // On a loaded machine a start may be late, and so close to the next start. No start may be before its permit is due.
    // Each process may have held one permit already.
    const dueMs = (index: number) => beganMs + (index - 2) * 100;
    const early = startsMs.sort((a, b) => a - b).filter((atMs, index) => atMs < dueMs(index));
    expect(early).toEqual([]);
  });
});

describe("several processes", () => {
  it("a drain gives running tasks back, and their attempt is not counted", async () => {
    const started = signal();
    const first = await swarm.work(() => {
      started.resolve();
      return new Promise(() => {});
    });
    const client = await swarm.client();
    const { taskId } = await client.submit({ capability: "echo", input: "back" });
    await started.promise;
    expect(await first.worker.drain({ graceMs: 10 })).toBe(1);
    await swarm.work(echo);
    expect(await client.result(taskId, { timeoutMs: 30_000 })).toMatchObject({
      status: "completed",
      attempt: 1,
      output: "back",
    });
  });

  it("an attempt whose process died after the `started` record is counted", async () => {
    const { worker, transport } = await swarm.work(echo);
    await worker.stop();
    const client = await swarm.client();
    const { taskId } = await client.submit({ capability: "echo", retry: { ...quick, max: 1 } });
    const journal = transport.log("journal");
    const at = new Date().toISOString();
    await journal.append(
      `${swarm.prefix}.journal.echo.${taskId}`,
      encode({ type: "started", attempt: 2, agent: "gone", at }),
    );
    await redeliverOnce(transport, swarm.prefix);
    await swarm.work(echo);
    expect(await client.result(taskId, { timeoutMs: 30_000 })).toMatchObject({
      status: "failed",
      attempt: 2,
      error: { code: "internal" },
    });
    await until(() => client.dead.show(taskId).catch(() => undefined));
  });

  it("a task that two processes run has one result", async () => {
    const { worker, transport } = await swarm.work(echo);
    await worker.stop();
    const client = await swarm.client();
    const { taskId } = await client.submit({ capability: "echo", input: "mine" });
    const go = signal();
    await swarm.work(async ({ task }) => {
      await go.promise;
      return task.input;
    });
    await untilState(client, taskId, "running");
    const theirs = {
      taskId,
      status: "completed",
      output: "theirs",
      attempt: 1,
      agent: "other",
      startedAt: "",
      finishedAt: "",
      queuedMs: 0,
      ranMs: 0,
    };
    await transport.log("results").append(`${swarm.prefix}.result.echo.-.${taskId}`, encode(theirs));
    go.resolve();
    await until(async () => ((await transport.log("tasks").info()).messages === 0 ? true : undefined));
    expect((await client.result(taskId)).output).toBe("theirs");
    expect((await swarm.meter.fencedWrites.get()).values).toContainEqual({
      labels: { kind: "result" },
      value: 1,
    });
  });

  it("a worker makes a deleted consumer again", async () => {
    const { transport } = await swarm.work(echo);
    const client = await swarm.client();
    await client.run({ capability: "echo" });
    for (const { name } of await transport.queue("tasks").consumers())
      await transport.queue("tasks").deleteConsumer(name);
    await until(async () =>
      (await transport.queue("tasks").consumers()).length === PRIORITIES.length ? true : undefined,
    );
    expect((await client.run({ capability: "echo", input: 1 }, { timeoutMs: 30_000 })).status).toBe(
      "completed",
    );
  });

  it("urgent tasks start before waiting low tasks", async () => {
    const order: string[] = [];
    const go = signal();
    await swarm.work(
      async ({ task }) => {
        await go.promise;
        order.push(task.priority);
      },
      { slots: 1 },
    );
    const client = await swarm.client();
    const first = await client.submit({ capability: "echo" });
    await untilState(client, first.taskId, "running");
    const rest = [];
    for (const priority of ["low", "low", "urgent", "urgent"] as const)
      rest.push(await client.submit({ capability: "echo", priority }));
    go.resolve();
    await Promise.all(rest.map(({ taskId }) => client.result(taskId, { timeoutMs: 30_000 })));
    expect(order.indexOf("urgent")).toBeLessThan(order.lastIndexOf("low"));
    expect(order.slice(1, 3)).toContain("urgent");
  });
});

describe("reading states", () => {
  it("a list has live tasks first, then ended tasks", async () => {
    const go = signal();
    await swarm.work(async ({ task }) => (task.input === "wait" ? go.promise : task.input), { slots: 1 });
    const client = await swarm.client();
    const done = await client.run({ capability: "echo", input: 1 });
    const running = await client.submit({ capability: "echo", input: "wait" });
    await untilState(client, running.taskId, "running");
    const pending = await client.submit({ capability: "echo" });
    const scheduled = await client.submit({ capability: "echo", notBefore: 60_000 });
    const listed = await client.list();
    expect(listed.map(({ taskId, state }) => [taskId, state])).toEqual([
      [pending.taskId, "pending"],
      [running.taskId, "running"],
      [scheduled.taskId, "scheduled"],
      [done.taskId, "completed"],
    ]);
    expect((await client.list({ state: "completed" })).map(({ taskId }) => taskId)).toEqual([done.taskId]);
    go.resolve();
  });

  it("the state of an unknown id is an error", async () => {
    await expect((await swarm.client()).status("unknown")).rejects.toBeInstanceOf(SwarmError);
  });
});

/** Takes every queued task once and gives it back, like a process that died. */
async function redeliverOnce(
  transport: Awaited<ReturnType<TestSwarm["connect"]>>,
  prefix: string,
): Promise<void> {
  const consumer = await transport
    .queue("tasks")
    .consumer({ name: "echo-normal", filter: `${prefix}.task.echo.normal.>` });
  await new Promise<void>((resolve) => {
    consumer.pull(
      { max: 10, expiresMs: 0 },
      { onDelivery: (delivery) => delivery.nak(0), onEnd: () => resolve() },
    );
  });
  await transport.bus.flush();
}
