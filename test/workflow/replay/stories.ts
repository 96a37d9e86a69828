// Runs whose logs are recorded in logs/: one for each construct and each way to steer a run. A change of the decider, or of the form of
// entries, must replay all of them.
import { z } from "zod";
import { TerminalError } from "../../../src/protocol/index.ts";
import {
  all,
  approval,
  child,
  continueAs,
  defineWorkflow,
  expand,
  type Flow,
  map,
  now,
  patched,
  race,
  random,
  shared,
  signal,
  sleep,
  status,
  step,
  type WorkflowDefinition,
} from "../../../src/workflow/index.ts";
import { createWorkflowTest, type Kill, type TestRun, takes } from "../../../src/workflow/testing/index.ts";

/** One run: its code, and the deeds of people in the order of the waits. */
interface Story {
  readonly code: (input: never) => Flow<unknown>;
  readonly input?: unknown;
  readonly signals?: Record<string, z.ZodType>;
  readonly deeds?: readonly ((run: TestRun) => Promise<unknown>)[];
  readonly kills?: readonly Kill[];
  readonly deadlineMs?: number;
}

let isMended = false;
const agents = {
  echo: (input: unknown) => input,
  slow: (input: unknown) => takes(60_000, input),
  fail: () => {
    throw new TerminalError("out of order");
  },
  mended: () => {
    if (!isMended) throw new TerminalError("not yet");
    return "mended";
  },
  odd: (n: number) => {
    if (n % 2 === 0) throw new TerminalError(`${n} is even`);
    return n;
  },
  plan: () => [
    { step: "one", call: "echo", with: 4 },
    { step: "two", call: "echo", with: { was: "${steps.one}" } },
  ],
};
const undo = { call: "echo" };

const STORIES: Readonly<Record<string, Story>> = {
  sequence: {
    *code() {
      const a = yield* step("a", "echo", 1);
      return yield* step("b", "echo", { a });
    },
  },
  parallel: {
    *code() {
      return yield* all([step("a", "echo", 1), step("b", "slow", 2), step("c", "echo", 3)]);
    },
  },
  "parallel-failure": {
    *code() {
      yield* all([step("a", "slow", 1), step("b", "fail"), sleep("wait", 5_000)]);
    },
  },
  "parallel-settle": {
    *code() {
      yield* all([step("a", "slow", 1), step("b", "fail")], { settle: "all" });
    },
  },
  race: {
    *code() {
      return yield* race([step("a", "slow", 1), step("b", "echo", 2)]);
    },
  },
  map: {
    *code() {
      return yield* map("each", [1, 2, 3, 4, 5], { concurrency: 2 }, (n) => step("do", "echo", n));
    },
  },
  "map-tolerance": {
    *code() {
      const ends = yield* map("each", [1, 2, 3, 4], { tolerate: "50%" }, (n) => step("do", "odd", n));
      return ends.map(({ ok }) => ok);
    },
  },
  loop: {
    *code() {
      let sum = 0;
      for (let at = 0; at < 4; at++) sum += Number(yield* step(`add-${at}`, "echo", at));
      return sum;
    },
  },
  caught: {
    *code() {
      try {
        return yield* step("a", "fail");
      } catch {
        return yield* step("instead", "echo", "instead");
      }
    },
  },
  "sleep-and-time": {
    *code() {
      yield* sleep("long", 3_600_000);
      return { at: yield* now(), by: yield* random() };
    },
  },
  signals: {
    *code() {
      const first = yield* signal<number>("go");
      const second = yield* signal<number>("again", { of: "go" });
      try {
        yield* signal("never", { of: "go", expiresMs: 1_000 });
      } catch {
        yield* status({ progress: 0.5, note: "no third one" });
      }
      return first + second;
    },
    signals: { go: z.number() },
    deeds: [(run) => run.signal("go", 1), (run) => run.signal("go", 2)],
  },
  approved: {
    *code() {
      return yield* approval("check", { by: ["ops"] });
    },
    deeds: [(run) => run.approve("check", { user: "ada", proven: true, groups: ["ops"] }, "known customer")],
  },
  rejected: {
    *code() {
      yield* step("a", "echo", 1, { undo });
      yield* approval("check", { by: ["ops"] });
    },
    deeds: [(run) => run.reject("check", "ops", "unknown: address")],
  },
  "approval-expired": {
    *code() {
      yield* approval("one", { by: ["ops"], expiresMs: 1_000, onExpiry: "approve" });
      try {
        yield* approval("two", { by: ["ops"], expiresMs: 1_000, onExpiry: "reject" });
      } catch {
        yield* approval("three", { by: ["ops"], expiresMs: 1_000 });
      }
    },
  },
  saga: {
    *code() {
      yield* step("a", "echo", 1, { undo });
      yield* step("b", "echo", 2, { undo: { call: "echo", with: { of: "b" } } });
      yield* step("c", "fail");
    },
  },
  "saga-skip": {
    *code() {
      yield* step("a", "echo", 1, { undo });
      yield* step("b", "echo", 2, { undo: { call: "fail" } });
      yield* step("c", "fail");
    },
    deeds: [
      async (run) => {
        await run.result().catch(() => null);
        return run.resume({ skip: "b", note: "by hand" });
      },
    ],
  },
  pivot: {
    *code() {
      yield* step("a", "echo", 1, { undo });
      yield* step("go", "echo", 2, { pivot: true });
      yield* step("c", "fail");
    },
  },
  cancelled: {
    *code() {
      yield* step("a", "echo", 1, { undo });
      yield* approval("check", { by: ["ops"] });
    },
    deeds: [(run) => run.cancel()],
  },
  "cancelled-without-undo": {
    *code() {
      yield* step("a", "echo", 1, { undo });
      yield* approval("check", { by: ["ops"] });
    },
    deeds: [(run) => run.cancel({ undo: false })],
  },
  paused: {
    *code() {
      yield* approval("check", { by: ["ops"] });
      return yield* step("a", "echo", 1);
    },
    deeds: [
      async (run) => {
        await run.pause();
        await run.approve("check", "ops");
        return run.resume();
      },
    ],
  },
  retried: {
    *code() {
      yield* step("a", "echo", 1);
      yield* step("b", "mended");
      return yield* step("c", "echo", 3);
    },
    deeds: [
      async (run) => {
        await run.result();
        isMended = true;
        return run.retry({ from: "b" });
      },
    ],
  },
  child: {
    *code() {
      return yield* child("inner", "inner", { n: 2 });
    },
  },
  continued: {
    *code({ n }: { n: number }) {
      yield* step("a", "echo", n);
      if (n < 3) yield* continueAs({ n: n + 1 });
      return yield* step("end", "echo", n);
    },
    input: { n: 1 },
  },
  patch: {
    *code() {
      if (yield* patched("new-way")) yield* step("new", "echo", 1);
      return yield* step("a", "echo", 2);
    },
  },
  expanded: {
    *code() {
      return yield* expand("added", yield* step("ask", "plan"), { grants: ["echo"] });
    },
  },
  "shared-values": {
    *code() {
      yield* shared("set", "limit", { set: 1, revision: 0 });
      const found = yield* shared("get", "limit");
      yield* shared("stale", "limit", { set: 2, revision: 0 });
      return found;
    },
  },
  deadline: {
    *code() {
      yield* step("a", "echo", 1, { undo });
      yield* sleep("long", 3_600_000);
    },
    deadlineMs: 60_000,
  },
  killed: {
    *code() {
      yield* step("a", "echo", 1);
      yield* sleep("wait", 1_000);
      return yield* step("b", "echo", 2);
    },
    kills: [
      { entry: 2, after: "append" },
      { entry: 3, after: "effects" },
      { entry: 4, after: "decide" },
    ],
  },
};

const inner = defineWorkflow({
  name: "inner",
  version: 1,
  input: z.object({ n: z.number() }),
  *run({ n }) {
    return yield* step("only", "echo", n);
  },
});

/** The definitions of all stories, by name. */
export const DEFINITIONS: ReadonlyMap<string, WorkflowDefinition> = new Map(
  Object.entries(STORIES).map(([name, { code, signals }]) => [
    name,
    defineWorkflow({ name, version: 1, ...(signals === undefined ? {} : { signals }), run: code as never }),
  ]),
);

/** Runs a story in memory, and returns its log. */
export async function record(name: string): Promise<{ id: string; texts: readonly string[] }> {
  const { input = null, deeds = [], kills = [], deadlineMs } = STORIES[name]!;
  isMended = false;
  const world = createWorkflowTest([DEFINITIONS.get(name)!, inner], { agents: agents as never, kills });
  const id = `replay-${name}`;
  const run = world.start(input, { id, ...(deadlineMs === undefined ? {} : { deadlineMs }) });
  for (const deed of deeds) {
    if (name !== "retried" && name !== "saga-skip") await run.untilWaiting();
    const refusal = await deed(run);
    if (refusal !== null) throw new Error(`${name}: ${JSON.stringify(refusal)}`);
  }
  await run.result();
  return { id, texts: [...run.log] };
}
