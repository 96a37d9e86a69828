import { expect, test } from "vitest";
import { changeMany } from "../../../src/app/operations/bulk.ts";
import { SwarmError } from "../../../src/protocol/index.ts";
import { finish } from "../../../src/work/client/list.ts";

const selection = { found: ["a", "b", "c", "d"].map((taskId) => ({ taskId })), unseen: 0, unknown: 0 };
const { signal } = new AbortController();

test("a thing that another process changed first is skipped, and not counted as done", async () => {
  const change = async ({ taskId }: { taskId: string }) => taskId !== "b";
  expect(await finish(changeMany({ signal }, selection, { change }))).toMatchObject({
    ...{ selected: 4, done: 3, skipped: 1, failed: 0, left: 0 },
  });
});

test("a swarm that does not answer ends the work, and tells how many are left", async () => {
  const change = async ({ taskId }: { taskId: string }) => {
    if (taskId === "b") throw new SwarmError("conflict", "no");
    if (taskId === "c") throw new SwarmError("unavailable", "no answer");
  };
  expect(await finish(changeMany({ signal }, selection, { change }))).toMatchObject({
    ...{ selected: 4, done: 1, skipped: 0, failed: 1, left: 2 },
    failures: [{ id: "b", code: "conflict" }],
  });
});
