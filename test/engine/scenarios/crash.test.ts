// A process is cut off at each of its writes, before and after the write; another one takes over. There is a story for each construct, and each is
// played with a crash of its engine and with a crash of its host (coordinator-crash.test.ts has the coordinators). After a crash at any point the run
// has the same end, each effect happened once by its key or was undone once, and the chain of the log is valid. The writes have numbers, which a
// failure names. `npm run test:crashes` plays every point; the short run plays a part of them.
import { describe, expect, it } from "vitest";
import { createMeter, ManualClock, seededChance, silentLogger } from "../../../src/base/index.ts";
import { createEngine, WorkflowClient } from "../../../src/engine/index.ts";
import { TerminalError } from "../../../src/protocol/index.ts";
import { connectMemory, MemoryServer, type Transport } from "../../../src/transport/index.ts";
import { createTaskClient, createWorker } from "../../../src/work/index.ts";
import {
  all,
  approval,
  type Command,
  child,
  continueAs,
  defineWorkflow,
  emptyFold,
  expand,
  type Fold,
  foldLog,
  loadDefinition,
  map,
  race,
  shared,
  signal,
  sleep,
  step,
  type WorkflowDefinition,
} from "../../../src/workflow/index.ts";
import { scaled } from "../../support/scale.ts";
import { cutOff, cutWrites, Failpoint } from "../../work/failpoint.ts";
import { makePlacedConsumer } from "../../work/office.ts";
import { ScriptedWorkforce } from "../../work/support.ts";
import { definitionsOf } from "../support.ts";

const prefix = "murmur";
/**
 * The most turns of half a second: some ack-waits of hosts, and less than the ten minutes of the slow check. So a step that only this check would
 * find fails the test, also when its host died between a cancel and its result.
 */
const MAX_TURNS = 200;

interface Story {
  readonly definitions: readonly WorkflowDefinition[];
  /** Ends the steps of this capability for good. */
  readonly broken?: string;
  readonly signals?: readonly { name: string; value: number }[];
  /** The command that comes when the run looks so, once. */
  readonly command?: {
    readonly when: (fold: Fold, effects: ReadonlyMap<string, number>) => boolean;
    readonly command: Command;
  };
  /** The steps of this capability run until they are cancelled. */
  readonly endless?: string;
  readonly status: "completed" | "failed" | "cancelled";
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

const grows = defineWorkflow({
  name: "grows",
  version: 1,
  *run() {
    const steps = [
      { step: "x", call: "do" },
      { map: "m", over: [1, 2], do: { step: "y", call: "do" } },
    ];
    return yield* expand("plan", steps, { grants: ["do"] });
  },
});
const repeats = defineWorkflow({
  name: "repeats",
  version: 1,
  *run(input) {
    yield* step("x", "do", input);
    if (input === null) yield* continueAs("again");
    return "done";
  },
});
const asks = defineWorkflow({
  name: "asks",
  version: 1,
  *run() {
    yield* step("x", "do", 1, { undo: { call: "undo" } });
    yield* approval("check", { by: ["ops"] });
    return yield* step("y", "do", 2, { pivot: true });
  },
});
const lasts = defineWorkflow({
  name: "lasts",
  version: 1,
  *run() {
    yield* step("x", "do", 1, { undo: { call: "undo" } });
    yield* all([step("long", "run", 1, { undo: { call: "undo" } }), sleep("nap", 3_600_000)]);
  },
});
const shares = defineWorkflow({
  name: "shares",
  version: 1,
  *run() {
    const { revision } = yield* shared("begin", "count", { set: 1 });
    yield* step("x", "do", 1);
    yield* shared("change", "count", { set: 2, revision });
    const seen = yield* shared<number>("look", "count");
    return yield* step("y", "do", seen?.value ?? null);
  },
});
const settles = defineWorkflow({
  name: "settles",
  version: 1,
  *run() {
    try {
      yield* all([step("bad", "break", 1), step("good", "do", 2)], { settle: "all" });
    } catch {
      return yield* step("instead", "do", 3);
    }
  },
});
const { definition: asData } = await loadDefinition(
  `
workflow: data
version: 1
steps:
  - parallel: [{ step: a, call: do, with: 1 }, { step: b, call: do, with: 2 }]
  - if: \${steps.a == 1}
    then: [{ step: c, call: do, with: 3 }]
  - { loop: again, while: "\${pass < 2}", max: 3, do: { step: d, call: do, with: "\${pass}" } }
  - try: [{ step: e, call: break }]
    catch: [{ step: f, call: do, with: "\${error.code}" }]
`,
  "data.yaml",
);

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
  "steps that are added": {
    definitions: [grows],
    status: "completed",
    end: "completed",
    effects: ["do run/plan/0/m/0/y", "do run/plan/0/m/1/y", "do run/plan/0/x"],
  },
  "a run that continues as a new one": {
    definitions: [repeats],
    status: "completed",
    end: "completed",
    effects: ["do run/x", "do run~2/x"],
  },
  "an approval": {
    definitions: [asks],
    command: {
      when: ({ open }) => open.approval.size > 0,
      command: { type: "approve", path: "check" },
    },
    status: "completed",
    end: "completed",
    effects: ["do run/x", "do run/y"],
  },
  "a run that is cancelled while a step runs": {
    definitions: [lasts],
    endless: "run",
    command: { when: (_fold, effects) => effects.has("run run/long"), command: { type: "cancel" } },
    status: "cancelled",
    end: "cancelled",
    effects: ["do run/x", "run run/long", "undo run/long~undo", "undo run/x~undo"],
  },
  "shared values": {
    definitions: [shares],
    status: "completed",
    end: "completed",
    effects: ["do run/x", "do run/y"],
  },
  "a failure that the code catches": {
    definitions: [settles],
    broken: "break",
    status: "completed",
    end: "completed",
    effects: ["break run/bad", "do run/good", "do run/instead"],
  },
  "a definition as data, with branches, a loop and a catch": {
    definitions: [asData],
    broken: "break",
    status: "completed",
    end: "completed",
    effects: ["break run/e", "do run/a", "do run/b", "do run/c", "do run/d-0", "do run/d-1", "do run/f"],
  },
};

/** The transport of a process that may be cut off: its broadcasts end too. */
function cutProcess(transport: Transport, point: Failpoint): Transport {
  const cut = cutWrites(cutOff(transport, point), point);
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

type Role = "engine" | "host";

/** Runs one story with a crash of one process at one point; 0 is no point. */
async function play(story: Story, role: Role, at: number, mode: "before" | "after") {
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
  const host = async (hostId: string, transport: Transport) => {
    await makePlacedConsumer(healthy, hostId);
    const workforce = new ScriptedWorkforce(8, async ({ task, key, signal: cancelled }) => {
      const effect = `${task.capability} ${key}`;
      effects.set(effect, (effects.get(effect) ?? 0) + 1);
      if (task.capability === story.broken) throw new TerminalError("broken");
      if (task.capability === story.endless) {
        await new Promise((resolve) => cancelled.addEventListener("abort", resolve));
        throw cancelled.reason;
      }
      return task.input ?? null;
    });
    const capabilities = ["do", "undo", "break", "run"].map((name) => ({ name }));
    const made = createWorker({ ...common, transport, hostId, workforce, capabilities });
    await made.start();
    return made;
  };
  const connect = (of: Role) => {
    const transport = connectMemory({ prefix, server });
    return of === role ? cutProcess(transport, point) : transport;
  };
  const worker = await host("host", connect("host"));
  const first = await engine("first", connect("engine"));
  const client = new WorkflowClient({
    transport: new Proxy(healthy, {
      get: (target, name) => (name === "clock" ? clock : Reflect.get(target, name, target)),
    }),
    tasks: createTaskClient({ ...common, transport: healthy }),
  });
  const [{ name: workflow }] = story.definitions as [WorkflowDefinition];
  const drive = async (call: Promise<unknown>) => {
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    call.then(over, over);
    for (let turn = 0; turn < 100 && !isOver; turn++) {
      await turns(10);
      if (!isOver) clock.advance(100);
    }
    await call;
  };
  const started = client.start({ workflow, input: null, id: "run", signals: story.signals });
  await drive(started);
  let second: { stop(): Promise<void> } | undefined;
  let command = story.command;
  let result: Awaited<ReturnType<typeof client.result>> | null = null;
  const filter = `${prefix}.result.workflow.*.run`;
  const countTasks = async () => (await healthy.log("tasks").info()).messages;
  for (let turn = 0; turn < MAX_TURNS && (result === null || (await countTasks()) > 0); turn++) {
    await turns(40);
    if (point.dead)
      second ??= await (role === "engine" ? engine : host)("second", connectMemory({ prefix, server }));
    if (command?.when(await client.fold("run").catch(() => emptyFold("run")), effects) === true) {
      await drive(client.send("run", command.command as never, { user: "ops", proven: true }));
      command = undefined;
    }
    clock.advance(500);
    if (result === null && (await healthy.log("results").last(filter)) !== null)
      result = await client.result("run");
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
    tasks: await countTasks(),
  };
  await Promise.all(
    [
      second?.stop(),
      point.dead && role === "host" ? undefined : worker.stop(),
      point.dead && role === "engine" ? undefined : first.stop(),
    ].map(async (stop) => {
      await turns(20);
      clock.advance(1_000);
      return stop;
    }),
  );
  return outcome;
}

describe.each(Object.entries(STORIES))("%s", (_name, story) => {
  it.each(["engine", "host"] as const)(
    "has the same end after a crash of its %s before and after each write",
    { timeout: 300_000 },
    async (role) => {
      const same = { status: story.status, end: story.end, effects: story.effects };
      const whole = await play(story, role, 0, "before");
      expect(whole).toMatchObject(same);
      const { points } = whole;
      // The short run takes other points of each story.
      const step = scaled(9, 1);
      for (const mode of ["before", "after"] as const) {
        for (
          let at = scaled(1 + ((points.length + mode.length) % step), 1);
          at <= points.length;
          at += step
        ) {
          const outcome = await play(story, role, at, mode);
          const where = `crash ${mode} write ${at} (${outcome.points.at(-1)}) of ${points.join(", ")}`;
          expect(outcome, where).toMatchObject({ crashed: true, ...same, tasks: 0 });
        }
      }
    },
  );
});
