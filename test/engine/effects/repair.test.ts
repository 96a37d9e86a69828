// The repair of open steps whose messages were lost, in memory.
import { afterEach, expect, it } from "vitest";
import { createMeter, NO_TRACER, seededChance, silentLogger } from "../../../src/base/index.ts";
import { CommandStore } from "../../../src/engine/commands/command-store.ts";
import { Performer } from "../../../src/engine/effects/perform.ts";
import { LogStore } from "../../../src/engine/stores/log-store.ts";
import { createSubjects } from "../../../src/protocol/index.ts";
import { MemoryServer } from "../../../src/transport/index.ts";
import { createTaskClient, SharedStore } from "../../../src/work/index.ts";
import { all, defineWorkflow, step } from "../../../src/workflow/index.ts";
import { until } from "../../work/support.ts";
import { definitionsOf, EngineSwarm } from "../support.ts";

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
  const performer = new Performer({
    ...shared,
    tasks,
    logs,
    commands,
    shared: new SharedStore(shared),
    definitions: { find: () => undefined },
  });
  const fold = await client.fold("pair-1");
  const { signal } = new AbortController();
  expect(await performer.repair(fold, signal)).toBe(1);
  expect(await performer.repair(fold, signal)).toBe(0);
  await swarm.agents({ do: (input: number) => input });
  expect(await client.result("pair-1")).toMatchObject({ status: "completed", output: [1, 2] });
});
