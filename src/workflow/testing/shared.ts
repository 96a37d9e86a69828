// The shared values of the runs of a test, by the rules of the swarm's store (work/shared): revisions that only rise, compare-and-set, and
// changes that a repetition finds by their key.
import { type Json, SwarmError } from "../../protocol/index.ts";
import type { Effect } from "../decide/effects.ts";
import type { Outcome } from "../log/facts.ts";

/** A shared value. Its revision counts the changes of the run's values. */
export interface TestSharedValue {
  readonly value: Json;
  readonly revision: number;
}

/** The shared values of one run. */
export class TestShared {
  readonly #values = new Map<string, TestSharedValue>();
  /** The revisions of the changes with a key. */
  readonly #made = new Map<string, number>();
  #changes = 0;

  get(name: string): TestSharedValue | null {
    return this.#values.get(name) ?? null;
  }

  /** @throws SwarmError `conflict` when the value has another revision. */
  set(name: string, value: Json, options: { revision?: number; key?: string } = {}): TestSharedValue {
    const { revision, key } = options;
    const made = key === undefined ? undefined : this.#made.get(key);
    if (made !== undefined) return { value, revision: made };
    const now = this.#values.get(name)?.revision ?? 0;
    if (revision !== undefined && revision !== now)
      throw new SwarmError(
        "conflict",
        `the shared value ${name} has the revision ${now}, expected ${revision}`,
        { field: "revision" },
      );
    const changed = { value, revision: ++this.#changes };
    this.#values.set(name, changed);
    if (key !== undefined) this.#made.set(key, changed.revision);
    return changed;
  }

  /** The end of an operation of the code. */
  perform({ name, value, revision, key }: Extract<Effect, { type: "shared" }>): Outcome {
    if (value === undefined) return { status: "completed", output: (this.get(name) ?? null) as Json };
    try {
      const set = this.set(name, value, { ...(revision === undefined ? {} : { revision }), key });
      return { status: "completed", output: { revision: set.revision } };
    } catch (error) {
      const { code, message, field } = error as SwarmError;
      return {
        status: "failed",
        error: { code, message, retryable: false, ...(field === undefined ? {} : { field }) },
      };
    }
  }
}
