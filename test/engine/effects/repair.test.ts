// The effects of decisions, and the repair of open steps whose messages were lost, in memory.
import { afterEach, expect, it } from "vitest";
import { createMeter, NO_TRACER, seededChance, silentLogger } from "../../../src/base/index.ts";
import { CommandStore } from "../../../src/engine/commands/command-store.ts";
import { Performer } from "../../../src/engine/effects/perform.ts";
import { LogStore } from "../../../src/engine/stores/log-store.ts";
import { createSubjects } from "../../../src/protocol/index.ts";
import { MemoryServer, type Transport } from "../../../src/transport/index.ts";
import { createTaskClient, SharedStore } from "../../../src/work/index.ts";
import { all, Decider, defineWorkflow, emptyFold, race, step } from "../../../src/workflow/index.ts";
import { until } from "../../work/support.ts";
import { definitionsOf, EngineSwarm } from "../support.ts";

const raced = defineWorkflow({
  name: "raced",
  version: 1,
  *run() {
    return yield* race([step("slow", "wait", 1, { undo: { call: "do" } }), step("fast", "do", 2)]);
  },
});

let swarm: EngineSwarm;
afterEach(() => swarm.stop());

const pair = defineWorkflow({
  name: "pair",
  version: 1,
  *run() {
    return yield* all([step("one", "do", 1), step("two", "do", 2)]);
  },
});

it("an open step without task and result is ordered again, and a step whose task is there is not", async () => {
  swarm = new EngineSwarm(new MemoryServer());
  const client = await swarm.client();
  const definitions = definitionsOf(pair);
  await swarm.engine(definitions);
  await client.start({ workflow: "pair", input: null, id: "pair-1" });
  const transport = await swarm.swarm.connect();
  await until(async () => ((await transport.log("tasks").info()).messages === 2 ? true : undefined));
  const subjects = createSubjects(swarm.prefix);
  await transport.log("tasks").purge({ filter: subjects.filters.taskById("pair-1-2") });

  const performer = makePerformer(transport);
  const fold = await client.fold("pair-1");
  const { signal } = new AbortController();
  expect(await performer.repair(fold, signal)).toBe(1);
  expect(await performer.repair(fold, signal)).toBe(0);
  await swarm.agents({ do: (input: number) => input });
  expect(await client.result("pair-1")).toMatchObject({ status: "completed", output: [1, 2] });
});

it("a cancelled step whose task and host are gone is ended as cancelled, and is not ordered again", async () => {
  swarm = new EngineSwarm(new MemoryServer());
  const transport = await swarm.swarm.connect();
  const { filters } = createSubjects(swarm.prefix);
  const decider = new Decider(emptyFold("raced-1"), raced);
  const command = { type: "start", name: "raced", version: 1, input: null } as const;
  decider.decide({ triggers: [{ type: "command", seq: 1, command }], nowMs: 1 });
  const outcome = { status: "completed", output: 2 } as const;
  decider.decide({ triggers: [{ type: "result", n: 2, outcome }], nowMs: 2 });
  expect(await makePerformer(transport).repair(decider.fold, new AbortController().signal)).toBe(1);
  const result = await transport.log("results").last(filters.resultById("raced-1-1"));
  expect(JSON.parse(Buffer.from(result?.data ?? []).toString())).toMatchObject({ status: "cancelled" });
  expect(await transport.log("tasks").last(filters.taskById("raced-1-1"))).toBeNull();
});

it("a child that one decision starts and cancels gets its start first", async () => {
  swarm = new EngineSwarm(new MemoryServer());
  const transport = await swarm.swarm.connect();
  const child = { type: "child", id: "kid", workflow: "pair", input: null, depth: 2 } as const;
  await makePerformer(transport).perform(
    emptyFold("parent"),
    [
      { type: "cancel-child", id: "kid" },
      { ...child, parent: { id: "parent", n: 1 } },
    ],
    new AbortController().signal,
    { decidedAtMs: Date.now() },
  );
  const subjects: string[] = [];
  for await (const { subject } of transport.log("flow").read()) subjects.push(subject.split(".").at(-1)!);
  expect(subjects).toEqual(["start", "cancel"]);
});

/** The effects of an engine that has this transport. */
function makePerformer(transport: Transport): Performer {
  const subjects = createSubjects(swarm.prefix);
  const shared = {
    transport,
    subjects,
    clock: transport.clock,
    chance: seededChance(1),
    log: silentLogger,
    tracer: NO_TRACER,
  };
  const tasks = createTaskClient({ transport, meter: createMeter() });
  const [logs, commands] = [new LogStore(shared), new CommandStore(shared)];
  return new Performer({
    ...shared,
    tasks,
    logs,
    commands,
    shared: new SharedStore(shared),
    definitions: { find: () => undefined },
  });
}
