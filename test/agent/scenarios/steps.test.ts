// Recorded steps as an agent's code meets them: a host with a worker, and tasks whose first attempts fail.
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { fromPromise, setup as setupMachine } from "xstate";
import {
  type AgentDefinition,
  defineAgent,
  type Exec,
  loadRoles,
  type MachineInput,
} from "../../../src/agent/index.ts";
import { type Clock, silentLogger, systemClock } from "../../../src/base/index.ts";
import { RetryableError } from "../../../src/protocol/index.ts";
import { createTaskClient, createWorker } from "../../../src/work/index.ts";
import { makePlacedConsumer } from "../../work/office.ts";
import { startHost } from "../support.ts";

const retry = { max: 3, backoffMs: 1, factor: 1, maxBackoffMs: 1, jitter: 0 };

/** Starts a host with a worker for these agents. */
async function setup(
  definitions: AgentDefinition | AgentDefinition[],
  options: { exec?: Exec; clock?: Clock } = {},
) {
  const { host, transport, meter, stop } = await startHost(definitions, options);
  await transport.init();
  await makePlacedConsumer(transport, "host-1");
  const { workforce, capabilities } = host;
  const parts = { transport, meter, log: silentLogger };
  const worker = createWorker({ ...parts, hostId: "host-1", workforce, capabilities });
  await worker.start();
  const client = createTaskClient(parts);
  onTestFinished(async () => {
    client.close();
    await worker.stop();
    await stop();
  });
  return client;
}

/** The names of the recorded steps of an ended task, and the attempt that recorded each. */
async function stepsOf(client: Awaited<ReturnType<typeof setup>>, taskId: string) {
  const look = async () => (await client.statusWithHistory(taskId)).history?.steps ?? [];
  await expect.poll(async () => (await look()).length).toBeGreaterThan(0);
  return (await look()).map(({ step, attempt }) => [step, attempt]);
}

test("the example of docs/agents.md runs as printed, and a retry repeats only the step that failed", async () => {
  const root = join(import.meta.dirname, "../../..");
  const page = await readFile(join(root, "docs/agents.md"), "utf8");
  const code = /### Steps\n\n```ts\n(.*?)```/s.exec(page)?.[1] ?? expect.unreachable("no example");
  const calls: unknown[][] = [];
  const world = {
    priceOf: (item: string) => calls.push(["price", item]),
    charge: (order: string, total: number, { idempotencyKey }: { idempotencyKey: string }) => {
      calls.push(["charge", order, total, idempotencyKey]);
      if (calls.filter(([name]) => name === "charge").length === 1)
        throw new RetryableError("the bank is busy");
      return "paid";
    },
    sendReceipt: (order: string, paid: string) => void calls.push(["receipt", order, paid]),
  };
  Object.assign(globalThis, { stepsOfDocs: world });
  onTestFinished(() => void Reflect.deleteProperty(globalThis, "stepsOfDocs"));
  const directory = await mkdtemp(join(tmpdir(), "murmur-docs-"));
  await mkdir(join(directory, "biller"));
  const head = [
    `import { defineAgent } from ${JSON.stringify(join(root, "src/index.ts"))};`,
    `import { z } from ${JSON.stringify(join(root, "node_modules/zod/index.js"))};`,
    "const { priceOf, charge, sendReceipt } = globalThis.stepsOfDocs;",
  ];
  await writeFile(join(directory, "biller/agent.ts"), [...head, code].join("\n"));

  const client = await setup(await loadRoles([directory], ["biller"]));
  const input = { order: "o1", items: ["ink", "pen"] };
  const result = await client.run({ capability: "bill", id: "t1", input, retry });
  expect(result).toMatchObject({ status: "completed", attempt: 2, output: { total: 3, paid: "paid" } });
  expect(calls).toEqual([
    ["price", "ink"],
    ["price", "pen"],
    ["charge", "o1", 3, "t1/charge"],
    ["charge", "o1", 3, "t1/charge"],
    ["receipt", "o1", "paid"],
  ]);
  expect(await stepsOf(client, "t1")).toEqual([
    ["price:ink", 1],
    ["price:pen", 1],
    ["charge", 2],
    ["receipt", 2],
  ]);
});

test("an agent with a machine comes by replay to the state that it was in", async () => {
  const runs: string[] = [];
  const invoked: string[] = [];
  type Input = MachineInput<unknown>;
  const invoke = (name: string, fails: number) =>
    fromPromise(({ input: { ctx } }: { input: Input }) => {
      invoked.push(`${name} in attempt ${ctx.attempt}`);
      return ctx.step(name, () => {
        runs.push(name);
        if (ctx.attempt <= fails) throw new RetryableError(`${name} fails`);
        return `${name} done`;
      });
    });
  const machine = setupMachine({
    types: {} as { input: Input; context: Input },
    actors: { collect: invoke("collect", 0), write: invoke("write", 1) },
  }).createMachine({
    context: ({ input }) => input,
    initial: "collecting",
    states: {
      collecting: { invoke: { src: "collect", input: ({ context }) => context, onDone: "writing" } },
      writing: { invoke: { src: "write", input: ({ context }) => context, onDone: "ready" } },
      ready: { type: "final" },
    },
    output: ({ self }) => self.getSnapshot().value,
  });
  const client = await setup(defineAgent({ name: "author", capabilities: ["write"], machine }));
  const result = await client.run({ capability: "write", id: "t1", retry });
  expect(result).toMatchObject({ status: "completed", attempt: 2 });
  expect(runs).toEqual(["collect", "write", "write"]);
  expect(invoked).toEqual([
    "collect in attempt 1",
    "write in attempt 1",
    "collect in attempt 2",
    "write in attempt 2",
  ]);
});

describe("steps of the context", () => {
  test("an ask, a command, a sleep and the passes of a loop are recorded under their names, and not repeated", async () => {
    const runs: string[] = [];
    const sleeps: number[] = [];
    const exec: Exec = async ({ argv }) => {
      runs.push(argv.join(" "));
      return { exitCode: 0, stdout: "clean", stderr: "", durationMs: 1 };
    };
    const clock: Clock = {
      now: () => systemClock.now(),
      after: (delayMs, run) => {
        sleeps.push(delayMs);
        return systemClock.after(delayMs, run);
      },
    };
    const answerer = defineAgent({
      name: "answerer",
      capabilities: ["answer"],
      run: ({ input }) => runs.push(`answer ${String(input)}`),
    });
    const asker = defineAgent({
      name: "asker",
      capabilities: ["work"],
      exec: { allow: ["git"] },
      run: async (_task, ctx) => {
        const items = [];
        for (const key of ["x", 7])
          items.push(await ctx.step("item", { key }, () => runs.push(`item ${key}`)));
        const answer = await ctx.ask("answer", 5, { timeoutMs: 60_000, step: "asked" });
        const { stdout } = await ctx.exec({ argv: ["git", "status"] }, { step: "looked" });
        sleeps.length = 0;
        await ctx.sleep(40, { step: "slept" });
        if (ctx.attempt === 1) throw new RetryableError("after all steps");
        return { items, answer, stdout, sleeps: sleeps.filter((delayMs) => delayMs <= 40) };
      },
    });
    const client = await setup([answerer, asker], { exec, clock });
    const result = await client.run({ capability: "work", id: "t1", retry });
    expect(result).toMatchObject({
      status: "completed",
      attempt: 2,
      output: { items: [1, 2], answer: 3, stdout: "clean", sleeps: [] },
    });
    expect(runs).toEqual(["item x", "item 7", "answer 5", "git status"]);
    expect(await stepsOf(client, "t1")).toEqual(
      ["item:x", "item:7", "asked", "looked", "slept"].map((step) => [step, 1]),
    );
  });
});
