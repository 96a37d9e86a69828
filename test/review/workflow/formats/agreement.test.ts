import { expect, test } from "vitest";
import type { HidingReason } from "../../../../agents/lib/review/index.ts";
import { FORMATS, type ReviewReport } from "../../../../workflows/review/index.ts";
import { AROUND, finding, report } from "./sample.ts";

const at = (line: number) => ({ ...finding, line, inChange: "line" as const });
const hide = (line: number, whyHidden: HidingReason) => ({ ...at(line), shown: false, whyHidden });
/** A review of a change with everything that a report can leave out. */
const narrowed: ReviewReport = {
  ...report,
  findings: [
    at(11),
    at(12),
    { ...at(13), inChange: "file" },
    { ...at(14), inChange: "outside" },
    hide(15, "outvoted"),
    hide(16, "mostly-noise"),
  ],
  suppressed: [
    { ...at(17), reason: "the plugin reads it", commentLine: 17 },
    { ...at(18), inChange: "outside", reason: "it is old", commentLine: 18 },
  ],
  leftOut: [{ reason: "vendored", count: 4, files: [] }],
  config: { file: "murmur-review.yaml", switchedOff: [{ kind: "large-file", count: 5 }] },
  scope: {
    change: {
      base: "main",
      commit: "0123456789abcdef",
      changedFiles: 1,
      removedFiles: 0,
      untouched: { inChangedFiles: 1, elsewhere: 1 },
      narrowing: [".eslintignore"],
    },
    baseline: { file: "known.json", entries: 3, known: 2, new: 1, gone: 1, goneFindings: [], written: false },
  },
};

test.each(["text", "markdown", "github"] as const)(
  "%s shows the findings of the other formats, and counts the same omissions",
  (format) => {
    const text = FORMATS[format](narrowed, AROUND);
    const places = [...text.matchAll(/a\.ts:(\d+)|file=a\.ts,line=(\d+)/g)];
    expect(places.map(([, line, annotated]) => line ?? annotated)).toEqual(["11", "12"]);
    expect(omissionsIn(text)).toEqual(OMISSIONS);
  },
);

test("sarif has the same findings, and marks silenced findings as suppressed with the reason of the comment", () => {
  const [run] = JSON.parse(FORMATS.sarif(narrowed, AROUND)).runs;
  const results = run.results as {
    locations: [{ physicalLocation: { region: { startLine: number } } }];
    suppressions?: unknown;
  }[];
  expect(
    results.map(({ locations, suppressions }) => [
      locations[0].physicalLocation.region.startLine,
      suppressions,
    ]),
  ).toEqual([
    [11, undefined],
    [12, undefined],
    [17, [{ kind: "inSource", status: "accepted", justification: "the plugin reads it" }]],
  ]);
  expect(omissionsIn(JSON.stringify(run.invocations))).toEqual(OMISSIONS);
});

const OMISSIONS = [
  "This change edits .eslintignore",
  "Changed since main (0123456789)",
  "1 more in files that changed",
  "Baseline known.json: 2 known and not shown",
  "4 vendored",
  "5 large-file",
  "1 finding silenced by murmur-ignore",
  "1 finding of 1 kind that is mostly noise",
  "1 finding that at least half of the linters do not see",
];

function omissionsIn(text: string): string[] {
  return OMISSIONS.filter((omission) => text.includes(omission));
}
