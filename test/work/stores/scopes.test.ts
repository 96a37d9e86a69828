import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { ManualClock } from "../../../src/base/index.ts";
import { createSubjects, encode } from "../../../src/protocol/index.ts";
import { isScopeMarked, markScope, ScopeMarks } from "../../../src/work/stores/scopes.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { TestSwarm, untilState } from "../support.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());

function setup() {
  const swarm = new TestSwarm(server.url);
  onTestFinished(() => swarm.stop());
  return swarm;
}

test("a task of a cancelled scope that starts later ends as cancelled, though its host heard no broadcast", async () => {
  const swarm = setup();
  let runs = 0;
  const { transport } = await swarm.work(async () => ++runs);
  const client = await swarm.client();
  await markScope(transport, "one", Date.now()); // no broadcast follows
  expect(await isScopeMarked(transport, "one")).toBe(true);
  // A direct publish passes by the check of submit.
  const at = { capability: "echo", priority: "normal", scope: "one", taskId: "late" } as const;
  await transport
    .log("tasks")
    .append(createSubjects(swarm.prefix).task(at), encode({ capability: "echo", input: 1 }));
  expect(await client.result("late", { timeoutMs: 60_000 })).toMatchObject({
    status: "cancelled",
    error: { code: "cancelled", message: "the scope one was cancelled" },
  });
  expect(runs).toBe(0);
  expect((await client.run({ capability: "echo", scope: "two" })).status).toBe("completed");
});

test("the broadcast stops the running tasks of the scope, and no others", async () => {
  const swarm = setup();
  const { promise, resolve } = Promise.withResolvers<void>();
  await swarm.work(async (attempt) => {
    await Promise.race([
      promise,
      new Promise((_, reject) => attempt.signal.addEventListener("abort", reject)),
    ]);
    return "ran";
  });
  const client = await swarm.client();
  for (const scope of ["one", "two"]) await client.submit({ id: scope, capability: "echo", scope });
  for (const scope of ["one", "two"]) await untilState(client, scope, "running");
  await client.cancelScope("one");
  expect(await client.result("one")).toMatchObject({ status: "cancelled" });
  resolve();
  expect(await client.result("two")).toMatchObject({ status: "completed", output: "ran" });
});

test("a host reads the mark of a scope once in a second, and anew after a broadcast", async () => {
  let reads = 0;
  const gates: (() => void)[] = [];
  const bucket = {
    get: async () => {
      reads++;
      await new Promise<void>((resolve) => gates.push(resolve));
      return null;
    },
  };
  const clock = new ManualClock(0);
  const marks = new ScopeMarks({ transport: { bucket: () => bucket } as never, clock });
  const look = async () => {
    const marked = marks.isMarked("w1");
    gates.shift()?.();
    return marked;
  };
  expect(await look()).toBe(false);
  expect(marks.isMarked("w1")).toBe(false); // remembered: no promise, so no read
  expect(reads).toBe(1);
  clock.advance(1_000);
  expect(await look()).toBe(false);
  expect(reads).toBe(2);
  marks.forget("w1");
  const late = marks.isMarked("w1");
  marks.forget("w1"); // during the read
  gates.shift()?.();
  expect(await late).toBe(false);
  expect(await look()).toBe(false);
  expect(reads, "the answer of a read that a broadcast overtook is not remembered").toBe(4);
  marks.forget();
  expect(await look()).toBe(false);
  expect(reads).toBe(5);
});
