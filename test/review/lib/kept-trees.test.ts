import { expect, test, vi } from "vitest";
import { KeptTrees } from "../../../agents/lib/review/kept-trees.ts";

test("a tree is kept for the same text of the same file of the same directory only", () => {
  const trees = new KeptTrees<string>();
  expect(trees.keep("/a", "x.js", "1", "tree of 1")).toBe("tree of 1");
  expect(trees.get("/a", "x.js", "1")).toBe("tree of 1");
  expect([trees.get("/a", "x.js", "2"), trees.get("/a", "y.js", "1"), trees.get("/b", "x.js", "1")]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  trees.keep("/a", "x.js", "2", "tree of 2");
  expect(trees.get("/a", "x.js", "2")).toBe("tree of 2");
  expect(trees.get("/a", "x.js", "1")).toBeUndefined();
});

test("the first files stay when there is no room for all, and another directory takes the place of all", () => {
  const trees = new KeptTrees<number>(10);
  trees.keep("/a", "1.js", "12345", 1);
  trees.keep("/a", "2.js", "12345", 2);
  trees.keep("/a", "3.js", "1", 3);
  expect(["1.js", "2.js"].map((file) => trees.get("/a", file, "12345"))).toEqual([1, 2]);
  expect(trees.get("/a", "3.js", "1")).toBeUndefined();
  // A shorter text of a kept file makes room.
  trees.keep("/a", "1.js", "1", 4);
  trees.keep("/a", "3.js", "1", 3);
  expect(trees.get("/a", "3.js", "1")).toBe(3);
  trees.keep("/b", "1.js", "1", 5);
  expect([trees.get("/a", "3.js", "1"), trees.get("/b", "3.js", "1"), trees.get("/b", "1.js", "1")]).toEqual([
    undefined,
    undefined,
    5,
  ]);
});

test("trees that no analysis asks for are dropped after a minute", () => {
  vi.useFakeTimers();
  try {
    const trees = new KeptTrees<number>();
    trees.keep("/a", "1.js", "1", 1);
    vi.advanceTimersByTime(59_000);
    expect(trees.get("/a", "1.js", "1")).toBe(1);
    vi.advanceTimersByTime(59_000);
    expect(trees.get("/a", "1.js", "1")).toBe(1);
    vi.advanceTimersByTime(60_000);
    expect(trees.get("/a", "1.js", "1")).toBeUndefined();
  } finally {
    vi.useRealTimers();
  }
});
