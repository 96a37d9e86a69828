// Recorded steps in simulated worlds, each from a seed. A failure names its seed: run it alone with `runWorld(seed, noCounts())`.
import { describe, expect, it } from "vitest";
import { decideRecord } from "../../../src/work/steps/decide.ts";
import { StepRecorder } from "../../../src/work/steps/recorder.ts";
import { scaled } from "../../support/scale.ts";
import { MUTANTS, type Mutant } from "./mutants.ts";
import { Violation } from "./oracle.ts";
import { type Bends, noCounts, runWorld } from "./world.ts";

/** The recorder with a bent decider. */
function recorderWith(bend: NonNullable<Mutant["decide"]>): typeof StepRecorder {
  return class extends StepRecorder {
    protected override readonly decide = bend(decideRecord);
  };
}

/** The first seed whose world breaks an invariant; undefined when none does. */
async function findViolation(
  seeds: number,
  bends: Bends,
): Promise<{ seed: number; broken: string } | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      await runWorld(seed, noCounts(), bends);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      return { seed, broken: error.message };
    }
  }
  return undefined;
}

describe("the steps of a task", () => {
  it("are recorded once, never run again, and end, whatever calls and processes are lost", {
    timeout: 600_000,
  }, async () => {
    const counts = noCounts();
    for (let seed = 1; seed <= scaled(150, 20_000); seed++) {
      await runWorld(seed, counts).catch((error: unknown) => {
        throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      });
    }
    for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(0);
  });
});

describe("a deliberate bug is noticed", () => {
  it.each(MUTANTS)("one that $name", { timeout: 600_000 }, async ({ bends = {}, decide }) => {
    const bent = decide === undefined ? bends : { ...bends, recorder: recorderWith(decide) };
    expect(await findViolation(scaled(60, 500), bent)).toBeDefined();
  });
});
