// What values were: the last changes of each, with who made them and when. Owns what is kept, for people to look at;
// nothing is decided by it. Pure.
import type { Json } from "../../protocol/index.ts";

/** Changes of one value that are kept. */
export const MAX_CHANGES_OF_ONE = 16;
/** Changes of all values that are kept, removed ones included. */
export const MAX_CHANGES = 4_096;
/** The same in characters of their values' JSON: 4 Mi. */
export const MAX_CHANGES_CHARACTERS = 4 * 1_024 * 1_024;

/** A change of a value. */
export interface Change {
  name: string;
  revision: number;
  /** Null: it was removed. */
  value: Json;
  /** When, in ms since 1970, by the clock of whoever held the office; null where that was not written down. */
  atMs: number | null;
  /** Who says to have made it; null for one who did not say. */
  by: string | null;
}

/** The changes that are kept, the oldest first. */
export class History {
  readonly #changes: Change[] = [];
  #characters = 0;

  /** Keeps a change, and forgets the oldest ones beyond the bounds. */
  add(change: Change): void {
    const own = this.#changes.filter(({ name }) => name === change.name);
    if (own.length >= MAX_CHANGES_OF_ONE) this.#forget(this.#changes.indexOf(own[0] as Change));
    this.#changes.push(change);
    this.#characters += lengthOf(change);
    while (this.#changes.length > MAX_CHANGES || this.#characters > MAX_CHANGES_CHARACTERS) this.#forget(0);
  }

  /** The changes of all names that are wanted, the oldest first. */
  list(wanted: (name: string) => boolean = () => true): Change[] {
    return this.#changes.filter(({ name }) => wanted(name));
  }

  #forget(index: number): void {
    const [change] = this.#changes.splice(index, 1);
    if (change !== undefined) this.#characters -= lengthOf(change);
  }
}

function lengthOf({ value }: Change): number {
  return JSON.stringify(value).length;
}
