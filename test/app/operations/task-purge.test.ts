import { expect, test } from "vitest";
import { setup, setupMixed } from "./many-tasks.ts";

test.each([
  [{ all: true }, ["w2", "w1", "later1"]],
  [{ state: "pending" }, ["w2", "w1"]],
  [{ state: "scheduled" }, ["later1"]],
  [{ capability: "echo" }, ["w1", "later1"]],
  [{ scope: "night" }, ["w2"]],
  [{ label: ["team=a"] }, ["w2", "w1"]],
  [{ state: "failed", code: "timeout" }, ["fail1"]],
  [{ state: "completed" }, ["done2", "done1"]],
])("a purge of %o shows the preview and changes nothing", async (filter, expected) => {
  const { purge, ids } = await setupMixed();
  const before = await ids({});
  const preview = { preview: true, selected: expected.length, ids: expected, done: 0, running: 0 };
  expect(await purge(filter)).toMatchObject(preview);
  expect(await purge({ ...filter, yes: true, dryRun: true })).toMatchObject(preview);
  expect(await ids({})).toEqual(before);
});

test("a purge with yes ends each waiting task as cancelled, with a stored result, and is in the audit log", async () => {
  const { purge, ids, tasks, transport } = await setupMixed();
  expect(await purge({ all: true, yes: true })).toMatchObject({
    ...{ preview: false, selected: 3, done: 3, left: 0, failed: 0, skipped: 0, audited: true },
  });
  for (const taskId of ["w1", "w2", "later1"]) {
    expect(await tasks.status(taskId)).toMatchObject({ state: "cancelled", result: { attempt: 0 } });
  }
  expect((await transport.log("tasks").info()).messages).toBe(0);
  expect((await transport.log("later").info()).messages).toBe(0);
  expect(await ids({ state: "pending" })).toEqual([]);
  expect((await transport.log("audit").info()).messages).toBeGreaterThan(0);
  expect(await purge({ all: true, yes: true })).toMatchObject({ selected: 0, done: 0, audited: true });
});

test("a purge of ended tasks removes their results and leaves dead letters and other tasks", async () => {
  const { purge, ids, tasks } = await setupMixed();
  expect(await purge({ state: "failed", yes: true })).toMatchObject({ done: 2, skipped: 0 });
  expect(await ids({})).toEqual(["w2", "w1", "later1", "done2", "done1"]);
  await expect(tasks.status("fail2")).rejects.toMatchObject({ code: "not_found" });
  expect((await tasks.dead.list()).map(({ taskId }) => taskId)).toEqual(["fail1"]);
});

test("the result of a task whose message is still stored stays, because a redelivery would perform the task again", async () => {
  const { purge, tasks, end } = await setup();
  await tasks.submit({ capability: "echo", id: "a" });
  await end("a");
  expect(await purge({ state: "completed", yes: true })).toMatchObject({ selected: 1, done: 0, skipped: 1 });
  expect(await tasks.status("a")).toMatchObject({ state: "completed" });
});

test("a task that ends between the selection and its turn is skipped and keeps its result", async () => {
  const { purge, tasks, end } = await setup();
  for (const id of ["a", "b"]) await tasks.submit({ capability: "echo", id });
  let ending: Promise<unknown> | undefined;
  const report = await purge({ all: true, yes: true, rate: 20 }, (event) => {
    if ("done" in event) ending ??= end("a", { output: "mine" });
  });
  await ending;
  expect(report).toMatchObject({ selected: 2, done: 1, skipped: 1, left: 0 });
  expect(await tasks.status("a")).toMatchObject({ state: "completed", result: { output: "mine" } });
  expect(await tasks.status("b")).toMatchObject({ state: "cancelled" });
});

test("a stop ends the purge after the current task, and the same command goes on with the rest", async () => {
  const { purge, ids, stop } = await setupMixed();
  const report = await purge({ all: true, yes: true, rate: 1 }, (event) => {
    if ("done" in event) stop.abort();
  });
  expect(report).toMatchObject({ selected: 3, done: 1, left: 2, audited: true });
  expect(await ids({ state: "cancelled" })).toEqual(["w2"]);
});

test("entries that could not be judged are told, and not purged", async () => {
  const { purge } = await setupMixed();
  expect(await purge({ state: "completed", label: ["team=a"] })).toMatchObject({ selected: 0, unknown: 2 });
});

test.each([{}, { all: true, capability: "echo" }, { all: true, state: "pending" }])(
  "the selection %o is refused: one of a filter, a state and all is needed",
  async (input) => {
    const { purge } = await setup();
    expect(() => purge(input)).toThrow(/name one of/);
  },
);

test("running tasks are no state of a purge", async () => {
  const { purge } = await setup();
  expect(() => purge({ state: "running" })).toThrow(/state/);
});
