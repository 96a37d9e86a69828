// Recorded steps in simulated worlds, each from a seed. A failure names its seed: run it alone with `runWorld(seed, noCounts())`.
import { afterEach, describe, expect, it, vi } from "vitest";
import { scaled } from "../../support/scale.ts";
import { MUTANTS } from "./mutants.ts";
import { Violation } from "./oracle.ts";
import { type Bends, noCounts, runWorld } from "./world.ts";

type Decider = typeof import("../../../src/work/steps/decide.ts");

/** The decider of the running world; undefined: the real one. */
const bent = vi.hoisted(() => ({ decide: undefined as Decider["decideRecord"] | undefined }));
vi.mock("../../../src/work/steps/decide.ts", async (load) => {
  const real = await load<Decider>();
  const decideRecord: Decider["decideRecord"] = (state, input) =>
    (bent.decide ?? real.decideRecord)(state, input);
  return { ...real, decideRecord, real: real.decideRecord };
});

afterEach(() => {
  bent.decide = undefined;
});

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
    const { real } = (await import("../../../src/work/steps/decide.ts")) as Decider & {
      real: Decider["decideRecord"];
    };
    bent.decide = decide?.(real);
    expect(await findViolation(scaled(60, 500), bends)).toBeDefined();
  });
});
