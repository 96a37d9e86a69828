import { expect, test } from "vitest";
import { LastLines } from "../../../src/app/supervisor/last-lines.ts";

test("the message of the program is its last one, with all of its lines", () => {
  const lines = new LastLines();
  for (const line of ["murmur: an earlier one", "{}", "murmur: a fault", "  1 | code", "    | ^"])
    lines.push(line);
  expect(lines.message()).toBe("a fault\n  1 | code\n    | ^");
});

test("a run without a message has none, and its excerpt has the last eight lines", () => {
  const lines = new LastLines();
  for (let line = 1; line <= 20; line++) lines.push(`line ${line}`);
  expect(lines.message()).toBeUndefined();
  expect(lines.excerpt().split("\n")).toEqual(
    [13, 14, 15, 16, 17, 18, 19, 20].map((line) => `  line ${line}`),
  );
});

test("lines of an earlier run are neither in the message nor in the excerpt", () => {
  const lines = new LastLines();
  lines.push("murmur: of the earlier run");
  lines.clear();
  lines.push("of this run");
  expect(lines.message()).toBeUndefined();
  expect(lines.excerpt()).toBe("  of this run");
});

test("the memory for lines is bounded in lines and in their length", () => {
  const lines = new LastLines();
  lines.push("murmur: begin");
  for (let line = 0; line < 1_000; line++) lines.push("x".repeat(10_000));
  expect(lines.message()).toBeUndefined();
  expect(lines.excerpt().length).toBeLessThan(8 * 510);
});
