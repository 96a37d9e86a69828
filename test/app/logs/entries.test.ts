import { expect, test } from "vitest";
import { type LogEntry, mergeByTime, passes, readHead, toJsonLines } from "../../../src/app/logs/entries.ts";

const entry = (line: string, more: Partial<LogEntry> = {}): LogEntry => ({
  name: "echo-1",
  timeMs: 1_000,
  level: "info",
  lines: [line],
  ...more,
});

test.each([
  ['{"level":40,"time":5,"msg":"x"}', { timeMs: 5, level: "warn" }],
  ['{"level":"?","time":5}', { timeMs: 5, level: "info" }],
  [
    "[47] 2026/11/30 05:00:01.123456 [ERR] no route",
    { timeMs: new Date(2026, 10, 30, 5, 0, 1, 123).getTime(), level: "error" },
  ],
  ["    at run (agent.ts:3:1)", null],
  ['{"time":"noon"}', null],
  ['{"level":30,', null],
])("the head of %j", (line, head) => {
  expect(readHead(line)).toEqual(head);
});

test("a level takes itself and the more severe ones", () => {
  expect(
    ["debug", "info", "warn", "error"].map((level) =>
      passes({ level: "warn" }, entry("", { level: level as "info" })),
    ),
  ).toEqual([false, false, true, true]);
});

test("a task is found in a field, in the text and in the lines behind it, and not as a part of another word", () => {
  const filter = { task: "t1" };
  expect(passes(filter, entry('{"time":1,"task":"t1","msg":"x"}'))).toBe(true);
  expect(passes(filter, entry('{"time":1,"msg":"task t1 failed"}'))).toBe(true);
  expect(passes(filter, entry("x", { lines: ["x", "  of t1"] }))).toBe(true);
  expect(passes(filter, entry('{"time":1,"task":"t12","msg":"t12"}'))).toBe(false);
});

test("entries of several logs are merged by time, and entries of one time keep their order", () => {
  const merged = mergeByTime([
    entry("b", { timeMs: 2 }),
    entry("c", { timeMs: 2 }),
    entry("a", { timeMs: 1 }),
  ]);
  expect(merged.map(({ lines }) => lines[0])).toEqual(["a", "b", "c"]);
});

test("raw lines are JSON: an object stays as it is, other text is wrapped", () => {
  const raw = '{"level":30,"time":1,"msg":"x"}';
  expect(toJsonLines(entry(raw, { lines: [raw, "  at run"] }))).toEqual([
    raw,
    '{"level":30,"time":1000,"process":"echo-1","msg":"  at run"}',
  ]);
});
