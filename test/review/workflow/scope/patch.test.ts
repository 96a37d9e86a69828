import fc from "fast-check";
import { expect, test } from "vitest";
import { readPatch } from "../../../../workflows/review/scope/index.ts";
import { scaled } from "../../../support/scale.ts";

/** Writes hunks as git does with --unified=0, with lines that look like parts of a patch. */
function write(path: string, hunks: readonly { from: number; removed: string[]; added: string[] }[]): string {
  const heads = [`diff --git a/${path} b/${path}`, "index 1..2 100644", `--- a/${path}`, `+++ b/${path}`];
  const bodies = hunks.flatMap(({ from, removed, added }) => [
    `@@ -1${removed.length === 1 ? "" : `,${removed.length}`} +${from}${added.length === 1 ? "" : `,${added.length}`} @@ diff --git`,
    ...removed.map((line) => `-${line}`),
    ...added.map((line) => `+${line}`),
    "\\ No newline at end of file",
  ]);
  return `${[...heads, ...bodies].join("\n")}\n`;
}

test("the changed lines of a patch are those of its hunks, whatever the lines say", () => {
  const line = fc.constantFrom("x", "++ b/other.ts", "-- a/x", "@@ -1 +9 @@", "diff --git a/x b/x", "");
  const hunk = fc
    .record({ gap: fc.integer({ min: 1, max: 9 }), removed: fc.array(line), added: fc.array(line) })
    .filter(({ removed, added }) => removed.length + added.length > 0);
  const name = fc.constantFrom("a.ts", "deep/b.ts", "with blank.ts");
  const files = fc.uniqueArray(fc.tuple(name, fc.array(hunk, { minLength: 1 })), {
    selector: ([path]) => path,
  });
  fc.assert(
    fc.property(files, (all) => {
      const expected = new Map<string, [number, number][]>();
      const patch = all.map(([path, gaps]) => {
        let at = 0;
        const hunks = gaps.map(({ gap, removed, added }) => {
          const from = at + gap;
          at = from + added.length;
          return { from, removed, added };
        });
        const ranges = hunks.filter(({ added }) => added.length > 0);
        expected.set(
          path,
          ranges.map(({ from, added }) => [from, from + added.length - 1]),
        );
        return write(path, hunks);
      });
      expect(readPatch(patch.join(""))).toEqual(expected);
    }),
    { numRuns: scaled(200, 5_000) },
  );
});

test("quoted names, removed files and binary files are read", () => {
  const patch = [
    'diff --git "a/\\303\\244 \\"x\\".ts" "b/\\303\\244 \\"x\\".ts"',
    '--- "a/\\303\\244 \\"x\\".ts"',
    '+++ "b/\\303\\244 \\"x\\".ts"\t',
    "@@ -0,0 +1,2 @@",
    "+a",
    "+b",
    "diff --git a/gone.ts b/gone.ts",
    "--- a/gone.ts",
    "+++ /dev/null",
    "@@ -1 +0,0 @@",
    "-a",
    "diff --git a/x.png b/x.png",
    "Binary files a/x.png and b/x.png differ",
  ].join("\n");
  expect([...readPatch(patch)]).toEqual([['ä "x".ts', [[1, 2]]]]);
});
