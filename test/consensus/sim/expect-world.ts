// The checks that the tests of both worlds share: a sweep finds nothing wrong, a seed replays byte for byte, and a
// deliberate bug is noticed. Owns the numbers of seeds in the short run (`./murmur test`) and in the full run (`npm run
// nightly`). Many more seeds run with `npm run sim -- --seeds 10000`.

import { expect } from "vitest";
import { scaled } from "../../support/scale.ts";
import { describeFailure } from "../../support/sim/report.ts";
import { sweep } from "../../support/sim/sweep.ts";
import { benchOf } from "./benches.ts";
import { type Bench, listFaults, runSeed } from "./world.ts";

/**
 * The seeds of a sweep. In the first 38 seeds of each world every kind of fault happens at least once; a seed takes about
 * 0.05 s of CPU time (line) or 0.1 s (member).
 */
export const SWEEP_SEEDS = scaled(40, 500);

/** The threads of a sweep. Other test files run at the same time. A second thread pays only for a long sweep. */
const SWEEP_THREADS = scaled(1, 2);

/**
 * The seeds within which a deliberate bug must be noticed. The bound is half of a full sweep, so that each sweep sees
 * it.
 */
export const MUTANT_SEEDS = 250;

/** Expects that no seed of the sweep fails, and that every kind of fault happens. */
export async function expectSoundWorld(world: string): Promise<void> {
  const seeds = { world, from: 1, to: SWEEP_SEEDS + 1 };
  const { failures, faults } = await sweep(seeds, { threads: SWEEP_THREADS, onProgress: () => undefined });
  expect(failures.map(describeFailure)).toEqual([]);
  expect(listFaults(benchOf(world)).filter((fault) => faults[fault] === undefined)).toEqual([]);
}

/** Expects that two runs of one seed have the same report, which includes the digest of all lines. */
export async function expectReplay(world: string): Promise<void> {
  expect(await runSeed(7, benchOf(world))).toEqual(await runSeed(7, benchOf(world)));
}

/** Expects that two runs of a failing seed print the same last lines. */
export async function expectFailureReplay(bench: Bench, seed: number): Promise<void> {
  const run = async () => describeFailure(await runSeed(seed, bench));
  expect(await run()).toBe(await run());
  expect(await run()).toContain(`seed ${seed} failed:`);
}

/**
 * The first seed that notices the bug of this bench; above {@link MUTANT_SEEDS} when no seed does. The short run starts
 * at `knownSeed`, the full run starts at 1.
 */
export async function findFailingSeed(bench: Bench, knownSeed: number): Promise<number> {
  let seed = scaled(knownSeed, 1);
  while (seed <= MUTANT_SEEDS && (await runSeed(seed, bench)).failure === null) seed++;
  return seed;
}
