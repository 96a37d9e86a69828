import { expect, test } from "vitest";
import { yieldReports } from "../../../src/app/operations/event-queue.ts";

/** Reads a stream to its end: its events, then its value. */
async function read<E, T>(stream: AsyncGenerator<E, T>): Promise<{ events: E[]; value: T }> {
  const events: E[] = [];
  for (;;) {
    const step = await stream.next();
    if (step.done === true) return { events, value: step.value };
    events.push(step.value);
  }
}

test("a stream has all reports in their order, and then the value of the work", async () => {
  const stream = yieldReports<{ n: number }, string>(async (report) => {
    report({ n: 1 });
    await Promise.resolve();
    report({ n: 2 });
    return "done";
  });
  expect(await read(stream)).toEqual({ events: [{ n: 1 }, { n: 2 }], value: "done" });
});

test("a stream rejects as its work does, after the reports before that", async () => {
  const stream = yieldReports<{ n: number }, never>(async (report) => {
    report({ n: 1 });
    throw new Error("broken");
  });
  expect(await stream.next()).toEqual({ done: false, value: { n: 1 } });
  await expect(stream.next()).rejects.toThrow("broken");
});

test("a slow reader misses the oldest of many reports", async () => {
  const stream = yieldReports<{ n: number }, null>(async (report) => {
    for (let n = 1; n <= 1_500; n++) report({ n });
    return null;
  });
  const { events } = await read(stream);
  expect(events).toHaveLength(1_000);
  expect(events.at(-1)).toEqual({ n: 1_500 });
});
