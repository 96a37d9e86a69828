// Compares the findings of a review with a baseline: by fingerprint, and across renamed files where that is sure. Pure.
import { basename } from "node:path";
import type { BaselineEntry } from "./file.ts";

/** The part of a finding that a comparison needs. */
interface Comparable {
  fingerprint: string;
  kind: string;
  file: string;
  anchor: string;
}

/**
 * Divides findings into known and new ones, and returns the entries that no finding matches.
 * @param isThere true for a file of the review; a file that is not there may have been renamed.
 */
export function compareWithBaseline(
  findings: readonly Comparable[],
  entries: readonly BaselineEntry[],
  isThere: (file: string) => boolean,
): { known: ReadonlySet<string>; gone: BaselineEntry[] } {
  const byFingerprint = new Map(entries.map((entry) => [entry.fingerprint, entry]));
  const known = new Set<string>();
  const rest: Comparable[] = [];
  for (const finding of findings) {
    if (byFingerprint.delete(finding.fingerprint)) known.add(finding.fingerprint);
    else rest.push(finding);
  }
  const familiar = new Set(entries.map(({ file }) => file));
  const left = [...byFingerprint.values()];
  const moves = findMoves(
    left.filter(({ file }) => !isThere(file)),
    rest.filter(({ file }) => !familiar.has(file)),
  );
  for (const { entry, finding } of matchMoved(moves)) {
    byFingerprint.delete(entry.fingerprint);
    known.add(finding.fingerprint);
  }
  return { known, gone: [...byFingerprint.values()] };
}

/** A file that was renamed: its entries by the old name, its findings by the new one. */
interface Move {
  entries: readonly BaselineEntry[];
  findings: readonly Comparable[];
}

/** The kinds whose anchor is the same in every file, so that it tells nothing about a rename. */
const NAMELESS: ReadonlySet<string> = new Set([
  "hub-module",
  "large-file",
  "orphan-module",
  "secret",
  "untested-source",
]);

/** The different problems that two names must share: one could be an accident such as `debugger;`, if the name is another. */
const SHARED_AFTER_RENAME = 2;
/** The same, when the file kept its name in another folder. */
const SHARED_AFTER_MOVE = 1;

/**
 * Pairs files that are gone with files that the baseline does not know. A pair is sure when both share problems that name
 * something, and neither of the two shares such problems with a third file.
 */
function findMoves(entries: readonly BaselineEntry[], findings: readonly Comparable[]): Move[] {
  const before = Map.groupBy(entries, ({ file }) => file);
  const after = Map.groupBy(findings, ({ file }) => file);
  const filesOf = Map.groupBy(
    findings.filter(({ kind }) => !NAMELESS.has(kind)),
    problemOf,
  );
  const pairs = [...before].flatMap(([from, ofOld]) => {
    const problems = new Set(ofOld.filter(({ kind }) => !NAMELESS.has(kind)).map(problemOf));
    const shared = new Map<string, number>();
    for (const problem of problems) {
      for (const to of new Set((filesOf.get(problem) ?? []).map(({ file }) => file)))
        shared.set(to, (shared.get(to) ?? 0) + 1);
    }
    return [...shared].flatMap(([to, count]) => {
      const needed = basename(from) === basename(to) ? SHARED_AFTER_MOVE : SHARED_AFTER_RENAME;
      return count < needed ? [] : [{ from, to }];
    });
  });
  return pairs
    .filter(({ from, to }) => pairs.every((other) => (other.from === from) === (other.to === to)))
    .map(({ from, to }) => ({ entries: before.get(from) ?? [], findings: after.get(to) ?? [] }));
}

/** Pairs the problems of a renamed file one by one. A secret always is new: its anchor does not tell which secret it is. */
function matchMoved(moves: readonly Move[]): { entry: BaselineEntry; finding: Comparable }[] {
  return moves.flatMap(({ entries, findings }) => {
    const open = Map.groupBy(
      entries.filter(({ kind }) => kind !== "secret"),
      problemOf,
    );
    return findings.flatMap((finding) => {
      const entry = open.get(problemOf(finding))?.shift();
      return entry === undefined ? [] : [{ entry, finding }];
    });
  });
}

function problemOf({ kind, anchor }: Pick<Comparable, "kind" | "anchor">): string {
  return JSON.stringify([kind, anchor]);
}
