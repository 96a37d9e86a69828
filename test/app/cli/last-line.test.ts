import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { createLastLine, LastLine } from "../../../src/app/cli/last-line.ts";
import { createLogger } from "../../../src/base/index.ts";

/** A process whose `exit` reports its code to listeners, as Node's does. */
function setup(isQuoted = false) {
  const lines: { level: number; msg: string }[] = [];
  const log = createLogger({
    name: "murmur",
    stream: { write: (line) => void lines.push(JSON.parse(line)) },
  });
  const codes: number[] = [];
  class Fake extends EventEmitter {
    exit(code: number): void {
      codes.push(code);
      this.emit("exit", code);
    }
  }
  const process = new Fake();
  const lastLine = new LastLine(process, { isQuoted });
  lastLine.begin(log);
  return { process, lastLine, lines, codes };
}

const FATAL = 60;
const INFO = 30;

test("a process that is told to stop says so once, and its exit adds no line", () => {
  const { process, lastLine, lines } = setup();
  lastLine.tellStop("stopped by SIGTERM");
  process.exit(0);
  expect(lines).toMatchObject([{ level: INFO, msg: "the process ends: stopped by SIGTERM" }]);
});

test("a failure is one fatal line with code and exit code", () => {
  const { process, lastLine, lines } = setup();
  lastLine.tellFailure({ code: "conflict", message: "the port is taken", field: "port" }, 1);
  process.exit(1);
  expect(lines).toMatchObject([
    {
      level: FATAL,
      msg: "the process ends: the port is taken",
      code: "conflict",
      field: "port",
      exitCode: 1,
    },
  ]);
});

test.each(["uncaughtException", "unhandledRejection"])("%s ends the process with exit code 1", (event) => {
  const { process, lines, codes } = setup();
  process.emit(event, new Error("boom"));
  expect(codes).toEqual([1]);
  expect(lines).toMatchObject([{ level: FATAL, err: { message: "boom" } }]);
});

test.each([
  [7, /code in it called process\.exit\(7\)$/],
  [143, /second signal/],
  [13, /waited for something that cannot happen/],
])("exit code %i without a line before gets its reason", (code, reason) => {
  const { process, lines } = setup();
  process.exit(code);
  expect(lines).toMatchObject([{ level: FATAL, msg: expect.stringMatching(reason), exitCode: code }]);
});

test("a failure that the command line tells is no log line, but a bug is", () => {
  const failed = setup(true);
  failed.lastLine.tellFailure({ code: "conflict", message: "the port is taken" }, 1);
  failed.process.exit(1);
  expect(failed.lines).toEqual([]);
  const bug = setup(true);
  bug.process.emit("uncaughtException", new Error("boom"));
  expect(bug.lines).toMatchObject([{ level: FATAL }]);
});

test.each([
  [{}, false, false, false],
  [{ MURMUR_LOG_FORMAT: "json" }, true, false, false],
  [{}, true, false, true],
  [{ MURMUR_SUPERVISED: "1" }, false, false, true],
  [{}, false, true, true],
])(
  "with %j, a terminal %j and --json %j the command line tells a failure: %j",
  (env, isTTY, json, isQuoted) => {
    const process = Object.assign(new EventEmitter(), { env, stderr: { isTTY }, exit: () => undefined });
    expect(createLastLine(process, { json }).isQuoted).toBe(isQuoted);
  },
);
