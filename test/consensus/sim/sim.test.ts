// The election core and the office under every fault at once: see world.ts. `npm run sim -- --seeds 10000` runs
// more of the same.

import { describe, expect, it } from "vitest";
import { createElectionNode } from "../../../src/consensus/index.ts";
import { MUTANTS } from "./mutants.ts";
import { describeFailure, FAULTS, type LineNode, type RunReport, runSeed, sumFaults } from "./world.ts";

/** Enough that every fault happens often; about 15 seconds of one core. */
const SEEDS = 500;

/** A mutant that survives this many seeds has not been noticed. */
const MUTANT_SEEDS = 120;

describe("the simulator", () => {
  it(`finds nothing wrong in ${SEEDS} seeds, in which every fault happens`, { timeout: 120_000 }, () => {
    const reports: RunReport[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const report = runSeed(seed, () => createElectionNode());
      expect(report.failure, describeFailure(report)).toBeNull();
      reports.push(report);
    }
    const faults = sumFaults(reports);
    expect(FAULTS.filter((fault) => faults.get(fault) === 0)).toEqual([]);
  });

  it("replays a seed byte for byte", () => {
    const run = () => runSeed(7, () => createElectionNode());
    expect(run()).toEqual(run());
  });

  it("replays a failing seed byte for byte, with its last lines", () => {
    const createNode = MUTANTS.find(({ name }) => name === "reads without a barrier")?.createNode;
    const run = () => describeFailure(runSeed(1, createNode ?? expect.unreachable()));
    expect(run()).toBe(run());
    expect(run()).toContain("seed 1 failed:");
  });
});

describe("a deliberate bug is noticed", () => {
  it.each(MUTANTS)("$name", { timeout: 60_000 }, ({ createNode }) => {
    expect(findFailingSeed(createNode)).toBeLessThanOrEqual(MUTANT_SEEDS);
  });
});

function findFailingSeed(createNode: () => LineNode): number {
  let seed = 1;
  while (seed <= MUTANT_SEEDS && runSeed(seed, createNode).failure === null) seed++;
  return seed;
}
