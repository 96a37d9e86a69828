// Random definitions: the same for the same seed. Each has steps that end well, and some that fail; most steps have a compensation.
import { type Chance, integerBetween, seededChance } from "../../../src/base/index.ts";
import {
  all,
  child,
  continueAs,
  defineWorkflow,
  type Flow,
  map,
  race,
  signal,
  sleep,
  step,
  type WorkflowDefinition,
} from "../../../src/workflow/index.ts";

/** The definitions of one seed. */
export interface Made {
  readonly definitions: readonly WorkflowDefinition[];
  /** True when the end does not depend on time: no race, and no wait with a limit. */
  readonly isCertain: boolean;
}

/** The definition of a run, and those of its children. */
export const MAIN = "main";
const KID = "kid";
/** The signal that a run accepts. */
export const SIGNAL = "go";
/** The capability of steps that end only when they are cancelled. */
export const ENDLESS = "waits";
/** Their time limit, in ms: a host that never hears of the cancel, because each broadcast was lost, aborts them then. */
const ENDLESS_MS = 30_000;
/** The longest sleep of a definition, in ms. */
const MAX_SLEEP_MS = 4_000;

const anything = { safeParse: (value: unknown) => ({ success: true, data: value }) } as never;
const UNDO = { undo: { call: "undo" } } as const;

/** Makes the definitions of a seed. */
export function makeDefinitions(seed: number): Made {
  const maker = new Maker(seededChance(seed));
  const parts = Array.from({ length: 4 }, () => maker.part(2));
  const continues = maker.chance.next() < 0.15;
  const kid = defineWorkflow({
    name: KID,
    version: 1,
    *run() {
      yield* step("one", "works", 1, UNDO);
      return yield* step("two", "works", 2, UNDO);
    },
  });
  const main = defineWorkflow({
    name: MAIN,
    version: 1,
    signals: { [SIGNAL]: anything },
    *run(input) {
      for (const make of parts) yield* make();
      if (continues && input === null) yield* continueAs("again");
      return "done";
    },
  });
  return { definitions: [main, kid], isCertain: maker.isCertain };
}

type Part = () => Flow<unknown>;

class Maker {
  readonly chance: Chance;
  isCertain = true;
  #names = 0;

  constructor(chance: Chance) {
    this.chance = chance;
  }

  part(depth: number): Part {
    const dice = this.chance.next();
    if (depth === 0 || dice < 0.4) return this.#leaf();
    const parts = Array.from({ length: integerBetween(this.chance, 1, 3) }, () => this.part(depth - 1));
    const made = () => parts.map((make) => make());
    if (dice < 0.55) return () => all(made());
    if (dice < 0.65) return () => all(made(), { settle: "all" });
    if (dice < 0.75) {
      this.isCertain = false;
      return () => race(made());
    }
    if (dice < 0.85) return this.#map();
    return function* () {
      for (const make of parts) yield* make();
    };
  }

  #leaf(): Part {
    const name = `s${++this.#names}`;
    const dice = this.chance.next();
    if (dice < 0.12) {
      const ms = integerBetween(this.chance, 1, MAX_SLEEP_MS);
      return () => sleep(name, ms);
    }
    if (dice < 0.2) {
      this.isCertain = false;
      const expiresMs = integerBetween(this.chance, 500, MAX_SLEEP_MS);
      return () => signal(name, { of: SIGNAL, expiresMs });
    }
    if (dice < 0.26) return () => child(name, KID, null, UNDO);
    if (dice < 0.34) {
      this.isCertain = false;
      const ms = integerBetween(this.chance, 500, MAX_SLEEP_MS);
      const options = { ...UNDO, timeoutMs: ENDLESS_MS };
      return () => race([step(name, ENDLESS, name, options), sleep(`${name}-end`, ms)]);
    }
    const call = this.chance.next() < 0.06 ? "fails" : "works";
    const options = this.chance.next() < 0.7 ? UNDO : {};
    return () => step(name, call, name, options);
  }

  #map(): Part {
    const name = `m${++this.#names}`;
    return () => map(name, [1, 2, 3, 4], { concurrency: 2 }, (item) => step("do", "works", item, UNDO));
  }
}
