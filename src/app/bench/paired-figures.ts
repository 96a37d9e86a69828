// The figures of the two sides of a comparison: the medians, and the median of the ratios. Pure.
import type { BenchFigure } from "./figure.ts";

/** The figures of both sides, round by round. */
export class PairedFigures {
  readonly #ours: number[] = [];
  readonly #theirs: number[] = [];

  add(ours: number, theirs: number): void {
    this.#ours.push(ours);
    this.#theirs.push(theirs);
  }

  get murmur(): number {
    return median(this.#ours);
  }

  figure(
    facts: Pick<BenchFigure, "scenario" | "name" | "unit" | "goal">,
    met?: (ratio: number, figure: number) => boolean,
  ): BenchFigure {
    const ratio = median(this.#ours.map((figure, index) => figure / this.#theirs[index]!));
    return {
      ...facts,
      murmur: this.murmur,
      bare: median(this.#theirs),
      ratio,
      met: met === undefined ? null : met(ratio, this.murmur),
      rounds: this.#ours,
    };
  }
}

function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
