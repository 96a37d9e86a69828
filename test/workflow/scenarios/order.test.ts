import { expect, test } from "vitest";
import { TerminalError } from "../../../src/protocol/index.ts";
import { createWorkflowTest, type Kill } from "../../../src/workflow/testing/index.ts";
import { order, orderAgents, orderInput } from "../order.ts";

function setup(overrides: Parameters<typeof orderAgents>[0] = {}, kills: Kill[] = []) {
  const { agents, effects } = orderAgents(overrides);
  const world = createWorkflowTest(order, { agents, kills });
  return { world, effects, run: world.start(orderInput, { id: "order-81" }) };
}

test("an order goes through, and each step's task runs once under its own key", async () => {
  const { run } = setup();
  expect(await run.result()).toEqual({ state: "completed", output: { parcel: 2 } });
  expect(run.calls.map(({ key }) => key)).toEqual([
    "order-81/reserve",
    "order-81/risk",
    "order-81/charge",
    "order-81/label/0/print",
    "order-81/label/1/print",
    "order-81/ship",
  ]);
  expect(run.calls.map(({ taskId }) => taskId)).toEqual([1, 2, 3, 4, 5, 6].map((n) => `order-81-${n}`));
});

test("a high risk waits for a person, and goes on after the approval", async () => {
  const { run } = setup({ "risk-score": () => ({ level: "high" }) });
  expect(await run.untilWaiting()).toMatchObject({ reason: "human", path: "check", by: ["ops"] });
  expect(await run.approve("check", "eve")).toMatchObject({ code: "not_permitted" });
  expect(await run.approve("check", { user: "ada", groups: ["ops"], proven: true })).toBeNull();
  expect(await run.approve("check", { user: "ada", groups: ["ops"], proven: true })).toMatchObject({
    code: "conflict",
  });
  expect((await run.result()).state).toBe("completed");
});

test("an approval that does not come in time fails the order and undoes the reservation", async () => {
  const { run, world } = setup({ "risk-score": () => ({ level: "high" }) });
  const startMs = world.nowMs;
  expect(await run.result()).toMatchObject({ state: "compensated", error: { code: "timeout" } });
  expect(world.nowMs - startMs).toBe(3_600_000);
  expect(run.calls.at(-1)).toMatchObject({
    capability: "stock-release",
    input: { input: { id: "81" }, certain: true },
  });
});

test("a failed shipment undoes charge and reservation in the reverse order of their ends", async () => {
  const { run } = setup({
    "parcel-ship": () => {
      throw new TerminalError("no parcel service");
    },
  });
  expect(await run.result()).toMatchObject({ state: "compensated", error: { message: "no parcel service" } });
  expect(run.calls.slice(-2).map(({ capability, key }) => [capability, key])).toEqual([
    ["payment-refund", "order-81/charge~undo"],
    ["stock-release", "order-81/reserve~undo"],
  ]);
});

test("a charge that failed may have had its effect, so it is undone without certainty", async () => {
  const { run } = setup({
    "payment-charge": () => {
      throw new TerminalError("the bank does not answer");
    },
  });
  expect((await run.result()).state).toBe("compensated");
  expect(run.calls.slice(-2)).toMatchObject([
    { capability: "payment-refund", input: { input: { id: "81" }, certain: false } },
    {
      capability: "stock-release",
      input: { input: { id: "81" }, certain: true, output: { reserved: true } },
    },
  ]);
});

test("a compensation that fails for good waits for a person, who can resume or skip it", async () => {
  let isBankUp = false;
  const { run } = setup({
    "parcel-ship": () => {
      throw new TerminalError("no parcel service");
    },
    "payment-refund": () => {
      if (!isBankUp) throw new TerminalError("the bank is closed");
    },
  });
  await expect(run.result()).rejects.toThrow("compensation_failed");
  expect(run.state).toBe("compensation_failed");
  expect(await run.resume({ skip: "charge" })).toMatchObject({ code: "invalid_input" });
  expect(await run.resume({ skip: "ship", note: "by hand" })).toMatchObject({ code: "not_found" });
  isBankUp = true;
  expect(await run.resume()).toBeNull();
  expect((await run.result()).state).toBe("compensated");
  expect(run.calls.filter(({ capability }) => capability === "payment-refund").map(({ key }) => key)).toEqual(
    ["order-81/charge~undo", "order-81/charge~undo"],
  );
});

test("a skipped compensation is left out, and the others are done", async () => {
  const fail = () => {
    throw new TerminalError("out of order");
  };
  const { run } = setup({ "parcel-ship": fail, "payment-refund": fail });
  await expect(run.result()).rejects.toThrow("compensation_failed");
  expect(await run.resume({ skip: "charge", note: "refunded by hand" })).toBeNull();
  expect((await run.result()).state).toBe("compensated");
  expect(run.calls.at(-1)?.capability).toBe("stock-release");
});

test("cancel ends what runs, and undoes", async () => {
  const { run } = setup({ "risk-score": () => ({ level: "high" }) });
  await run.untilWaiting();
  expect(await run.cancel()).toBeNull();
  expect(await run.result()).toMatchObject({ state: "cancelled", error: { code: "cancelled" } });
  expect(run.calls.at(-1)?.capability).toBe("stock-release");
});

test("cancel without undo leaves everything as it is", async () => {
  const { run } = setup({ "risk-score": () => ({ level: "high" }) });
  await run.untilWaiting();
  await run.cancel({ undo: false });
  expect((await run.result()).state).toBe("cancelled");
  expect(run.calls.map(({ capability }) => capability)).not.toContain("stock-release");
});

const points = ["decide", "append", "effects", "ack"] as const;
const endings = {
  completes: {},
  "is undone": {
    "parcel-ship": () => {
      throw new TerminalError("no parcel service");
    },
  },
};

test.each(Object.entries(endings))(
  "an order that %s comes to the same end, with each effect once, when its engine dies at any point of any entry",
  async (_name, overrides) => {
    const undisturbed = setup(overrides);
    const end = await undisturbed.run.result();
    const entries = undisturbed.run.log.length;
    for (const after of points) {
      for (let entry = 1; entry <= entries; entry++) {
        const { run, effects } = setup(overrides, [{ entry, after }]);
        expect(await run.result(), `${after} ${entry}`).toEqual(end);
        expect([...effects].sort(), `${after} ${entry}`).toEqual([...undisturbed.effects].sort());
        expect(run.calls.length, `${after} ${entry}`).toBe(undisturbed.run.calls.length);
      }
    }
  },
);
