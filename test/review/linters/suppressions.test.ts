import { expect, test } from "vitest";
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
  ["/* global a, b */", "unused-variable", []],
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
  ["// @ts-expect-error: on purpose", "const-assignment", [2]],
  ["// @ts-expect-error: on purpose", "debugger-statement", []],
  ["/* istanbul ignore next */", "debugger-statement", []],
  ['const text = "eslint-disable no-debugger";', "debugger-statement", []],
])("%j silences %s on %j", (text, kind, lines) => {
  expect(silencedAt(text, kind)).toEqual(lines);
});

test("many comments and many findings take linear time", () => {
  const text = "/* eslint-disable no-eval */ // eslint-disable-line no-debugger\n".repeat(12_000);
  const isSilenced = readSuppressions(text);
  const startedMs = performance.now();
  const silent = Array.from({ length: 12_000 }, (_, index) => isSilenced("code-injection", index + 1));
  expect(silent.every(Boolean)).toBe(true);
  expect(performance.now() - startedMs).toBeLessThan(5_000);
});
