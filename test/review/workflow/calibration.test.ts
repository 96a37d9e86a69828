import { beforeAll, describe, expect, test } from "vitest";
import { hasAnalysers } from "../../../agents/lib/review/index.ts";
import { REVIEW_CALIBRATION } from "../../../workflows/review/index.ts";
import { calibrate, learn, reliabilityIn } from "../labelled.ts";

/** The largest difference between confidence and measured precision in a bucket. */
const TOLERANCE = 0.1;

describe.skipIf(!hasAnalysers())("the calibration of the linters' agreement", { timeout: 240_000 }, () => {
  let measured: Awaited<ReturnType<typeof calibrate>>;
  beforeAll(async () => {
    measured = await calibrate();
  }, 240_000);

  test("every finding of the linters' ballot has a label", () => {
    // A planted syntax error makes the review partial, because no linter judges such a file.
    expect(measured.report.failedTasks).toEqual([]);
    // The labels of a file with a syntax error are about that error, and the linters that can parse the file report others too.
    const broken = new Set(
      measured.report.coverage.analysers.flatMap(({ unjudged }) => unjudged.map(({ file }) => file)),
    );
    const unlabelled = measured.unlabelled.filter(({ file }) => !broken.has(file));
    expect(unlabelled.map(({ file, line, kind }) => `${file}:${line} ${kind}`)).toEqual([]);
    expect(measured.learning.length + measured.heldOut.length).toBeGreaterThan(500);
  });

  test("the table is up to date with the learning half; otherwise run node tools/rigs/calibrate-review.ts", () => {
    expect(REVIEW_CALIBRATION).toEqual(measured.calibration);
  });

  test("confidence and precision differ by at most 0.1 in each bucket of the held-out half", () => {
    expect(measured.reliability.reduce((sum, { count }) => sum + count, 0)).toBe(measured.heldOut.length);
    for (const { confidence, precision, count } of measured.reliability) {
      expect(
        Math.abs(confidence - precision),
        `${count} findings with confidence ${confidence}`,
      ).toBeLessThanOrEqual(TOLERANCE);
    }
  });

  test("confidence and precision also differ by at most 0.1 with the halves exchanged", () => {
    for (const { confidence, precision } of reliabilityIn(measured.learning, learn(measured.heldOut))) {
      expect(Math.abs(confidence - precision)).toBeLessThanOrEqual(TOLERANCE);
    }
  });

  test("a naive table, which takes agreement for truth, exceeds the tolerance", () => {
    const naive = { intercept: 0, slope: 1, cells: [] };
    const worst = reliabilityIn(measured.heldOut, naive).map(({ confidence, precision }) =>
      Math.abs(confidence - precision),
    );
    expect(Math.max(...worst)).toBeGreaterThan(TOLERANCE);
  });

  test("the report gives each finding the confidence of its level of agreement", () => {
    const confidenceByCount = new Map(
      measured.report.agreement.map(({ agreeing, confidence }) => [agreeing, confidence]),
    );
    const all = [...measured.learning, ...measured.heldOut].map(({ finding }) => finding);
    // A linter that cannot parse a file is not silent about it, so there fewer than three count.
    const voted = all.filter(({ agreedBy, silent }) => agreedBy.length + silent.length === 3);
    expect(
      voted.filter(({ agreedBy, confidence }) => confidenceByCount.get(agreedBy.length) !== confidence),
    ).toEqual([]);
    expect(voted.length).toBeGreaterThan(0.95 * all.length);
  });
});
