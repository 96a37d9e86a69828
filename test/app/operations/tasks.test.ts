import { expect, test } from "vitest";
import { encode } from "../../../src/protocol/index.ts";
import { MAX_LOOKED_AT } from "../../../src/work/index.ts";
import { setup, setupMixed } from "./many-tasks.ts";

test.each([
  [{}, ["w2", "w1", "later1", "fail2", "fail1", "done2", "done1"]],
  [{ capability: "other" }, ["w2"]],
  [{ state: "failed" }, ["fail2", "fail1"]],
  [{ code: "timeout" }, ["fail1"]],
  [{ agent: "a-2" }, ["done1"]],
  [{ idPrefix: "w" }, ["w2", "w1"]],
  [{ since: "1h" }, ["w2", "w1", "later1", "fail2", "fail1", "done2", "done1"]],
  [{ since: "2100-01-01T00:00:00Z" }, []],
  [{ scope: "night" }, ["w2", "fail1"]],
  [{ scope: "-" }, ["w1", "later1", "fail2", "done1"]],
  [{ label: ["team=a"] }, ["w2", "w1", "fail1"]],
  [{ label: ["team=a", "kind=x"] }, ["w1"]],
  [{ label: ["team=a"], state: "pending", capability: "other" }, ["w2"]],
])("a list by %o has these tasks, and counts every other entry", async (filter, expected) => {
  const { ids } = await setupMixed();
  expect(await ids(filter)).toEqual(expected);
});

test("ended tasks whose labels or scope are not stored are counted as not judged", async () => {
  const { ls } = await setupMixed();
  const reason = expect.stringContaining("could not be judged");
  expect((await ls({ scope: "night" })).hidden).toEqual([
    { why: "filter", count: 4, reason: "do not match the filter" },
    { why: "unknown", count: 1, reason },
  ]);
  expect((await ls({ label: ["team=a"], state: "completed" })).hidden).toEqual([
    { why: "filter", count: 2, reason: expect.any(String) },
    { why: "unknown", count: 2, reason },
  ]);
});

test("an ended task whose result cannot be read is counted, and the list has the others", async () => {
  const { transport, end, ls } = await setup();
  await end("a");
  await transport.log("results").append("murmur.result.echo.-.broken", encode({ status: "odd" }));
  expect(await ls()).toMatchObject({
    tasks: [{ taskId: "a" }],
    hidden: [{ why: "unreadable", count: 1 }],
  });
});

test("pages follow each other without a gap or a repeat, through all places of tasks", async () => {
  const { ls, ids } = await setupMixed();
  const whole = await ids({});
  const paged: string[] = [];
  let after: string | null | undefined;
  let pages = 0;
  do {
    const page = await ls({ limit: 2, ...(after === undefined ? {} : { after }) });
    paged.push(...page.tasks.map(({ taskId }) => taskId));
    after = page.next;
    pages++;
  } while (after !== null);
  expect(paged).toEqual(whole);
  expect(pages).toBe(4);
});

test("a task that was submitted between two pages moves no other task from a page to the next", async () => {
  const { tasks, ls } = await setupMixed();
  const { next } = await ls({ limit: 1 });
  await tasks.submit({ capability: "echo", id: "w3" });
  expect((await ls({ limit: 1, after: next })).tasks).toMatchObject([{ taskId: "w1" }]);
});

test("a page ends after its bound of entries, and the next page finds the rest", async () => {
  const { transport, subjects, end, ls } = await setup();
  await end("oldest");
  for (let index = 0; index < MAX_LOOKED_AT; index++) {
    await transport.log("results").append(subjects.result("other", "-", `r${index}`), encode({}));
  }
  const first = await ls({ idPrefix: "old" });
  expect(first).toMatchObject({ tasks: [], seen: MAX_LOOKED_AT, next: "ended.2" });
  expect(await ls({ idPrefix: "old", after: first.next })).toMatchObject({
    ...{ tasks: [{ taskId: "oldest" }], seen: 1, next: null, hidden: [] },
  });
});

test.each(["", "nosuch.1", "live", "live.x", "ended.1.2"])("the cursor %j is refused", async (after) => {
  const { ls } = await setup();
  await expect(ls({ after })).rejects.toMatchObject({ code: "invalid_input", field: "after" });
});
