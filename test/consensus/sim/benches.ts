// The worlds of the simulator, by name.

import type { SimWorld } from "../../support/sim/worlds.ts";
import { lineBench } from "./line-driver.ts";
import type { Mutant } from "./line-mutants.ts";
import { memberBench } from "./member-driver.ts";
import { type Bench, listFaults, runSeed } from "./world.ts";

/** The worlds. Each uses the decider as one part of production does. */
export const BENCHES: Readonly<Record<string, () => Bench>> = {
  /** The election node on its pipe. */
  line: () => lineBench(),
  /** A coordinator's member, with its commands, snapshots and checks of the log. */
  member: () => memberBench(),
};

/** Creates a bench of the world with this name. */
export function benchOf(world: string): Bench {
  const createBench = BENCHES[world];
  if (createBench === undefined) {
    throw new Error(`expected a world (${Object.keys(BENCHES).join(", ")}), got ${world}`);
  }
  return createBench();
}

/** The world with this name, for the simulator. */
export function worldOf(name: string, mutants: readonly Mutant[]): SimWorld {
  return {
    faults: listFaults(benchOf(name)),
    mutants: mutants.map((mutant) => ({ name: mutant.name, run: (seed) => runSeed(seed, mutant.bench) })),
    run: (seed, onLine) => runSeed(seed, benchOf(name), onLine),
  };
}
