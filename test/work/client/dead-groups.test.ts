// Dead letters by group, on the stream of a swarm in memory.
import { expect, onTestFinished, test } from "vitest";
import { createMeter } from "../../../src/base/index.ts";
import { createSubjects, encode } from "../../../src/protocol/index.ts";
import { connectMemory } from "../../../src/transport/index.ts";
import { createTaskClient } from "../../../src/work/index.ts";

async function setup() {
  const transport = connectMemory({ prefix: "murmur" });
  await transport.init();
  const tasks = createTaskClient({ transport, meter: createMeter() });
  onTestFinished(() => {
    tasks.close();
    return transport.close();
  });
  const subjects = createSubjects("murmur");
  const log = transport.log("dead");
  let second = 0;
  const die = (taskId: string, message: string, capability = "pay", code = "timeout") =>
    log.append(
      subjects.dead(capability, taskId),
      encode({
        ...{ taskId, capability, priority: "normal", scope: "-", subject: "s", attempts: 3, agent: "a" },
        reason: { code, message, retryable: true },
        diedAt: `2026-01-01T00:00:${String(second++).padStart(2, "0")}.000Z`,
        ...{ payload: Buffer.from("{}").toString("base64"), contentType: "application/json" },
      }),
      { headers: { "Content-Type": "application/json" } },
    );
  return { tasks, log, die };
}

test("letters are counted by capability, code and message, and leave when they are removed", async () => {
  const { tasks, die } = await setup();
  expect(await tasks.dead.groups()).toEqual({ groups: [], seen: 0, stored: 0 });
  await die("t1", "order 1 is unknown");
  await die("t2", "order 2 is unknown");
  await die("t3", "order 3 is unknown", "ship");
  await die("t4", "order 4 is unknown", "pay", "internal");
  const { groups, seen, stored } = await tasks.dead.groups();
  expect([seen, stored]).toEqual([4, 4]);
  expect(groups[0]).toEqual({
    ...{ capability: "pay", code: "timeout", fingerprint: "order # is unknown", count: 2 },
    ...{ oldest: "2026-01-01T00:00:00.000Z", newest: "2026-01-01T00:00:01.000Z" },
    sample: { taskId: "t2", message: "order 2 is unknown" },
  });
  expect(groups).toHaveLength(3);
  await tasks.dead.purge({ taskId: "t1" });
  await die("t5", "another cause");
  const later = await tasks.dead.groups();
  expect(later.groups.map(({ count }) => count)).toEqual([1, 1, 1, 1]);
  expect(
    later.groups.find(({ fingerprint }) => fingerprint === "order # is unknown")?.sample.taskId,
  ).toBeDefined();
  await tasks.dead.purge();
  expect(await tasks.dead.groups()).toEqual({ groups: [], seen: 0, stored: 0 });
});

test("a look reads only the letters that are new", async () => {
  const { tasks, log, die } = await setup();
  await die("t1", "x");
  await tasks.dead.groups();
  const read: number[] = [];
  const { read: readLog } = log;
  log.read = (options) => {
    read.push(options?.fromSeq ?? 0);
    return readLog.call(log, options);
  };
  await tasks.dead.groups();
  await die("t2", "x");
  expect((await tasks.dead.groups()).groups).toMatchObject([{ count: 2 }]);
  expect(read.every((fromSeq) => fromSeq === 2)).toBe(true);
});

test("a selection by fingerprint takes the letters of one group alone", async () => {
  const { tasks, die } = await setup();
  await die("t1", "order 1 is unknown");
  await die("t2", "the card was declined");
  await die("t3", "order 3 is unknown");
  const { found } = await tasks.dead.select({ capability: "pay", fingerprint: "order # is unknown" });
  expect(found.map(({ taskId }) => taskId)).toEqual(["t1", "t3"]);
});
