// Decides which findings a review shows by default, from the labels of measured.ts. Pure.

import { areaOf, isShared, KINDS } from "./kinds.ts";
import { type Agreement, MEASURED, type MeasuredRow } from "./measured.ts";
import type { FilePurpose } from "./purpose.ts";

/** Labels of findings, counted. */
export interface LabelCounts {
  labelled: number;
  /** A maintainer would want to fix it. */
  useful: number;
  /** The statement is untrue. */
  false: number;
}

/** A sort of findings: the labels of one sort say how useful another finding of it is. */
export interface FindingSort {
  kind: string;
  purpose: FilePurpose;
  agreement: Agreement;
}

/**
 * The reason of a finding that is not shown by default. `mostly-noise`: most labelled findings of its kind were noise or false.
 * `unmeasured`: a rule or a kind of one analyser without labels. `outvoted`: at least half of the linters do not see it.
 */
export const HIDING_REASONS = ["mostly-noise", "unmeasured", "outvoted"] as const;
export type HidingReason = (typeof HIDING_REASONS)[number];

/** Kinds that earlier trials, on other repositories, measured as noise. Labels do not bring them back. */
const OFF: ReadonlySet<string> = new Set([
  "no-inner-declarations",
  "no-global-is-nan",
  "no-blank-target",
  "no-invalid-use-before-declaration",
]);

/**
 * The fewest labels that decide about a kind of high severity in exposed code, and about the files of one purpose. With fewer, one
 * label would decide, and a missed fault of such a kind costs more than a read line. One label decides about other kinds.
 */
export const MIN_DECIDING_LABELS = 3;
/**
 * A report prints a share from this number of labels on. With 10 labels Wilson's 95 % interval is at most 0.53 wide; with fewer it
 * says next to nothing.
 */
export const MIN_PRINTED_LABELS = 10;

/** The purposes of code that runs with the rights of users, or with the rights to publish. */
const EXPOSED: ReadonlySet<FilePurpose> = new Set(["production", "build"]);

/** Returns the reason to hide a sort of findings by default; null when it is shown. */
export function whyHidden(sort: FindingSort): HidingReason | null {
  const { kind, purpose, agreement } = sort;
  if (OFF.has(kind)) return "mostly-noise";
  const { severity } = KINDS[kind] ?? {};
  // Noise in a hundred repositories does not pay for one missed secret.
  if (severity === "critical" && EXPOSED.has(purpose)) return null;
  const counts = countsOf(sort);
  if (counts !== null) return isMostlyUseful(counts) ? null : "mostly-noise";
  if (isShared(kind)) return agreement === "all" || isMostlyUseful(PARTLY_AGREED) ? null : "mostly-noise";
  // A rule or a kind of one analyser must earn its place, as a kind of three linters must. Grave faults of exposed code do not wait.
  return isGrave(kind) && (areaOf(kind) !== "security" || EXPOSED.has(purpose)) ? null : "unmeasured";
}

/** True when at least half were useful, and at most a quarter false: a false finding costs the reader's trust too. */
export function isMostlyUseful(counts: LabelCounts): boolean {
  return 2 * counts.useful >= counts.labelled && 4 * counts.false <= counts.labelled;
}

/** True for a kind of high severity: a missed fault costs more than a few read lines. */
function isGrave(kind: string): boolean {
  const severity = KINDS[kind]?.severity;
  return severity === "high" || severity === "critical";
}

/** Returns the labels of exactly this sort of findings; null with too few to print a share. */
export function printedCountsOf(sort: FindingSort): LabelCounts | null {
  const counts = sum(rowsOf(sort).filter(([, purpose]) => purpose === sort.purpose));
  return counts.labelled >= MIN_PRINTED_LABELS ? counts : null;
}

/**
 * Returns the labels of a sort: in files of its purpose, or with too few there, in all files; null without labels. Labels in tests say
 * nothing about a fault in production: so for grave kinds the labels of supporting code count for supporting code only, and the labels
 * of production only with enough of them.
 */
export function countsOf(sort: FindingSort): LabelCounts | null {
  const rows = rowsOf(sort);
  const inPurpose = sum(rows.filter(([, purpose]) => purpose === sort.purpose));
  if (inPurpose.labelled >= MIN_DECIDING_LABELS) return inPurpose;
  if (isGrave(sort.kind) && EXPOSED.has(sort.purpose)) return null;
  const others = isGrave(sort.kind) ? rows.filter(([, purpose]) => !EXPOSED.has(purpose)) : rows;
  const counts = sum(others);
  return counts.labelled > 0 ? counts : null;
}

const ROWS_BY_KIND: ReadonlyMap<string, readonly MeasuredRow[]> = Map.groupBy(MEASURED, ([kind]) => kind);

/** The findings of kinds that all linters know and not all of them report. */
const PARTLY_AGREED = sum(MEASURED.filter(([kind, , agreement]) => isShared(kind) && agreement === "some"));

function rowsOf({ kind, agreement }: FindingSort): readonly MeasuredRow[] {
  return (ROWS_BY_KIND.get(kind) ?? []).filter(([, , measured]) => measured === agreement);
}

function sum(rows: readonly MeasuredRow[]): LabelCounts {
  const counts = { labelled: 0, useful: 0, false: 0 };
  for (const [, , , labelled, useful, wrong] of rows) {
    counts.labelled += labelled;
    counts.useful += useful;
    counts.false += wrong;
  }
  return counts;
}
