// Recorded steps: a later attempt gets what an earlier one recorded; on both transports.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  createSubjects,
  type JournalRecord,
  RetryableError,
  type StepFacts,
  TerminalError,
} from "../../../src/protocol/index.ts";
import { MemoryServer, type Transport } from "../../../src/transport/index.ts";
import { type Attempt, createTrailReader } from "../../../src/work/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { openOffice } from "../office.ts";
import { TestSwarm } from "../support.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());

/** Performs a step that runs its work each time that it is not recorded. */
const step = (attempt: Attempt, name: string, work: (step: StepFacts) => unknown) =>
  attempt.step(name, { once: false }, work);

const retry = { max: 5, backoffMs: 1, maxBackoffMs: 1 };

/** The journal of a task of the capability `echo`. */
async function journalOf(transport: Transport, prefix: string, taskId: string): Promise<JournalRecord[]> {
  const records = await createTrailReader(transport, createSubjects(prefix)).records({
    capability: "echo",
    taskId,
  });
  return records.map(({ record }) => record);
}

describe.each(["nats", "memory"])("steps on %s", (kind) => {
  let swarm: TestSwarm;
  beforeEach(() => {
    swarm = new TestSwarm(kind === "nats" ? server.url : new MemoryServer());
  });
  afterEach(() => swarm.stop());

  it("a retry gets the recorded results and runs only the step that failed", async () => {
    const runs: string[] = [];
    const keys = new Set<string>();
    await swarm.work(async (attempt) => {
      const a = await step(attempt, "a", ({ effectKey }) => {
        runs.push("a");
        keys.add(effectKey);
        return { n: 1, bytes: undefined };
      });
      const nothing = await step(attempt, "nothing", () => undefined);
      const b = await step(attempt, "b", ({ effectKey }) => {
        runs.push("b");
        keys.add(effectKey);
        if (attempt.number < 3) throw new RetryableError("not yet");
        return [a];
      });
      return { a, b, nothing: nothing === undefined };
    });
    const client = await swarm.client();
    const result = await client.run({ capability: "echo", id: "t1", retry });
    expect(result).toMatchObject({
      status: "completed",
      attempt: 3,
      output: { b: [{ n: 1 }], nothing: true },
    });
    expect(runs).toEqual(["a", "b", "b", "b"]);
    expect([...keys]).toEqual(["t1/a", "t1/b"]);
  });

  it("an error that the code caught stays recorded, with code, message and field", async () => {
    const runs: string[] = [];
    const seen: unknown[] = [];
    await swarm.work(async (attempt) => {
      await step(attempt, "a", () => {
        runs.push("a");
        throw new TerminalError("no such customer", { code: "not_found", field: "customer" });
      }).catch(({ code, message, field, retryable }) => seen.push({ code, message, field, retryable }));
      await step(attempt, "b", () => runs.push("b"));
      if (attempt.number === 1) throw new RetryableError("again");
      return "done";
    });
    const result = await (await swarm.client()).run({ capability: "echo", retry });
    expect(result).toMatchObject({ status: "completed", attempt: 2 });
    expect(runs).toEqual(["a", "b"]);
    const error = { code: "not_found", message: "no such customer", field: "customer", retryable: false };
    expect(seen).toEqual([error, error]);
  });

  it("parallel steps that end while an append is in flight share a record, and all of them are recorded", async () => {
    const runs: string[] = [];
    const { transport } = await swarm.work(async (attempt) => {
      const names = Array.from({ length: 50 }, (_, index) => `item:${index}`);
      const outputs = await Promise.all(
        names.map((name) =>
          step(attempt, name, async () => {
            runs.push(name);
            return name;
          }),
        ),
      );
      expect(outputs).toEqual(names);
      if (attempt.number === 1) throw new RetryableError("again");
      await new Promise(() => undefined); // the test reads the journal of the running attempt
    });
    const client = await swarm.client();
    await client.submit({ capability: "echo", id: "t1", retry });
    await expect.poll(async () => (await client.status("t1")).attempt).toBe(2);
    const records = await journalOf(transport, swarm.prefix, "t1");
    expect(runs).toHaveLength(50);
    const steps = records.filter((record) => record.type === "steps");
    expect(steps.flatMap((record) => record.steps)).toHaveLength(50);
    expect(steps.length).toBeLessThan(10);
    await client.cancel("t1");
  });

  it("a hand-off passes the steps on", async () => {
    const runs: string[] = [];
    const work = async (attempt: Attempt) => {
      const facts = await step(attempt, "collect", () => {
        runs.push("collect");
        return [7];
      });
      if (attempt.handedOff === undefined) return attempt.handOff({});
      return facts;
    };
    const first = await swarm.work(work);
    const second = await swarm.work(work, { capabilities: [{ name: "other" }] });
    await openOffice(first.transport, () => ({ host: second.hostId, agent: second.workforce.agentId }));
    const result = await (await swarm.client()).run({ capability: "echo" });
    expect(result).toMatchObject({ status: "completed", attempt: 2, output: [7] });
    expect(runs).toEqual(["collect"]);
  });

  it("a result above 512 KiB is a blob, and results of MessagePack tasks keep their bytes", async () => {
    const { transport } = await swarm.work(async (attempt) => {
      const large = await step(attempt, "large", () => "x".repeat(600_000));
      const bytes = await step(attempt, "bytes", () => new Uint8Array([1, 2]));
      if (attempt.number === 1) throw new RetryableError("again");
      const records = await journalOf(transport, swarm.prefix, "t1");
      const entries = records.flatMap((record) => (record.type === "steps" ? record.steps : []));
      expect(entries[0]).toMatchObject({ step: "large", blob: { bytes: expect.any(Number) } });
      return [(large as string).length, [...(bytes as Uint8Array)]];
    });
    const client = await swarm.client();
    const result = await client.run({ capability: "echo", id: "t1", retry }, { encoding: "msgpack" });
    expect(result).toMatchObject({ status: "completed", output: [600_000, [1, 2]] });
  });

  it("a task without steps writes nothing into the journal, and a task with steps one closing record more", async () => {
    const { transport } = await swarm.work(async (attempt) => {
      if (attempt.task.input === "steps") await step(attempt, "one", () => 1);
      return "done";
    });
    const client = await swarm.client();
    const journal = transport.log("journal");
    for (let task = 0; task < 5; task++) await client.run({ capability: "echo" });
    expect(await journal.info()).toMatchObject({ messages: 0, lastSeq: 0 });
    expect((await transport.log("tasks").info()).lastSeq).toBe(5);
    expect((await transport.log("results").info()).lastSeq).toBe(5);
    await client.run({ capability: "echo", input: "steps" });
    await expect.poll(async () => (await journal.info()).lastSeq).toBe(2);
    expect(await journal.info()).toMatchObject({ messages: 1 });
  });

  it("a step too large, with a bad result, or with too much in all fails the task with its reason", async () => {
    await swarm.work((attempt) => step(attempt, "bad", () => new Map()));
    const result = await (await swarm.client()).run({ capability: "echo", retry });
    expect(result).toMatchObject({
      status: "failed",
      attempt: 1,
      error: { code: "internal", field: "result" },
    });
  });

  it("results over 16 MiB in all fail the step that went over", async () => {
    await swarm.work(async (attempt) => {
      for (let part = 0; part < 5; part++) await step(attempt, `part:${part}`, () => "x".repeat(4_000_000));
    });
    const result = await (await swarm.client()).run({ capability: "echo", retry });
    expect(result).toMatchObject({ status: "failed", error: { code: "payload_too_large", field: "step" } });
    expect(result.error?.message).toContain("part:4");
  });
});
