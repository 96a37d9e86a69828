// The runs that wait for a person, from the summaries of their logs.
import { expect, test } from "vitest";
import { StuckRuns, stuckRunOf } from "../../../src/engine/check/stuck.ts";
import { laneOf } from "../../../src/protocol/index.ts";
import type { RunSummary } from "../../../src/workflow/index.ts";

const summary = (more: Partial<RunSummary> = {}): RunSummary => ({
  ...{ id: "o-1", name: "order", version: 3, state: "running", generation: 1, entries: 2, bytes: 9 },
  ...more,
});
const asked = (more: object = {}) =>
  summary({ waiting: { reason: "human", path: "check", count: 1, by: ["ops"], sinceMs: 40, ...more } });

test("a run waits for a person when it is blocked, when its compensation failed, and while an approval is open", () => {
  const blocked = { cause: "changed", message: "the code asks for pay" };
  expect(stuckRunOf(summary({ state: "blocked", blocked }), 50)).toEqual({
    ...{ id: "o-1", name: "order", version: 3, kind: "blocked", sinceMs: 50 },
    ...blocked,
  });
  const undo = summary({
    state: "compensation_failed",
    waiting: { reason: "human", count: 1, path: "charge" },
  });
  expect(stuckRunOf(undo, 50)).toMatchObject({ kind: "compensation_failed", path: "charge", sinceMs: 50 });
  expect(stuckRunOf(asked({ dueMs: 90 }), 50)).toMatchObject({
    ...{ kind: "approval", path: "check", by: ["ops"], sinceMs: 40, dueMs: 90 },
  });
  expect(stuckRunOf(asked({ sinceMs: undefined }), 50)?.sinceMs).toBe(50);
});

test("a run that works, is paused or has ended waits for no person", () => {
  const waiting = { reason: "task", count: 1 } as const;
  for (const each of [
    summary(),
    summary({ waiting }),
    summary({ state: "paused" }),
    summary({ state: "completed" }),
  ])
    expect(stuckRunOf(each, 1)).toBe(null);
});

test("an engine keeps the first moment of a wait, until another wait, the end, or the loss of the lane", () => {
  const stuck = new StuckRuns();
  expect(stuck.note(summary(), 1)).toBe(false);
  expect(stuck.note(asked({ sinceMs: undefined }), 10)).toBe(true);
  stuck.note(asked({ sinceMs: undefined }), 30); // another entry of the same wait, such as a signal
  expect(stuck.oldest(9)).toMatchObject([{ kind: "approval", sinceMs: 10 }]);
  stuck.note(asked({ sinceMs: undefined, path: "second" }), 40);
  expect(stuck.oldest(9)).toMatchObject([{ path: "second", sinceMs: 40 }]);
  stuck.note(summary({ id: "p-1", state: "blocked" }), 20);
  expect(stuck.counts()).toEqual({ blocked: 1, compensation_failed: 0, approval: 1 });
  expect(stuck.oldest(1)).toMatchObject([{ id: "p-1" }]);
  expect(stuck.note(summary({ id: "p-1", state: "completed" }), 50)).toBe(true);
  stuck.release(laneOf("o-1"));
  expect(stuck.oldest(9)).toEqual([]);
});

test("the notes of a lane are bounded", () => {
  const stuck = new StuckRuns();
  const ids = Array.from({ length: 40_000 }, (_, at) => `r-${at}`).filter(
    (id) => laneOf(id) === laneOf("r-0"),
  );
  for (const id of ids) stuck.note(summary({ id, state: "blocked" }), 1);
  expect(ids.length).toBeGreaterThan(2_000);
  expect(stuck.counts().blocked).toBe(2_000);
});
