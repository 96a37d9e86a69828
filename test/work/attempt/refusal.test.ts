import { expect, it, onTestFinished, vi } from "vitest";
import { createMeter, newInstanceId, silentLogger } from "../../../src/base/index.ts";
import {
  type AuditNote,
  createSubjects,
  encode,
  type Result,
  SwarmError,
} from "../../../src/protocol/index.ts";
import { connectMemory, type Transport } from "../../../src/transport/index.ts";
import { createTaskClient, createWorker } from "../../../src/work/index.ts";
import { ScriptedWorkforce } from "../support.ts";

const SOON = { timeout: 60_000, interval: 5 };

/** A worker whose one task waits until `finish`; its result goes to `store` first. */
async function setup(store?: (append: () => Promise<unknown>) => Promise<unknown>) {
  const transport = connectMemory({ prefix: "murmur" });
  onTestFinished(() => transport.close());
  await transport.init();
  const results = transport.log("results");
  const wrapped: Transport = {
    ...transport,
    log: (stream) =>
      stream === "results" && store !== undefined
        ? { ...results, append: (...args) => store(() => results.append(...args)) as never }
        : transport.log(stream),
  };
  const notes: AuditNote[] = [];
  const gate = Promise.withResolvers<string>();
  const started = Promise.withResolvers<void>();
  const workforce = new ScriptedWorkforce(1, () => {
    started.resolve();
    return gate.promise;
  });
  const worker = createWorker({
    transport: wrapped,
    meter: createMeter(),
    log: silentLogger,
    hostId: newInstanceId("host"),
    workforce,
    capabilities: [{ name: "echo" }],
    audit: (note) => void notes.push(note),
  });
  await worker.start();
  onTestFinished(() => worker.stop());
  const client = createTaskClient({ transport, meter: createMeter() });
  onTestFinished(() => client.close());
  await client.submit({ id: "t1", capability: "echo" });
  await started.promise;
  return {
    notes,
    client,
    finish: () => gate.resolve("late"),
    isDone: () => vi.waitFor(async () => expect(worker.held()).toBe(0), SOON),
    /** Stores a result of the task as another host would. */
    async end(result: Partial<Result>) {
      const finishedAt = "2026-01-01T00:00:00.000Z";
      const times = { startedAt: finishedAt, finishedAt, queuedMs: 0, ranMs: 0 };
      const whole = { taskId: "t1", status: "completed", attempt: 2, agent: "other", ...times, ...result };
      const subject = createSubjects("murmur").result("echo", "-", "t1");
      await results.append(subject, encode(whole), { headers: { "Content-Type": "application/json" } });
    },
  };
}

it("a refused second result is noted together with the stored result", async () => {
  const { notes, end, finish } = await setup();
  await end({});
  finish();
  await vi.waitFor(() => expect(notes).toHaveLength(1), SOON);
  expect(notes).toMatchObject([
    {
      kind: "result-refused",
      facts: {
        taskId: "t1",
        capability: "echo",
        refused: { status: "completed", attempt: 1 },
        standing: { status: "completed", attempt: 2, agent: "other" },
      },
    },
  ]);
});

it("the end of an attempt whose task was cancelled is not noted", async () => {
  const { notes, end, finish, isDone } = await setup();
  await end({ status: "cancelled", agent: "-" });
  finish();
  await isDone();
  expect(notes).toEqual([]);
});

it("the host's own result is not noted when its acknowledgement was lost", async () => {
  let tries = 0;
  const { notes, finish, isDone, client } = await setup(async (append) => {
    const stored = await append();
    if (++tries === 1) throw new SwarmError("unavailable", "no acknowledgement in time");
    return stored;
  });
  finish();
  await vi.waitFor(() => expect(tries).toBe(1), SOON);
  await isDone();
  expect(notes).toEqual([]);
  expect((await client.status("t1")).result).toMatchObject({ output: "late" });
});
