// Every construct once in TypeScript and once as data: both runs have the same log, entry for entry and hash for hash.
import { expect, it } from "vitest";
import { z } from "zod";
import order from "../../../examples/order-workflow/workflow.ts";
import { TerminalError } from "../../../src/protocol/index.ts";
import { expand, readDefinition } from "../../../src/workflow/graph/index.ts";
import {
  all,
  approval,
  child,
  defineWorkflow,
  type Flow,
  map,
  race,
  type StepFailure,
  shared,
  signal,
  sleep,
  status,
  step,
  type WorkflowDefinition,
} from "../../../src/workflow/index.ts";
import {
  type AgentCall,
  createWorkflowTest,
  type TestRun,
  takes,
} from "../../../src/workflow/testing/index.ts";
import { ORDER } from "./support.ts";

/** The agents of all stories. */
const agents = {
  echo: (input: unknown) => input,
  double: (n: number) => n * 2,
  slow: (input: unknown) => takes(60_000, input),
  fail: () => {
    throw new TerminalError("out of order");
  },
  odd: (n: number) => {
    if (n % 2 === 0) throw new TerminalError(`${n} is even`);
    return n;
  },
  undo: () => null,
  raise: (_input: unknown, { shared: values }: AgentCall) => {
    values.set("limit", { daily: 2 });
  },
  plan: () => [
    { step: "one", call: "double", with: 4 },
    { step: "two", call: "echo", with: { was: "${steps.one}" } },
  ],
  "stock-reserve": () => ({ reserved: true }),
  "stock-release": () => null,
  "risk-score": () => ({ level: "high" }),
  "payment-charge": ({ total }: { total: number }) => ({ paid: total }),
  "payment-refund": () => null,
  "label-print": (item: string) => `label of ${item}`,
  "parcel-ship": ({ labels }: { labels: string[] }) => ({ parcels: labels.length }),
};

interface Story {
  code: (input: never) => Flow<unknown>;
  data: string;
  signals?: Record<string, z.ZodType>;
  input?: unknown;
  /** Deeds of people, in the order of the waits. */
  deeds?: ((run: TestRun) => Promise<unknown>)[];
}

const STORIES: Record<string, Story> = {
  "a sequence whose later step uses the earlier one's output": {
    *code({ n }: { n: number }) {
      const a = yield* step("a", "double", n);
      return yield* step("b", "echo", { a, text: `n is ${a}` });
    },
    data: `
      steps:
        - { step: a, call: double, with: "\${input.n}" }
        - { step: b, call: echo, with: { a: "\${steps.a}", text: "n is \${steps.a}" } }
      output: \${steps.b}`,
    input: { n: 21 },
  },
  "options of a step": {
    *code() {
      return yield* step("a", "echo", 1, {
        priority: "high",
        timeoutMs: 5_000,
        retry: { max: 1 },
        labels: { team: "a" },
      });
    },
    data: `
      steps: [{ step: a, call: echo, with: 1, priority: high, timeoutMs: 5000, retry: { max: 1 }, labels: { team: a } }]
      output: \${steps.a}`,
  },
  "branches with and without a step": {
    *code({ n }: { n: number }) {
      if (n > 10) yield* step("large", "echo", n);
      else yield* step("small", "echo", n);
      if (n === 10) yield* step("ten", "echo", n);
    },
    data: `
      steps:
        - if: \${input.n > 10}
          then: [{ step: large, call: echo, with: "\${input.n}" }]
          else: [{ step: small, call: echo, with: "\${input.n}" }]
        - if: input.n == 10
          then: [{ step: ten, call: echo, with: "\${input.n}" }]`,
    input: { n: 10 },
  },
  "branches side by side": {
    *code() {
      yield* all([
        step("a", "echo", 1),
        (function* () {
          yield* step("b", "echo", 2);
          yield* step("c", "echo", 3);
        })(),
      ]);
      yield* all([step("d", "echo", 4), step("e", "fail")], { settle: "all" });
    },
    data: `
      steps:
        - parallel:
            - { step: a, call: echo, with: 1 }
            - [{ step: b, call: echo, with: 2 }, { step: c, call: echo, with: 3 }]
        - parallel: [{ step: d, call: echo, with: 4 }, { step: e, call: fail }]
          settle: all`,
  },
  "maps with and without tolerated failures": {
    *code({ items }: { items: number[] }) {
      const doubled = yield* map("doubled", items, { concurrency: 2 }, (item) => step("one", "double", item));
      const ends = yield* map("odd", items, { tolerate: "50%" }, (item) => step("one", "odd", item));
      return { doubled, ends: ends.length };
    },
    data: `
      steps:
        - { map: doubled, over: "\${input.items}", concurrency: 2, do: { step: one, call: double, with: "\${item}" } }
        - { map: odd, over: "\${input.items}", tolerate: 50%, do: [{ step: one, call: odd, with: "\${item}" }] }
      output: { doubled: "\${steps.doubled}", ends: "\${size(steps.odd)}" }`,
    input: { items: [1, 2, 3, 4] },
  },
  "a loop whose passes use the pass before": {
    *code() {
      let value: unknown = 1;
      for (let pass = 0; pass < 3; pass++) {
        value = pass > 0 ? yield* step(`grow-${pass}`, "double", value) : yield* step("first-0", "echo", 1);
      }
      return value;
    },
    data: `
      steps:
        - loop: growing
          while: pass < 3
          max: 3
          do:
            - if: has(steps.grow)
              then: [{ step: grow, call: double, with: "\${steps.grow}" }]
              else:
                - if: has(steps.first)
                  then: [{ step: grow, call: double, with: "\${steps.first}" }]
                  else: [{ step: first, call: echo, with: 1 }]
      output: \${steps.growing}`,
  },
  "a race": {
    *code() {
      return yield* race([
        step("fast", "echo", "won"),
        (function* () {
          yield* sleep("limit", 1_000);
          return null;
        })(),
      ]);
    },
    data: `
      steps:
        - { race: first, of: [{ step: fast, call: echo, with: won }, { sleep: limit, ms: 1000 }] }
      output: \${steps.first}`,
  },
  "a failure that is caught": {
    *code() {
      try {
        yield* step("a", "fail");
      } catch (error) {
        return yield* step("b", "echo", (error as Error).message);
      }
      return null;
    },
    data: `
      steps:
        - try: [{ step: a, call: fail }]
          catch: [{ step: b, call: echo, with: "\${error.message}" }]
      output: \${steps.b}`,
  },
  "a signal and an approval": {
    signals: { paid: z.object({ by: z.string() }) },
    *code() {
      const paid = yield* signal("paid", { expiresMs: 60_000 });
      const { by } = yield* approval("check", { by: ["ops"], expiresMs: 3_600_000, onExpiry: "approve" });
      return { paid, by };
    },
    data: `
      signals: { paid: { type: object, properties: { by: { type: string } }, required: [by] } }
      steps:
        - { signal: paid, expiresMs: 60000 }
        - { approval: check, by: [ops], expiresMs: 3600000, onExpiry: approve }
      output: { paid: "\${steps.paid}", by: "\${steps.check.by}" }`,
    deeds: [(run) => run.signal("paid", { by: "card" }), (run) => run.approve("check", "ops")],
  },
  "a child and a status": {
    *code() {
      yield* status({ progress: 0.5, note: "half" });
      return yield* child("c", "inner", { n: 2 });
    },
    data: `
      steps:
        - { status: { progress: 0.5, note: half } }
        - { child: c, workflow: inner, with: { n: 2 } }
      output: \${steps.c}`,
  },
  "steps that a step added": {
    *code() {
      const plan = yield* step("plan", "plan");
      return yield* expand("work", plan, { grants: ["double", "echo"] });
    },
    data: `
      steps:
        - { step: plan, call: plan }
        - { expand: work, graph: "\${steps.plan}", grants: [double, echo] }
      output: \${steps.work}`,
  },
  "a saga that fails and is undone": {
    *code() {
      yield* step("a", "echo", 1, { undo: { call: "undo", with: { of: "a" } } });
      yield* step("b", "echo", 2, { undo: { call: "undo" } });
      yield* step("c", "fail");
    },
    data: `
      steps:
        - { step: a, call: echo, with: 1, undo: { call: undo, with: { of: a } } }
        - { step: b, call: echo, with: 2, undo: { call: undo } }
        - { step: c, call: fail }`,
  },
  "shared values that agents change too": {
    *code() {
      yield* shared("first", "limit", { set: { daily: 1 }, revision: 0 });
      yield* step("raise", "raise");
      const now = yield* shared("look", "limit");
      yield* shared("again", "limit", { set: now, revision: now?.revision as number });
      try {
        yield* shared("late", "limit", { set: 0, revision: now?.revision as number });
      } catch (error) {
        return yield* step("told", "echo", (error as StepFailure).code);
      }
      return null;
    },
    data: `
      steps:
        - { shared: first, key: limit, set: { daily: 1 }, revision: 0 }
        - { step: raise, call: raise }
        - { shared: look, key: limit }
        - { shared: again, key: limit, set: "\${steps.look}", revision: "\${steps.look.revision}" }
        - try: [{ shared: late, key: limit, set: 0, revision: "\${steps.look.revision}" }]
          catch: [{ step: told, call: echo, with: "\${error.code}" }]
      output: \${steps.told}`,
  },
  "a ballot, a route and a pivot": {
    *code() {
      yield* step("a", "echo", "x", { ballot: { seats: 3, strategy: "majority", pointer: "/level" } });
      yield* step("b", "echo", "y", { route: "best", undo: { call: "undo" } });
      return yield* step("c", "echo", "z", { pivot: true });
    },
    data: `
      steps:
        - { step: a, call: echo, with: x, ballot: { seats: 3, strategy: majority, pointer: /level } }
        - { step: b, call: echo, with: y, route: best, undo: { call: undo } }
        - { step: c, call: echo, with: z, pivot: true }
      output: \${steps.c}`,
  },
  "a failure after a pivot, which undoes nothing": {
    *code() {
      yield* step("a", "echo", 1, { undo: { call: "undo" } });
      yield* step("b", "echo", 2, { pivot: true });
      yield* step("c", "fail", 3, { retry: { max: 0 } });
    },
    data: `
      steps:
        - { step: a, call: echo, with: 1, undo: { call: undo } }
        - { step: b, call: echo, with: 2, pivot: true }
        - { step: c, call: fail, with: 3, retry: { max: 0 } }`,
  },
  "a race whose first end is a failure": {
    *code() {
      yield* race([step("quick", "fail"), step("late", "slow", 1, { undo: { call: "undo" } })]);
    },
    data: `
      steps:
        - { race: first, of: [{ step: quick, call: fail }, { step: late, call: slow, with: 1, undo: { call: undo } }] }`,
  },
  "a map whose item fails, with a compensation for each item": {
    *code({ items }: { items: number[] }) {
      yield* map("odd", items, { concurrency: 1 }, (item) =>
        step("one", "odd", item, { undo: { call: "undo", with: { item } } }),
      );
    },
    data: `
      steps:
        - map: odd
          over: "\${input.items}"
          concurrency: 1
          do: { step: one, call: odd, with: "\${item}", undo: { call: undo, with: { item: "\${item}" } } }`,
    input: { items: [1, 3, 4, 5] },
  },
  "a map over no list, which fails at its name": {
    *code({ items }: { items: number[] }) {
      try {
        yield* map("m", items, {}, (item) => step("one", "echo", item));
      } catch (error) {
        return yield* step("told", "echo", (error as { code: string }).code);
      }
    },
    data: `
      steps:
        - try: [{ map: m, over: "\${input.items}", do: { step: one, call: echo, with: "\${item}" } }]
          catch: [{ step: told, call: echo, with: "\${error.code}" }]
      output: \${steps.told}`,
    input: { items: "none" },
  },
  "a signal under another name, and a wait whose time ends": {
    signals: { go: z.number() },
    *code() {
      const first = yield* signal("first", { of: "go" });
      try {
        yield* signal("second", { of: "go", expiresMs: 1_000 });
      } catch (error) {
        return { first, code: yield* step("told", "echo", (error as { code: string }).code) };
      }
    },
    data: `
      signals: { go: { type: number } }
      steps:
        - { signal: first, of: go }
        - try: [{ signal: second, of: go, expiresMs: 1000 }]
          catch: [{ step: told, call: echo, with: "\${error.code}" }]
      output: { first: "\${steps.first}", code: "\${steps.told}" }`,
    deeds: [(run) => run.signal("go", 1)],
  },
  "an approval that a person rejects, and one whose time is over": {
    *code() {
      try {
        yield* approval("late", { by: ["ops"], expiresMs: 1_000 });
      } catch {
        yield* step("told", "echo", "late");
      }
      yield* approval("check", { by: ["ops"], expiresMs: 1_000, onExpiry: "reject" });
    },
    data: `
      steps:
        - try: [{ approval: late, by: [ops], expiresMs: 1000 }]
          catch: [{ step: told, call: echo, with: late }]
        - { approval: check, by: [ops], expiresMs: 1000, onExpiry: reject }`,
  },
  "a child with a compensation, and a child that outlives its parent": {
    *code() {
      yield* child("c", "inner", { n: 2 }, { undo: { call: "undo", with: 1 } });
      yield* child("d", "inner", { n: 3 }, { version: 1, onParentEnd: "leave" });
      yield* step("e", "fail");
    },
    data: `
      steps:
        - { child: c, workflow: inner, with: { n: 2 }, undo: { call: undo, with: 1 } }
        - { child: d, workflow: inner, with: { n: 3 }, version: 1, onParentEnd: leave }
        - { step: e, call: fail }`,
  },
  "a sleep of a computed time": {
    *code({ ms }: { ms: number }) {
      yield* sleep("nap", ms);
      return yield* step("a", "echo", "awake");
    },
    data: `
      steps:
        - { sleep: nap, ms: "\${input.ms}" }
        - { step: a, call: echo, with: awake }
      output: \${steps.a}`,
    input: { ms: 5_000 },
  },
  "an added graph that is refused, and its failure is caught": {
    *code() {
      try {
        yield* expand("work", [{ step: "x", call: "fail" }], { grants: ["echo"] });
      } catch (error) {
        return yield* step("told", "echo", (error as { code: string }).code);
      }
    },
    data: `
      steps:
        - try: [{ expand: work, graph: [{ step: x, call: fail }], grants: [echo] }]
          catch: [{ step: told, call: echo, with: "\${error.code}" }]
      output: \${steps.told}`,
  },
  "branches whose failure cancels a step that runs, and is caught": {
    *code() {
      try {
        yield* all([step("slow", "slow", 1, { undo: { call: "undo" } }), step("bad", "fail")]);
      } catch {
        return yield* step("instead", "echo", "ok");
      }
    },
    data: `
      steps:
        - try:
            - parallel: [{ step: slow, call: slow, with: 1, undo: { call: undo } }, { step: bad, call: fail }]
          catch: [{ step: instead, call: echo, with: ok }]
      output: \${steps.instead}`,
  },
};
const inner = defineWorkflow({
  name: "inner",
  version: 1,
  *run({ n }: { n: number }) {
    return yield* step("only", "double", n);
  },
} as never);

async function logOf(definition: WorkflowDefinition, { input, deeds = [] }: Story): Promise<string[]> {
  const test = createWorkflowTest([definition, inner], { agents: agents as never });
  const run = test.start(input ?? null, { id: "r1" });
  for (const deed of deeds) {
    await run.untilWaiting();
    expect(await deed(run)).toBeNull();
  }
  await run.result();
  return [...run.log];
}

async function asData(text: string): Promise<WorkflowDefinition> {
  const result = await readDefinition(text);
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result.read.definition;
}

it.each(Object.entries(STORIES))("%s has the same log in both forms", async (_title, story) => {
  const code = defineWorkflow({
    name: "story",
    version: 1,
    ...(story.signals === undefined ? {} : { signals: story.signals }),
    run: story.code as never,
  });
  const data = await asData(`workflow: story\nversion: 1${story.data.replaceAll(/\n {6}/g, "\n")}`);
  const expected = await logOf(code, story);
  expect(await logOf(data, story)).toEqual(expected);
  expect(expected.length).toBeGreaterThan(1);
});

it("the order of the docs has the same log in both forms, and its file has no fault", async () => {
  const story = {
    input: { id: "o1", items: ["cup", "pot"], total: 12, customer: "c1" },
    deeds: [(run: TestRun) => run.approve("check", "ops")],
  } as unknown as Story;
  expect(await logOf(await asData(ORDER), story)).toEqual(await logOf(order, story));
});
