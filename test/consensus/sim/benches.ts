// The worlds that the simulator knows, by name.

import { lineBench } from "./line-driver.ts";
import { memberBench } from "./member-driver.ts";
import type { Bench } from "./world.ts";

/** Each is a way in which production uses the same decider. */
export const BENCHES: Readonly<Record<string, () => Bench>> = {
  /** The election node on its pipe. */
  line: () => lineBench(),
  /** A coordinator's member, with its commands, snapshots and watches. */
  member: () => memberBench(),
};

/** A bench of the world of this name. */
export function benchOf(world: string): Bench {
  const createBench = BENCHES[world];
  if (createBench === undefined) {
    throw new Error(`expected a world (${Object.keys(BENCHES).join(", ")}), got ${world}`);
  }
  return createBench();
}
