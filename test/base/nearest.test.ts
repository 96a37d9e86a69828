import { expect, test } from "vitest";
import { nearest } from "../../src/base/index.ts";

test("a word with one or two wrong letters means the nearest known one", () => {
  expect(nearest("prefx", ["prefix", "server"])).toBe("prefix");
  expect(nearest("logLevle", ["logLevel", "logFormat"])).toBe("logLevel");
});

test("a word that is like none of the known ones means none", () => {
  expect(nearest("banana", ["prefix", "server"])).toBeUndefined();
  expect(nearest("up", ["down", "ls"])).toBeUndefined();
});
