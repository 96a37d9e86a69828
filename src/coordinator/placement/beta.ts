// Draws from the Beta distribution: a plausible success rate, given the outcomes so far. Pure.
import type { Chance } from "../../base/index.ts";

/** A draw from Beta(a, b), a and b ≥ 1: X / (X + Y) with X and Y from Gamma(a) and Gamma(b). */
export function drawBeta(a: number, b: number, chance: Chance): number {
  const x = drawGamma(a, chance);
  return x / (x + drawGamma(b, chance));
}

/**
 * A draw from Gamma(shape, 1), shape ≥ 1, by rejection: G. Marsaglia, W. W. Tsang, "A simple method for generating gamma
 * variables", ACM Trans. Math. Software 26 (2000). It takes 1.05 rounds on average.
 */
function drawGamma(shape: number, chance: Chance): number {
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = drawNormal(chance);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - chance.next()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** A draw from the standard normal distribution (Box–Muller). */
function drawNormal(chance: Chance): number {
  return Math.sqrt(-2 * Math.log(1 - chance.next())) * Math.cos(2 * Math.PI * chance.next());
}
