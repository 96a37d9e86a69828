// Programs of the simulated agent: a list of phases, drawn from a seed. Each attempt runs the same phases in their order.
import { type Chance, integerBetween } from "../../../src/base/index.ts";

/**
 * One phase. `steps` in parallel; `once`: one step with `once`; `flaky`: steps in parallel that throw a retryable error in their first
 * `fails` runs; `caught`: one step that always throws a retryable error, which the code catches; `stop`: the code throws a retryable
 * error between two steps in the attempts up to `fails`.
 */
export interface Phase {
  readonly kind: "steps" | "once" | "flaky" | "flaky once" | "caught" | "stop";
  readonly names: readonly string[];
  readonly fails: number;
  /** The length of each result, in characters. */
  readonly size: number;
}

const KINDS = ["steps", "steps", "steps", "once", "flaky", "flaky once", "caught", "stop"] as const;
/** More steps in parallel than one record takes. */
const WIDE = 230;
/** Above the limit of a result in a record: it becomes a blob. */
const BLOB_SIZE = 530_000;
/** Five of these are more than one record takes. */
const FAT_SIZE = 100_000;

/** Draws a program of three to six phases. */
export function drawProgram(chance: Chance): Phase[] {
  const count = integerBetween(chance, 3, 6);
  return Array.from({ length: count }, (_, index) => {
    const kind = KINDS[integerBetween(chance, 0, KINDS.length - 1)] as Phase["kind"];
    const rare = kind === "steps" ? integerBetween(chance, 0, 59) : -1;
    const isParallel = kind === "steps" || kind === "flaky";
    const most = rare === 0 ? WIDE : rare === 1 ? 5 : integerBetween(chance, 1, 4);
    const width = isParallel ? most : 1;
    const size = rare === 1 ? FAT_SIZE : rare === 2 ? BLOB_SIZE : 0;
    const names = kind === "stop" ? [] : Array.from({ length: width }, (_, step) => `p${index}:${step}`);
    return { kind, names, fails: integerBetween(chance, 1, 2), size };
  });
}
