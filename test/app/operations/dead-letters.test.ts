import { expect, onTestFinished, test } from "vitest";
import {
  listDeadLetters,
  purgeDeadLetters,
  replayDeadLetter,
} from "../../../src/app/operations/dead-letters.ts";
import { type OperationContext, perform } from "../../../src/app/operations/operation.ts";
import { createMeter } from "../../../src/base/index.ts";
import { createOfficeClient } from "../../../src/coordinator/index.ts";
import { createSubjects, encode } from "../../../src/protocol/index.ts";
import { connectMemory } from "../../../src/transport/index.ts";
import { createTaskClient } from "../../../src/work/index.ts";

/** Six letters of two capabilities, two codes, and one with a payload that never was a task. */
async function setup() {
  const transport = connectMemory({ prefix: "murmur" });
  await transport.init();
  const subjects = createSubjects("murmur");
  const tasks = createTaskClient({ transport, meter: createMeter() });
  onTestFinished(async () => {
    tasks.close();
    await transport.close();
  });
  for (const name of ["echo", "other"]) {
    const filter = subjects.filters.tasks(name, "normal");
    await transport.queue("tasks").consumer({ name: `${name}-normal`, filter });
  }
  for (let index = 0; index < 6; index++) {
    const capability = index < 4 ? "echo" : "other";
    const taskId = `d${index}`;
    const body =
      index === 5 ? "no task" : JSON.stringify({ capability, labels: { team: index < 2 ? "a" : "b" } });
    const letter = {
      taskId,
      capability,
      priority: "normal",
      scope: index === 0 ? "night" : "-",
      subject: "s",
      reason: { code: index % 2 === 0 ? "timeout" : "invalid_input", message: "m", retryable: false },
      attempts: 1,
      agent: "a-1",
      diedAt: `2026-01-0${index + 1}T00:00:00Z`,
      payload: Buffer.from(body).toString("base64"),
      contentType: "application/json",
    };
    await transport.log("dead").append(subjects.dead(capability, taskId), encode(letter));
  }
  const stop = new AbortController();
  const context: OperationContext = {
    transport,
    tasks,
    office: createOfficeClient({ transport }),
    signal: stop.signal,
    caller: { name: "ada", role: "test" },
  };
  const replay = (input: object, onEvent?: () => void) =>
    perform(replayDeadLetter, context, replayDeadLetter.input.parse(input), onEvent);
  const list = (input: object) => perform(listDeadLetters, context, listDeadLetters.input.parse(input));
  const purge = (input: object) => perform(purgeDeadLetters, context, purgeDeadLetters.input.parse(input));
  const queued = async () => [...(await transport.log("tasks").subjects("murmur.task.>")).keys()].length;
  const letters = async () => (await tasks.dead.list()).map(({ taskId }) => taskId);
  const audited = async () => (await transport.log("audit").info()).messages > 0;
  return { list, replay, purge, queued, letters, audited, stop };
}

test.each([
  [{ capability: "echo" }, ["d0", "d1", "d2", "d3"]],
  [{ capability: "echo", code: "timeout" }, ["d0", "d2"]],
  [{ scope: "night" }, ["d0"]],
  [{ since: "2026-01-05T00:00:00Z" }, ["d4", "d5"]],
  [{ idPrefix: "d1" }, ["d1"]],
  [{ agent: "a-2" }, []],
  [{ all: true }, ["d0", "d1", "d2", "d3", "d4", "d5"]],
])("a replay of %o shows the preview and changes nothing", async (filter, ids) => {
  const { replay, letters, queued } = await setup();
  expect(await replay(filter)).toMatchObject({ preview: true, selected: ids.length, ids, unknown: 0 });
  expect(await replay({ ...filter, yes: true, dryRun: true })).toMatchObject({ preview: true });
  expect(await letters()).toHaveLength(6);
  expect(await queued()).toBe(0);
});

test("a letter without readable labels is told, and not selected by a label", async () => {
  const { replay } = await setup();
  expect(await replay({ label: ["team=b"] })).toMatchObject({ ids: ["d2", "d3", "d4"], unknown: 1 });
  await expect(replay({ label: ["team"] })).rejects.toMatchObject({ code: "invalid_input", field: "label" });
});

test("a replay with yes submits each task once, tells the failed ones, and is in the audit log", async () => {
  const { replay, letters, queued, audited } = await setup();
  const report = await replay({ all: true, yes: true });
  expect(report).toMatchObject({ preview: false, selected: 6, done: 5, failed: 1, left: 0, audited: true });
  expect(report).toMatchObject({ failures: [{ id: "d5", code: "invalid_input" }] });
  expect(await letters()).toEqual(["d5"]);
  expect(await queued()).toBe(5);
  expect(await audited()).toBe(true);
});

test("a stop ends the replay after the current letter, and the same command goes on with the rest", async () => {
  const { replay, letters, queued, stop } = await setup();
  const report = await replay({ capability: "echo", yes: true, rate: 1 }, () => stop.abort());
  expect(report).toMatchObject({ selected: 4, done: 1, left: 3, failed: 0 });
  expect(await letters()).toHaveLength(5);
  expect(await queued()).toBe(1);
});

test("a rate spaces the replays", async () => {
  const { replay } = await setup();
  const startedAtMs = performance.now();
  expect(await replay({ capability: "echo", yes: true, rate: 50 })).toMatchObject({ done: 4 });
  expect(performance.now() - startedAtMs).toBeGreaterThan(55); // three pauses of 20 ms
});

test("a purge with yes removes the selected letters, and a preview removes none", async () => {
  const { purge, letters, audited } = await setup();
  expect(await purge({ code: "timeout", dryRun: true })).toMatchObject({
    purged: 0,
    report: { selected: 3 },
  });
  expect(await letters()).toHaveLength(6);
  expect(await purge({ code: "timeout" })).toMatchObject({ purged: 0, report: { preview: true } });
  expect(await purge({ code: "timeout", yes: true })).toMatchObject({
    purged: 3,
    report: { done: 3, audited: true },
  });
  expect(await letters()).toEqual(["d1", "d3", "d5"]);
  expect(await purge({ capability: "echo" })).toEqual({ purged: 2, audited: true });
  expect(await purge({ all: true })).toEqual({ purged: 1, audited: true });
  expect(await audited()).toBe(true);
});

test("a purge of letters is in the audit log, also a purge that found none; a preview is not", async () => {
  const { purge, letters, audited } = await setup();
  await purge({ capability: "echo", dryRun: true });
  expect(await audited()).toBe(false);
  expect(await purge({ task: "nosuch" })).toEqual({ purged: 0, audited: true });
  expect(await purge({ task: "d1" })).toEqual({ purged: 1, audited: true });
  expect(await letters()).not.toContain("d1");
  expect(await audited()).toBe(true);
});

test("a list has the filters of a replay and pages, and counts the letters that it does not show", async () => {
  const { list } = await setup();
  const shown = async (input: object) => {
    const { dead, ...page } = await list(input);
    return { ids: dead.map(({ taskId }) => taskId), ...page };
  };
  const rest = { why: "filter", count: 2, reason: "do not match the filter" };
  expect(await shown({ capability: "echo", code: "timeout" })).toEqual({
    ...{ ids: ["d0", "d2"], next: null, seen: 4, hidden: [rest] },
  });
  const unknown = { why: "unknown", count: 1, reason: expect.stringContaining("no tasks") };
  expect(await shown({ label: ["team=b"] })).toMatchObject({
    ids: ["d2", "d3", "d4"],
    hidden: [rest, unknown],
  });
  const first = await shown({ limit: 4 });
  expect(first).toMatchObject({ ids: ["d0", "d1", "d2", "d3"], next: "4", hidden: [] });
  expect(await shown({ limit: 4, after: first.next })).toMatchObject({ ids: ["d4", "d5"], next: null });
  await expect(list({ after: "x" })).rejects.toMatchObject({ code: "invalid_input", field: "after" });
});

test("a task, a filter and all exclude each other, and one of them is needed", async () => {
  const { replay, purge } = await setup();
  for (const input of [{}, { task: "d0", all: true }, { all: true, code: "timeout" }]) {
    expect(() => replay(input)).toThrow(/name one of/);
    expect(() => purge(input)).toThrow(/name one of/);
  }
});
