// The worlds of the simulator, by name.

import { lineBench } from "./line-driver.ts";
import { memberBench } from "./member-driver.ts";
import type { Bench } from "./world.ts";

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
