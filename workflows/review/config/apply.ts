// Applies the configuration's `kinds` to the findings of a review. Pure.
import { KINDS, type Severity } from "../../../agents/lib/review/index.ts";
import { nearest } from "../../../src/base/index.ts";
import { IgnoreList, parsePatterns } from "../patterns/index.ts";
import type { KindRule, ReviewConfig } from "./schema.ts";

/** The most kinds in the line of the report. */
const MAX_SHOWN_KINDS = 4;

/** Findings that the configuration has switched off. */
export interface SwitchedOff {
  kind: string;
  count: number;
}

/** The part of a finding that the configuration looks at. */
interface Ranked {
  kind: string;
  file: string;
  severity: Severity;
}

/**
 * Sets the severities of findings by the last entry for their kind and file, and takes out the findings that are off. Notes about the
 * review itself (severity `info`) stay as they are.
 */
export function applyKinds<F extends Ranked>(
  findings: readonly F[],
  config: Pick<ReviewConfig, "kinds">,
): { findings: F[]; switchedOff: SwitchedOff[]; unknownKinds: string[] } {
  const rules = config.kinds.map((rule) => ({ ...rule, covers: coverage(rule) })).reverse();
  const off = new Map<string, number>();
  const kept = findings.flatMap((finding): F[] => {
    if (rules.length === 0 || finding.severity === "info") return [finding];
    const severity = rules.find(({ covers }) => covers(finding))?.severity ?? finding.severity;
    if (severity !== "off") return [severity === finding.severity ? finding : { ...finding, severity }];
    off.set(finding.kind, (off.get(finding.kind) ?? 0) + 1);
    return [];
  });
  const switchedOff = [...off].map(([kind, count]) => ({ kind, count }));
  switchedOff.sort((a, b) => b.count - a.count || (a.kind < b.kind ? -1 : 1));
  return { findings: kept, switchedOff, unknownKinds: listUnknown(config.kinds, findings) };
}

function coverage({ kind, paths }: KindRule): (finding: Ranked) => boolean {
  const files = paths === undefined ? null : new IgnoreList(parsePatterns(paths));
  return (finding) =>
    (kind === "all" || kind === finding.kind) && (files === null || files.ignores(finding.file));
}

/**
 * Describes entries for kinds that no analyser of Murmur and no finding has. A repository's own linter rules have kinds of their
 * own, so such an entry is told and is no error.
 */
function listUnknown(rules: readonly KindRule[], findings: readonly Ranked[]): string[] {
  const known = [...Object.keys(KINDS), "all"];
  const seen = new Set([...known, ...findings.map(({ kind }) => kind)]);
  return [...new Set(rules.map(({ kind }) => kind).filter((kind) => !seen.has(kind)))].map((kind) => {
    const meant = nearest(kind, known);
    return `no finding has the kind ${kind}${meant === undefined ? "" : `; did you mean ${meant}?`}`;
  });
}

/** Tells in one line how many findings the configuration has switched off; null when there are none. */
export function renderSwitchedOff({
  file,
  switchedOff,
}: {
  file: string | null;
  switchedOff: readonly SwitchedOff[];
}): string | null {
  if (switchedOff.length === 0) return null;
  const total = switchedOff.reduce((sum, { count }) => sum + count, 0);
  const kinds = switchedOff.slice(0, MAX_SHOWN_KINDS).map(({ kind, count }) => `${count} ${kind}`);
  const more = switchedOff.length > MAX_SHOWN_KINDS ? ", …" : "";
  return `${total} switched off by ${file ?? "the configuration"}: ${kinds.join(", ")}${more}`;
}
