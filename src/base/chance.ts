// Random numbers as a dependency: deciders take a `Chance`, so that the same seed repeats a run exactly.

/** A source of random numbers. */
export interface Chance {
  /** A number in [0, 1). */
  next(): number;
}

/** The platform's generator. Only for drivers, never for a decider that a simulator runs. */
export const systemChance: Chance = { next: () => Math.random() };

/**
 * A seeded generator (mulberry32, 32-bit state; public domain by Tommy Ettinger). The same seed gives the same
 * sequence on every platform. Not for secrets.
 */
export function seededChance(seed: number): Chance {
  let state = seed >>> 0;
  return {
    next: () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
    },
  };
}

/** Returns a whole number from `low` to `high`, both included. */
export function integerBetween(chance: Chance, low: number, high: number): number {
  return low + Math.floor(chance.next() * (high - low + 1));
}
