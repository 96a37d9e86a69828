// Runs of workflows on a real nats-server: the order saga, waits, children, and the messages that a run stores.
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { createSubjects, TerminalError } from "../../../src/protocol/index.ts";
import { SharedStore } from "../../../src/work/index.ts";
import {
  all,
  approval,
  child,
  defineWorkflow,
  map,
  type StepFailure,
  shared,
  signal,
  sleep,
  step,
} from "../../../src/workflow/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { until } from "../../work/support.ts";
import { definitionsOf, EngineSwarm } from "../support.ts";

let server: NatsServer;
let swarm: EngineSwarm;
beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());
afterEach(() => swarm.stop());

const five = defineWorkflow({
  name: "five",
  version: 1,
  *run() {
    let sum = 0;
    for (let at = 1; at <= 5; at++) sum += yield* step(`add-${at}`, "add", at, { output: z.number() });
    return sum;
  },
});

async function setup(...definitions: Parameters<typeof definitionsOf>) {
  swarm = new EngineSwarm(server.url);
  const client = await swarm.client();
  const engine = await swarm.engine(definitionsOf(...definitions));
  return { client, engine };
}

describe("a run of five steps", () => {
  it("ends with its output, and stores 18 messages", async () => {
    const { client } = await setup(five);
    await swarm.agents({ add: (input: number) => input });
    const { id } = await client.start({ workflow: "five", input: null, id: "sum-1" });
    expect(await client.result(id)).toMatchObject({ status: "completed", output: 15, taskId: "sum-1" });
    const transport = await swarm.swarm.connect();
    const lastSeq = async (key: "workflows" | "flow" | "tasks" | "results") =>
      (await transport.log(key).info()).lastSeq;
    const counts = await Promise.all((["flow", "workflows", "tasks", "results"] as const).map(lastSeq));
    expect(counts).toEqual([1, 6, 5, 6]); // start; entries; tasks; results and the end
    const log = await client.log(id);
    expect(log).toMatchObject({ messages: 1, isExpiring: true });
    expect(log.texts).toHaveLength(6);
    expect((await client.fold(id)).end).toBe("completed");
    expect(swarm.effects()).toEqual([1, 2, 3, 4, 5].map((at) => `add sum-1/add-${at}`));
  });

  it("is not started twice under one id, and refuses another input under it", async () => {
    const { client } = await setup(five);
    await swarm.agents({ add: (input: number) => input });
    await client.start({ workflow: "five", input: 1, id: "once" });
    expect(await client.start({ workflow: "five", input: 1, id: "once" })).toMatchObject({ duplicate: true });
    await expect(client.start({ workflow: "five", input: 2, id: "once" })).rejects.toMatchObject({
      code: "conflict",
    });
    await client.result("once");
    expect(await client.start({ workflow: "five", input: 1, id: "once" })).toMatchObject({ duplicate: true });
    expect(swarm.ledger.size).toBe(5);
  });
});

const counting = defineWorkflow({
  name: "counting",
  version: 1,
  *run() {
    yield* shared("begin", "count", { set: 0, revision: 0 });
    yield* map("items", [1, 2, 3, 4], {}, (item) => step("count", "count", item));
    const end = yield* shared<number>("look", "count");
    const late = shared("late", "count", { set: 0, revision: 1 });
    try {
      yield* late;
    } catch (error) {
      return [end?.value ?? null, (error as StepFailure).code];
    }
    return null;
  },
});

describe("shared values", () => {
  it("are read and set by the code of a run and by others, and the log records what the code got", async () => {
    const { client } = await setup(counting);
    const transport = await swarm.swarm.connect();
    const subjects = createSubjects(transport.prefix);
    const store = new SharedStore({ transport, subjects });
    await swarm.agents({
      async count(_input: number, { task }) {
        for (;;) {
          const at = { workflowId: task.scope, name: "count" };
          const now = await store.get(at);
          const write = { ...at, value: Number(now?.value) + 1, revision: now?.revision };
          const by = { user: "counter", proven: false };
          const isSet = await store.set({ ...write, by }).catch(() => null);
          if (isSet !== null) return isSet.revision;
        }
      },
    });
    const { id } = await client.start({ workflow: "counting", input: null, id: "count-1" });
    expect(await client.result(id)).toMatchObject({ status: "completed", output: [4, "conflict"] });
    expect(await store.history({ workflowId: id, name: "count" })).toHaveLength(5);
    expect((await client.fold(id)).ops.get("look")?.outcome).toMatchObject({ output: { value: 4 } });
  });
});

const Order = z.strictObject({ id: z.string(), risky: z.boolean() });
const order = defineWorkflow({
  name: "order",
  version: 1,
  input: Order,
  signals: { paid: z.number() },
  *run({ id, risky }) {
    yield* all([
      step("reserve", "reserve", { id }, { undo: { call: "release", with: { id } } }),
      sleep("pause", 50),
    ]);
    if (risky) yield* approval("check", { by: ["ops"], expiresMs: 3_600_000 });
    const paid = yield* signal<number>("paid");
    yield* step("charge", "charge", { paid }, { undo: { call: "refund" } });
    const labels = yield* map("label", ["cup", "pot"], { concurrency: 2 }, (item) =>
      step("print", "print", item),
    );
    return yield* step("ship", "ship", { labels }, { pivot: true });
  },
});
const agents = {
  reserve: () => ({ reserved: true }),
  release: () => null,
  charge: ({ paid }: { paid: number }) => ({ charged: paid }),
  refund: () => null,
  print: (item: string) => `label of ${item}`,
  ship: ({ labels }: { labels: string[] }) => ({ shipped: labels.length }),
};

describe("the order saga", () => {
  it("waits for a person and for a signal, and ships", async () => {
    const { client } = await setup(order);
    await swarm.agents(agents);
    await client.start({ workflow: "order", input: { id: "81", risky: true }, id: "order-81" });
    await until(async () =>
      (await client.fold("order-81").catch(() => null))?.open.approval.size === 1 ? true : undefined,
    );
    await expect(
      client.send("order-81", { type: "approve", path: "check" }, { user: "eve", proven: true }),
    ).rejects.toMatchObject({ code: "not_permitted" });
    await client.send("order-81", { type: "approve", path: "check" }, { user: "ops", proven: true });
    await expect(
      client.send("order-81", { type: "signal", name: "paid", value: "much" }),
    ).rejects.toMatchObject({
      code: "invalid_input",
    });
    await client.send("order-81", { type: "signal", name: "paid", value: 20 });
    expect(await client.result("order-81")).toMatchObject({ status: "completed", output: { shipped: 2 } });
    await expect(client.send("order-81", { type: "pause" })).rejects.toMatchObject({ code: "conflict" });
  });

  it("undoes each step that may have had its effect, in reverse order", async () => {
    const { client } = await setup(order);
    await swarm.agents({
      ...agents,
      ship: () => {
        throw new TerminalError("no parcel service goes there");
      },
    });
    const signals = [{ name: "paid", value: 20 }];
    await client.start({ workflow: "order", input: { id: "82", risky: false }, id: "order-82", signals });
    expect(await client.result("order-82")).toMatchObject({
      status: "failed",
      error: { message: "no parcel service goes there" },
    });
    expect((await client.fold("order-82")).end).toBe("compensated");
    expect(swarm.effects().slice(-2)).toEqual([
      "refund order-82/charge~undo",
      "release order-82/reserve~undo",
    ]);
  });

  it("refuses an input that does not fit, and a workflow that no engine has", async () => {
    const { client } = await setup(order);
    await expect(client.start({ workflow: "order", input: { id: 1, risky: true } })).rejects.toMatchObject({
      code: "invalid_input",
      field: "input.id",
    });
    await expect(client.start({ workflow: "nothing", input: null })).rejects.toMatchObject({
      code: "not_found",
    });
  });
});

describe("a cancelled run", () => {
  const slow = defineWorkflow({
    name: "slow",
    version: 1,
    *run() {
      yield* step("first", "first", null, { undo: { call: "undo" } });
      yield* all([
        step("waits", "unoffered", null, { undo: { call: "undo" } }),
        step("runs", "runs", null, { undo: { call: "undo" } }),
      ]);
    },
  });

  it("waits for the code that runs, and undoes no step that provably never began", async () => {
    const { client } = await setup(slow);
    const begun = Promise.withResolvers<void>();
    await swarm.agents({
      first: () => null,
      undo: () => null,
      runs: async (_input: never, attempt) => {
        begun.resolve();
        await new Promise((resolve) => attempt.signal.addEventListener("abort", resolve, { once: true }));
        attempt.signal.throwIfAborted();
      },
    });
    await client.start({ workflow: "slow", input: null, id: "slow-1" });
    await begun.promise;
    await client.send("slow-1", { type: "cancel" });
    expect(await client.result("slow-1")).toMatchObject({ status: "cancelled" });
    const undone = swarm.effects().filter((effect) => effect.startsWith("undo"));
    expect(undone).toEqual(["undo slow-1/runs~undo", "undo slow-1/first~undo"]);
    const transport = await swarm.swarm.connect();
    expect((await transport.log("tasks").info()).messages).toBe(0);
    expect(await transport.bucket("cancelled").get("slow-1")).toBeNull();
  });
});

describe("a child", () => {
  it("gives its output to its parent", async () => {
    const parent = defineWorkflow({
      name: "parent",
      version: 1,
      *run() {
        return yield* child("sum", "five", null);
      },
    });
    const { client } = await setup(parent, five);
    await swarm.agents({ add: (input: number) => input });
    await client.start({ workflow: "parent", input: null, id: "parent-1" });
    expect(await client.result("parent-1")).toMatchObject({ status: "completed", output: 15 });
  });
});

describe("a retry of a failed run", () => {
  it("goes on in the same log, without its old result", async () => {
    const fragile = defineWorkflow({
      name: "fragile",
      version: 1,
      *run() {
        yield* step("good", "good", null);
        return yield* step("bad", "bad", null);
      },
    });
    const { client } = await setup(fragile);
    let isMended = false;
    await swarm.agents({
      good: () => 1,
      bad: () => {
        if (!isMended) throw new TerminalError("broken");
        return "mended";
      },
    });
    await client.start({ workflow: "fragile", input: null, id: "fragile-1" });
    expect(await client.result("fragile-1")).toMatchObject({ status: "failed" });
    isMended = true;
    await client.send("fragile-1", { type: "retry" });
    const transport = await swarm.swarm.connect();
    const filter = createSubjects(swarm.prefix).filters.resultOfTask("workflow", "fragile-1");
    const ended = await until(async () => {
      const stored = await transport.log("results").last(filter);
      if (stored === null) return undefined;
      const result = await client.result("fragile-1");
      return result.status === "completed" ? result : undefined;
    });
    expect(ended.output).toBe("mended");
    expect(swarm.ledger.get("fragile-1/good")?.times).toBe(1);
  });
});
