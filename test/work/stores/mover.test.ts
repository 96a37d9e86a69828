import { expect, onTestFinished, test } from "vitest";
import { createMeter, ManualClock, seededChance, silentLogger } from "../../../src/base/index.ts";
import { createSubjects, encode, HEADERS } from "../../../src/protocol/index.ts";
import { connectMemory, MemoryServer } from "../../../src/transport/index.ts";
import { createMover } from "../../../src/work/index.ts";

const prefix = "murmur";
const subjects = createSubjects(prefix);
const at = { capability: "echo", priority: "normal", scope: "-", taskId: "t" } as const;

/** A task came due while an earlier message of it is still in its place in the task stream. */
async function setup() {
  const clock = new ManualClock(1_700_000_000_000);
  const transport = connectMemory({ prefix, server: new MemoryServer({ clock }) });
  await transport.init();
  const tasks = transport.log("tasks");
  const { seq } = await tasks.append(subjects.task(at), encode({ capability: "echo" }));
  const headers = {
    [HEADERS.contentType]: "application/json",
    [HEADERS.attempt]: "2",
    [HEADERS.schedule]: `@at ${new Date(clock.now()).toISOString()}`,
    [HEADERS.scheduleTarget]: subjects.due(at),
  };
  await transport.log("later").append(subjects.later("-", "t"), encode({ capability: "echo" }), { headers });
  const mover = createMover({
    transport,
    meter: createMeter(),
    log: silentLogger,
    clock,
    chance: seededChance(1),
  });
  await mover.start();
  onTestFinished(() => mover.stop());
  const pass = async (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      clock.advance(1_000);
      for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await pass(2);
  return { transport, tasks, seq, pass };
}

test("a due task waits while the delivery of its earlier attempt is not acked, and is not lost", async () => {
  const { transport, tasks, seq, pass } = await setup();
  expect((await tasks.last(subjects.task(at)))?.seq).toBe(seq);
  await tasks.delete(seq); // as the ack of the earlier attempt does
  await pass(20);
  expect((await tasks.last(subjects.task(at)))?.header(HEADERS.attempt)).toBe("2");
  expect((await transport.log("later").info()).messages).toBe(0);
});

test("a due task whose earlier message ended it is not stored again", async () => {
  const { transport, tasks, seq, pass } = await setup();
  const now = new Date(0).toISOString();
  const result = {
    taskId: "t",
    status: "completed",
    attempt: 1,
    agent: "a",
    startedAt: now,
    finishedAt: now,
  };
  const body = encode({ ...result, queuedMs: 0, ranMs: 0 });
  await transport.log("results").append(subjects.result("echo", "-", "t"), body);
  await tasks.delete(seq);
  await pass(20);
  expect(await tasks.last(subjects.task(at))).toBeNull();
  expect((await transport.log("later").info()).messages).toBe(0);
});
