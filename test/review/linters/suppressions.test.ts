import { describe, expect, test } from "vitest";
import { readSuppressions } from "../../../agents/lib/review/linters/suppressions.ts";

/** The lines, from 1, at which `kind` is silenced in a text of six lines or more. */
function silencedAt(text: string, kind: string): number[] {
  const isSilenced = readSuppressions(text);
  return Array.from({ length: 8 }, (_, index) => index + 1).filter((line) => isSilenced(kind, line));
}

const ALL = [1, 2, 3, 4, 5, 6, 7, 8];

test.each([
  ["// eslint-disable-next-line no-debugger -- wanted", "debugger-statement", [2]],
  ["a(); // eslint-disable-line", "debugger-statement", [1]],
  ["/* eslint-disable no-eval, no-debugger */", "debugger-statement", ALL],
  ["/* eslint-disable no-eval */", "debugger-statement", []],
  ["/* eslint-disable */\n\n/* eslint-enable */", "debugger-statement", [1, 2, 3]],
  ["/* eslint-disable */\n/* eslint-enable no-eval */", "code-injection", [1]],
  ["/* eslint-disable */\n/* eslint-enable no-eval */", "debugger-statement", ALL],
  ["/* eslint-disable no-eval */\n/* eslint-enable no-debugger */", "code-injection", ALL],
  ["/* eslint-disable no-eval,\n   no-debugger */", "debugger-statement", ALL],
  ["/* eslint-disable-next-line no-eval --\n a reason */", "code-injection", [3]],
  ["\n/* eslint no-eval: 0, 'no-debugger': \"off\" */", "debugger-statement", ALL],
  ['/* eslint no-debugger: ["off"] */', "debugger-statement", ALL],
  ["/* eslint no-debugger: 2 */", "debugger-statement", []],
  ["/* eslint-env node */", "debugger-statement", []],
  // ESLint reports a declared name that is not used, at the comment.
  ["\n/* global a, b */", "unused-variable", [2]],
  ["global a", "unused-variable", []],
  ["/* eslint-env browser, jest */", "unused-variable", []],
  ["// oxlint-disable-next-line no-debugger", "debugger-statement", [2]],
  ["{/* eslint-disable-next-line no-debugger */}", "debugger-statement", [2]],
  ["<!-- eslint-disable-next-line no-debugger -->", "debugger-statement", [2]],
  ["// biome-ignore lint/suspicious/noDebugger: wanted", "debugger-statement", [1, 2, 3]],
  ["// biome-ignore lint/suspicious: wanted", "debugger-statement", [1, 2, 3]],
  ["// biome-ignore lint: wanted", "code-injection", [1, 2, 3]],
  ["// biome-ignore format: wanted", "debugger-statement", []],
  ["\n/** biome-ignore-all lint/suspicious/noDebugger: wanted */", "debugger-statement", ALL],
  [
    "// biome-ignore-start lint/suspicious/noDebugger: a\n\n// biome-ignore-end lint/suspicious/noDebugger: a",
    "debugger-statement",
    [1, 2, 3],
  ],
  ["// biome-ignore lint/complexity/useThing: wanted", "use-thing", [1, 2, 3]],
  ["// deno-lint-ignore no-debugger", "debugger-statement", [2]],
  ["\n// deno-lint-ignore-file", "debugger-statement", ALL],
  ["// tslint:disable-next-line:no-unused-variable", "unused-variable", [2]],
  ["// tslint:disable\n\n// tslint:enable", "debugger-statement", [1, 2, 3]],
  ["/* jshint unused:false */", "unused-variable", ALL],
  ["// jshint ignore:start\n\n// jshint ignore:end", "debugger-statement", [1, 2, 3]],
  ["/* jshint -W054 */", "code-injection", ALL],
  ["\n// jshint -W061, -W087", "debugger-statement", [2, 3, 4, 5, 6, 7, 8]],
  ["/*jshint -W054*/\n\n/*jshint +W054*/", "code-injection", [1, 2, 3]],
  ["/* jshint -W022 */", "caught-error-assignment", ALL],
  ["/* jshint -W033, -W117 */", "code-injection", []],
  ["/* jshint proto: true */", "no-proto", ALL],
  ["// @ts-expect-error: on purpose", "const-assignment", [2]],
  ["// @ts-expect-error: on purpose", "debugger-statement", []],
  ["// @ts-ignore", "unresolved-import", [2]],
  // Rules that none of the review's linters runs, and that mean one of its kinds.
  ["// eslint-disable-next-line no-new-func", "code-injection", [2]],
  ["// eslint-disable-next-line security/detect-child-process", "command-injection", [2]],
  ["a(); // eslint-disable-line import/no-unresolved", "unresolved-import", [1]],
  ["a(); // eslint-disable-line n/no-missing-import", "unresolved-import", [1]],
  ["/* eslint-disable max-lines, no-await-in-loop */", "large-file", ALL],
  ["/* istanbul ignore next */", "debugger-statement", []],
  ['const text = "eslint-disable no-debugger";', "debugger-statement", []],
])("%j silences %s on %j", (text, kind, lines) => {
  expect(silencedAt(text, kind)).toEqual(lines);
});

/** True when a comment allows a report about `name` in a line of code. */
function allows(
  comment: string,
  kind: string,
  given: { name?: string; source?: string; above?: string },
): boolean {
  const { name, source = name ?? "", above = "" } = given;
  const names = name === undefined ? [] : [name];
  return readSuppressions(`${comment}\n\n`)(kind, 9, { names, source, above });
}

describe("the options of an inline comment hold for every linter", () => {
  const UNUSED = `/* eslint no-unused-vars: ["error", { "varsIgnorePattern": "^(ignored|skip\\\\w+)$", args: "none" }] */`;
  test.each([
    ["unused-variable", { name: "ignored" }, true],
    ["unused-variable", { name: "skipped" }, true],
    ["unused-variable", { name: "other" }, false],
    ["unused-variable", {}, false],
    ["debugger-statement", { name: "ignored" }, false],
  ])("a pattern for unused names: %s %j %s", (kind, facts, expected) => {
    expect(allows(UNUSED, kind, facts)).toBe(expected);
  });

  test.each([
    [
      "/* eslint \"@typescript-eslint/no-unused-vars\": [1, {argsIgnorePattern: '^req'}] */",
      "unused-variable",
      { name: "req" },
    ],
    ['/* eslint no-unused-vars: [2, {"vars": "local"}] */', "unused-variable", { source: "function f() {}" }],
    [
      '/* eslint no-fallthrough: ["error", {"commentPattern": "break omitted"}] */',
      "case-fallthrough",
      { above: "a();\n// break omitted" },
    ],
    [
      '/* eslint no-constant-condition: ["error", {"checkLoops": false}] */',
      "constant-condition",
      { source: "while (true) {" },
    ],
    ['/* eslint no-self-assign: ["error", {"props": false}] */', "self-assignment", { source: "a.b = a.b;" }],
    [
      '/* eslint no-eval: ["error", {"allowIndirect": true}] */',
      "code-injection",
      { source: "window.eval(text)" },
    ],
    ["/* exported start, stop */", "unused-variable", { name: "stop" }],
    ["/* global name:writable, other */", "global-assignment", { source: "name = 1;" }],
  ])("%s allows %s at %j", (comment, kind, facts) => {
    expect(allows(comment, kind, facts)).toBe(true);
  });

  test.each([
    [
      '/* eslint no-constant-condition: ["error", {"checkLoops": false}] */',
      "constant-condition",
      { source: "if (true) {" },
    ],
    ['/* eslint no-unused-vars: [2, {"vars": "local"}] */', "unused-variable", { source: "  var a;" }],
    ["/* global name:writable, other */", "global-assignment", { source: "other = 1;" }],
    ["// exported stop", "unused-variable", { name: "stop" }],
    [
      '/* eslint no-unused-vars: ["error", { "varsIgnorePattern": "[" }] */',
      "unused-variable",
      { name: "a" },
    ],
  ])("%s does not allow %s at %j", (comment, kind, facts) => {
    expect(allows(comment, kind, facts)).toBe(false);
  });

  test.each(["^(a+)+$", "^(a|a)*$", "^a*a*a*a*$", "(a)\\\\1", "(?=a)a"])(
    "the pattern %s of a stranger could take long, so it is not used",
    (pattern) => {
      const comment = `/* eslint no-unused-vars: ["error", { "varsIgnorePattern": "${pattern}" }] */`;
      expect(allows(comment, "unused-variable", { name: `${"a".repeat(100)}!` })).toBe(false);
      expect(allows(comment, "unused-variable", { name: "aa" })).toBe(false);
    },
  );
});

test("many comments and many findings take linear time", () => {
  const text = "/* eslint-disable no-eval */ // eslint-disable-line no-debugger\n".repeat(12_000);
  const isSilenced = readSuppressions(text);
  const startedMs = performance.now();
  const silent = Array.from({ length: 12_000 }, (_, index) => isSilenced("code-injection", index + 1));
  expect(silent.every(Boolean)).toBe(true);
  expect(performance.now() - startedMs).toBeLessThan(5_000);
});

test("a comment without rules is about linters: the other analysers are silenced by name only", () => {
  const silenced = (text: string) => readSuppressions(text, { byNameOnly: true })("unresolved-import", 2);
  expect(silenced("/* eslint-disable */\n")).toBe(false);
  expect(silenced("// eslint-disable-next-line\n")).toBe(false);
  expect(silenced("// biome-ignore lint: wanted\n")).toBe(false);
  expect(silenced("/* eslint-disable import/no-unresolved */\n")).toBe(true);
});
