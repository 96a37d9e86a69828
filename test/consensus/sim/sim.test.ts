// The election core, the office and what stands around them under every fault at once: see world.ts. More of the same
// runs with `npm run sim -- --seeds 10000`.

import { describe, expect, it } from "vitest";
import { BENCHES } from "./benches.ts";
import { MEMBER_MUTANTS } from "./member-mutants.ts";
import { LINE_MUTANTS } from "./mutants.ts";
import { sweep } from "./sweep.ts";
import { type Bench, describeFailure, listFaults, runSeed } from "./world.ts";

/** Enough that every fault happens often; about 10 seconds of one core for each world. */
const SEEDS = 500;
/** Other test files run beside this one. */
const THREADS = 2;

/** A mutant that survives half the seeds of every change has not been noticed. */
const MUTANT_SEEDS = SEEDS / 2;

describe.each(Object.entries(BENCHES))("the simulator, in the world of the %s", (world, createBench) => {
  it(`finds nothing wrong in ${SEEDS} seeds, in which every fault happens`, {
    timeout: 600_000,
  }, async () => {
    const seeds = { world, from: 1, to: SEEDS + 1 };
    const { failures, faults } = await sweep(seeds, { threads: THREADS, onProgress: () => undefined });
    expect(failures.map(describeFailure)).toEqual([]);
    expect(listFaults(createBench()).filter((fault) => faults[fault] === undefined)).toEqual([]);
  });

  it("replays a seed byte for byte", async () => {
    expect(await runSeed(7, createBench())).toEqual(await runSeed(7, createBench()));
  });
});

describe.each([
  ["reads without a barrier", LINE_MUTANTS],
  ["takes the log's tip for a barrier", MEMBER_MUTANTS],
])("a seed that fails because a member %s", (name, mutants) => {
  it("is replayed byte for byte, with its last lines", async () => {
    const bench = mutants.find((mutant) => mutant.name === name)?.bench ?? expect.unreachable();
    const seed = await findFailingSeed(bench);
    const run = async () => describeFailure(await runSeed(seed, bench));
    expect(await run()).toBe(await run());
    expect(await run()).toContain(`seed ${seed} failed:`);
  });
});

describe("a deliberate bug is noticed", () => {
  it.each([...LINE_MUTANTS, ...MEMBER_MUTANTS])("$name", { timeout: 120_000 }, async ({ bench }) => {
    expect(await findFailingSeed(bench)).toBeLessThanOrEqual(MUTANT_SEEDS);
  });
});

async function findFailingSeed(bench: Bench): Promise<number> {
  let seed = 1;
  while (seed <= MUTANT_SEEDS && (await runSeed(seed, bench)).failure === null) seed++;
  return seed;
}
