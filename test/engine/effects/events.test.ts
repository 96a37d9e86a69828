import { expect, it } from "vitest";
import { eventOf } from "../../../src/engine/effects/events.ts";

it("the events of a run tell its start, the ends of its steps and its own end, and nothing about waits that are arranged", () => {
  const begun = { type: "begun", name: "order", version: 1, input: null, depth: 1 } as const;
  expect(eventOf({ ...begun, generation: 1 })).toEqual({ event: "started" });
  expect(eventOf({ ...begun, generation: 2 })).toBeNull();
  expect(eventOf({ type: "settled", path: "charge", outcome: { status: "completed" } })).toEqual({
    event: "step-finished",
    path: "charge",
    status: "completed",
  });
  expect(eventOf({ type: "ended", state: "compensated" })).toEqual({ event: "compensated" });
  expect(eventOf({ type: "armed", n: 1, atMs: 5 })).toBeNull();
});
