import { expect, test } from "vitest";
import { FORMATS, MAX_ANNOTATIONS_PER_LEVEL, type ReviewReport } from "../../../../workflows/review/index.ts";
import { AROUND, finding, report } from "./sample.ts";

const lines = (changes: Partial<ReviewReport>) =>
  FORMATS.github({ ...report, failedTasks: [], status: "completed", ...changes }, AROUND).split("\n");

test("a finding becomes an annotation of its file, by its severity", () => {
  const findings = (["critical", "medium", "low"] as const).map((severity) => ({ ...finding, severity }));
  const told = "'a' is never used. (biome + oxlint, not eslint: useful in 30 of 40 (0.60 to 0.86))";
  expect(lines({ findings })).toEqual([
    "Review: completed; 3 findings in 1 file",
    `::error file=a.ts,line=1,title=unused-variable::${told}`,
    `::warning file=a.ts,line=1,title=unused-variable::${told}`,
    `::notice file=a.ts,line=1,title=unused-variable::${told}`,
  ]);
});

test("characters that end a property or a command are escaped", () => {
  const odd = { ...finding, file: "a,b:c%\n.ts", message: "100 %\nof it, really" };
  expect(lines({ findings: [odd] })[1]).toMatch(
    /^::notice file=a%2Cb%3Ac%25%0A\.ts,line=1,title=unused-variable::100 %25%0Aof it, really /,
  );
});

test("a note about a file cannot become a command to the runner", () => {
  const note = { ...finding, severity: "info" as const };
  const findings = [
    { ...note, file: "::add-mask::x" },
    { ...note, file: "a##[error]b" },
  ];
  const rest = lines({ findings }).slice(1);
  expect(rest).toEqual(["./::add-mask::x: 'a' is never used.", "a## [error]b: 'a' is never used."]);
});

test("each level has the annotations that GitHub shows for a step, and the others are counted", () => {
  const findings = [
    ...Array.from({ length: MAX_ANNOTATIONS_PER_LEVEL + 3 }, () => ({
      ...finding,
      severity: "high" as const,
    })),
    finding,
  ];
  const all = lines({ findings });
  expect(all.filter((line) => line.startsWith("::error "))).toHaveLength(MAX_ANNOTATIONS_PER_LEVEL);
  expect(all.filter((line) => line.startsWith("::notice "))).toHaveLength(1);
  expect(all.at(-1)).toBe(
    "Not annotated: 3 errors. GitHub shows 10 of each level for a step; --format text or json lists all.",
  );
});

test("missing findings are the first annotation", () => {
  const { status, failedTasks } = report;
  expect(lines({ status, failedTasks })[1]).toBe(
    "::warning title=review partial::docs: its findings in 1 file are missing. timeout: no answer",
  );
});
