// Input that no run can use: each is refused by name, nothing is started, and nothing is changed; other runs go on.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { WorkflowClient } from "../../../src/engine/index.ts";
import { MAX_OUTCOME_BYTES } from "../../../src/engine/runs/triggers.ts";
import { createSubjects, encode, SwarmError } from "../../../src/protocol/index.ts";
import { type Delivery, MemoryServer, type Transport } from "../../../src/transport/index.ts";
import {
  approval,
  defineWorkflow,
  map,
  type StepFailure,
  signal,
  step,
} from "../../../src/workflow/index.ts";
import { until } from "../../work/support.ts";
import { definitionsOf, EngineSwarm } from "../support.ts";

const plain = defineWorkflow({
  name: "plain",
  version: 1,
  signals: { go: z.number() },
  *run(input) {
    return yield* step("say", "echo", input);
  },
});
const asks = defineWorkflow({
  name: "asks",
  version: 1,
  signals: { go: z.number() },
  *run() {
    yield* approval("check", { by: ["ops"] });
    return yield* signal<number>("go");
  },
});
const bulky = defineWorkflow({
  name: "bulky",
  version: 1,
  *run() {
    try {
      return yield* step("big", "bulk", null);
    } catch (error) {
      return (error as StepFailure).path;
    }
  },
});
const maps = defineWorkflow({
  name: "maps",
  version: 1,
  *run(input) {
    return yield* map("items", input as never[], {}, (item) => step("one", "echo", item));
  },
});
/** Code with a fault, by its name; each blocks its run. */
const FAULTY = {
  throws: function* () {
    yield* step("say", "echo", 1);
    throw new RangeError("a bug");
  },
  "yields a promise": function* () {
    yield Promise.resolve(1) as never;
  },
  "yields a flow without a star": function* () {
    yield step("say", "echo", 1) as never;
  },
  "names two steps alike": function* () {
    yield* step("say", "echo", 1);
    yield* step("say", "echo", 2);
  },
} as const;
const faulty = Object.entries(FAULTY).map(([title, run]) =>
  defineWorkflow({ name: title.replaceAll(" ", "-"), version: 1, run: run as never }),
);

let swarm: EngineSwarm;
let client: WorkflowClient;
let transport: Transport;
beforeEach(async () => {
  swarm = new EngineSwarm(new MemoryServer());
  client = await swarm.client();
  transport = await swarm.swarm.connect();
  await swarm.engine(definitionsOf(plain, asks, bulky, maps, ...faulty));
  await swarm.agents({
    echo: (input: unknown) => input,
    bulk: () => "x".repeat(MAX_OUTCOME_BYTES),
  });
});
afterEach(() => swarm.stop());

/** Everything that a refusal must not change. */
async function stored(): Promise<number[]> {
  const keys = ["workflows", "flow", "tasks", "results"] as const;
  return Promise.all(keys.map(async (key) => (await transport.log(key).info()).lastSeq));
}

/** Expects that a call is refused, and that nothing was stored. */
async function expectRefusal(call: () => Promise<unknown>, refusal: object): Promise<void> {
  const before = await stored();
  await expect(call()).rejects.toMatchObject(refusal);
  expect(await stored()).toEqual(before);
}

describe("a start", () => {
  it("with an id of 41 characters, or an id that is no token, is refused", async () => {
    for (const id of ["x".repeat(41), "a.b", "a b", ""]) {
      const start = () => client.start({ workflow: "plain", input: 1, id });
      await expectRefusal(start, { code: "invalid_input" });
    }
    await client.start({ workflow: "plain", input: 1, id: "x".repeat(40) });
    expect(await client.result("x".repeat(40))).toMatchObject({ status: "completed" });
  });

  it("of an unknown workflow or version, or under the id of a task, is refused", async () => {
    await expectRefusal(() => client.start({ workflow: "plan", input: 1 }), { code: "not_found" });
    await expectRefusal(() => client.start({ workflow: "plain", version: 7, input: 1 }), {
      code: "not_found",
    });
    const tasks = await swarm.swarm.client();
    await tasks.run({ capability: "echo", id: "taken", input: 1 });
    await expectRefusal(() => client.start({ workflow: "plain", input: 1, id: "taken" }), {
      code: "conflict",
      field: "id",
    });
  });
});

describe("a command", () => {
  it("to a run that does not exist, or has ended, is refused", async () => {
    await expectRefusal(() => client.send("nobody", { type: "signal", name: "go", value: 1 }), {
      code: "not_found",
    });
    await client.start({ workflow: "plain", input: 1, id: "over" });
    await client.result("over");
    await until(async () => ((await transport.log("flow").info()).messages === 0 ? true : undefined));
    for (const command of [
      { type: "signal", name: "go", value: 1 },
      { type: "approve", path: "check" },
      { type: "pause" },
      { type: "resume" },
      { type: "cancel" },
      { type: "retry" },
    ] as const)
      await expectRefusal(() => client.send("over", command), { code: "conflict" });
  });

  it("with a signal that is not declared or does not fit, or an approval by the wrong person, twice or too late, is refused", async () => {
    await client.start({ workflow: "asks", input: null, id: "asks-1" });
    await until(async () =>
      (await client.fold("asks-1").catch(() => null))?.open.approval.size === 1 ? true : undefined,
    );
    await expectRefusal(() => client.send("asks-1", { type: "signal", name: "gone", value: 1 }), {
      code: "not_found",
    });
    await expectRefusal(() => client.send("asks-1", { type: "signal", name: "go", value: "x" }), {
      code: "invalid_input",
    });
    const approve = { type: "approve", path: "check" } as const;
    await expectRefusal(() => client.send("asks-1", approve, { user: "eve", proven: true }), {
      code: "not_permitted",
    });
    await expectRefusal(() => client.send("asks-1", { type: "approve", path: "other" }), {
      code: "not_found",
    });
    await client.send("asks-1", approve, { user: "ops", proven: true });
    await until(async () => ((await client.fold("asks-1")).open.approval.size === 0 ? true : undefined));
    await expectRefusal(() => client.send("asks-1", approve, { user: "ops", proven: true }), {
      code: "conflict",
    });
    await client.send("asks-1", { type: "signal", name: "go", value: 7 });
    expect(await client.result("asks-1")).toMatchObject({ output: 7 });
  });
});

describe("a map", () => {
  it.each([
    ["no list", "none"],
    ["an object", { length: 3 }],
    ["10,001 items", Array.from({ length: 10_001 }, () => 1)],
  ])("over %s fails at its name, once", async (_what, input) => {
    const { id } = await client.start({ workflow: "maps", input });
    expect(await client.result(id)).toMatchObject({
      status: "failed",
      error: { code: "invalid_input", field: "items" },
    });
    expect(swarm.ledger.size).toBe(0);
  });
});

describe("an output over the limit", () => {
  it("fails its step once, with the path, and the code can catch that", async () => {
    const { id } = await client.start({ workflow: "bulky", input: null });
    expect(await client.result(id)).toMatchObject({ status: "completed", output: "big" });
    expect((await client.fold(id)).ops.get("big")?.outcome).toMatchObject({
      status: "failed",
      error: { code: "payload_too_large", field: "output", retryable: false },
    });
    expect([...swarm.ledger.values()]).toEqual([{ capability: "bulk", times: 1 }]);
  });
});

describe("code", () => {
  it("that hangs each engine that takes it is blocked, and its neighbours go on", {
    timeout: 120_000,
  }, async () => {
    const own = new EngineSwarm(new MemoryServer());
    const runs = await own.client();
    const hung: string[] = [];
    for (const id of ["one", "two", "three", "four"]) {
      const state = { hangs: false };
      const hangs = defineWorkflow({
        name: "hangs",
        version: 1,
        *run() {
          state.hangs = true; // From here on this engine does nothing that the others see.
          hung.push(id);
          return yield* step("never", "echo", 1);
        },
      });
      await own.engine(definitionsOf(plain, hangs), { id, wrap: (each) => hangWith(each, state) });
    }
    await own.agents({ echo: (input: unknown) => input });
    await runs.start({ workflow: "hangs", input: null, id: "hangs-1" });
    const blocked = await until(
      async () => (await runs.fold("hangs-1").catch(() => null))?.blocked ?? undefined,
    );
    expect(blocked).toMatchObject({ cause: "crashes" });
    expect(new Set(hung).size).toBe(3);
    expect(own.ledger.size, "its step was never ordered").toBe(0);
    const other = await runs.start({ workflow: "plain", input: 1, id: "neighbour" });
    expect(await runs.result(other.id)).toMatchObject({ status: "completed" });
    await own.stop();
  });

  it.each(Object.keys(FAULTY))("that %s blocks its run, and other runs go on", async (title) => {
    const { id } = await client.start({ workflow: title.replaceAll(" ", "-"), input: null });
    const blocked = await until(async () => (await client.fold(id).catch(() => null))?.blocked ?? undefined);
    expect(blocked.message).not.toBe("");
    const other = await client.start({ workflow: "plain", input: 1 });
    expect(await client.result(other.id)).toMatchObject({ status: "completed" });
    await client.send(id, { type: "cancel" });
    expect(await client.result(id)).toMatchObject({ status: "cancelled" });
  });

  it("that is async is refused when it is defined", () => {
    const run = async function* () {
      yield 1;
    };
    expect(() => defineWorkflow({ name: "a", version: 1, run: run as never })).toThrow(/not async/);
  });
});

describe("a message", () => {
  const result = (taskId: string) =>
    encode({
      taskId,
      status: "completed",
      attempt: 1,
      agent: "a",
      startedAt: "2026-01-01T00:00:00.000Z",
      finishedAt: "2026-01-01T00:00:00.000Z",
      queuedMs: 0,
      ranMs: 0,
    });

  it("with a result that no run ordered changes nothing, and is removed from its lane", async () => {
    await client.start({ workflow: "asks", input: null, id: "asks-2" });
    await until(async () =>
      (await client.fold("asks-2").catch(() => null))?.open.approval.size === 1 ? true : undefined,
    );
    const { entries } = await client.fold("asks-2");
    const subjects = createSubjects(swarm.prefix);
    for (const [scope, taskId] of [
      ["asks-2", "asks-2-99"],
      ["ghost", "ghost-1"],
    ] as const)
      await transport.log("results").append(subjects.result("echo", scope, taskId), result(taskId));
    await until(async () => {
      const lanes = await transport.queue("results").consumers();
      return lanes.every(({ pending, ackPending }) => pending + ackPending === 0) ? true : undefined;
    });
    expect((await client.fold("asks-2")).entries).toBe(entries);
    expect((await transport.log("workflows").subjects(subjects.workflow("ghost"))).size).toBe(0);
  });

  it("that breaks the chain of a log halts the run: the log is told as broken and never written to", async () => {
    await client.start({ workflow: "asks", input: null, id: "asks-3" });
    await until(async () =>
      (await client.fold("asks-3").catch(() => null))?.open.approval.size === 1 ? true : undefined,
    );
    const subject = createSubjects(swarm.prefix).workflow("asks-3");
    await transport
      .log("workflows")
      .append(subject, encode({ chain: "00", v: 1, id: "asks-3", entry: 2, atMs: 0, facts: [] }));
    const { lastSeq } = await transport.log("workflows").info();
    await expectRefusal(() => client.send("asks-3", { type: "cancel" }), { code: "internal" });
    await transport
      .log("flow")
      .append(createSubjects(swarm.prefix).flow("asks-3", "cancel"), encode({ command: { type: "cancel" } }));
    const other = await client.start({ workflow: "plain", input: 1 });
    expect(await client.result(other.id)).toMatchObject({ status: "completed" });
    const log = await client.log("asks-3");
    expect(log.texts).toHaveLength(2);
    for await (const { seq } of transport.log("workflows").read({ filter: subject }))
      expect(seq).toBeLessThanOrEqual(lastSeq);
  });
});

/** The transport of an engine that may hang: then it sends nothing more, and renews and answers nothing. */
function hangWith(inner: Transport, state: { hangs: boolean }): Transport {
  const bus = {
    ...inner.bus,
    publish: (...args: Parameters<Transport["bus"]["publish"]>) => {
      if (!state.hangs) inner.bus.publish(...args);
    },
  };
  const log = (key: Parameters<Transport["log"]>[0]) => {
    const opened = inner.log(key);
    return {
      ...opened,
      append: async (...args: Parameters<typeof opened.append>) => {
        if (state.hangs) throw new SwarmError("unavailable", "this engine hangs");
        return opened.append(...args);
      },
    };
  };
  const queue = (key: Parameters<Transport["queue"]>[0]) => {
    const opened = inner.queue(key);
    return {
      ...opened,
      consumer: async (spec: Parameters<typeof opened.consumer>[0]) => {
        const consumer = await opened.consumer(spec);
        const pull: typeof consumer.pull = (request, sink) =>
          consumer.pull(request, { ...sink, onDelivery: (came) => sink.onDelivery(muted(came, state)) });
        return { ...consumer, pull };
      },
    };
  };
  return new Proxy(inner, {
    get: (target, name) => {
      if (name === "bus") return bus;
      if (name === "log") return log;
      if (name === "queue") return queue;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function muted(delivery: Delivery, state: { hangs: boolean }): Delivery {
  const unless = (answer: () => void) => {
    if (!state.hangs) answer();
  };
  return {
    subject: delivery.subject,
    data: delivery.data,
    seq: delivery.seq,
    deliveryCount: delivery.deliveryCount,
    pending: delivery.pending,
    storedAtMs: delivery.storedAtMs,
    header: (name) => delivery.header(name),
    ack: () => unless(() => delivery.ack()),
    nak: (delayMs) => unless(() => delivery.nak(delayMs)),
    working: () => unless(() => delivery.working()),
  };
}
