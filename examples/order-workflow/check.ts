// The tests of the order, in memory: `node --test examples/order-workflow/check.ts`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { TerminalError } from "murmur-swarm";
import { createWorkflowTest, takes } from "murmur-swarm/testing";
import order from "./workflow.ts";

const input = { id: "81", items: ["cup", "pot"], total: 120, customer: "ada" };
const agents = {
  "stock-reserve": () => takes(200, { reserved: true }),
  "stock-release": () => null,
  "risk-score": () => ({ level: "high" }),
  "payment-charge": ({ total }: { total: number }) => ({ paid: total }),
  "payment-refund": () => null,
  "label-print": (item: string) => `label of ${item}`,
  "parcel-ship": ({ labels }: { labels: string[] }) => ({ labels: labels.length }),
};

test("a risky order waits for a person, and ships", async () => {
  const run = createWorkflowTest(order, { agents }).start(input, { id: "order-81" });
  assert.equal((await run.untilWaiting())?.path, "check");
  assert.equal(await run.approve("check", "ops"), null);
  assert.deepEqual(await run.result(), { state: "completed", output: { labels: 2 } });
});

test("after an hour without an answer the order is undone", async () => {
  const world = createWorkflowTest(order, { agents });
  const run = world.start(input);
  assert.equal((await run.result()).state, "compensated");
  assert.equal(run.calls.at(-1)?.capability, "stock-release");
});

test("a parcel that cannot be sent undoes the charge first", async () => {
  const world = createWorkflowTest(order, {
    agents: {
      ...agents,
      "risk-score": () => ({ level: "low" }),
      "parcel-ship": () => {
        throw new TerminalError("no parcel service goes there");
      },
    },
    kills: [{ entry: 4, after: "append" }],
  });
  const run = world.start(input);
  assert.equal((await run.result()).state, "compensated");
  assert.deepEqual(
    run.calls.slice(-2).map(({ capability }) => capability),
    ["payment-refund", "stock-release"],
  );
});
