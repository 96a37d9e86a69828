// Real coordinators on a real cluster, broken in many ways under load: nothing lost, repeated, out of order or untrue.
import { expect, test } from "vitest";
import { runChaos } from "../../support/office/chaos.ts";

test("three coordinators on three servers keep their word while both are killed, stopped and cut off", {
  timeout: 180_000,
}, async () => {
  const report = await runChaos({
    seed: 20,
    faults: [
      { fault: "coordinator-leader-pause", atMs: 0, lastMs: 2_000 },
      { fault: "coordinator-leader-kill", atMs: 1_000, lastMs: 0 },
      { fault: "nats-leader-kill", atMs: 2_000, lastMs: 500 },
      { fault: "coordinator-leader-cut", atMs: 2_000, lastMs: 500 },
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
  expect(Object.values(report.faults).reduce((sum, count) => sum + count, 0)).toBe(4);
  expect(counts.terms).toBeGreaterThan(1);
  expect(counts.acknowledgedWrites).toBeGreaterThan(50);
  expect(counts.statusNamed).toBeGreaterThan(0);
});
