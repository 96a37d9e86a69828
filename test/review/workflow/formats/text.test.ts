import { expect, test } from "vitest";
import type { HidingReason, Unjudged } from "../../../../agents/lib/review/index.ts";
import { renderReport } from "../../../../workflows/review/index.ts";
import { finding, report } from "./sample.ts";

test("the report groups findings, names the linters that agree, counts the rest, and names missing findings", () => {
  expect(renderReport(report, { perKind: 2 })).toBe(
    [
      "Review of /repo: partial",
      "1 file, 3 tasks, 2 agents, 1.2 s",
      "3 findings: 3 low; 3 reported by several analysers",
      "linters ran without network and could not write (bwrap)",
      "",
      "Correctness (3)",
      "  unused-variable [low]",
      "    a.ts:1  'a' is never used.",
      "      biome + oxlint, not eslint: useful in 30 of 40 (0.60 to 0.86)",
      "    a.ts:2  'a' is never used.",
      "      biome + oxlint, not eslint: useful in 30 of 40 (0.60 to 0.86)",
      "    … and 1 more, see --json",
      "",
      "Each kind is explained in docs/review/kinds/<kind>.md in the folder of Murmur",
      "",
      "useful in N of M: labelled findings of this kind, sort of file and agreement in public repositories, with Wilson's 95 % interval (docs/review.md)",
      "",
      "Not done (1 task)",
      "  docs: its findings in 1 file are missing. timeout: no answer",
    ].join("\n"),
  );
});

test("the report counts the findings that it leaves out by default, by reason, and does not show them", () => {
  const hide = (whyHidden: HidingReason, kind: string, line: number) => ({
    ...finding,
    kind,
    line,
    shown: false,
    whyHidden,
  });
  const text = renderReport({
    ...report,
    findings: [
      hide("outvoted", "unused-variable", 1),
      hide("mostly-noise", "no-global-is-nan", 2),
      hide("mostly-noise", "no-global-is-nan", 3),
      hide("unmeasured", "no-new-rule", 4),
      { ...finding, line: 5 },
    ],
  });
  expect(text.split("\n")).toEqual(
    expect.arrayContaining([
      "3 findings of 2 kinds that are mostly noise: --all",
      "1 finding that at least half of the linters do not see: --all",
    ]),
  );
  expect(text.match(/a\.ts:\d/g)).toEqual(["a.ts:5"]);
});

test("the report prints no share for a finding without enough labels", () => {
  const alone = { ...finding, agreedBy: ["review-docs"], silent: [], confidence: null, measured: null };
  const text = renderReport({ ...report, findings: [alone] });
  expect(text).toContain("\n      docs\n");
  expect(text).not.toContain("useful in");
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
      unread: [{ file: "README.md", why: "tool-failed" }],
      missed: [],
    },
  });
  expect(text.split("\n")).toContain(
    "2 files not judged by eslint (parse error); 1 file not judged by eslint (unreadable); details in --json",
  );
});
