// The history of the shared configuration values (config.ts): the newest changes of each value, with writer and time.
// Owns the bounds of the history. It is for people; no decision of the office depends on it. Pure.
import type { Json } from "../../protocol/index.ts";

/** The most changes of one value that the history keeps. */
export const MAX_CHANGES_OF_ONE = 16;
/** The most changes that the history keeps for all values together, including removed values. */
export const MAX_CHANGES = 4_096;
/** The most characters of JSON of the values in all kept changes: 4 Mi. */
export const MAX_CHANGES_CHARACTERS = 4 * 1_024 * 1_024;

/** A change of a value. */
export interface Change {
  name: string;
  revision: number;
  /** The new value; null when the change removed the value. */
  value: Json;
  /** The time in ms since 1970, by the clock of the office's holder; null when the command did not carry it. */
  atMs: number | null;
  /** The name that the writer gave; null when it gave none. */
  by: string | null;
}

/** The kept changes, the oldest first. */
export class History {
  readonly #changes: Change[] = [];
  #characters = 0;

  /** Keeps a change, and drops the oldest changes beyond the bounds. */
  add(change: Change): void {
    const own = this.#changes.filter(({ name }) => name === change.name);
    if (own.length >= MAX_CHANGES_OF_ONE) this.#forget(this.#changes.indexOf(own[0] as Change));
    this.#changes.push(change);
    this.#characters += lengthOf(change);
    while (this.#changes.length > MAX_CHANGES || this.#characters > MAX_CHANGES_CHARACTERS) this.#forget(0);
  }

  /** The changes of the values whose names `wanted` accepts (default: all), the oldest first. */
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
