// Shared by all parts of a simulated world: the time, the source of chance, the agenda, and the counts of faults.

import { type Chance, integerBetween, seededChance } from "../../../src/base/index.ts";

type Work = () => void;

/** The stage of one run. */
export class Stage {
  readonly seed: number;
  readonly chance: Chance;
  /** The number of times that each kind of fault really happened. */
  readonly faults = new Map<string, number>();
  readonly #agenda = new Map<number, Work[]>();
  /** Time in steps. One step is one tick of a correct clock. */
  now = 0;
  /** The number of lines so far: the finest order of events. */
  lines = 0;
  /** True from the moment when no fault happens any more. */
  isHealed = false;

  constructor(seed: number) {
    this.seed = seed;
    this.chance = seededChance(seed);
  }

  /** Runs the work `delay` steps from now. */
  at(delay: number, work: Work): void {
    const due = this.now + delay;
    const works = this.#agenda.get(due);
    if (works === undefined) this.#agenda.set(due, [work]);
    else works.push(work);
  }

  /** Runs the work that is due now. */
  runDue(): void {
    const due = this.#agenda.get(this.now) ?? [];
    this.#agenda.delete(this.now);
    for (const work of due) work();
  }

  count(fault: string): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
  }

  happens(probability: number): boolean {
    return this.chance.next() < probability;
  }

  /** As {@link happens}, but false after the world is healed. */
  strikes(probability: number): boolean {
    return !this.isHealed && this.happens(probability);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.between(0, items.length - 1)] as T;
  }

  /** A whole number in [low, high]. */
  between(low: number, high: number): number {
    return integerBetween(this.chance, low, high);
  }
}
