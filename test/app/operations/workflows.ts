// Performs each operation on workflows once, for the tests of the faces of the table.
import { expect, onTestFinished } from "vitest";
import { z } from "zod";
import { createRollCall } from "../../../src/app/agents/roll-call.ts";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { createEngine } from "../../../src/engine/index.ts";
import type { Transport } from "../../../src/transport/index.ts";
import { createTaskClient, createWorker } from "../../../src/work/index.ts";
import { approval, defineWorkflow, signal, step } from "../../../src/workflow/index.ts";
import { makeStatus } from "../../coordinator/support.ts";
import { definitionsOf } from "../../engine/support.ts";
import { makePlacedConsumer } from "../../work/office.ts";
import { ScriptedWorkforce, until } from "../../work/support.ts";

/** The workflow of {@link performWorkflows}: it asks for two approvals and a signal. */
const asks = defineWorkflow({
  name: "asks",
  version: 1,
  signals: { go: z.number() },
  *run() {
    yield* approval("check", { by: ["ada"] });
    const go = yield* signal<number>("go");
    const said = yield* step("say", "echo", go, { undo: { call: "echo" } });
    yield* approval("again", { by: ["ada"] });
    return said;
  },
});
const plain = defineWorkflow({
  name: "plain",
  version: 1,
  *run(input) {
    return yield* step("say", "echo", input);
  },
});

/** Performs each operation on workflows once. */
export async function performWorkflows(
  call: (name: string, input?: object) => Promise<{ output: Record<string, unknown> }>,
  transport: Transport,
): Promise<void> {
  const tasks = createTaskClient({ transport, meter: createMeter() });
  onTestFinished(() => tasks.close());
  const parts = { transport, meter: createMeter(), log: silentLogger, id: "engine-1", tasks };
  const engine = createEngine({ ...parts, definitions: definitionsOf(asks, plain) });
  await engine.start();
  onTestFinished(() => engine.stop());
  const output = async (name: string, input: object) => (await call(name, input)).output;
  const stopPlanner = await startPlanner(transport);
  expect(await output("workflow-plan", { objective: "say hello" })).toMatchObject({
    calls: ["echo"],
    steps: [{ step: "say", call: "echo", with: "say hello" }],
    missing: [{ what: "the moon", reason: "too far" }],
  });
  const beyond = { objective: "say hello", grants: ["classify"] };
  await expect(call("workflow-plan", beyond)).rejects.toMatchObject({ code: "not_permitted" });
  await stopPlanner();
  const waitsFor = (path: string) =>
    until(async () => {
      const report = await output("workflow-show", { id: "w1" }).catch(() => null);
      return (report?.waiting as { path?: string } | undefined)?.path === path ? report : undefined;
    });
  expect(await output("workflow-run", { workflow: "plain", input: "hello", id: "w0" })).toMatchObject({
    status: "completed",
    output: "hello",
  });
  expect(await output("workflow-start", { workflow: "asks", id: "w1" })).toMatchObject({
    id: "w1",
    version: 1,
  });
  await waitsFor("check");
  const { revision } = await output("workflow-shared-set", { id: "w1", name: "limit", value: { daily: 1 } });
  expect(await output("workflow-shared-show", { id: "w1", name: "limit", history: true })).toMatchObject({
    value: { daily: 1 },
    revision,
    changes: [{ revision }],
  });
  expect(await output("workflow-shared-list", { id: "w1" })).toMatchObject({ values: [{ name: "limit" }] });
  await output("workflow-pause", { id: "w1" });
  await until(async () =>
    (await output("workflow-show", { id: "w1" })).state === "paused" ? true : undefined,
  );
  await output("workflow-resume", { id: "w1" });
  await until(async () =>
    (await output("workflow-show", { id: "w1" })).state === "running" ? true : undefined,
  );
  await output("workflow-approve", { id: "w1", approval: "check" });
  await output("workflow-signal", { id: "w1", name: "go", value: 7 });
  await waitsFor("again");
  await output("workflow-reject", { id: "w1", approval: "again", note: "no" });
  await until(async () =>
    (await output("workflow-show", { id: "w1" })).state === "compensated" ? true : undefined,
  );
  await expect(call("workflow-retry", { id: "w1" })).rejects.toMatchObject({ code: "conflict" });
  await output("workflow-start", { workflow: "asks", id: "w2" });
  await until(async () => (await output("workflow-show", { id: "w2" }).catch(() => undefined)) ?? undefined);
  await output("workflow-cancel", { id: "w2" });
  expect(await output("workflow-list", { name: "asks" })).toMatchObject({
    more: 0,
    unreadable: 0,
    isCut: false,
  });
  expect(await output("workflow-watch", { id: "w1" })).toMatchObject({ id: "w1", state: "compensated" });
  const { mermaid } = await output("workflow-graph", { id: "w1" });
  expect(mermaid).toContain("flowchart TD");
  expect(await output("workflow-verify", { id: "w1" })).toMatchObject({ isValid: true, fault: null });
  const { entries } = await output("workflow-export", { id: "w1" });
  expect(entries).toHaveLength(Number((await output("workflow-verify", { id: "w1" })).entries));
}

/** Starts an agent that makes plans. Its stop leaves no queue of the capability. */
async function startPlanner(transport: Transport): Promise<() => Promise<void>> {
  const log = silentLogger;
  const planner = makeStatus({ id: "planner-1", role: "planner", capabilities: ["planner"] });
  const rollCall = createRollCall({ transport, status: () => [planner], log });
  const workforce = new ScriptedWorkforce(1, async ({ task }) => ({
    steps: [{ step: "say", call: "echo", with: (task.input as { objective: string }).objective }],
    unmatched: [{ text: "the moon", reason: "too far" }],
  }));
  const worker = createWorker({
    ...{ transport, meter: createMeter(), log, hostId: "planner-host", workforce },
    capabilities: [{ name: "planner" }],
  });
  await makePlacedConsumer(transport, "planner-host");
  await rollCall.start();
  await worker.start();
  return async () => {
    await worker.stop();
    await rollCall.stop();
    const queue = transport.queue("tasks");
    for (const { name, filter } of await queue.consumers())
      if (filter.includes(".planner.")) await queue.deleteConsumer(name);
  };
}
