// The parts that the formats share: the facts around a report, the address of a page about a kind, and words. Pure.
import { accuracyOf } from "murmur-swarm";
import { type LabelCounts, PAGES_FOLDER, pageOf, ruleUrl } from "../../../agents/lib/review/index.ts";
import { renderBaselineScope } from "../baseline/index.ts";
import { renderSwitchedOff } from "../config/index.ts";
import type { Finding } from "../finding.ts";
import { renderLeftOut } from "../left-out/index.ts";
import { type FailedTask, partsOf, type ReviewReport, renderCoverage } from "../report/index.ts";
import { renderScope } from "../scope/index.ts";

/** The facts that a format may show, and that the report does not have. */
export interface Surroundings {
  /** The version of this program. */
  version: string;
  /** The git checkout around the reviewed directory; null outside a checkout, or without git. */
  checkout: Checkout | null;
  /** The web address of this package's pages, with a `/` at its end; null when package.json names no repository. */
  pagesUrl: string | null;
}

/** A git checkout. */
export interface Checkout {
  /** The reviewed directory below the root of the checkout: empty, or with a `/` at its end. */
  prefix: string;
  /** The commit; null before the first one. */
  revision: string | null;
  /** Null when no branch is checked out. */
  branch: string | null;
  /** The web address of the repository, without user name and password; null when it is unknown. */
  webUrl: string | null;
}

/** Makes one output of a report. It ends without a line break. */
export type Format = (report: ReviewReport, around: Surroundings) => string;

/** Returns a finding's file below the root of the checkout, where code hosts look for it. */
export function fileInCheckout({ file }: Pick<Finding, "file">, { checkout }: Surroundings): string {
  return `${checkout?.prefix ?? ""}${file}`;
}

/**
 * Returns the web address of the page that explains a finding: the page of its kind, or of the linter's rule; null when none is
 * known.
 */
export function helpUrl({ kind, rule, agreedBy }: Finding, { pagesUrl }: Surroundings): string | null {
  const page = pageOf(kind);
  if (page === null) return ruleUrl(rule, agreedBy);
  return pagesUrl === null ? null : `${pagesUrl}${page}`;
}

/**
 * Names the pages that explain kinds: their web address, or their folder in Murmur's own package or checkout. `kind` may be a name
 * or a placeholder.
 */
export function describePage(kind: string, pagesUrl: string | null | undefined): string {
  const page = `${PAGES_FOLDER}/${kind}.md`;
  return pagesUrl == null ? `${page} in the folder of Murmur` : `${pagesUrl}${page}`;
}

/** Encodes a path for a URI; the `/` between its parts stay. */
export function encodePath(path: string): string {
  return path.toWellFormed().split("/").map(encodeURIComponent).join("/");
}

/** Makes one text for each analyser and error, for all its failed tasks together. */
export function describeFailures(failed: readonly FailedTask[]): string[] {
  const byReason = Map.groupBy(failed, ({ capability, error }) => JSON.stringify([capability, error]));
  return [...byReason.values()].map((tasks) => {
    const files = tasks.reduce((sum, task) => sum + task.files, 0);
    return `${shortName(tasks[0]?.capability ?? "")}: its findings in ${plural(files, "file")} are missing. ${tasks[0]?.error ?? ""}`;
  });
}

/** Describes the parts that were not judged: the failed tasks, then the files that analysers could not judge, in one text. */
export function describeMissing({ failedTasks, coverage }: ReviewReport): string[] {
  const uncovered = renderCoverage(coverage, failedTasks);
  return [...describeFailures(failedTasks), ...(uncovered === null ? [] : [uncovered])];
}

/** Names the analysers that report a finding and the silent ones, and shows the measured usefulness. */
export function describeAgreement({ agreedBy, silent, measured }: Finding): string {
  const names = agreedBy.map(shortName).join(" + ");
  const but = silent.length === 0 ? "" : `, not ${silent.map(shortName).join(", ")}`;
  return `${names}${but}${measured === null ? "" : `: ${describeMeasured(measured)}`}`;
}

function describeMeasured({ useful, labelled }: LabelCounts): string {
  const rate = accuracyOf({ right: useful, total: labelled });
  const interval = rate === null ? "" : ` (${rate.low.toFixed(2)} to ${rate.high.toFixed(2)})`;
  return `useful in ${useful} of ${labelled}${interval}`;
}

/** Tells the change and the baseline that limit the shown findings: a line or two for each. */
export function describeScope({ scope }: ReviewReport): string[] {
  const { change = null, baseline = null } = scope ?? {};
  return [
    ...(change === null ? [] : renderScope(change)),
    ...(baseline === null ? [] : [renderBaselineScope(baseline)]),
  ];
}

/**
 * Counts the files and findings that a report does not show on purpose: a line for each reason. Every format tells them, so that a
 * short report is not taken for clean code.
 */
export function describeOmitted(report: ReviewReport): string[] {
  const { silenced } = partsOf(report);
  return [
    ...[renderLeftOut(report.leftOut) ?? []].flat(),
    ...[renderSwitchedOff(report.config) ?? []].flat(),
    ...(silenced.length === 0
      ? []
      : [`${plural(silenced.length, "finding")} silenced by murmur-ignore; reasons in --json`]),
    ...describeHidden(report),
  ];
}

/** Counts the findings that are off by default: a line for each reason. */
function describeHidden(report: ReviewReport): string[] {
  const { doubtful, noisy } = partsOf(report);
  const kinds = new Set(noisy.map(({ kind }) => kind)).size;
  const noise = `${plural(noisy.length, "finding")} of ${plural(kinds, "kind")} that ${kinds === 1 ? "is" : "are"} mostly noise: --all`;
  return [
    ...(noisy.length === 0 ? [] : [noise]),
    ...(doubtful.length === 0
      ? []
      : [`${plural(doubtful.length, "finding")} that at least half of the linters do not see: --all`]),
  ];
}

export function shortName(capability: string): string {
  return capability.replace(/^review-/, "");
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * Makes foreign text safe in the log of a GitHub job, where `##[name]` anywhere in a line, and `::name` at its start, is a command
 * to the runner. Control characters are replaced too.
 */
export function inLog(text: string): string {
  return text
    .replace(/\p{Cc}/gu, "�")
    .replaceAll("##[", "## [")
    .replace(/^\s*::/, "./$&");
}
