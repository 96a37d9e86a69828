import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { tailFrom } from "../../../src/app/supervisor/log-file.ts";

function setup(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), "murmur-log-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "nats-1.log");
  writeFileSync(file, text);
  return file;
}

test("the tail of a log begins where the current run began", () => {
  expect(tailFrom(setup("old\nnew 1\nnew 2\n"), 4)).toEqual(["new 1", "new 2"]);
});

test("a log that was rotated since is read from its begin, and a missing log has no lines", () => {
  expect(tailFrom(setup("new\n"), 1_000)).toEqual(["new"]);
  expect(tailFrom("/nonexistent/nats-1.log", 0)).toEqual([]);
});

test("of a large log only the end is read", () => {
  const lines = tailFrom(setup(`${"x".repeat(99)}\n`.repeat(10_000)), 0);
  expect(lines.length).toBeLessThan(200);
  expect(lines.at(-1)).toBe("x".repeat(99));
});
