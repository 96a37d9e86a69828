// The runs of schedules, as the coordinator in office starts them on a real engine.
import { expect, onTestFinished, test } from "vitest";
import { createRunSink } from "../../../src/app/processes/schedule-runs.ts";
import { MemoryServer } from "../../../src/transport/index.ts";
import { defineWorkflow, sleep } from "../../../src/workflow/index.ts";
import { definitionsOf, EngineSwarm } from "../../engine/support.ts";
import { until } from "../../work/support.ts";

const naps = defineWorkflow({
  name: "naps",
  version: 2,
  *run() {
    yield* sleep("nap", 3_600_000);
  },
});

test("a tick is one run with the label of its schedule, however often it is started, and can be cancelled", async () => {
  const swarm = new EngineSwarm(new MemoryServer());
  onTestFinished(() => swarm.stop());
  const client = await swarm.client();
  const runs = createRunSink({ transport: await swarm.swarm.connect(), tasks: await swarm.swarm.client() });
  const run = { workflow: "naps", input: null, overlap: "cancel" as const };
  await expect(runs.start("nightly-1", "nightly", run)).rejects.toMatchObject({
    code: "unavailable",
    retryable: true,
  });
  expect(await runs.isGoing("nightly-1")).toBe(false);
  await swarm.engine(definitionsOf(naps));
  await runs.start("nightly-1", "nightly", run);
  await runs.start("nightly-1", "nightly", run);
  expect(await runs.isGoing("nightly-1")).toBe(true);
  await until(async () => ((await client.fold("nightly-1").catch(() => null)) === null ? undefined : true));
  const begun = (await client.fold("nightly-1")).begun;
  expect(begun).toMatchObject({
    version: 2,
    labels: { schedule: "nightly" },
    by: { user: "schedule:nightly", proven: false },
  });
  await runs.cancel("nightly-1");
  expect(await client.result("nightly-1")).toMatchObject({ status: "cancelled" });
  await until(async () => ((await runs.isGoing("nightly-1")) ? undefined : true));
});
