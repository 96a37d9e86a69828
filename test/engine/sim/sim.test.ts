// Real engines in simulated worlds, each from a seed: `npm run sim -- --world workflow --seed N --trace` shows one. Every deliberate bug must make
// a seed fail; otherwise the silence of the simulator proves nothing.
import { describe, expect, it } from "vitest";
import { scaled } from "../../support/scale.ts";
import { describeFailure } from "../../support/sim/report.ts";
import { sweep } from "../../support/sim/sweep.ts";
import { MUTANTS } from "./mutants.ts";
import { FAULTS, runSeed } from "./world.ts";

const SEEDS = scaled(25, 1_000);
const MUTANT_SEEDS = 200;
/** Kinds of fault that a short sweep may miss: they need a cancel, an engine that stops with triggers, or an early end. */
const RARE = ["hosts unheard", "nak lost", "command sent after the end"].slice(scaled(0, 3));

it(`${SEEDS} seeds hold, and every kind of fault happens`, { timeout: 1_200_000 }, async () => {
  const seeds = { world: "workflow", from: 1, to: SEEDS + 1 };
  const { failures, faults } = await sweep(seeds, { threads: scaled(1, 2), onProgress: () => undefined });
  expect(failures.map(describeFailure)).toEqual([]);
  const wanted = FAULTS.filter((fault) => !RARE.includes(fault));
  expect(wanted.filter((fault) => faults[fault] === undefined)).toEqual([]);
});

it("a seed replays line by line", async () => {
  expect(await runSeed(7)).toEqual(await runSeed(7));
});

describe(`a deliberate bug is noticed within ${MUTANT_SEEDS} seeds`, () => {
  it.each(MUTANTS)("an engine that $name", { timeout: 600_000 }, async (mutant) => {
    let seed = scaled(mutant.knownSeed, 1);
    while (seed <= MUTANT_SEEDS && (await runSeed(seed, mutant)).failure === null) seed++;
    expect(seed).toBeLessThanOrEqual(MUTANT_SEEDS);
  });
});
