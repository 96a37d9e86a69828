import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Client,
  connect,
  isCompleted,
  isFailed,
  isSwarmError,
  outputOf,
} from "../../src/client/index.ts";
import { TerminalError } from "../../src/protocol/index.ts";
import type { Attempt } from "../../src/work/index.ts";
import { type NatsServer, startNatsServer } from "../support/nats-server.ts";
import { signal, TestSwarm } from "../work/support.ts";

let server: NatsServer;
let swarm: TestSwarm;
let client: Client;
/** The attempts of the capability `held`, which the tests end. */
const held = new Map<string, { attempt: Attempt; end: () => void }>();

beforeAll(async () => {
  server = await startNatsServer();
  swarm = new TestSwarm(server.url);
  await swarm.work(
    async (attempt) => {
      const { task } = attempt;
      if (task.capability === "fail") throw new TerminalError("the input is wrong");
      if (task.capability !== "held") return task.input;
      const ending = signal();
      held.set(task.id, { attempt, end: ending.resolve });
      attempt.signal.addEventListener("abort", () => ending.resolve());
      await ending.promise;
      return "ended";
    },
    { slots: 600, capabilities: [{ name: "echo" }, { name: "fail" }, { name: "held" }] },
  );
  client = await connect({ servers: server.url, prefix: swarm.prefix });
});
afterAll(async () => {
  await client?.close();
  await swarm?.stop();
  await server?.stop();
});

async function startHeld(id: string): Promise<{ attempt: Attempt; end: () => void }> {
  await client.submit({ id, capability: "held" });
  for (;;) {
    const running = held.get(id);
    if (running !== undefined) return running;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("a client of a program", () => {
  it("submits a task, and waits for its result", async () => {
    const { taskId, duplicate } = await client.submit({ capability: "echo", input: { n: 1 } });
    expect(duplicate).toBe(false);
    const result = await client.wait<{ n: number }>(taskId);
    expect(outputOf(result).n).toBe(1);
    expect(await client.status(taskId)).toMatchObject({ taskId, state: "completed" });
    expect((await client.list({ capability: "echo" })).map((status) => status.taskId)).toContain(taskId);
  });

  it("has one task for an id that is submitted twice", async () => {
    await client.run({ id: "order-7", capability: "echo", input: 1 });
    expect(await client.submit({ id: "order-7", capability: "echo", input: 1 })).toMatchObject({
      duplicate: true,
    });
  });

  it("sends and receives values over 512 KiB, and bytes with MessagePack", async () => {
    const text = "x".repeat(700_000);
    expect(outputOf(await client.run<string>({ capability: "echo", input: text }))).toBe(text);
    const bytes = new Uint8Array(600_000).fill(7);
    const result = await client.run<Uint8Array>(
      { capability: "echo", input: bytes },
      { encoding: "msgpack" },
    );
    expect(Buffer.compare(outputOf(result), bytes)).toBe(0);
  });

  it("returns the result of a failed task, with its error", async () => {
    const result = await client.run({ capability: "fail", retry: { max: 0 } });
    expect(isFailed(result) && result.error).toMatchObject({ message: "the input is wrong" });
    expect(isCompleted(result)).toBe(false);
    expect(() => outputOf(result)).toThrow(/^task .* failed: tool_failed: the input is wrong$/);
  });

  it("rejects with errors of the catalogue, which a guard tells apart", async () => {
    const refusal = async (call: Promise<unknown>) => {
      const error = await call.catch((thrown: unknown) => thrown);
      return isSwarmError(error) ? { code: error.code, field: error.field } : error;
    };
    const once = { patienceMs: 0 };
    expect(await refusal(client.submit({ capability: "no.token" }))).toEqual({
      code: "invalid_input",
      field: "capability",
    });
    expect(await refusal(client.submit({ capability: "unknown" }))).toMatchObject({
      code: "unknown_capability",
    });
    expect(await refusal(client.status("nothing", once))).toMatchObject({ code: "not_found" });
    expect(await refusal(client.wait("a.b", once))).toMatchObject({ code: "invalid_input" });
    expect(await refusal(client.cancel("order-7", once))).toMatchObject({ code: "conflict" });
    expect(isSwarmError(new Error("no"), "conflict")).toBe(false);
  });

  it("follows a task through its states, with its result last", async () => {
    const { attempt, end } = await startHeld("watched");
    const seen: (string | number | null)[] = [];
    for await (const status of client.watch("watched")) {
      seen.push(status.state === "running" ? status.progress : status.state);
      if (status.state === "running" && status.progress === 40) end();
      else if (status.state === "running") attempt.progress(40);
      if (status.result !== undefined) expect(status.result.output).toBe("ended");
    }
    expect(seen.slice(-2)).toEqual([40, "completed"]);
  });

  it("cancels a task whose attempt runs", async () => {
    const { attempt } = await startHeld("cancelled-1");
    await client.cancel("cancelled-1");
    expect(await client.wait("cancelled-1")).toMatchObject({ status: "cancelled" });
    await new Promise<void>((resolve) => {
      if (attempt.signal.aborted) resolve();
      attempt.signal.addEventListener("abort", () => resolve());
    });
  });

  it("cancels the tasks of a scope", async () => {
    await client.submit({ id: "later-1", capability: "echo", scope: "nightly", notBefore: 3_600_000 });
    await client.cancelScope("nightly");
    expect(await client.status("later-1")).toMatchObject({ state: "cancelled" });
    await expect(client.submit({ capability: "echo", scope: "nightly" })).rejects.toMatchObject({
      code: "cancelled",
    });
  });

  it("ends each kind of call with the signal's reason, and each wait with its own time", async () => {
    await startHeld("long");
    const reason = new Error("the user left");
    for (const call of [
      (signal: AbortSignal) => client.wait("long", { signal }),
      (signal: AbortSignal) => client.run({ capability: "held" }, { signal }),
      async (signal: AbortSignal) => {
        for await (const _status of client.watch("long", { signal }));
      },
      async (signal: AbortSignal) => {
        for await (const _entry of client.runAll([{ capability: "held" }], { signal }));
      },
    ]) {
      const leaving = new AbortController();
      const calling = call(leaving.signal);
      calling.catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 20));
      leaving.abort(reason);
      await expect(calling).rejects.toBe(reason);
    }
    const aborted = AbortSignal.abort(reason);
    await expect(client.submit({ capability: "echo" }, { signal: aborted })).rejects.toBe(reason);
    await expect(client.status("long", { signal: aborted })).rejects.toBe(reason);
    await expect(client.list({}, { signal: aborted })).rejects.toBe(reason);
    await expect(client.cancel("long", { signal: aborted })).rejects.toBe(reason);
    await expect(client.wait("long", { timeoutMs: 20 })).rejects.toMatchObject({
      code: "timeout",
      taskId: "long",
    });
    held.get("long")?.end();
  });

  it("ends its calls when it is closed, and refuses later calls", async () => {
    await startHeld("open");
    const own = await connect({ servers: server.url, prefix: swarm.prefix });
    const waiting = own.wait("open");
    waiting.catch(() => undefined);
    await own.status("open");
    await Promise.all([own.close(), own.close()]);
    await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
    await expect(own.submit({ capability: "echo" })).rejects.toMatchObject({ code: "cancelled" });
    held.get("open")?.end();
  });

  it("says within its time that no server answers", async () => {
    await expect(connect({ servers: "nats://127.0.0.1:1" })).rejects.toMatchObject({ code: "unavailable" });
    await expect(connect({ servers: server.url, prefix: "Not A Prefix" })).rejects.toMatchObject({
      code: "invalid_input",
      field: "prefix",
    });
  });
});

describe("a batch", () => {
  it("runs 500 tasks of an async source, with one entry each", async () => {
    async function* rows() {
      for (let n = 0; n < 500; n++) yield { capability: "echo", input: n };
    }
    const outputs = new Map<number, number>();
    for await (const { index, value, error } of client.runAll<number>(rows(), { inFlight: 64 })) {
      if (error !== undefined) throw error;
      outputs.set(index, outputOf(value));
    }
    expect([...outputs].every(([index, output]) => index === output)).toBe(true);
    expect(outputs.size).toBe(500);
  });

  it("keeps the order of its source when it is asked to", async () => {
    const rows = Array.from({ length: 50 }, (_, n) => ({ capability: "echo", input: n }));
    const outputs: unknown[] = [];
    for await (const { value } of client.runAll(rows, { ordered: true })) outputs.push(value?.output);
    expect(outputs).toEqual(rows.map(({ input }) => input));
  });

  it("has an entry with the error for each task that is refused, and continues", async () => {
    const rows = [{ capability: "echo" }, { id: "r-1", capability: "unknown" }, { capability: "" }];
    const codes: (string | undefined)[] = [];
    for await (const { index, taskId, error } of client.submitAll(rows, { ordered: true })) {
      codes[index] = error?.code;
      expect(taskId).toMatch(/./);
    }
    expect(codes).toEqual([undefined, "unknown_capability", "invalid_input"]);
  });

  it("refuses a number in flight that is out of range", async () => {
    for (const inFlight of [0, 1.5, 10_001]) {
      await expect(client.submitAll([], { inFlight }).next()).rejects.toMatchObject({ field: "inFlight" });
    }
  });
});
