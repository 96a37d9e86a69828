// Real coordinators on a real cluster, broken in many ways under load: nothing lost, repeated, out of order or untrue.
import { expect, test } from "vitest";
import { runChaos } from "../support/office/chaos.ts";

test("three coordinators on three servers keep their word while both are killed, stopped and cut off", {
  timeout: 180_000,
}, async () => {
  const report = await runChaos({
    seed: 20,
    durationMs: 45_000,
    rounds: 1,
    faults: [
      "coordinator-leader-kill",
      "coordinator-leader-pause",
      "coordinator-leader-cut",
      "nats-leader-kill",
      "nats-leader-cut",
      "nats-leader-pause",
    ],
  });
  const { counts, ...found } = report.audit;
  expect(found).toEqual({
    notLinearizable: [],
    lost: [],
    appliedTwice: [],
    logFaults: [],
    leaseFaults: [],
    statusLies: [],
  });
  expect(Object.values(report.faults).reduce((sum, count) => sum + count, 0)).toBe(6);
  expect(counts.terms).toBeGreaterThan(1);
  expect(counts.acknowledgedWrites).toBeGreaterThan(500);
  expect(counts.statusNamed).toBeGreaterThan(0);
});
