// An engine is cut off at each of its effects, before and after the effect; another engine takes over. After a crash at any point the run has the
// same end, each effect happened once by its key or was undone once, and the chain of the log is valid.
import { describe, expect, it } from "vitest";
import { createMeter, ManualClock, seededChance, silentLogger } from "../../../src/base/index.ts";
import { createEngine, WorkflowClient } from "../../../src/engine/index.ts";
import { TerminalError } from "../../../src/protocol/index.ts";
import { connectMemory, MemoryServer, type Transport } from "../../../src/transport/index.ts";
import { createTaskClient, createWorker } from "../../../src/work/index.ts";
import {
  all,
  child,
  defineWorkflow,
  foldLog,
  map,
  race,
  signal,
  sleep,
  step,
  type WorkflowDefinition,
} from "../../../src/workflow/index.ts";
import { scaled } from "../../support/scale.ts";
import { cutOff, Failpoint } from "../../work/failpoint.ts";
import { makePlacedConsumer } from "../../work/office.ts";
import { ScriptedWorkforce } from "../../work/support.ts";
import { definitionsOf } from "../support.ts";

const prefix = "murmur";

interface Story {
  readonly definitions: readonly WorkflowDefinition[];
  /** Ends the steps of this capability for good. */
  readonly broken?: string;
  readonly signals?: readonly { name: string; value: number }[];
  readonly status: "completed" | "failed";
  readonly end: string;
  /** The effects by key, without their order. */
  readonly effects: readonly string[];
}

const saga = defineWorkflow({
  name: "saga",
  version: 1,
  *run() {
    yield* all([
      step("a", "do", 1, { undo: { call: "undo" } }),
      step("b", "do", 2, { undo: { call: "undo" } }),
    ]);
    yield* step("c", "break", 3, { undo: { call: "undo" } });
    return "done";
  },
});
const waits = defineWorkflow({
  name: "waits",
  version: 1,
  signals: { go: { safeParse: (value: unknown) => ({ success: true, data: value }) } as never },
  *run() {
    yield* sleep("nap", 3_000);
    yield* race([signal("go"), sleep("late", 60_000)]);
    return yield* map("each", [1, 2], { concurrency: 1 }, (item) => step("one", "do", item));
  },
});
const inner = defineWorkflow({
  name: "inner",
  version: 1,
  *run() {
    return yield* step("x", "do", 1);
  },
});
const outer = defineWorkflow({
  name: "outer",
  version: 1,
  *run() {
    return yield* child("kid", "inner", null);
  },
});

const STORIES: Readonly<Record<string, Story>> = {
  "a saga that is undone": {
    definitions: [saga],
    broken: "break",
    status: "failed",
    end: "compensated",
    effects: ["break run/c", "do run/a", "do run/b", "undo run/a~undo", "undo run/b~undo", "undo run/c~undo"],
  },
  "timers, a signal and a map": {
    definitions: [waits],
    signals: [{ name: "go", value: 1 }],
    status: "completed",
    end: "completed",
    effects: ["do run/each/0/one", "do run/each/1/one"],
  },
  "a child": {
    definitions: [outer, inner],
    status: "completed",
    end: "completed",
    effects: ["do run-1/x"],
  },
};

/** The transport of an engine that may be cut off: its beats end too. */
function cutEngine(transport: Transport, point: Failpoint): Transport {
  const cut = cutOff(transport, point);
  const bus = {
    ...cut.bus,
    publish: (...args: Parameters<Transport["bus"]["publish"]>) => {
      if (!point.dead) cut.bus.publish(...args);
    },
  };
  return new Proxy(cut, {
    get: (target, name) => (name === "bus" ? bus : Reflect.get(target, name, target)),
  });
}

/** Runs one story with a crash at one point. */
async function play(story: Story, at: number, mode: "before" | "after") {
  const clock = new ManualClock(1_700_000_000_000);
  const server = new MemoryServer({ clock });
  const healthy = connectMemory({ prefix, server });
  await healthy.init();
  const meter = createMeter();
  const chance = seededChance(at + 1);
  const point = new Failpoint(at, mode);
  const effects = new Map<string, number>();
  const common = { meter, log: silentLogger, clock, chance };
  const definitions = definitionsOf(...story.definitions);
  const turns = async (count: number) => {
    for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const engine = async (id: string, transport: Transport) => {
    const tasks = createTaskClient({ ...common, transport });
    const made = createEngine({ ...common, transport, id, definitions, tasks });
    const starting = made.start();
    await turns(10);
    clock.advance(200); // the answers to its hello
    await starting;
    return made;
  };
  await makePlacedConsumer(healthy, "host");
  const workforce = new ScriptedWorkforce(8, async ({ task, key }) => {
    const effect = `${task.capability} ${key}`;
    effects.set(effect, (effects.get(effect) ?? 0) + 1);
    if (task.capability === story.broken) throw new TerminalError("broken");
    return task.input ?? null;
  });
  const worker = createWorker({
    ...common,
    transport: connectMemory({ prefix, server }),
    hostId: "host",
    workforce,
    capabilities: [{ name: "do" }, { name: "undo" }, { name: "break" }],
  });
  await worker.start();
  const first = await engine("first", cutEngine(connectMemory({ prefix, server }), point));
  const client = new WorkflowClient({
    transport: new Proxy(healthy, {
      get: (target, name) => (name === "clock" ? clock : Reflect.get(target, name, target)),
    }),
    tasks: createTaskClient({ ...common, transport: healthy }),
  });
  const [{ name: workflow }] = story.definitions as [WorkflowDefinition];
  const started = client.start({ workflow, input: null, id: "run", signals: story.signals });
  await turns(50);
  await started;
  let second: Awaited<ReturnType<typeof engine>> | undefined;
  let result: Awaited<ReturnType<typeof client.result>> | null = null;
  const filter = `${prefix}.result.workflow.*.run`;
  for (let turn = 0; turn < 200 && result === null; turn++) {
    await turns(40);
    if (point.dead) second ??= await engine("second", connectMemory({ prefix, server }));
    clock.advance(500);
    if ((await healthy.log("results").last(filter)) !== null) result = await client.result("run");
  }
  await turns(40);
  const { texts } = await client.log("run");
  const read = foldLog("run", texts);
  const outcome = {
    effects: [...effects.keys()].sort(),
    points: point.effects,
    crashed: point.dead,
    status: result?.status,
    end: read.ok ? read.fold.end : read.fault,
    tasks: (await healthy.log("tasks").info()).messages,
  };
  await Promise.all(
    [second?.stop(), worker.stop(), point.dead ? undefined : first.stop()].map(async (stop) => {
      await turns(20);
      clock.advance(1_000);
      return stop;
    }),
  );
  return outcome;
}

describe.each(Object.entries(STORIES))("%s", (_name, story) => {
  it.each(["before", "after"] as const)(
    "has the same end after a crash %s each effect of its engine",
    async (mode) => {
      const whole = await play(story, 0, mode);
      expect(whole).toMatchObject({ status: story.status, end: story.end, effects: story.effects });
      const step = scaled(3, 1);
      for (let at = 1; at <= whole.points.length; at += step) {
        const outcome = await play(story, at, mode);
        const where = `crash ${mode} effect ${at} (${outcome.points.at(-1)}) of ${whole.points.join(", ")}`;
        expect(outcome, where).toMatchObject({
          crashed: true,
          status: story.status,
          end: story.end,
          effects: story.effects,
        });
      }
    },
  );
});
