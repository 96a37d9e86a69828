// Assembles the report of a review from the outcomes of its tasks: merges the findings, applies comments, configuration, baseline and
// change, and adds the review's notes about itself. Pure.
import { createHash } from "node:crypto";
import { MAX_PLACES_PER_SEAT } from "../../../agents/lib/review/index.ts";
import { agreementLevels } from "../ballot.ts";
import { type BaselineEntry, type BaselineScope, compareWithBaseline } from "../baseline/index.ts";
import { NO_AGENT } from "../cache/index.ts";
import { applyKinds } from "../config/index.ts";
import type { Answer, Finding } from "../finding.ts";
import { mergeFindings, rankFindings } from "../merge.ts";
import type { Prepared, PreparedBaseline } from "../prepare.ts";
import type { Safety } from "../safety/index.ts";
import type { Scan } from "../scan.ts";
import { type Change, placeInChange, scopeOf } from "../scope/index.ts";
import { applyIgnoreComments, type IgnoreComment } from "../suppress/index.ts";
import { isLinter, type Outcome } from "../tasks/index.ts";
import { coverageOf } from "./coverage.ts";
import { type FailedTask, partsOf, type ReviewReport } from "./report.ts";

/** The facts of a review that its report tells, besides the findings. */
export interface ReviewFacts {
  safety: Safety;
  comments: ReadonlyMap<string, readonly IgnoreComment[]>;
  /** The files that changed after the scan. */
  changed: readonly string[];
  /** True when every analyser was asked. */
  isWhole: boolean;
  outcomes: readonly Outcome[];
  tookMs: number;
  /** True when hidden findings are shown too. */
  all?: boolean | undefined;
}

/** Makes the report of a review. */
export function assembleReport(
  { directory, config, configFile: file, change, baseline }: Prepared,
  scanned: Scan,
  { safety, comments, changed, isWhole, outcomes, tookMs, all = false }: ReviewFacts,
): ReviewReport {
  const answers = outcomes.flatMap(({ answer }) => (answer === null ? [] : [answer]));
  const places = outcomes.flatMap(({ agreed }) => agreed ?? []);
  const uncounted = new Set(answers.flatMap((answer) => answer.uncounted ?? [])).size;
  const failedTasks: FailedTask[] = outcomes.flatMap(({ capability, files, error }) =>
    error === null ? [] : [{ capability, error, files: files.length }],
  );
  // In a review of a change, the files that did not change are context.
  const judged = scanned.files.map(({ path }) => path).filter((path) => change?.files.has(path) ?? true);
  const coverage = coverageOf(judged, outcomes, changed);
  const isCut = scanned.leftOut.some(({ reason }) => reason === "unreadable" || reason === "over-the-limit");
  const isComplete = isWhole && failedTasks.length === 0;
  const silenced = applyIgnoreComments(
    mergeFindings(answers, places),
    comments,
    (path) => isComplete && (change?.files.has(path) ?? true),
  );
  const merged = applyKinds(silenced.findings, config);
  const ranked = rankFindings(merged.findings).map((finding) =>
    all ? { ...finding, shown: true } : finding,
  );
  const inFiles = new Set(scanned.files.map(({ path }) => path));
  const compared =
    baseline === null ? null : compareWithBaseline(ranked, baseline.entries, (path) => inFiles.has(path));
  const placed = ranked.map((finding) => placeFinding(finding, change, compared?.known ?? null));
  const notes = [
    ...silenced.notes.map(({ rule, file: at, line, message }) => makeNote(rule, at, message, line)),
    ...merged.unknownKinds.map((message) => makeNote("unknown-kind", file ?? ".", message)),
    ...noteUncounted(uncounted),
  ];
  const isPartial = failedTasks.length > 0 || coverage.missed.length > 0 || isCut;
  const isFailed = outcomes.length > 0 && answers.length === 0;
  const status = isFailed ? "failed" : isPartial ? "partial" : "completed";
  // Entries about files and analysers outside of this review are not gone.
  const gone = status === "completed" && isWhole && change === null ? (compared?.gone ?? null) : null;
  const inChange = change === null ? null : scopeOf(change, placed, judged.length, baseline?.place.inside);
  return {
    status,
    directory,
    files: judged.length - coverage.unread.length,
    coverage,
    safety,
    leftOut: scanned.leftOut,
    suppressed: silenced.suppressed.map((finding) => placeFinding(finding, change, null)),
    config: {
      file,
      switchedOff: merged.switchedOff,
      shown: config.limits.shown,
      shownPerKind: config.limits.shownPerKind,
    },
    durationMs: Math.round(tookMs),
    agents: new Set(outcomes.flatMap(({ agent }) => (agent === null || agent === NO_AGENT ? [] : [agent])))
      .size,
    tasks: outcomes.length,
    agreement: [...countLinters(answers)].sort((a, b) => b - a).flatMap(agreementLevels),
    scope:
      change === null && baseline === null
        ? null
        : { change: inChange, baseline: baseline === null ? null : baselineScope(baseline, placed, gone) },
    findings: [...placed, ...notes],
    failedTasks,
  };
}

/** Returns the different numbers of linters that answered about a file. */
function countLinters(answers: readonly Answer[]): Set<number> {
  const counts = new Map<string, number>();
  for (const { capability, files } of answers) {
    if (isLinter(capability)) for (const file of files) counts.set(file, (counts.get(file) ?? 0) + 1);
  }
  return new Set(counts.values());
}

/** Adds the place in the change, and the state beside the baseline. Notes of analysers have neither. */
function placeFinding<F extends Finding>(
  finding: F,
  change: Change | null,
  known: ReadonlySet<string> | null,
): F {
  return {
    ...finding,
    ...(change === null ? {} : { inChange: placeInChange(change, finding) }),
    ...(known === null || finding.severity === "info"
      ? {}
      : { baseline: known.has(finding.fingerprint) ? "known" : "new" }),
  };
}

function baselineScope(
  { name, entries }: PreparedBaseline,
  findings: readonly Finding[],
  gone: readonly BaselineEntry[] | null,
): BaselineScope {
  const { shown, known } = partsOf({ findings: [...findings], suppressed: [] });
  return {
    file: name,
    entries: entries.length,
    known: known.length,
    new: shown.length,
    gone: gone?.length ?? null,
    goneFindings: (gone ?? []).map(({ anchor: _, ...entry }) => entry),
    written: false,
  };
}

/** Makes a note about files with too many findings for a ballot. */
function noteUncounted(files: number): Finding[] {
  if (files === 0) return [];
  const message = `In ${files === 1 ? "1 file" : `${files} files`} the agreement was counted from the linters' answers, because a ballot has room for ${MAX_PLACES_PER_SEAT} findings of a linter.`;
  return [makeNote("counted-apart", ".", message)];
}

/** Makes a note of the review about itself. */
function makeNote(rule: string, file: string, message: string, line = 1): Finding {
  const name = JSON.stringify([rule, file, line, message]);
  return {
    fingerprint: createHash("sha256").update(name).digest("hex").slice(0, 16),
    kind: "review-note",
    rule,
    severity: "info",
    file,
    line,
    message,
    agreedBy: [],
    silent: [],
    confidence: null,
    measured: null,
    shown: true,
    whyHidden: null,
    anchor: rule,
  };
}
