import { expect, test } from "vitest";
import { partsOf, reaches } from "../../../workflows/review/index.ts";
import { finding, report } from "./formats/sample.ts";

test("a report reaches a severity when a finding is at least that severe", () => {
  expect(reaches(report, "low")).toBe(true);
  expect(reaches(report, "medium")).toBe(false);
});

test("a finding that is not shown fails no review", () => {
  const hidden = { ...finding, shown: false, whyHidden: "mostly-noise" as const };
  expect(reaches({ ...report, findings: [hidden] }, "low")).toBe(false);
});

test("a report has six parts: shown, known, doubtful, noisy and silenced findings, and notes", () => {
  const doubtful = { ...finding, shown: false, whyHidden: "outvoted" as const };
  const noisy = { ...finding, shown: false, whyHidden: "mostly-noise" as const };
  const note = { ...finding, severity: "info" as const };
  const known = { ...finding, baseline: "known" as const };
  const outside = { ...known, inChange: "outside" as const };
  const silenced = { ...finding, reason: "on purpose", commentLine: 1 };
  const suppressed = [silenced, { ...silenced, inChange: "outside" as const }];
  const findings = [note, doubtful, noisy, finding, known, outside];
  expect(partsOf({ findings, suppressed })).toEqual({
    shown: [finding],
    known: [known],
    doubtful: [doubtful],
    noisy: [noisy],
    silenced: [silenced],
    notes: [note],
  });
});
