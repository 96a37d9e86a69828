// The five modes of examples/modes, in memory: each is a definition in YAML, and shows one way to put steps together.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { TerminalError } from "../../src/protocol/index.ts";
import { loadDefinition } from "../../src/workflow/index.ts";
import { type AgentFunction, createWorkflowTest, type Kill } from "../../src/workflow/testing/index.ts";

const folder = join(import.meta.dirname, "../../examples/modes");

async function world(
  mode: string,
  agents: Readonly<Record<string, AgentFunction>>,
  options: { kills?: Kill[] } = {},
) {
  const file = join(folder, `${mode}.yaml`);
  const { definition } = await loadDefinition(readFileSync(file, "utf8"), file);
  return createWorkflowTest(definition, { agents, ...options });
}

it("sequential: each step gets the output of the step before", async () => {
  const run = (
    await world("sequential", {
      outline: ({ topic }: { topic: string }) => `outline of ${topic}`,
      draft: ({ outline }: { outline: string }) => `draft of ${outline}`,
      edit: ({ draft }: { draft: string }) => `edit of ${draft}`,
    })
  ).start({ topic: "bees" });
  expect(await run.result()).toMatchObject({
    state: "completed",
    output: "edit of draft of outline of bees",
  });
  expect(run.calls.map(({ path }) => path)).toEqual(["outline", "draft", "edit"]);
});

it("parallel: three steps start together, and the last one joins them", async () => {
  const run = (
    await world("parallel", {
      "review-style": () => "style",
      "review-facts": () => "facts",
      "review-tone": () => "tone",
      join: (views: string[]) => views.join(" "),
    })
  ).start({ text: "x" });
  expect(await run.result()).toMatchObject({ state: "completed", output: "style facts tone" });
  expect(new Set(run.calls.slice(0, 3).map(({ atMs }) => atMs)).size).toBe(1);
});

it("conditional: a large amount waits for a person, a small one does not, and a late answer rejects", async () => {
  const agents = {
    rate: ({ amount }: { amount: number }) => ({ risk: amount > 500 ? "high" : "low" }),
    note: () => null,
    pay: () => "paid",
  };
  const modes = await world("conditional", agents);
  const small = modes.start({ amount: 10 });
  expect(await small.result()).toMatchObject({ state: "completed", output: "paid" });
  expect(small.calls.map(({ path }) => path)).toEqual(["rate", "note", "pay"]);
  const large = modes.start({ amount: 2_000 });
  expect((await large.untilWaiting())?.path).toBe("check");
  expect(await large.approve("check", "ops")).toBeNull();
  expect(await large.result()).toMatchObject({ state: "completed" });
  expect(await modes.start({ amount: 2_000 }).result()).toMatchObject({
    state: "failed",
    error: { code: "not_permitted" },
  });
});

it("saga: a step that fails undoes the others, the last one first", async () => {
  const run = (
    await world("saga", {
      "book-flight": () => "F1",
      "book-hotel": () => "H1",
      "book-car": () => {
        throw new TerminalError("no car");
      },
      "cancel-flight": () => null,
      "cancel-hotel": () => null,
      "cancel-car": () => null,
    })
  ).start({ trip: "rome" });
  expect(await run.result()).toMatchObject({ state: "compensated" });
  expect(run.calls.slice(3).map(({ capability }) => capability)).toEqual([
    "cancel-car",
    "cancel-hotel",
    "cancel-flight",
  ]);
});

it("checkpoint: a recorded step is not done again after a crash at any entry, or after a retry", async () => {
  let isBroken = true;
  const kills = [1, 2, 3, 4].flatMap((entry): Kill[] => [
    { entry, after: "append" },
    { entry: entry + 1, after: "effects" },
  ]);
  const modes = await world(
    "checkpoint",
    {
      load: (rows: unknown) => rows,
      save: (row: unknown) => row,
      report: (count: unknown) => {
        if (isBroken) throw new TerminalError("no paper");
        return count;
      },
    },
    { kills },
  );
  const run = modes.start({ rows: ["a", "b", "c"] });
  await run.untilWaiting();
  expect(await run.signal("go", true)).toBeNull();
  expect(await run.result()).toMatchObject({ state: "failed" });
  isBroken = false;
  expect(await run.retry()).toBeNull();
  expect(await run.result()).toMatchObject({ state: "completed", output: 3 });
  const saved = run.calls.filter(({ capability }) => capability === "save").map(({ key }) => key);
  expect(saved).toHaveLength(new Set(saved).size);
  expect(run.calls.filter(({ capability }) => capability === "load")).toHaveLength(1);
});
