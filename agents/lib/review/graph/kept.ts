// Keeps the last answer of an analysis that several analysers ask for. Owns the one answer and its end; leaves the question's key to the
// caller.
// I1: an answer that failed, or was cancelled by its first asker, is never given to another asker.

/**
 * How long an answer is kept after its last use, in ms. The analysers of one review ask within seconds, on a busy machine within a minute or
 * two; the processes of a review's own swarm end with it.
 */
const KEPT_MS = 5 * 60_000;

/** One kept answer. A question with another key takes its place, so memory holds one at most. */
export class Kept<Answer> {
  #key: string | undefined;
  #answer: Promise<Answer> | undefined;
  #end: NodeJS.Timeout | undefined;

  /** Returns the kept answer for `key`, or makes it. @throws the error of `make`. */
  async get(key: string, make: () => Promise<Answer>): Promise<Answer> {
    if (this.#key === key && this.#answer !== undefined) {
      const kept = await this.#answer.then(
        (answer) => ({ answer }),
        () => null, // I1
      );
      if (kept !== null) {
        if (this.#key === key) this.#renew();
        return kept.answer;
      }
    }
    const answer = make();
    this.#key = key;
    this.#answer = answer;
    this.#renew();
    return await answer;
  }

  #renew(): void {
    clearTimeout(this.#end);
    this.#end = setTimeout(() => this.#drop(), KEPT_MS);
    this.#end.unref();
  }

  #drop(): void {
    this.#key = undefined;
    this.#answer = undefined;
  }
}
