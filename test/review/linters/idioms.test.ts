import { expect, test } from "vitest";
import { isIdiom } from "../../../agents/lib/review/linters/idioms.ts";

/** True when a report of `kind` at a line of the text means something that the rule does not know. */
function isMeant(kind: string, text: string, line = 1): boolean {
  const lines = text.split("\n");
  return isIdiom({ kind, file: "src/a.js", text, source: lines[line - 1] ?? "", lines, line });
}

test.each([
  ['error = new TypeError("cannot read: " + error.message);'],
  ["e = e instanceof Error ? e : new Error(e);"],
  ["e = e || window.event;"],
  ["err = new Failure(\n  'no answer',\n  { cause: err },\n);"],
  ["if (!ex.code) ex = wrap(ex);"],
  ["error ??= wrap(error);"],
])("a caught error that is wrapped is no lost error: %j", (text) => {
  expect(isMeant("caught-error-assignment", text)).toBe(true);
});

test.each([
  ["error = 10;"],
  ["e = null;\nthrow e;"],
  ["err = new Error('failed');"],
  ["err = new Error('failed', {\n  err: 1,\n});"],
  ["error = other.error;"],
  ["error = new Error('failed')\n\nthrow error"],
])("a caught error that is thrown away stays a finding: %j", (text) => {
  expect(isMeant("caught-error-assignment", text)).toBe(false);
});

test("a long line of a stranger takes linear time", () => {
  const startedMs = performance.now();
  isMeant("caught-error-assignment", `${"e=".repeat(50_000)}`);
  isMeant("caught-error-assignment", `e = ${"(".repeat(100_000)}`);
  expect(performance.now() - startedMs).toBeLessThan(1_000);
});
