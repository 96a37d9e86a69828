import { describe, expect, it } from "vitest";
import { type Chance, seededChance } from "../../../src/base/index.ts";
import { confidenceOf } from "../../../src/consensus/index.ts";
import {
  type CalibrationSample,
  fitCalibration,
  reliabilityOf,
  UNCALIBRATED,
} from "../../../src/consensus/internal.ts";

/** Findings that are true with some probability, and tools that report true and false ones at different rates. */
function simulate(count: number, chance: Chance, tools = 5): CalibrationSample[] {
  const samples: CalibrationSample[] = [];
  while (samples.length < count) {
    const isRight = chance.next() < 0.4;
    const votes = Array.from({ length: tools }, () => chance.next() < (isRight ? 0.6 : 0.15)).filter(
      Boolean,
    ).length;
    if (votes > 0) samples.push({ votes, of: tools, isRight });
  }
  return samples;
}

describe("confidence", () => {
  it("without cases is the share of agreement, moved a little towards one half", () => {
    expect(confidenceOf(UNCALIBRATED, 2, 4)).toBeCloseTo(0.5, 10);
    expect(confidenceOf(UNCALIBRATED, 3, 3)).toBeCloseTo(3.5 / 4, 10);
    expect(fitCalibration([])).toEqual(UNCALIBRATED);
  });

  it("learnt from some cases agrees with the precision of other cases within 0.1 in every bucket", () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const chance = seededChance(seed);
      const calibration = fitCalibration(simulate(1_000, chance));
      const judged = simulate(5_000, chance).map(({ votes, of, isRight }) => ({
        confidence: confidenceOf(calibration, votes, of),
        isRight,
      }));
      for (const { confidence, precision, count } of reliabilityOf(judged)) {
        if (count >= 100) expect(Math.abs(confidence - precision)).toBeLessThan(0.1);
      }
    }
  });

  it("rises with agreement, and is defined for counts without cases", () => {
    const calibration = fitCalibration(simulate(2_000, seededChance(9)));
    const rising = [1, 2, 3, 4, 5].map((votes) => confidenceOf(calibration, votes, 5));
    expect(rising).toEqual([...rising].sort((a, b) => a - b));
    expect(confidenceOf(calibration, 3, 3)).toBeGreaterThan(confidenceOf(calibration, 1, 3));
  });

  it("stays between 0 and 1 for all cases, also if all are right or all are wrong", () => {
    for (const isRight of [true, false]) {
      const samples = Array.from({ length: 500 }, (_, index) => ({ votes: (index % 3) + 1, of: 3, isRight }));
      const calibration = fitCalibration(samples);
      for (const votes of [0, 1, 2, 3]) {
        const confidence = confidenceOf(calibration, votes, 3);
        expect(confidence).toBeGreaterThan(0);
        expect(confidence).toBeLessThan(1);
        if (votes > 0) expect(Math.abs(confidence - (isRight ? 1 : 0))).toBeLessThan(0.02);
      }
    }
  });

  it("does not depend on the order of cases", () => {
    const samples = simulate(300, seededChance(4));
    expect(fitCalibration([...samples].reverse())).toEqual(fitCalibration(samples));
  });
});

describe("a reliability diagram", () => {
  it("has one bucket for each non-empty interval, and the last interval is closed", () => {
    const judged = [
      { confidence: 0.05, isRight: false },
      { confidence: 0.95, isRight: true },
      { confidence: 1, isRight: false },
    ];
    expect(reliabilityOf(judged)).toEqual([
      { from: 0, to: 0.1, count: 1, confidence: 0.05, precision: 0 },
      { from: 0.9, to: 1, count: 2, confidence: 0.975, precision: 0.5 },
    ]);
  });
});
