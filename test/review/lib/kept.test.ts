import { expect, test } from "vitest";
import { Kept } from "../../../agents/lib/review/kept.ts";

test("a question is answered once, also while its answer is made, and another question takes its place", async () => {
  const kept = new Kept<string>();
  const made: string[] = [];
  const ask = (key: string) =>
    kept.get(key, async () => {
      made.push(key);
      await Promise.resolve();
      return `answer ${key}`;
    });
  expect(await Promise.all([ask("a"), ask("a")])).toEqual(["answer a", "answer a"]);
  expect(await ask("a")).toBe("answer a");
  expect(await ask("b")).toBe("answer b");
  expect(await ask("a")).toBe("answer a");
  expect(made).toEqual(["a", "b", "a"]);
});

test("the failure of one asker is not the failure of the next one", async () => {
  const kept = new Kept<string>();
  const first = kept.get("a", async () => {
    throw new Error("cancelled");
  });
  const second = kept.get("a", async () => "answer");
  await expect(first).rejects.toThrow("cancelled");
  expect(await second).toBe("answer");
});

test("with room for two answers, the answer that was unused for the longest time goes", async () => {
  const kept = new Kept<string>(2);
  const made: string[] = [];
  const ask = (key: string) =>
    kept.get(key, async () => {
      made.push(key);
      return key;
    });
  for (const key of ["a", "b", "a", "c", "a", "b"]) await ask(key);
  expect(made).toEqual(["a", "b", "c", "b"]);
});
