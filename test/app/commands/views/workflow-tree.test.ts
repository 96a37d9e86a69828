// The tree of `workflow show`, from real runs in memory.
import { expect, test } from "vitest";
import { renderTree } from "../../../../src/app/commands/views/workflow-tree.ts";
import { reportOf } from "../../../../src/app/operations/workflow-report.ts";
import { foldLog, loadDefinition } from "../../../../src/workflow/index.ts";
import { createWorkflowTest, takes } from "../../../../src/workflow/testing/index.ts";
import { ORDER } from "../../../workflow/graph/support.ts";

const agents = {
  "stock-reserve": () => takes(200, { reserved: true }),
  "stock-release": () => null,
  "risk-score": () => takes(800, { level: "high" }),
  "payment-charge": ({ total }: { total: number }) => ({ paid: total }),
  "payment-refund": () => null,
  "label-print": (item: string) => takes(1_000, `label of ${item}`),
  "parcel-ship": () => ({ parcels: 2 }),
};

async function setup() {
  const { definition } = await loadDefinition(ORDER, "order.yaml");
  const world = createWorkflowTest(definition, { agents: agents as never });
  const input = { id: "81", items: ["cup", "pot"], total: 12, customer: "c1" };
  const run = world.start(input, { id: "order-81" });
  /** The tree, with the definition in the log as an engine stores it. */
  const tree = () => {
    const read = foldLog("order-81", run.log);
    if (!read.ok || read.fold.begun === null) throw new Error("the log is broken");
    read.fold.begun = { ...read.fold.begun, definition: definition.source! };
    return renderTree(reportOf(read.fold, run.log), world.nowMs);
  };
  return { world, run, tree };
}

test("a run that waits shows its groups, its open step, and on one line the steps that are ahead", async () => {
  const { world, run, tree } = await setup();
  await run.untilWaiting();
  await world.pass(180_000);
  expect(tree()).toEqual([
    "├ ✔ parallel   800 ms",
    '│ ├ ✔ reserve  200 ms  stock-reserve  {"reserved":true}  undo: stock-release',
    '│ └ ✔ risk     800 ms  risk-score  {"level":"high"}',
    "├ … if         3 min 0 s",
    "│ └ … check    3 min 0 s  approval",
    "└ · charge · label · ship (pivot)",
  ]);
});

test("a run that ended shows no step ahead, and a map as one line with its items", async () => {
  const { run, tree } = await setup();
  await run.untilWaiting();
  await run.approve("check", "ops");
  await run.result();
  const lines = tree();
  expect(lines.find((line) => line.includes("label"))).toMatch(/^├ ✔ label 2\/2 +1\.0 s$/);
  expect(lines.at(-1)).toMatch(/^└ ✔ ship .*pivot$/);
  expect(lines.join("\n")).not.toContain("·");
});

test("a run of code shows its steps in their order", async () => {
  const { run } = await setup();
  await run.untilWaiting();
  const read = foldLog("order-81", run.log);
  if (!read.ok) throw new Error(read.fault);
  const lines = renderTree(reportOf(read.fold, run.log), 0);
  expect(lines.map((line) => line.split("  ")[0])).toEqual(["├ ✔ reserve", "├ ✔ risk", "└ … check"]);
});
