import { expect, test } from "vitest";
import { dropOldest } from "../../src/base/index.ts";

test("the oldest members of a full map make room", () => {
  const kept = new Map([
    ["a", 1],
    ["b", 2],
    ["c", 3],
  ]);
  expect(dropOldest(kept, 1)).toEqual(["a", "b"]);
  expect([...kept.keys()]).toEqual(["c"]);
});

test("a set below its bound keeps everything", () => {
  const kept = new Set(["a"]);
  expect(dropOldest(kept, 2)).toEqual([]);
  expect(kept.size).toBe(1);
});
