import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ProcessOutput } from "../../../src/app/supervisor/output.ts";

function setup(writesOwnLog = false) {
  const logs = mkdtempSync(join(tmpdir(), "murmur-output-"));
  onTestFinished(() => rmSync(logs, { recursive: true, force: true }));
  return { logs, output: new ProcessOutput({ logs, name: "p-1", writesOwnLog }) };
}

test("the message of the program is its last one, with all of its lines", () => {
  const { output } = setup();
  for (const line of ["murmur: an earlier one", "{}", "murmur: a fault", "  1 | code", "    | ^"]) {
    output.write(line);
  }
  expect(output.message()).toBe("a fault\n  1 | code\n    | ^");
});

test("a run without a message has none, and its excerpt has the last eight lines", () => {
  const { output } = setup();
  for (let line = 1; line <= 20; line++) output.write(`line ${line}`);
  expect(output.message()).toBeUndefined();
  expect(output.excerpt().split("\n")).toEqual(
    [13, 14, 15, 16, 17, 18, 19, 20].map((line) => `  line ${line}`),
  );
});

test("lines of an earlier run are neither in the message nor in the excerpt, but stay in the log file", () => {
  const { logs, output } = setup();
  output.write("murmur: of the earlier run");
  output.beginRun();
  output.write("of this run");
  expect(output.message()).toBeUndefined();
  expect(output.excerpt()).toBe("  of this run");
  expect(readFileSync(join(logs, "p-1.log"), "utf8")).toBe("murmur: of the earlier run\nof this run\n");
});

test("a process that writes a log of its own is quoted from it, without the lines of earlier runs", () => {
  const { logs, output } = setup(true);
  writeFileSync(join(logs, "p-1.log"), "of the earlier run\n");
  output.beginRun();
  output.write("before it opened its log");
  writeFileSync(join(logs, "p-1.log"), "of the earlier run\nof this run\n");
  expect(output.excerpt()).toBe("  before it opened its log\n  of this run");
});

test("the memory for lines is bounded in lines and in their length", () => {
  const { output } = setup();
  output.write("murmur: begin");
  for (let line = 0; line < 100; line++) output.write("x".repeat(10_000));
  expect(output.message()).toBeUndefined();
  expect(output.excerpt().length).toBeLessThan(8 * 510);
});
