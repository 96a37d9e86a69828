// The worlds of the simulator, by name. A world is loaded when it is needed.
import type { RunReport } from "./report.ts";

/** One world. */
export interface SimWorld {
  /** All kinds of fault that the world causes. */
  readonly faults: readonly string[];
  /** Deliberate bugs. A seed must notice each. */
  readonly mutants: readonly { readonly name: string; run(seed: number): Promise<RunReport> }[];
  /** Runs one seed. `onLine` gets every line. */
  run(seed: number, onLine?: (text: string) => void): Promise<RunReport>;
}

const WORLDS: Readonly<Record<string, () => Promise<SimWorld>>> = {
  /** The election node on its pipe. */
  line: async () => {
    const [{ LINE_MUTANTS }, { worldOf }] = await Promise.all([
      import("../../consensus/sim/line-mutants.ts"),
      import("../../consensus/sim/benches.ts"),
    ]);
    return worldOf("line", LINE_MUTANTS);
  },
  /** A coordinator's member, with its commands, snapshots and checks of the log. */
  member: async () => {
    const [{ MEMBER_MUTANTS }, { worldOf }] = await Promise.all([
      import("../../consensus/sim/member-mutants.ts"),
      import("../../consensus/sim/benches.ts"),
    ]);
    return worldOf("member", MEMBER_MUTANTS);
  },
  /** Engines that run one workflow. */
  workflow: async () => {
    const [{ FAULTS, runSeed }, { MUTANTS }] = await Promise.all([
      import("../../engine/sim/world.ts"),
      import("../../engine/sim/mutants.ts"),
    ]);
    return {
      faults: FAULTS,
      mutants: MUTANTS.map((mutant) => ({ name: mutant.name, run: (seed) => runSeed(seed, mutant) })),
      run: (seed, onLine) => runSeed(seed, null, onLine),
    };
  },
};

/** The names of all worlds. */
export const WORLD_NAMES: readonly string[] = Object.keys(WORLDS);

/** Loads a world. @throws Error for a name that is none. */
export function loadWorld(name: string): Promise<SimWorld> {
  const load = WORLDS[name];
  if (load !== undefined) return load();
  throw new Error(`expected a world (${WORLD_NAMES.join(", ")}), got ${name}`);
}
