// Applies the comments `murmur-ignore` to the findings of all analysers. Pure, but for the reading of the files at the end.
import { KINDS, readInside, type Severity } from "../../../agents/lib/review/index.ts";
import { nearest } from "../../../src/base/index.ts";
import { type IgnoreComment, readIgnoreComments } from "./comments.ts";

/** The part of a finding that a comment is about. */
interface Placed {
  kind: string;
  file: string;
  line: number;
  severity: Severity;
}

/** A finding that a comment has silenced. */
export type Suppressed<F> = F & {
  /** The reason in the comment. */
  reason: string;
  /** The line of the comment. */
  commentLine: number;
};

/** A remark about a comment itself. */
export interface IgnoreNote {
  rule: "ignore-without-reason" | "ignore-unused" | "ignore-unknown-kind";
  file: string;
  line: number;
  message: string;
}

/**
 * Takes out the findings that a comment with a reason names. Notes about the review (severity `info`) stay.
 * @param isJudged false for a file whose findings are incomplete: an unused comment there proves nothing.
 */
export function applyIgnoreComments<F extends Placed>(
  findings: readonly F[],
  comments: ReadonlyMap<string, readonly IgnoreComment[]>,
  isJudged: (file: string) => boolean,
): { findings: F[]; suppressed: Suppressed<F>[]; notes: IgnoreNote[] } {
  const used = new Set<string>();
  const suppressed: Suppressed<F>[] = [];
  const kept = findings.filter((finding) => {
    const own = finding.severity === "info" ? undefined : comments.get(finding.file);
    const by = own?.filter(
      ({ kinds, reason, target }) =>
        reason !== null && kinds.includes(finding.kind) && (target === null || target === finding.line),
    );
    for (const { line } of by ?? []) used.add(keyOf(finding.file, line, finding.kind));
    const [first] = by ?? [];
    if (first === undefined) return true;
    suppressed.push({ ...finding, reason: first.reason ?? "", commentLine: first.line });
    return false;
  });
  const seen = new Set([...Object.keys(KINDS), ...findings.map(({ kind }) => kind)]);
  const notes = [...comments].flatMap(([file, all]) =>
    all.flatMap((comment) => notesOn(file, comment, { used, seen, isJudged: isJudged(file) })),
  );
  return { findings: kept, suppressed, notes };
}

function notesOn(
  file: string,
  { line, kinds, reason }: IgnoreComment,
  { used, seen, isJudged }: { used: ReadonlySet<string>; seen: ReadonlySet<string>; isJudged: boolean },
): IgnoreNote[] {
  if (kinds.length === 0 || reason === null) {
    const form = `murmur-ignore ${kinds.length === 0 ? "<kind>" : kinds.join(", ")} -- the reason`;
    const message = `this comment does not count, because it names no ${kinds.length === 0 ? "kind" : "reason"}; write: ${form}`;
    return [{ rule: "ignore-without-reason", file, line, message }];
  }
  return kinds.flatMap((kind): IgnoreNote[] => {
    if (used.has(keyOf(file, line, kind))) return [];
    if (!seen.has(kind)) {
      const meant = nearest(kind, Object.keys(KINDS));
      const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
      return [{ rule: "ignore-unknown-kind", file, line, message: `no finding has the kind ${kind}${hint}` }];
    }
    if (!isJudged) return [];
    return [
      { rule: "ignore-unused", file, line, message: `murmur-ignore ${kind} silences nothing; remove it` },
    ];
  });
}

function keyOf(file: string, line: number, kind: string): string {
  return JSON.stringify([file, line, kind]);
}

/** The most files that are read at the same time: enough to keep a disk busy. */
const FILES_AT_ONCE = 32;

/** Reads the comments of the reviewed files. A file whose contents are known to lack the word is not opened. */
export async function collectIgnoreComments(
  directory: string,
  scanned: readonly { path: string; contents?: { hasIgnoreWord: boolean } }[],
  signal?: AbortSignal,
): Promise<Map<string, IgnoreComment[]>> {
  const found = new Map<string, IgnoreComment[]>();
  const files = scanned.filter(({ contents }) => contents?.hasIgnoreWord !== false).map(({ path }) => path);
  for (let at = 0; at < files.length; at += FILES_AT_ONCE) {
    signal?.throwIfAborted();
    const read = await Promise.all(
      files.slice(at, at + FILES_AT_ONCE).map(async (file) => {
        const text = await readInside(directory, file);
        return { file, comments: text === null ? [] : readIgnoreComments(file, text) };
      }),
    );
    for (const { file, comments } of read) if (comments.length > 0) found.set(file, comments);
  }
  return found;
}
