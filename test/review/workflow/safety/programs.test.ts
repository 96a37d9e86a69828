import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const ROOT = new URL("../../../../", import.meta.url).pathname;
/** The code of a review. The texts of the pages are examples of code, and run nowhere. */
const FILES = globSync(
  ["workflows/review/**/*.ts", "agents/lib/review/**/*.{ts,js}", "agents/review-*/*.ts"],
  {
    cwd: ROOT,
    exclude: ["**/node_modules", "agents/lib/review/pages/texts"],
  },
);
const filesWith = (pattern: RegExp) =>
  FILES.filter((file) => {
    const lines = readFileSync(`${ROOT}${file}`, "utf8").split("\n");
    return lines.some((line) => !/^\s*(?:\/\/|\/?\*)/.test(line) && pattern.test(line));
  }).sort();

test("a review starts programs at known places only: its guarded git, the trial of its sandbox, and the toolbox of the analysers", () => {
  const processes =
    /(?:from|require\(|import\()\s*["'](?:node:)?(?:child_process|cluster|worker_threads)["']/;
  expect(filesWith(processes)).toEqual([
    "workflows/review/safety/git.ts",
    "workflows/review/safety/sandbox.ts",
  ]);
  // `exec` of an agent's context takes an object.
  expect(filesWith(/\bexec\(\{/)).toEqual(["agents/lib/review/sandbox.ts", "agents/lib/review/toolbox.ts"]);
});
