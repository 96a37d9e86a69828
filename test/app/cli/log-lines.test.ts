import { expect, test } from "vitest";
import { showLogLine } from "../../../src/app/cli/log-lines.ts";
import { createTerminal } from "../../../src/app/cli/terminal.ts";

const { colors } = createTerminal({ quiet: true, stream: process.stdout, environment: { NO_COLOR: "1" } });

test("a stack follows below its log line, one line each", () => {
  const entry = {
    level: 40,
    time: 0,
    msg: "attempt failed",
    taskId: "t1",
    stack: "Error: kaboom\n    at run",
  };
  const shown = showLogLine(JSON.stringify(entry), "echo-1", colors);
  expect(shown.split("\n")).toEqual([
    "00:00:00.000 warn  echo-1  attempt failed taskId=t1",
    "    Error: kaboom",
    "        at run",
  ]);
});

test("control characters of a log line reach no terminal", () => {
  const entry = { level: 30, time: 0, msg: "a\u0007b", stack: "c\n\u001b]0;title" };
  const shown = showLogLine(JSON.stringify(entry), "echo-1", colors);
  for (const control of ["\u0007", "\u001b"]) expect(shown).not.toContain(control);
});
