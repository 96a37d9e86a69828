import { expect, test } from "vitest";
import { wrapCommand, wrapText } from "../../../src/app/cli/wrap.ts";

test("lines that follow each other are one paragraph, wrapped at words", () => {
  expect(wrapText("one two\nthree four five", 13)).toBe("one two three\nfour five");
});

test("empty lines and indented lines stay, and a long word has its own line", () => {
  expect(wrapText("one\n\n  a  list\ntwo", 10)).toBe("one\n\n  a  list\ntwo");
  expect(wrapText("a incomprehensible b", 5)).toBe("a\nincomprehensible\nb");
});

test("a command line is wrapped before its flags, with backslashes for a shell", () => {
  const line = "  murmur submit echo --input 1 --priority high --wait";
  expect(wrapCommand(line, 100)).toBe(line);
  expect(wrapCommand(line, 40)).toBe("  murmur submit echo --input 1 \\\n      --priority high --wait");
});
