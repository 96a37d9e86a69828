import { expect, test } from "vitest";
import type { Unjudged } from "../../../../agents/lib/review/index.ts";
import { renderReport } from "../../../../workflows/review/index.ts";
import { finding, report } from "./sample.ts";

test("the report groups findings, names the linters that agree, counts the rest, and names missing findings", () => {
  expect(renderReport(report, { perKind: 2 })).toBe(
    [
      "Review of /repo: partial",
      "1 file, 3 tasks, 2 agents, 1.2 s",
      "3 findings: 3 low; 3 reported by several analysers",
      "",
      "Correctness (3)",
      "  unused-variable [low]",
      "    a.ts:1  'a' is never used.",
      "      biome + oxlint, not eslint: confidence 0.75",
      "    a.ts:2  'a' is never used.",
      "      biome + oxlint, not eslint: confidence 0.75",
      "    … and 1 more, see --json",
      "",
      "Each kind is explained in docs/review/kinds/<kind>.md",
      "",
      "Confidence: how often linters that agree so were right where the truth is known (docs/review.md)",
      "  2 of 3 linters: 0.75 (30 of 40 labelled findings were right)",
      "",
      "Not done (1 task)",
      "  docs: its findings in 1 file are missing. timeout: no answer",
    ].join("\n"),
  );
});

test("the report counts a doubtful finding, but does not show it", () => {
  const doubtful = { ...report, findings: [{ ...finding, agreedBy: ["review-biome"], confidence: 0.4 }] };
  const text = renderReport(doubtful);
  expect(text).not.toContain("a.ts:1");
  expect(text).toContain("1 more that at least half of the linters do not see is in --json");
});

test("the report marks a finding that only one analyser can report", () => {
  const alone = {
    ...report,
    findings: [{ ...finding, agreedBy: ["review-docs"], silent: [], confidence: null }],
  };
  const text = renderReport(alone);
  expect(text).toContain("docs, which nothing else can check");
  expect(text).not.toContain("Confidence");
});

test("the report has one line about the files that were not judged, without those of failed tasks", () => {
  const covered = (capability: "review-eslint" | "review-docs", unjudged: Unjudged[]) => ({
    capability,
    judged: 1,
    unjudged,
  });
  const text = renderReport({
    ...report,
    coverage: {
      analysers: [
        covered("review-eslint", [
          { file: "a.ts", why: "parse-error" },
          { file: "b.ts", why: "parse-error" },
          { file: "c.ts", why: "unreadable" },
        ]),
        covered("review-docs", [{ file: "README.md", why: "tool-failed" }]),
      ],
      unread: ["README.md"],
      missed: [],
    },
  });
  expect(text.split("\n")).toContain(
    "2 files not judged by eslint (parse error); 1 file not judged by eslint (unreadable); details in --json",
  );
});
