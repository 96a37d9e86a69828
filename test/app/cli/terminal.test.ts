import { expect, test } from "vitest";
import { createTerminal, showDuration, table } from "../../../src/app/cli/terminal.ts";

function setup(options: { quiet?: boolean; isTTY?: boolean; environment?: Record<string, string> } = {}) {
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text), isTTY: options.isTTY ?? false };
  const terminal = createTerminal({
    quiet: options.quiet ?? false,
    stream,
    environment: options.environment ?? {},
  });
  return { terminal, written };
}

test("columns are as wide as their widest cell, and colours do not count", () => {
  const { terminal } = setup({ environment: { FORCE_COLOR: "1" } });
  const text = table(
    ["A", "B"],
    [
      [terminal.colors.red("long"), "x"],
      ["s", "y"],
    ],
    "none",
  );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one.
  expect(text.replace(/\u001b\[\d+m/g, "")).toBe("A     B\nlong  x\ns     y");
});

test("an empty table says so", () => {
  expect(table(["A"], [], "no tasks")).toBe("no tasks");
});

test("foreign text cannot move the cursor", () => {
  expect(table(["A"], [["x\u001b[2Jy\r\n"]], "none")).toBe("A\nx�[2Jy��");
});

test("NO_COLOR switches colours off, also where they are forced", () => {
  expect(setup({ environment: { NO_COLOR: "1", FORCE_COLOR: "1" } }).terminal.colors.red("x")).toBe("x");
});

test("progress for programs is silent, and a status line is for terminals only", () => {
  const quiet = setup({ quiet: true, isTTY: true });
  quiet.terminal.say("a");
  quiet.terminal.status("b");
  expect(quiet.written).toEqual([]);
  const piped = setup();
  piped.terminal.status("b");
  expect(piped.written).toEqual([]);
});

test.each([
  [350, "350 ms"],
  [1_200, "1.2 s"],
  [200_000, "3 min 20 s"],
  [7_500_000, "2 h 5 min"],
])("%d ms is shown as %s", (ms, shown) => {
  expect(showDuration(ms)).toBe(shown);
});
