import { expect, test } from "vitest";
import { partsOf, reaches } from "../../../workflows/review/index.ts";
import { finding, report } from "./formats/sample.ts";

test("a report reaches a severity when a finding is at least that severe", () => {
  expect(reaches(report, "low")).toBe(true);
  expect(reaches(report, "medium")).toBe(false);
});

test("a report has three parts: shown findings, doubtful findings, and notes", () => {
  const doubtful = { ...finding, agreedBy: ["review-biome"], silent: ["review-eslint"] };
  const note = { ...finding, severity: "info" as const };
  expect(partsOf({ findings: [note, doubtful, finding] })).toEqual({
    shown: [finding],
    doubtful: [doubtful],
    notes: [note],
  });
});
