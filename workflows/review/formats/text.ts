// The text of a report for people at a terminal. Pure.
import { type Area, areaOf, pageOf, SEVERITIES } from "../../../agents/lib/review/index.ts";
import type { Finding } from "../finding.ts";
import { type FailedTask, partsOf, type ReviewReport, renderCoverage } from "../report/index.ts";
import { renderSafety } from "../safety/index.ts";
import {
  describeAgreement,
  describeFailures,
  describeOmitted,
  describePage,
  describeScope,
  inLog,
  plural,
} from "./format.ts";

export interface RenderOptions {
  /** The most shown findings of one kind; the others are counted. Default 5. */
  perKind?: number | undefined;
  /** The most shown findings in total; default 60, about two screens. */
  total?: number | undefined;
  /** The address of the pages of this package, with a `/` at its end; without one, findings name the folder of the pages. */
  pagesUrl?: string | null | undefined;
}

/** Renders the report for people: a summary, then chapters with kinds and their findings, the most important first. */
export function renderReport(report: ReviewReport, options: RenderOptions = {}): string {
  const { shown: findings, notes } = partsOf(report);
  const { shown: total, shownPerKind: perKind } = report.config;
  return [
    ...summary(report, findings),
    ...chapters(findings, { total, perKind, ...options }),
    ...explanations(findings, { total, perKind, ...options }),
    ...legend(findings),
    ...failures(report.failedTasks),
    ...remarks(notes),
  ].join("\n");
}

function summary(report: ReviewReport, findings: readonly Finding[]): string[] {
  const counts = SEVERITIES.map((severity) => ({
    severity,
    count: findings.filter((finding) => finding.severity === severity).length,
  })).filter(({ count }) => count > 0);
  const agreed = findings.filter(({ agreedBy }) => agreedBy.length > 1).length;
  const found =
    findings.length === 0
      ? "no findings"
      : `${plural(findings.length, "finding")}: ${counts.map(({ severity, count }) => `${count} ${severity}`).join(", ")}`;
  return [
    `Review of ${report.directory}: ${report.status}`,
    `${plural(report.files, "file")}, ${plural(report.tasks, "task")}, ${plural(report.agents, "agent")}, ${(report.durationMs / 1000).toFixed(1)} s${showCache(report)}`,
    `${found}${agreed === 0 ? "" : `; ${agreed} reported by several analysers`}`,
    ...describeScope(report).map(inLog),
    ...[renderCoverage(report.coverage, report.failedTasks) ?? []].flat(),
    inLog(renderSafety(report.safety)),
    ...describeOmitted(report).map(inLog),
  ];
}

/** Tells how many tasks needed no analyser, because nothing that they depend on has changed. */
function showCache({ cache }: ReviewReport): string {
  if (cache === undefined || cache.hits === 0) return "";
  return `; ${cache.hits} of ${plural(cache.hits + cache.misses, "answer")} from the cache`;
}

function chapters(findings: readonly Finding[], { perKind = 5, total = 60 }: RenderOptions): string[] {
  const shown = new Set(pick(findings, perKind, total));
  const byArea = Map.groupBy(findings, ({ kind }) => areaOf(kind));
  // The findings are ranked, so the chapter of the first finding is the most important.
  return [...byArea].flatMap(([area, inArea]) => {
    const byKind = Map.groupBy(inArea, ({ kind }) => kind);
    return [
      "",
      `${heading(area)} (${inArea.length})`,
      ...[...byKind].flatMap(([kind, ofKind]) => ofOneKind(kind, ofKind, shown)),
    ];
  });
}

/** Picks the first `perKind` findings of each kind, and of these the first `total`. */
function pick(findings: readonly Finding[], perKind: number, total: number): Finding[] {
  const taken = new Map<string, number>();
  return findings
    .filter(({ kind }) => {
      const count = (taken.get(kind) ?? 0) + 1;
      taken.set(kind, count);
      return count <= perKind;
    })
    .slice(0, total);
}

function ofOneKind(kind: string, findings: readonly Finding[], shown: ReadonlySet<Finding>): string[] {
  const visible = findings.filter((finding) => shown.has(finding));
  const hidden = findings.length - visible.length;
  const severity = findings[0]?.severity ?? "low";
  const title = `  ${kind} [${severity}]`;
  if (visible.length === 0) return [`${title}  ${plural(hidden, "finding")}, see --json`];
  return [
    title,
    ...visible.map(
      (finding) =>
        `    ${inLog(`${finding.file}:${finding.line}  ${finding.message}`)}\n      ${describeAgreement(finding)}`,
    ),
    ...(hidden === 0 ? [] : [`    … and ${hidden} more, see --json`]),
  ];
}

/** Names the pages that explain the kinds, once. */
function explanations(findings: readonly Finding[], { pagesUrl }: RenderOptions): string[] {
  if (!findings.some(({ kind }) => pageOf(kind) !== null)) return [];
  return ["", `Each kind is explained in ${describePage("<kind>", pagesUrl)}`];
}

/** Explains the shares of the findings; no lines when no finding has one. */
function legend(findings: readonly Finding[]): string[] {
  if (!findings.some(({ measured }) => measured !== null)) return [];
  return [
    "",
    "useful in N of M: labelled findings of this kind, sort of file and agreement in public repositories, with Wilson's 95 % interval (docs/review.md)",
  ];
}

function failures(failed: readonly FailedTask[]): string[] {
  if (failed.length === 0) return [];
  return ["", `Not done (${plural(failed.length, "task")})`, ...describeFailures(failed).map(indented)];
}

function remarks(notes: readonly Finding[]): string[] {
  if (notes.length === 0) return [];
  return [
    "",
    "About this review",
    ...notes.map(({ file, message }) => indented(inLog(`${file}: ${message}`))),
  ];
}

function heading(area: Area): string {
  return area.charAt(0).toUpperCase() + area.slice(1);
}

function indented(text: string): string {
  return `  ${text}`;
}
