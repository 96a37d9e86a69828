import { beforeAll, describe, expect, test } from "vitest";
import { hasAnalysers } from "../../agents/lib/review/index.ts";
import { REVIEW_CALIBRATION } from "../../workflows/review/index.ts";
import { calibrate, learn, reliabilityIn } from "./labelled.ts";

/** How far told confidence and measured precision may lie apart in a bucket. */
const TOLERANCE = 0.1;

describe.skipIf(!hasAnalysers())("what agreement of the linters is worth", { timeout: 240_000 }, () => {
  let measured: Awaited<ReturnType<typeof calibrate>>;
  beforeAll(async () => {
    measured = await calibrate();
  }, 240_000);

  test("every finding that the linters vote on was labelled before", () => {
    expect(measured.report.status).toBe("completed");
    expect(measured.strangers.map(({ file, line, kind }) => `${file}:${line} ${kind}`)).toEqual([]);
    expect(measured.learning.length + measured.heldOut.length).toBeGreaterThan(500);
  });

  test("the table is what the learning half teaches: else run node tools/rigs/calibrate-review.ts", () => {
    expect(REVIEW_CALIBRATION).toEqual(measured.calibration);
  });

  test("confidence and precision agree within 0.1 in each bucket of the half that nothing was learnt from", () => {
    expect(measured.reliability.reduce((sum, { count }) => sum + count, 0)).toBe(measured.heldOut.length);
    for (const { confidence, precision, count } of measured.reliability) {
      expect(Math.abs(confidence - precision), `${count} findings told ${confidence}`).toBeLessThanOrEqual(
        TOLERANCE,
      );
    }
  });

  test("and so they do with the halves exchanged", () => {
    for (const { confidence, precision } of reliabilityIn(measured.learning, learn(measured.heldOut))) {
      expect(Math.abs(confidence - precision)).toBeLessThanOrEqual(TOLERANCE);
    }
  });

  test("a table that nothing was learnt for, which takes agreement for truth, would not pass", () => {
    const naive = { intercept: 0, slope: 1, cells: [] };
    const worst = reliabilityIn(measured.heldOut, naive).map(({ confidence, precision }) =>
      Math.abs(confidence - precision),
    );
    expect(Math.max(...worst)).toBeGreaterThan(TOLERANCE);
  });

  test("the report tells each finding's confidence by the ballot's own count", () => {
    const told = new Map(measured.report.agreement.map(({ agreeing, confidence }) => [agreeing, confidence]));
    const voted = [...measured.learning, ...measured.heldOut].map(({ finding }) => finding);
    expect(voted.filter(({ agreedBy, confidence }) => told.get(agreedBy.length) !== confidence)).toEqual([]);
    expect(new Set(voted.map(({ agreedBy, silent }) => agreedBy.length + silent.length))).toEqual(
      new Set([3]),
    );
  });
});
