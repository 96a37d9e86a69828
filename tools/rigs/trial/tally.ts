// Counts the verdicts of a trial, by any grouping of its findings, as shares with 95 % intervals. Pure.
import { type FilePurpose, isShared, LINTERS, purposeOf } from "../../../agents/lib/review/index.ts";
import { accuracyOf, type Rate } from "../../../src/consensus/index.ts";
import type { Finding } from "../../../workflows/review/index.ts";
import type { Verdict } from "./labels.ts";

/** A finding of a trial. */
export interface Judged {
  repository: string;
  finding: Finding;
  /** Undefined without a label. */
  verdict: Verdict | undefined;
  /** True when the text report shows findings of this sort. */
  isShown: boolean;
}

/** The counts of a group of findings. */
export interface Tally {
  group: readonly string[];
  findings: number;
  shown: number;
  labelled: number;
  useful: number;
  noise: number;
  false: number;
  /** The shares of the labelled findings; null without labels. */
  usefulShare: Rate | null;
  falseShare: Rate | null;
}

/** `3 of 3` for linters that share a kind; otherwise the only analyser that can report the finding. */
export function agreementOf({ agreedBy, silent, kind }: Finding): string {
  const linters = agreedBy.filter((each) => (LINTERS as readonly string[]).includes(each)).length;
  if (isShared(kind) && linters > 0) return `${linters} of ${linters + silent.length}`;
  return `${agreedBy.map(shortName).join(" + ")} alone`;
}

/** Returns the purpose of a finding's file. */
export function purposeOfFinding({ file }: Finding): FilePurpose {
  return purposeOf(file);
}

/** Counts the findings by group, the largest group first. */
export function tally(judged: readonly Judged[], groupOf: (judged: Judged) => readonly string[]): Tally[] {
  const groups = Map.groupBy(judged, (each) => JSON.stringify(groupOf(each)));
  return [...groups]
    .map(([key, members]) => count(JSON.parse(key) as string[], members))
    .sort((a, b) => b.findings - a.findings || (a.group.join() < b.group.join() ? -1 : 1));
}

function count(group: readonly string[], members: readonly Judged[]): Tally {
  const of = (wanted: Verdict) => members.filter(({ verdict }) => verdict === wanted).length;
  const labelled = members.filter(({ verdict }) => verdict !== undefined).length;
  return {
    group,
    findings: members.length,
    shown: members.filter(({ isShown }) => isShown).length,
    labelled,
    useful: of("useful"),
    noise: of("true-but-noise"),
    false: of("false"),
    usefulShare: accuracyOf({ right: of("useful"), total: labelled }),
    falseShare: accuracyOf({ right: of("false"), total: labelled }),
  };
}

/** Renders tallies as a table with a heading. */
export function renderTallies(heading: string, tallies: readonly Tally[]): string {
  const rows = [
    [heading, "found", "shown", "labelled", "useful", "noise", "false", "useful share", "false share"],
    ...tallies.map((each) => [
      each.group.join(" · "),
      `${each.findings}`,
      `${each.shown}`,
      `${each.labelled}`,
      `${each.useful}`,
      `${each.noise}`,
      `${each.false}`,
      renderRate(each.usefulShare),
      renderRate(each.falseShare),
    ]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function renderRate(rate: Rate | null): string {
  if (rate === null) return "-";
  return `${rate.rate.toFixed(2)} (${rate.low.toFixed(2)} to ${rate.high.toFixed(2)})`;
}

function shortName(capability: string): string {
  return capability.replace(/^review-/, "");
}
