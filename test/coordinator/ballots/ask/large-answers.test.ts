import { expect, it } from "vitest";
import { utf8Bytes } from "../../../../src/base/index.ts";
import { limitFetches, MAX_FETCHING } from "../../../../src/coordinator/ballots/ask/large-answers.ts";
import type { Blobs } from "../../../../src/transport/index.ts";

it("large answers are fetched a few at a time, and a failed fetch does not block the others", async () => {
  let running = 0;
  let most = 0;
  const blobs = {
    async get({ $blob }) {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      if ($blob === "b3") throw new Error("it aged out");
      return utf8Bytes($blob);
    },
  } as Blobs;
  const { get } = limitFetches(blobs);
  const fetches = Array.from({ length: 9 }, (_, index) => get({ $blob: `b${index}`, bytes: 2 }));
  const got = await Promise.allSettled(fetches);
  expect(got.map(({ status }) => status === "fulfilled")).toEqual(Array.from(got, (_, index) => index !== 3));
  expect(most).toBe(MAX_FETCHING);
  await expect(get({ $blob: "b9", bytes: 2 })).resolves.toHaveLength(2);
});
