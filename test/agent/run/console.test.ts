import { expect, test } from "vitest";
import { createLogger } from "../../../src/base/index.ts";
import { defineEcho, makeAttempt, startHost, takeSlot } from "../support.ts";

/** A host whose agent runs `run`, with the console captured; `lines` are its log lines. */
async function setup(run: (input: unknown) => unknown) {
  const lines: Record<string, unknown>[] = [];
  const stream = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const started = await startHost(defineEcho(run, { slots: 4 }), {
    log: createLogger({ name: "test", level: "debug", stream }),
  });
  const release = started.host.captureConsole();
  const perform = async (id: string) => {
    const slot = takeSlot(started.host, "echo");
    try {
      return await slot.perform(makeAttempt({ task: { id, input: id }, number: 2 }).attempt);
    } finally {
      slot.release();
    }
  };
  return { ...started, perform, printed: () => lines.filter(({ console }) => console === true), release };
}

test("each console method of an agent is a log line with its level, the agent, the task and the attempt", async () => {
  const { host, perform, printed, release, stop } = await setup(() => {
    console.log("one %d", 1, { a: 1 });
    console.info("two");
    console.debug("three");
    console.warn("four");
    console.error("five", new Error("kaboom"));
    console.table([{ a: 1 }]);
  });
  await perform("t1");
  release();
  const agent = host.status()[0]?.id;
  expect(printed().map(({ level }) => level)).toEqual([30, 30, 20, 40, 50, 30]);
  for (const line of printed()) expect(line).toMatchObject({ agent, taskId: "t1", attempt: 2 });
  expect(printed()[0]?.msg).toBe("one 1 { a: 1 }");
  expect(printed()[4]?.msg).toMatch(/^five Error: kaboom\n {4}at /);
  await stop();
});

test("a line after an await names its own task, also while other tasks run", async () => {
  const { perform, printed, release, stop } = await setup(async (input) => {
    console.log(`begin ${input}`);
    await new Promise(setImmediate);
    console.log(`end ${input}`);
  });
  await Promise.all(["t1", "t2", "t3"].map(perform)); // the first one only has its first line before the tracking
  await Promise.all(["t4", "t5", "t6"].map(perform));
  release();
  const named = printed().filter(({ taskId }) => taskId !== undefined);
  expect(named.length).toBeGreaterThanOrEqual(11);
  for (const { msg, taskId } of named) expect(String(msg).split(" ")[1]).toBe(taskId);
  await stop();
});

test("the first line of a process after an await names its task when no other task runs", async () => {
  const { perform, printed, release, stop } = await setup(async () => {
    await new Promise(setImmediate);
    console.log("late");
  });
  await perform("t1");
  release();
  expect(printed()).toMatchObject([{ msg: "late", taskId: "t1" }]);
  await stop();
});

test("a long line is cut, and a released console prints as before", async () => {
  const before = console;
  const { perform, printed, release, stop } = await setup(() => console.log("x".repeat(20_000)));
  await perform("t1");
  release();
  expect(String(printed()[0]?.msg)).toMatch(/^x+\n… 1\d{4} bytes cut …\nx+$/);
  expect(console).toBe(before);
  await stop();
});
