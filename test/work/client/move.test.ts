import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { createSubjects, encode, HEADERS } from "../../../src/protocol/index.ts";
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
/** The input of an attempt and what the queue said about it. */
const seen = async ({ task }: { task: { capability: string; priority: string; input?: unknown } }) =>
  `${task.capability} ${task.priority} ${String(task.input)}`;

/** A swarm whose streams an earlier version created, with one message on each of these subjects. */
async function setupOlder(...subjects: string[]) {
  const transport = await swarm.connect();
  const admin = await connect({ servers: server.url });
  onTestFinished(() => admin.close());
  const manager = await jetstreamManager(admin);
  const { prefix } = swarm;
  const name = (suffix: string) => `${prefix.toUpperCase()}_${suffix}`;
  await manager.streams.update(name("TASKS"), { subjects: [`${prefix}.task.>`] });
  await manager.streams.update(name("LATER"), { subjects: [`${prefix}.later.>`, `${prefix}.due.>`] });
  for (const subject of subjects) {
    const log = transport.log(subject.startsWith("later") ? "later" : "tasks");
    await log.append(`${prefix}.${subject}`, encode({ capability: "echo", input: subject }));
  }
  return { transport, client: await swarm.client() };
}

describe("a message that no process can take", () => {
  const STRAYS = [
    "task.echo.hihg.-.mistyped",
    "task.unheard.normal.-.waits",
    "task.cancel",
    "task.unheard.high.-.one.two",
    "task.ec%ho.high.s.odd",
    "later.-.unscheduled",
  ];

  it("is listed and shown with the reason, and is no plain pending task", async () => {
    const { client } = await setupOlder(...STRAYS);
    await swarm.work(echo);
    await client.submit({ capability: "echo", notBefore: 600_000 });
    const strays = await client.list({ stray: true });
    expect(strays).toHaveLength(STRAYS.length);
    const reasons = new Map(strays.map(({ taskId, stray }) => [taskId, stray]));
    expect(reasons.get("mistyped")).toMatch(/unknown priority \(known: urgent, high, normal, low\)/);
    expect(reasons.get("waits")).toBe("no agent has offered the capability unheard yet");
    expect(reasons.get("odd")).toMatch(/does not end in <capability>/);
    expect(reasons.get("unscheduled")).toMatch(/no Nats-Schedule header, so it never comes due/);
    expect([...reasons.keys()].filter((id) => id.startsWith("unreadable-"))).toHaveLength(2);
    for (const { taskId, stray } of strays) {
      expect(await client.status(taskId)).toMatchObject({ taskId, stray });
    }
  });

  it("is cancelled: it has a result, and its message is gone", async () => {
    const { client, transport } = await setupOlder(...STRAYS);
    for (const { taskId } of await client.list({ stray: true })) {
      await client.cancel(taskId);
      expect(await client.status(taskId)).toMatchObject({ state: "cancelled" });
    }
    expect(await transport.log("tasks").info()).toMatchObject({ messages: 0 });
    expect(await transport.log("later").info()).toMatchObject({ messages: 0 });
  });

  it("is moved to a capability that has agents, and runs there with its id and its body", async () => {
    const { client, transport } = await setupOlder(...STRAYS);
    await swarm.work(seen);
    await swarm.move();
    const strays = await client.list({ stray: true });
    for (const { taskId } of strays) {
      await client.change(taskId, { capability: "echo" }, { timeoutMs: 60_000 });
    }
    const outputs = new Set<unknown>();
    for (const { taskId } of strays) {
      outputs.add((await client.result(taskId, { timeoutMs: 60_000 })).output);
    }
    expect(outputs).toEqual(
      new Set([
        "echo normal task.echo.hihg.-.mistyped",
        "echo normal task.unheard.normal.-.waits",
        "echo normal task.cancel",
        "echo high task.unheard.high.-.one.two",
        "echo high task.ec%ho.high.s.odd",
        "echo normal later.-.unscheduled",
      ]),
    );
    // The host acks after the result is stored.
    await expect.poll(() => transport.log("tasks").info()).toMatchObject({ messages: 0 });
    expect(await client.list({ stray: true })).toEqual([]);
  });

  it("needs a capability when its subject has none, and takes only a known one", async () => {
    const { client } = await setupOlder("task.ec%ho.high.s.odd");
    await expect(client.change("odd", { priority: "low" })).rejects.toThrow(
      /no process can take task odd: .* murmur task move odd --capability NAME/,
    );
    await expect(client.change("odd", { capability: "ehco" })).rejects.toMatchObject({
      code: "unknown_capability",
    });
  });

  it("has a result after its scope was cancelled", async () => {
    const { client, transport } = await setupOlder(
      "task.echo.hihg.night.mistyped",
      "later.night.unscheduled",
    );
    await client.cancelScope("night");
    expect(await client.status("mistyped")).toMatchObject({ state: "cancelled" });
    expect(await client.status("unscheduled")).toMatchObject({ state: "cancelled" });
    expect(await transport.log("tasks").info()).toMatchObject({ messages: 0 });
  });
});

describe("a task that waits in its queue", () => {
  /** Two capabilities with one busy slot, so that further tasks wait. */
  async function setup() {
    const go = signal();
    await swarm.move();
    const { transport } = await swarm.work(
      async (attempt) => {
        if (attempt.task.id === "first") await go.promise;
        return seen(attempt);
      },
      { slots: 1, capabilities: [{ name: "echo" }, { name: "other" }] },
    );
    const client = await swarm.client();
    await client.submit({ capability: "echo", id: "first" });
    await untilState(client, "first", "running");
    return { go, transport, client };
  }

  it("gets another priority, and asking again changes nothing", async () => {
    const { go, client } = await setup();
    await client.submit({ capability: "echo", id: "t", input: 1 });
    const change = { priority: "urgent" } as const;
    expect(await client.change("t", change, { timeoutMs: 60_000 })).toEqual({
      taskId: "t",
      capability: "echo",
      priority: "urgent",
      changed: true,
    });
    expect(await client.change("t", change)).toMatchObject({ changed: false });
    go.resolve();
    expect((await client.result("t", { timeoutMs: 60_000 })).output).toBe("echo urgent 1");
  });

  it("is moved once, however many callers ask at the same time", async () => {
    const { go, transport, client } = await setup();
    await client.submit({ capability: "echo", id: "t", input: 1, scope: "s" });
    const moves = [1, 2, 3].map(() => client.change("t", { capability: "other" }, { timeoutMs: 60_000 }));
    for (const move of await Promise.all(moves)) expect(move).toMatchObject({ capability: "other" });
    expect((await transport.log("tasks").subjects(`${swarm.prefix}.task.*.*.*.t`)).size).toBe(1);
    go.resolve();
    expect((await client.result("t", { timeoutMs: 60_000 })).output).toBe("other normal 1");
    expect((await transport.log("results").subjects(`${swarm.prefix}.result.*.*.t`)).size).toBe(1);
  });

  it("stays where it is once a host has received it, or when it has ended", async () => {
    const { go, client } = await setup();
    await expect(client.change("first", { priority: "low" })).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining("a host has received task first"),
    });
    go.resolve();
    await client.result("first", { timeoutMs: 60_000 });
    await expect(client.change("first", { priority: "low" })).rejects.toThrow(/had ended already/);
    await expect(client.change("nowhere", { priority: "low" })).rejects.toMatchObject({ code: "not_found" });
  });

  it("is moved by the next api process when none runs now", async () => {
    const client = await swarm.client();
    await swarm.work(seen, { capabilities: [{ name: "other" }] });
    const transport = await swarm.connect();
    const body = encode({ capability: "misspelt", input: 1 });
    await transport.log("tasks").append(`${swarm.prefix}.task.misspelt.low.-.t`, body);
    await expect(client.change("t", { capability: "other" }, { timeoutMs: 100 })).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("no api process"),
    });
    expect(await client.status("t")).toMatchObject({ state: "pending", capability: "misspelt" });
    await swarm.move();
    expect((await client.result("t", { timeoutMs: 60_000 })).output).toBe("other low 1");
  });
});

describe("a delayed task", () => {
  it("is due at once when it is promoted, although its body names a later time", async () => {
    await swarm.work(seen);
    await swarm.move();
    const client = await swarm.client();
    const { taskId } = await client.submit({ capability: "echo", input: 1, notBefore: 600_000 });
    expect(await client.change(taskId, { dueNow: true }, { timeoutMs: 60_000 })).toMatchObject({
      changed: true,
    });
    expect((await client.result(taskId, { timeoutMs: 60_000 })).output).toBe("echo normal 1");
  });

  it("keeps its time when it gets another capability or priority", async () => {
    await swarm.work(echo, { capabilities: [{ name: "echo" }, { name: "other" }] });
    const client = await swarm.client();
    const { taskId } = await client.submit({ capability: "echo", notBefore: 600_000 });
    const { dueAt } = await client.status(taskId);
    const change = { capability: "other", priority: "high" } as const;
    expect(await client.change(taskId, change)).toMatchObject({ ...change, changed: true });
    expect(await client.status(taskId)).toMatchObject({ state: "scheduled", capability: "other", dueAt });
    expect(await client.change(taskId, change)).toMatchObject({ changed: false });
  });

  it("runs its retry at once when it is promoted", async () => {
    await swarm.move();
    await swarm.work(async (attempt) => {
      if (attempt.number === 1) throw new Error("not yet");
      return attempt.number;
    });
    const client = await swarm.client();
    const retry = { max: 1, backoffMs: 600_000, factor: 1, maxBackoffMs: 600_000, jitter: 0 };
    const { taskId } = await client.submit({ capability: "echo", retry });
    await until(async () =>
      (await (await swarm.connect()).log("later").info()).messages === 1 ? true : undefined,
    );
    await client.change(taskId, { dueNow: true }, { timeoutMs: 60_000 });
    expect(await client.result(taskId, { timeoutMs: 60_000 })).toMatchObject({ output: 2, attempt: 2 });
  });

  it("is promoted already when it came due and no api process has moved it; another change tells that", async () => {
    await swarm.work(echo, { capabilities: [{ name: "echo" }, { name: "other" }] });
    const client = await swarm.client();
    const { taskId } = await client.submit({ capability: "echo", notBefore: 200 });
    const due = createSubjects(swarm.prefix).filters.dueById(taskId);
    const later = (await swarm.connect()).log("later");
    await until(async () => (await later.last(due, { fresh: true })) ?? undefined);
    expect(await client.change(taskId, { dueNow: true }, { timeoutMs: 60_000 })).toMatchObject({
      changed: false,
    });
    await expect(client.change(taskId, { priority: "high" }, { timeoutMs: 100 })).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringMatching(/is due, and no api process has moved it .* nothing was changed/),
    });
    await swarm.move();
    expect(await client.result(taskId, { timeoutMs: 60_000 })).toMatchObject({ status: "completed" });
  });

  it("waits for the ack of a host that has just stored the retry, and then promotes the retry", async () => {
    await swarm.move();
    const client = await swarm.client();
    const transport = await swarm.connect();
    const subjects = createSubjects(swarm.prefix);
    const at = { capability: "echo", priority: "normal", scope: "-", taskId: "r1" } as const;
    const body = encode({ capability: "echo", input: 1 });
    const earlier = await transport.log("tasks").append(subjects.task(at), body);
    const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
    await transport.log("later").append(subjects.later("-", "r1"), body, {
      headers: {
        [HEADERS.attempt]: "2",
        [HEADERS.schedule]: `@at ${inAnHour}`,
        [HEADERS.scheduleTarget]: subjects.due(at),
      },
    });
    const change = client.change("r1", { dueNow: true }, { timeoutMs: 60_000 });
    await expect(client.change("r1", { dueNow: true }, { timeoutMs: 100 })).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("nothing was changed"),
    });
    await transport.log("tasks").delete(earlier.seq); // as the ack does
    expect(await change).toMatchObject({ changed: true });
    await swarm.work(seen);
    expect((await client.result("r1", { timeoutMs: 60_000 })).output).toBe("echo normal 1");
  });
});
