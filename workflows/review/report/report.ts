// The report of a review: its shape for programs, and the questions that every format asks about it. Pure. Leaves the formats to
// formats/.
import { SEVERITIES, type Severity } from "../../../agents/lib/review/index.ts";
import type { AgreementLevel } from "../ballot.ts";
import type { BaselineScope } from "../baseline/index.ts";
import type { CacheUse } from "../cache/index.ts";
import type { SwitchedOff } from "../config/index.ts";
import type { Finding } from "../finding.ts";
import type { LeftOut } from "../left-out/index.ts";
import type { Safety } from "../safety/index.ts";
import { type ChangeScope, isInScope } from "../scope/index.ts";
import type { Suppressed } from "../suppress/index.ts";
import type { Coverage } from "./coverage.ts";

/** A task whose findings are missing. */
export interface FailedTask {
  capability: string;
  /** `code: message` */
  error: string;
  /** The number of files of the task, whose findings are missing. */
  files: number;
}

/** The result of a review, as `--json` prints it. */
export interface ReviewReport {
  /** `partial` when some tasks failed or some files were missed (`coverage.missed`), `failed` when all failed. */
  status: "completed" | "partial" | "failed";
  /** The reviewed directory: absolute, without links. */
  directory: string;
  /** The number of reviewed files: at least one analyser has judged each of them. */
  files: number;
  /** The files that each analyser has judged and not judged. */
  coverage: Coverage;
  /** The code of the repository that ran, and the protection of the analysers. */
  safety: Safety;
  /** The files that the scan has left out, by reason. */
  leftOut: LeftOut[];
  /** The findings that a comment `murmur-ignore` has silenced, each with the reason in the comment. */
  suppressed: Suppressed<Finding>[];
  /** The configuration of the review. */
  config: {
    /** Its file: relative to the directory, or absolute when the user named it; null without one. */
    file: string | null;
    /** The findings that it has switched off, by kind. */
    switchedOff: SwitchedOff[];
    /** Its limits of the text; undefined: the format's own. */
    shown?: number | undefined;
    shownPerKind?: number | undefined;
  };
  durationMs: number;
  /** The number of agents that took part. */
  agents: number;
  /** The number of tasks of the review. */
  tasks: number;
  /** How often labelled findings of each level of agreement were useful (docs/review.md), the highest level first. */
  agreement: AgreementLevel[];
  /** The limits of the shown findings: a change, a baseline, or both; null for a review of everything. */
  scope: { change: ChangeScope | null; baseline: BaselineScope | null } | null;
  /** The findings, most important first. */
  findings: Finding[];
  failedTasks: FailedTask[];
  /** The use of the results of earlier reviews; undefined without a cache. */
  cache?: CacheUse | undefined;
}

/** True when a shown finding is at least as severe as `severity`. */
export function reaches(report: ReviewReport, severity: Severity): boolean {
  const limit = SEVERITIES.indexOf(severity);
  return report.findings.some(
    (finding) => SEVERITIES.indexOf(finding.severity) <= limit && finding.shown && isInScope(finding),
  );
}

/** The findings of a report in its three parts, each in the order of the report. */
export interface Parts {
  /** The findings that every format shows. */
  shown: Finding[];
  /** The findings that only `json` and `sarif` have: the baseline knows them. */
  known: Finding[];
  /** The findings that only `json` has: at least half of the linters do not see them. */
  doubtful: Finding[];
  /** The findings that only `json` has: their kinds are mostly noise, or one linter's rules without labels. */
  noisy: Finding[];
  /** The findings that a comment has silenced; of a change, only those on its lines. */
  silenced: Suppressed<Finding>[];
  /** The review's notes about itself. */
  notes: Finding[];
}

/** Divides the findings of a report. */
export function partsOf({ findings, suppressed }: Pick<ReviewReport, "findings" | "suppressed">): Parts {
  const problems = findings.filter((finding) => finding.severity !== "info" && isInScope(finding));
  return {
    shown: problems.filter(({ shown }) => shown),
    known: findings.filter(
      (finding) =>
        finding.severity !== "info" &&
        finding.shown &&
        finding.baseline === "known" &&
        isInScope({ ...finding, baseline: "new" }),
    ),
    doubtful: problems.filter(({ shown, whyHidden }) => !shown && whyHidden === "outvoted"),
    noisy: problems.filter(({ shown, whyHidden }) => !shown && whyHidden !== "outvoted"),
    silenced: suppressed.filter(isInScope),
    notes: findings.filter(({ severity }) => severity === "info"),
  };
}
