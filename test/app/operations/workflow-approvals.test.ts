// Approvals of workflows by groups: of a proven name only.
import { expect, onTestFinished, test } from "vitest";
import type { Caller, OperationContext } from "../../../src/app/operations/operation.ts";
import { perform } from "../../../src/app/operations/operation.ts";
import { approveWorkflow } from "../../../src/app/operations/workflows.ts";
import { MemoryServer } from "../../../src/transport/index.ts";
import { approval, defineWorkflow } from "../../../src/workflow/index.ts";
import { definitionsOf, EngineSwarm } from "../../engine/support.ts";
import { until } from "../../work/support.ts";

const asks = defineWorkflow({
  name: "asks",
  version: 1,
  *run() {
    return (yield* approval("check", { by: ["ops"] })).by;
  },
});

test("a member of a group approves by a proven name, and a claimed name has no groups", async () => {
  const swarm = new EngineSwarm(new MemoryServer());
  onTestFinished(() => swarm.stop());
  const client = await swarm.client();
  await swarm.engine(definitionsOf(asks));
  await client.start({ workflow: "asks", input: null, id: "w1" });
  await until(async () => ((await client.fold("w1").catch(() => null)) === null ? undefined : true));
  const [transport, tasks] = [await swarm.swarm.connect(), await swarm.swarm.client()];
  const approve = (caller: Caller) =>
    perform(
      approveWorkflow,
      {
        ...{ transport, tasks, caller, signal: new AbortController().signal },
        ...{ office: undefined as never, auditor: async () => true },
      } satisfies OperationContext,
      { id: "w1", approval: "check" },
    );
  const ada = { name: "ada", role: "api", groups: ["ops"] };
  await expect(approve({ ...ada, isProven: false })).rejects.toMatchObject({ code: "not_permitted" });
  await expect(approve({ ...ada, isProven: true, groups: ["dev"] })).rejects.toMatchObject({
    code: "not_permitted",
  });
  await approve({ ...ada, isProven: true });
  expect(await client.result("w1")).toMatchObject({ status: "completed", output: "ada" });
});
