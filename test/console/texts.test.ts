// The pure parts of the console: texts for figures, the search, the address, rates, the time line, the tree of a run, the rows in sight.
import { expect, test } from "vitest";
import { linkTo, readAddress } from "../../console/src/address.ts";
import { showAgo, showCount, showDuration, showRate, showTime, showValue } from "../../console/src/format.ts";
import { visibleRange } from "../../console/src/range.ts";
import { addMoment, backlogMs, growthOf, type Moment, ratesOf } from "../../console/src/rates.ts";
import { readSearch } from "../../console/src/search.ts";
import { selectAgents } from "../../console/src/select-agents.ts";
import { linesOf } from "../../console/src/time-line.ts";
import { makeTree, type Node } from "../../console/src/tree.ts";
import type { Agent, RunStep, Task } from "../../console/src/types.ts";

test("durations have at most two units, and ages tell the past from the future", () => {
  expect([0, 850, 12_000, 200_000, 7_500_000, 360_000_000].map(showDuration)).toEqual([
    ...["0 ms", "850 ms", "12 s", "3 min 20 s", "2 h 5 min", "4 d 4 h"],
  ]);
  const nowMs = Date.parse("2026-01-02T10:00:00.000Z");
  expect(showAgo("2026-01-02T09:59:57.000Z", nowMs)).toBe("3 s ago");
  expect(showAgo("2026-01-02T10:02:00.000Z", nowMs)).toBe("in 2 min");
  expect(showAgo("2026-01-02T10:00:00.500Z", nowMs)).toBe("now");
  expect([showAgo(null, nowMs), showAgo("no time", nowMs)]).toEqual(["–", "no time"]);
  expect(showTime("2026-01-02T09:00:00.000Z", nowMs)).toBe("09:00:00 UTC");
  expect(showTime("2026-01-01T09:00:00.000Z", nowMs)).toBe("2026-01-01 09:00:00 UTC");
});

test("numbers, rates and values stay short", () => {
  expect([showCount(1_234_567), showCount(null)]).toEqual(["1\u202f234\u202f567", "–"]);
  expect([0, 0.01, 0.44, 12.3, null].map(showRate)).toEqual(["0/s", "< 0.1/s", "0.4/s", "12/s", "–"]);
  expect(showValue({ a: 1 })).toBe('{\n  "a": 1\n}');
  expect(showValue("x".repeat(50), 10)).toBe("xxxxxxxxxx… (50 characters)");
});

test("a search fills the fields of the API, and says which part counts for nothing", () => {
  expect(readSearch("cap:pay state:failed error:timeout label:a=b label:c=d since:1h 01J")).toEqual({
    fields: {
      ...{ capability: "pay", state: "failed", code: "timeout", since: "1h", idPrefix: "01J" },
      label: ["a=b", "c=d"],
    },
    problem: null,
  });
  const { fields, problem } = readSearch("colour:red agent: agent:a agent:b");
  expect(fields).toEqual({ agent: "a" });
  expect(problem).toMatch(/colour is no word.*agent: needs a value; agent is given twice/);
  expect(readSearch("  ")).toEqual({ fields: {}, problem: null });
});

test("an address survives the way through a link, whatever its id and its search are", () => {
  for (const id of ["a/b", "50%", "<script>", "ä ö"]) {
    const search = { q: `label:x=${id} state:failed` };
    expect(readAddress(linkTo("task", id, search))).toEqual({ view: "task", id, search });
  }
  expect(readAddress("")).toEqual({ view: "problems", id: "", search: {} });
  expect(readAddress("#/task/%zz").id).toBe("%zz");
  expect(linkTo("tasks", "", { q: "" })).toBe("#/tasks");
});

test("rates and the end of a backlog come from moments of half a minute", () => {
  const at = (seconds: number, waiting: number): Moment => ({
    ...{ atMs: seconds * 1_000, arrived: seconds * 10, ended: seconds * 12, dead: 0 },
    waiting: { pay: waiting, echo: 0 },
  });
  const moments = [0, 10, 20, 50].reduce<Moment[]>(
    (all, seconds) => addMoment(all, at(seconds, 200 - 2 * seconds)),
    [],
  );
  expect(moments.map(({ atMs }) => atMs)).toEqual([20_000, 50_000]);
  expect(ratesOf(moments)).toEqual({ arriving: 10, ending: 12, dead: 0, overMs: 30_000 });
  expect(growthOf(moments, "pay")).toBe(-2);
  expect(backlogMs(moments)).toBe(50_000);
  expect(backlogMs(moments, "echo")).toBeNull(); // nothing waits
  expect(ratesOf([at(1, 1)])).toBeNull();
  expect(backlogMs([at(0, 1), at(5, 9)])).toBeNull(); // it grows
});

test("the time line of a task has its waits, attempts and hand-offs in their order", () => {
  const task = {
    ...{
      taskId: "t",
      capability: "pay",
      state: "retrying",
      attempt: 2,
      progress: null,
      agent: null,
      dueAt: null,
    },
    queuedMs: 2_000,
    handOffs: [{ agent: "b", attempt: 2, at: "2026-01-01T00:00:20.000Z" }],
    history: {
      ...{ droppedAttempts: 0, droppedTraces: 0 },
      attempts: [
        {
          ...{ attempt: 1, agent: "a", outcome: "failed", startedAt: "2026-01-01T00:00:02.000Z" },
          ...{ endedAt: "2026-01-01T00:00:03.000Z", retryAt: "2026-01-01T00:00:13.000Z" },
          error: { code: "timeout", message: "too slow" },
        },
        { attempt: 2, agent: "b", outcome: "running", startedAt: "2026-01-01T00:00:14.000Z" },
      ],
    },
  } satisfies Task;
  expect(linesOf(task).map(({ what, state }) => `${what} ${state}`)).toEqual([
    "wait in the queue pending",
    "attempt 1 on a failed",
    "wait for the next try retrying",
    "attempt 2 on b running",
    "hand-off by b in attempt 2 handed-off",
  ]);
});

test("the steps of a run are a tree of maps, items and steps", () => {
  const step = (path: string): RunStep => ({
    ...{ path, kind: "step", state: "open", orderedAt: "2026-01-01T00:00:00.000Z" },
  });
  const tree = makeTree([step("load"), step("files/0/check"), step("files/1/check"), step("files/0/fix")]);
  const show = (nodes: readonly Node[]): unknown =>
    nodes.map(({ name, step: own, children }) => [name, own !== undefined, show(children)]);
  expect(show(tree)).toEqual([
    ["load", true, []],
    [
      ...["files", false],
      [
        [
          "0",
          false,
          [
            ["check", true, []],
            ["fix", true, []],
          ],
        ],
        ["1", false, [["check", true, []]]],
      ],
    ],
  ]);
});

test("a list of 100,000 rows draws the rows in sight and a few around them", () => {
  expect(visibleRange(0, 600, 100_000)).toEqual({ from: 0, to: 21 });
  expect(visibleRange(2_000_000, 600, 100_000)).toEqual({ from: 49_994, to: 50_021 });
  expect(visibleRange(4_000_000, 600, 3)).toEqual({ from: 2, to: 3 });
  expect(visibleRange(0, 600, 0)).toEqual({ from: 0, to: 0 });
});

test("agents that failed or wait come first, and every word of a filter counts", () => {
  const agent = (id: string, more: Partial<Agent> = {}): Agent => ({
    ...{ id, role: "pay", capabilities: ["pay"], state: "idle", waiting: null, slots: { used: 0, total: 1 } },
    ...{ loop: 1, host: "h", pid: 1, since: "2026-01-01T00:00:00.000Z", version: "1", ...more },
  });
  const agents = [
    agent("c"),
    agent("b", { state: "waiting", waiting: "model" }),
    agent("a", { state: "failed" }),
  ];
  expect(selectAgents(agents, "").map(({ id }) => id)).toEqual(["a", "b", "c"]);
  expect(selectAgents(agents, "PAY model").map(({ id }) => id)).toEqual(["b"]);
});
