import { expect, test } from "vitest";
import { isIgnored, parseIgnore } from "../../../workflows/review/ignore.ts";

test.each([
  ["*.log", "deep/x.log", true],
  ["/x", "x", true],
  ["/x", "deep/x", false],
  ["a/b", "a/b", true],
  ["a/b", "c/a/b", false],
  ["**/b", "a/c/b", true],
  ["a/**", "a/c/b", true],
  ["?.ts", "ab.ts", false],
  ["# x", "# x", false],
  ["a+b", "aab", false],
])("the pattern %s ignores the path %s: %s", (pattern, path, ignored) => {
  expect(isIgnored(parseIgnore(pattern, ""), path, false)).toBe(ignored);
});
