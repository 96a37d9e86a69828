// Keeps the last answers to questions that several analysers ask. Owns the answers and their end; leaves the question's key to the
// caller.
// I1: an answer that failed, or was cancelled by its first asker, is never given to another asker.

/**
 * How long the answers are kept after the last use, in ms. The analysers of one review ask within seconds, on a busy machine within a minute
 * or two; the processes of a review's own swarm end with them.
 */
const KEPT_MS = 5 * 60_000;

/** The last `capacity` answers. A further question removes the answer that was unused for the longest time. */
export class Kept<Answer> {
  readonly #capacity: number;
  /** The most recently used last. */
  readonly #answers = new Map<string, Promise<Answer>>();
  #end: NodeJS.Timeout | undefined;

  constructor(capacity = 1) {
    this.#capacity = capacity;
  }

  /** Returns the kept answer for `key`, or makes it. @throws the error of `make`. */
  async get(key: string, make: () => Promise<Answer>): Promise<Answer> {
    const known = this.#answers.get(key);
    if (known !== undefined) {
      const kept = await known.then(
        (answer) => ({ answer }),
        () => null, // I1
      );
      if (kept !== null) {
        if (this.#answers.has(key)) this.#keep(key, known);
        return kept.answer;
      }
    }
    const answer = make();
    this.#keep(key, answer);
    return await answer;
  }

  #keep(key: string, answer: Promise<Answer>): void {
    this.#answers.delete(key);
    this.#answers.set(key, answer);
    for (const old of [...this.#answers.keys()].slice(0, -this.#capacity)) this.#answers.delete(old);
    clearTimeout(this.#end);
    this.#end = setTimeout(() => this.#answers.clear(), KEPT_MS);
    this.#end.unref();
  }
}
