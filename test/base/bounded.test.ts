import { expect, test } from "vitest";
import { dropOldest } from "../../src/base/index.ts";

test("a map above its limit drops its oldest members", () => {
  const kept = new Map([
    ["a", 1],
    ["b", 2],
    ["c", 3],
  ]);
  expect(dropOldest(kept, 1)).toEqual(["a", "b"]);
  expect([...kept.keys()]).toEqual(["c"]);
});

test("a set below its limit keeps all members", () => {
  const kept = new Set(["a"]);
  expect(dropOldest(kept, 2)).toEqual([]);
  expect(kept.size).toBe(1);
});
