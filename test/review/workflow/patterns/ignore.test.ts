import { expect, test } from "vitest";
import {
  IgnoreList,
  isIgnored,
  parseIgnore,
  parsePatterns,
} from "../../../../workflows/review/patterns/index.ts";

test.each([
  ["*.log", "deep/x.log", true],
  ["/x", "x", true],
  ["/x", "deep/x", false],
  ["a/b", "a/b", true],
  ["a/b", "c/a/b", false],
  ["**/b", "a/c/b", true],
  ["a/**", "a/c/b", true],
  ["a/**", "a", false],
  ["?.ts", "ab.ts", false],
  ["# x", "# x", false],
  ["\\# x", "# x", true],
  ["\\!x", "!x", true],
  ["a+b", "aab", false],
  ["[a-c].ts", "b.ts", true],
  ["[!a-c].ts", "b.ts", false],
  ["a\\*b", "a*b", true],
  ["a\\*b", "axb", false],
  ["x   ", "x", true],
  ["[", "[", true],
  [".env*", "deep/.env.local", true],
])("the pattern %s ignores the path %s: %s", (pattern, path, ignored) => {
  expect(isIgnored(parseIgnore(pattern, ""), path, false)).toBe(ignored);
});

test("a list in a folder matches below that folder only, even when its name has characters of patterns", () => {
  const rules = parseIgnore("*.ts\n/b.js\n", "x[1]");
  expect(isIgnored(rules, "x[1]/deep/a.ts", false)).toBe(true);
  expect(isIgnored(rules, "x[1]/b.js", false)).toBe(true);
  expect(isIgnored(rules, "x1/a.ts", false)).toBe(false);
  expect(isIgnored(rules, "a.ts", false)).toBe(false);
});

test("a file in an ignored folder stays ignored, and a later line cancels an earlier one", () => {
  const list = new IgnoreList(parseIgnore("old/\n!old/keep.ts\n*.gen.ts\n!src/a.gen.ts\n", ""));
  expect(["old/keep.ts", "b.gen.ts", "src/a.gen.ts", "old"].map((file) => list.ignores(file))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test("a configuration's patterns know braces and ./", () => {
  const list = new IgnoreList(parsePatterns(["./src/*.{gen,pb}.ts", "legacy/"]));
  const files = ["src/a.gen.ts", "src/a.pb.ts", "src/a.ts", "deep/src/a.gen.ts", "legacy/x/y.js"];
  expect(files.map((file) => list.ignores(file))).toEqual([true, true, false, false, true]);
});
