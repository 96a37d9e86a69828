import { expect, it } from "vitest";
import { inTurn, MAX_FETCHING } from "../../../../src/coordinator/ballots/ask/large-answers.ts";
import type { Blobs } from "../../../../src/transport/index.ts";

it("fetches large answers a few at a time, and each of them, also after one that cannot be had", async () => {
  let now = 0;
  let most = 0;
  const blobs = {
    async get({ $blob }) {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      if ($blob === "b3") throw new Error("it aged out");
      return new TextEncoder().encode($blob);
    },
  } as Blobs;
  const { get } = inTurn(blobs);
  const asked = Array.from({ length: 9 }, (_, index) => get({ $blob: `b${index}`, bytes: 2 }));
  const got = await Promise.allSettled(asked);
  expect(got.map(({ status }) => status === "fulfilled")).toEqual(Array.from(got, (_, index) => index !== 3));
  expect(most).toBe(MAX_FETCHING);
  await expect(get({ $blob: "b9", bytes: 2 })).resolves.toHaveLength(2);
});
