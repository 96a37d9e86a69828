// Ballots in the list of tasks, and in the metrics.
import { expect, it, vi } from "vitest";
import type { ListOptions } from "../../../src/work/index.ts";
import { setupBallots } from "../ballots/swarm.ts";
import { SOON } from "../support.ts";

it("a ballot is one line in the list, open and ended; its seats are listed on request", async () => {
  const { promise: freed, resolve: free } = Promise.withResolvers<string>();
  const { tasks, show } = await setupBallots(["a", "b", { name: "c", say: () => freed }]);
  const list = async (options: ListOptions = {}) =>
    (await tasks.list(options)).map(({ taskId, state, ballot }) => ({ taskId, state, ballot }));
  await tasks.submit({
    id: "b1",
    capability: "classify",
    input: { a: "cat", b: "cat" },
    ballot: { seats: 3, strategy: "unanimous" },
  });
  const answered = async () => {
    const { votes } = await show("b1");
    return votes.filter(({ state }) => state === "answered").length;
  };
  await vi.waitFor(async () => expect(await answered()).toBe(2), SOON);
  const open = { taskId: "b1", state: "running", ballot: { seats: 3, answered: 2 } };
  expect(await list()).toEqual([open]);
  expect(await list({ state: "running", capability: "classify" })).toEqual([open]);
  expect(await list({ capability: "other" })).toEqual([]);
  expect(await list({ state: "completed" })).toEqual([]);
  const withSeats = await list({ seats: true });
  expect(withSeats.map(({ taskId }) => taskId).sort()).toEqual(["b1", "b1-r1s1", "b1-r1s2", "b1-r1s3"]);
  free("cat");
  await vi.waitFor(async () => expect(await tasks.status("b1")).toMatchObject({ state: "completed" }), SOON);
  expect(await list()).toEqual([{ taskId: "b1", state: "completed", ballot: { seats: 3, answered: 3 } }]);
  expect(await list({ seats: true })).toHaveLength(4);
  expect(await tasks.status("b1-r1s1")).toMatchObject({ state: "completed" });
});

it("coordinators list an open ballot even while none is in office; without coordinators it is not listed", async () => {
  const { tasks, show, leader, start } = await setupBallots([
    { name: "a", say: () => new Promise(() => {}) },
  ]);
  await tasks.submit({ id: "b1", capability: "classify", ballot: { seats: 1, strategy: "first" } });
  await vi.waitFor(async () => expect(await show("b1")).toMatchObject({ state: "asking" }), SOON);
  await leader.stop();
  expect(await tasks.list()).toEqual([]);
  // A page says that it misses them.
  const missesBallots = async () => (await finish(tasks.page())).missesBallots;
  expect(await missesBallots()).toBe(true);
  // One coordinator of three, which cannot take office alone.
  await start("c2", ["c1", "c2", "c3"]);
  const open = { taskId: "b1", state: "running", ballot: { seats: 1, answered: 0 } };
  await vi.waitFor(async () => expect(await tasks.list()).toMatchObject([open]), SOON);
  expect(await missesBallots()).toBe(false);
});

/** Runs a generator to its end. */
async function finish<T>(running: AsyncGenerator<unknown, T>): Promise<T> {
  for (;;) {
    const step = await running.next();
    if (step.done === true) return step.value;
  }
}

it("a ballot counts as one finished task, and its seats count as answers", async () => {
  const { ask, host, leader } = await setupBallots([]);
  const { meter } = await host(["a", "b", "c"]);
  const input = { a: "cat", b: "cat", c: "cat" };
  expect(await ask(input, { seats: 3, strategy: "majority", minAnswers: 3 })).toMatchObject({
    output: "cat",
  });
  const labels = { capability: "classify", status: "completed" };
  expect((await leader.meter.tasksFinished.get()).values).toMatchObject([{ labels, value: 1 }]);
  expect((await meter.tasksFinished.get()).values).toEqual([]);
  expect((await meter.ballotAnswers.get()).values).toMatchObject([{ labels, value: 3 }]);
});
