import { expect, test } from "vitest";
import { viewCapabilities } from "../../../src/app/office/capabilities.ts";
import { PAUSED_UNTIL_MS } from "../../../src/protocol/index.ts";

/** The queues of `echo`, with these ends of their pauses. */
const queues = (...ends: (number | null)[]) =>
  ends.map((pausedUntilMs, index) => ({
    name: `echo-${index}`,
    filter: `murmur.task.echo.${index}.>`,
    pending: 2,
    ackPending: 1,
    pausedUntilMs,
  }));
const pause = { capability: "echo", sinceMs: 0, by: "ada" };

test.each([
  ["open", queues(null, null), []],
  ["paused", queues(PAUSED_UNTIL_MS, PAUSED_UNTIL_MS), [pause]],
  ["pausing", queues(PAUSED_UNTIL_MS, null), [pause]],
  ["pausing", [], [pause]],
  ["resuming", queues(null, PAUSED_UNTIL_MS), []],
  ["held", queues(null, PAUSED_UNTIL_MS - 1), []],
  ["paused", queues(PAUSED_UNTIL_MS, PAUSED_UNTIL_MS), null],
  ["open", queues(null), null],
] as const)("a capability is %s by its queues and the office's pauses", (state, consumers, pauses) => {
  const since = pauses?.length === 1 ? "1970-01-01T00:00:00.000Z" : null;
  expect(viewCapabilities("murmur", consumers, pauses)).toEqual([
    {
      ...{ capability: "echo", state, waiting: 2 * consumers.length, inFlight: consumers.length },
      ...{ since, by: since === null ? null : "ada" },
    },
  ]);
});

test("the queues of hosts with placed tasks are no capability", () => {
  const placed = {
    name: "placed-task",
    filter: "murmur.placed.default.task.>",
    pending: 1,
    ackPending: 0,
    pausedUntilMs: null,
  };
  expect(viewCapabilities("murmur", [placed], [])).toEqual([]);
});
