import { matchesGlob as nodeMatches } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compileGlob, expandBraces, matchesGlob } from "../../../../workflows/review/patterns/index.ts";
import { scaled } from "../../../support/scale.ts";

const matches = (pattern: string, path: string) => {
  const glob = compileGlob(pattern);
  return glob !== null && matchesGlob(glob, path);
};

test("a pattern matches the same paths as Node's own matcher", () => {
  // Without braces, dots, backslashes and `!`, which Node reads in other ways. A small alphabet makes matches likely.
  const piece = fc.constantFrom("a", "b", "*", "?", "[ab]", "[!a]", "x");
  const part = fc.oneof(
    { weight: 4, arbitrary: fc.array(piece, { minLength: 1, maxLength: 4 }).map((all) => all.join("")) },
    { weight: 1, arbitrary: fc.constant("**") },
  );
  const pattern = fc.array(part, { minLength: 1, maxLength: 4 }).map((all) => all.join("/"));
  const name = fc.array(fc.constantFrom("a", "b", "x"), { minLength: 1, maxLength: 4 });
  const path = fc
    .array(name, { minLength: 1, maxLength: 4 })
    .map((all) => all.map((each) => each.join("")).join("/"));
  let matched = 0;
  fc.assert(
    fc.property(pattern, path, (glob, file) => {
      // Two stars in a longer part mean one star here and in git; Node agrees, but not with `***`.
      fc.pre(!/\*{3}/.test(glob) && !/(?:^|\/)\*\*\/\*\*(?:\/|$)/.test(glob));
      // In git, `a/**` does not match the folder `a` itself; Node says that it does.
      fc.pre(!glob.endsWith("/**") || !nodeMatches(file, glob.slice(0, -3)));
      if (matches(glob, file)) matched++;
      expect(matches(glob, file)).toBe(nodeMatches(file, glob));
    }),
    { numRuns: scaled(2_000, 50_000) },
  );
  expect(matched).toBeGreaterThan(50);
});

test("a hostile pattern takes no longer than another one", () => {
  const startedMs = performance.now();
  expect(matches(`${"*a".repeat(200)}b`, "a".repeat(1_000))).toBe(false);
  expect(matches(`${"**/a/".repeat(80)}b`, "a/".repeat(500))).toBe(false);
  expect(expandBraces("{a,b}".repeat(100))).toHaveLength(64);
  expect(expandBraces(`{a,b}${"{".repeat(500)}`).length).toBeLessThan(3);
  // A regular expression made of the first pattern would run for hours.
  expect(performance.now() - startedMs).toBeLessThan(2_000);
});

test.each([
  ["a.{ts,tsx}", ["a.ts", "a.tsx"]],
  ["{a,b}/{c,d}", ["a/c", "a/d", "b/c", "b/d"]],
  ["{a,{b,c}}", ["a", "b", "c"]],
  ["{a}", ["{a}"]],
  ["{a,b", ["{a,b"]],
  ["\\{a,b}", ["\\{a,b}"]],
])("the braces of %s expand to %j", (pattern, all) => {
  expect(expandBraces(pattern)).toEqual(all);
});
