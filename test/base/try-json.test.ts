import { expect, test } from "vitest";
import { tryJson } from "../../src/base/index.ts";

test("a text that is no JSON is undefined, and null stays null", () => {
  expect(tryJson('{"a":1}')).toEqual({ a: 1 });
  expect(tryJson("null")).toBeNull();
  expect(tryJson("HTTP/1.1 400")).toBeUndefined();
  expect(tryJson("")).toBeUndefined();
});
