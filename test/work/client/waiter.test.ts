import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createMeter, ManualClock, silentLogger } from "../../../src/base/index.ts";
import {
  CONTENT_TYPES,
  createSubjects,
  encode,
  type Result,
  SwarmError,
} from "../../../src/protocol/index.ts";
import { connectMemory, connectNats, MemoryServer, type Transport } from "../../../src/transport/index.ts";
import { ResultWaiter } from "../../../src/work/client/waiter.ts";
import { createTaskClient, createWorker, type TaskClient } from "../../../src/work/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { ScriptedWorkforce } from "../support.ts";

/** Starts agents with 64 slots that return their input. */
async function startEcho(transport: Transport): Promise<() => Promise<void>> {
  const worker = createWorker({
    transport,
    meter: createMeter(),
    log: silentLogger,
    hostId: "host",
    workforce: new ScriptedWorkforce(64, async ({ task }) => task.input),
    capabilities: [{ name: "echo" }],
  });
  await worker.start();
  return () => worker.stop();
}

describe("the subscriptions of a waiting client", () => {
  const open = new Set<string>();
  let client: TaskClient;
  let stop: () => Promise<void>;
  beforeEach(async () => {
    open.clear();
    const transport = connectMemory({ prefix: "murmur", server: new MemoryServer() });
    await transport.init();
    const stopEcho = await startEcho(transport);
    client = createTaskClient({ transport: recordDone(transport), meter: createMeter() });
    stop = async () => {
      client.close();
      await stopEcho();
      await transport.close();
    };
  });
  afterEach(() => stop());

  /** Keeps the subjects of all open subscriptions to results. */
  function recordDone(transport: Transport): Transport {
    const subscribe: Transport["bus"]["subscribe"] = (subject, onMessage, options) => {
      const subscription = transport.bus.subscribe(subject, onMessage, options);
      if (!subject.startsWith("murmur.done.")) return subscription;
      open.add(subject);
      return {
        ...subscription,
        close: () => {
          open.delete(subject);
          subscription.close();
        },
      };
    };
    return {
      ...transport,
      get state() {
        return transport.state;
      },
      bus: { ...transport.bus, subscribe },
    };
  }

  it("a wait subscribes to the result of its task alone, and ends the subscription with the wait", async () => {
    const running = client.run({ id: "one", capability: "echo" });
    expect([...open]).toEqual(["murmur.done.echo.*.one"]);
    await running;
    expect([...open]).toEqual([]);
  });

  it("two waits for one task share its subscription", async () => {
    const runs = [
      client.run({ id: "one", capability: "echo" }),
      client.run({ id: "one", capability: "echo" }),
    ];
    expect([...open]).toEqual(["murmur.done.echo.*.one"]);
    const [first, second] = await Promise.all(runs);
    expect(second).toEqual(first);
    expect([...open]).toEqual([]);
  });

  it("a client with many waits subscribes once to all results of the capability", async () => {
    const runs = Array.from({ length: 40 }, (_, n) =>
      client.run({ id: `t${n}`, capability: "echo", input: n }),
    );
    expect(open.has("murmur.done.echo.*.*")).toBe(true);
    expect(open.size).toBe(17);
    const results = await Promise.all(runs);
    expect(results.map(({ output }) => output)).toEqual(results.map((_, n) => n));
    expect([...open]).toEqual(["murmur.done.echo.*.*"]);
    client.close();
    expect([...open]).toEqual([]);
  });
});

describe("a wait whose announcement is lost", () => {
  const stored = resultOf("t1");
  let clock: ManualClock;
  let transport: Transport;
  let reads: (() => Promise<{ result: Result } | null>)[];
  let waiter: ResultWaiter;
  let reconnect: () => void;
  beforeEach(() => {
    clock = new ManualClock();
    transport = connectMemory({ prefix: "murmur", server: new MemoryServer() });
    reads = [];
    const onState: Transport["onState"] = (listener) => {
      reconnect = () => listener("connected");
      return { close: () => undefined };
    };
    const read = async () => (await reads.shift()?.()) ?? null;
    const watched = { ...transport, state: transport.state, onState };
    waiter = new ResultWaiter(watched, createSubjects("murmur"), read, clock);
  });
  afterEach(async () => {
    waiter.close();
    await transport.close();
  });

  /** Resolves when every promise that can settle without the clock has settled. */
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const unavailable = async () => {
    throw new SwarmError("unavailable", "the stream has no leader yet");
  };

  it("reads its result after a reconnect, again and again until the stream answers", async () => {
    const { result } = waiter.wait("echo", "t1");
    reads.push(unavailable, unavailable, async () => ({ result: stored }));
    reconnect();
    for (let pause = 0; pause < 2; pause++) {
      await settled();
      clock.advance(1_000);
    }
    expect(await result).toEqual(stored);
  });

  it("reads its result when it has waited for 10 s", async () => {
    const { result } = waiter.wait("echo", "t1");
    reads.push(
      async () => null,
      async () => ({ result: stored }),
    );
    clock.advance(9_000);
    await settled();
    expect(reads).toHaveLength(2);
    clock.advance(1_000);
    await settled();
    expect(reads).toHaveLength(1);
    clock.advance(10_000);
    expect(await result).toEqual(stored);
  });

  it("continues when the blob of its result cannot be read yet", async () => {
    const { result } = waiter.wait("echo", "t1");
    reads.push(async () => ({ result: stored }));
    const reference = encode({ $blob: "0".repeat(64), bytes: 600_000 });
    transport.blobs.get = unavailable;
    transport.bus.publish("murmur.done.echo.-.t1", reference, {
      headers: { "Content-Type": CONTENT_TYPES.json },
    });
    expect(await result).toEqual(stored);
  });
});

function resultOf(taskId: string): Result {
  const at = new Date(0).toISOString();
  return {
    taskId,
    status: "completed",
    output: 1,
    attempt: 1,
    agent: "a",
    startedAt: at,
    finishedAt: at,
    queuedMs: 0,
    ranMs: 0,
  };
}

describe("a user with a NATS permission for the results of one capability", () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNatsServer({
      config: `
        authorization { users = [
          { user: swarm, password: s }
          { user: shop, password: s, permissions: { subscribe: { allow: ["_INBOX.>", "murmur.done.echo.*.*"] } } }
        ] }`,
    });
  });
  afterAll(() => server.stop());

  const connect = (user: string) =>
    connectNats({
      servers: server.url,
      credentials: { user, password: "s" },
      name: user,
      prefix: "murmur",
      log: silentLogger,
      meter: createMeter(),
    });

  it("submits tasks and gets their results, one and many at a time", async () => {
    const swarm = await connect("swarm");
    await swarm.init();
    const stopEcho = await startEcho(swarm);
    const shop = await connect("shop");
    const client = createTaskClient({ transport: shop, meter: createMeter() });
    const one = await client.run({ capability: "echo", input: 1 }, { timeoutMs: 20_000 });
    expect(one.output).toBe(1);
    const many = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        client.run({ capability: "echo", input: n }, { timeoutMs: 20_000 }),
      ),
    );
    expect(many.map(({ output }) => output)).toEqual(many.map((_, n) => n));
    client.close();
    await shop.close();
    await stopEcho();
    await swarm.close();
  });
});
