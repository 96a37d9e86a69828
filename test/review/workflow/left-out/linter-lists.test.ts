import { expect, test } from "vitest";
import { readLinterList } from "../../../../workflows/review/left-out/index.ts";
import { IgnoreList } from "../../../../workflows/review/patterns/index.ts";

const ignored = (path: string, text: string, files: string[]) => {
  const list = new IgnoreList(readLinterList(path, text)?.rules ?? []);
  return files.filter((file) => list.ignores(file));
};

test.each([
  [".eslintignore", "# ours\nold/\n!old2\n*.gen.js\n", ["old/a.js", "x/b.gen.js"]],
  [
    "package.json",
    '{"eslintIgnore":["old"],"eslintConfig":{"ignorePatterns":"*.gen.js"}}',
    ["old/a.js", "x/b.gen.js"],
  ],
  [
    ".oxlintrc.json",
    '{ // comment\n "ignorePatterns": ["old/**", "**/*.gen.js",], }',
    ["old/a.js", "x/b.gen.js"],
  ],
  [".eslintrc.json", '{"ignorePatterns":["/old"]}', ["old/a.js"]],
  ["biome.json", '{"files":{"includes":["**","!old","!!**/*.gen.js"]}}', ["old/a.js", "x/b.gen.js"]],
  ["biome.jsonc", '{"files":{"ignore":["old/**"]},"linter":{"ignore":["./x"]}}', ["old/a.js", "x/b.gen.js"]],
  ["biome.json", '{"files":{"includes":["src/**"]}}', []],
  ["biome.json", "not json", []],
  ["package.json", "null", []],
])("%s with %j names the files that its linter ignores", (path, text, expected) => {
  expect(ignored(path, text, ["old/a.js", "x/b.gen.js", "src/a.js"])).toEqual(expected);
});

test("a list counts from its own folder", () => {
  expect(ignored("pkg/biome.json", '{"files":{"includes":["!old"]}}', ["old/a.js", "pkg/old/a.js"])).toEqual([
    "pkg/old/a.js",
  ]);
});
