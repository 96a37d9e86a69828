import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { hasAnalysers } from "../../../agents/lib/review/index.ts";
import { JsxNames, namesJsxFactory } from "../../../agents/lib/review/linters/jsx.ts";
import { unusedNames } from "../../../agents/lib/review/linters/unused.ts";
import { parseText } from "../../../agents/lib/review/syntax.ts";

const made: string[] = [];
afterEach(async () => {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true });
});

/** The names that the compiler uses in `src/a.jsx` with the given text, beside the given configurations. */
async function namesOf(
  text: string,
  configurations: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), "review-jsx-"));
  made.push(directory);
  for (const [file, content] of Object.entries(configurations)) {
    await mkdir(dirname(join(directory, file)), { recursive: true });
    await writeFile(join(directory, file), content);
  }
  const source = await parseText("src/a.jsx", text);
  if (source === null) throw new Error("the text of this test does not parse");
  return [...(await new JsxNames(directory).of(source))].sort();
}

const PREACT = 'import { h, Fragment, render } from "preact";\nrender(<b/>);\n';

describe.skipIf(!hasAnalysers())("the factory of JSX is a use of its name", () => {
  test.each([
    ["a pragma", "/** @jsx jsx */ <b/>", {}, ["jsx"]],
    ["two pragmas", "/* @jsx a.h\n * @jsxFrag Frag */ <><b/></>", {}, ["Frag", "a"]],
    ["a pragma without JSX", "/** @jsx h */ f();", {}, []],
    ["no factory", "<b/>", {}, []],
    [
      "TypeScript",
      "<b/>",
      { "tsconfig.json": '{ "compilerOptions": { "jsxFactory": "h", "jsxFragmentFactory": "Frag" } }' },
      ["Frag", "h"],
    ],
    [
      "Babel",
      "<b/>",
      { "src/.babelrc": '{ "plugins": [["@babel/plugin-transform-react-jsx", { "pragma": "m" }]] }' },
      ["m"],
    ],
    [
      "Vite",
      "<b/>",
      { "vite.config.ts": "export default { esbuild: { jsxFactory: 'h', jsxFragment: `F` } };" },
      ["F", "h"],
    ],
    [
      "a script of esbuild",
      "<b/>",
      { "package.json": '{ "scripts": { "build": "esbuild --jsx-factory=h a.jsx" } }' },
      ["h"],
    ],
    ["a configuration in another folder", "<b/>", { "other/tsconfig.json": '{ "jsxFactory": "h" }' }, []],
    ["a package with a factory of its own", PREACT, {}, ["Fragment", "h"]],
    ["a comment with the automatic runtime", `/** @jsxImportSource preact */ ${PREACT}`, {}, []],
    [
      "a compiler that imports the factory itself",
      PREACT,
      { "tsconfig.json": '{ "compilerOptions": { "jsx": "react-jsx" } }' },
      [],
    ],
  ])("%s", async (_, text, configurations, expected) => {
    expect(await namesOf(text, configurations as Record<string, string>)).toEqual(expected);
  });
});

test("a report tells the names that are unused, also where a linter underlines an import", () => {
  const lines = ["import {", "  h as k,", "  useMemo,", '} from "preact";', "useMemo();"];
  const region = { start: { line: 2, column: 3 }, end: { line: 3, column: 10 } };
  const names = (message: string, at?: typeof region) => unusedNames({ line: 1, message, region: at }, lines);
  expect(names("'a' is defined but never used.")).toEqual(["a"]);
  expect(names("This variable $b is unused.")).toEqual(["$b"]);
  expect(names("These imports are unused.", region)).toEqual(["k", "useMemo"]);
  expect(names("Several of these imports are unused.", region)).toEqual(["k"]);
  expect(names("This import is unused.")).toEqual([]);
});

test("a change of a file that names the factory is a change of the linters' configuration", () => {
  expect(["a/vite.config.mts", ".babelrc", "src/a.ts"].map(namesJsxFactory)).toEqual([true, true, false]);
});
