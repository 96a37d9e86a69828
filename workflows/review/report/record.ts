// Makes the findings of a review the baseline of its repository.
import { SwarmError } from "murmur-swarm";
import { showPlace, writeBaseline } from "../baseline/index.ts";
import type { Prepared } from "../prepare.ts";
import type { ReviewReport } from "./report.ts";

/**
 * Writes the findings of a report into its baseline, also the hidden ones. Returns the report with all of them known.
 * @throws SwarmError `invalid_input` for a partial review: its missing findings would be new in the next one.
 */
export async function recordBaseline(prepared: Prepared, report: ReviewReport): Promise<ReviewReport> {
  const { baseline, directory } = prepared;
  if (baseline === null) throw new RangeError("expected a review with a baseline");
  if (report.status !== "completed") {
    const { missed } = report.coverage;
    const why = [
      ...new Set(report.failedTasks.map(({ capability, error }) => `${capability}: ${error}`)),
      ...(missed.length === 0 ? [] : [`not judged: ${missed.slice(0, MAX_NAMED).join(", ")}`]),
    ];
    throw new SwarmError(
      "invalid_input",
      `--write-baseline: expected a complete review, but this one is ${report.status}, and the findings that it misses would be new in the next one (${why.join("; ") || "some files cannot be read"}); nothing was written; mend that, or exclude the files in murmur-review.yaml`,
      { field: "writeBaseline" },
    );
  }
  const problems = report.findings.filter(({ severity }) => severity !== "info");
  await writeBaseline(directory, baseline.place, problems);
  return {
    ...report,
    scope: {
      change: null,
      baseline: {
        file: showPlace(baseline.place),
        entries: problems.length,
        known: problems.filter(({ shown }) => shown).length,
        new: 0,
        gone: 0,
        goneFindings: [],
        written: true,
      },
    },
    findings: report.findings.map((finding) =>
      finding.severity === "info" ? finding : { ...finding, baseline: "known" },
    ),
  };
}

/** The most files that the error names. */
const MAX_NAMED = 5;
