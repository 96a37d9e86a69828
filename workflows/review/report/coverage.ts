// The coverage of a review: for each analyser the number of files that it judged, and each file that it did not judge, with the
// reason. Pure. Leaves the files that the scan has left out to scan.ts.
import { LINTERS, oneLine, type ReviewCapability, type Unjudged } from "../../../agents/lib/review/index.ts";

/** The coverage of one analyser. */
export interface AnalyserCoverage {
  capability: ReviewCapability;
  /** The number of files that it judged as a whole. */
  judged: number;
  /** The files that it was asked to judge and has not judged, or not as a whole; by name. */
  unjudged: Unjudged[];
}

/** The coverage of a review. */
export interface Coverage {
  analysers: AnalyserCoverage[];
  /** The files of the scan that no analyser has judged, with the first reason: `files` of the report does not count them. By name. */
  unread: Unjudged[];
  /**
   * The files that make the review partial: no analyser has judged a file that it was asked to judge, or none of the linters has
   * judged a file of code. By name.
   */
  missed: string[];
}

/** The part of an analyser's outcome that coverage needs. */
export interface CoveredTask {
  capability: ReviewCapability;
  files: readonly string[];
  /** The analyser's answer; null when the task failed. */
  answer: { unjudged: readonly Unjudged[] } | null;
  /** `code: message` of a failed task. */
  error: string | null;
}

/**
 * Collects the coverage of all tasks over the scanned files. A failed task has judged none of its files. No analyser has judged a
 * file that `changed` during the review: its findings may be about either version.
 */
export function coverageOf(
  scanned: readonly string[],
  tasks: readonly CoveredTask[],
  changed: readonly string[] = [],
): Coverage {
  const isChanged = new Set(changed);
  const read = new Set<string>();
  const byAnalyser = Map.groupBy(tasks, ({ capability }) => capability);
  const analysers = [...byAnalyser].map(([capability, ofAnalyser]): AnalyserCoverage => {
    const unjudged = new Map(
      ofAnalyser.flatMap((task) =>
        [...changedOf(task, isChanged), ...unjudgedOf(task)].map((each): [string, Unjudged] => [
          each.file,
          each,
        ]),
      ),
    );
    const judged = new Set(
      ofAnalyser.flatMap(({ files, answer }) =>
        answer === null ? [] : files.filter((file) => !unjudged.has(file)),
      ),
    );
    for (const file of judged) read.add(file);
    return { capability, judged: judged.size, unjudged: [...unjudged.values()].sort(byFile) };
  });
  const unread = scanned.filter((file) => !read.has(file));
  return { analysers, unread: explain(unread, analysers), missed: missedOf(tasks, analysers) };
}

/** Gives each file the first analyser's reason, or that none was asked. */
function explain(unread: readonly string[], analysers: readonly AnalyserCoverage[]): Unjudged[] {
  const reasons = new Map(
    analysers.flatMap(({ unjudged }) => unjudged.map((each) => [each.file, each] as const)).reverse(),
  );
  const message = "no analyser of this review reads such files";
  return unread.map((file) => reasons.get(file) ?? { file, why: "not-supported", message });
}

function missedOf(tasks: readonly CoveredTask[], analysers: readonly AnalyserCoverage[]): string[] {
  const unjudged = new Map(
    analysers.map(({ capability, unjudged: all }) => [capability, new Set(all.map(({ file }) => file))]),
  );
  const isMissed = (file: string, asked: readonly ReviewCapability[]) =>
    asked.length > 0 && asked.every((capability) => unjudged.get(capability)?.has(file) === true);
  const askedOf = new Map<string, Set<ReviewCapability>>();
  for (const { capability, files } of tasks) {
    for (const file of files) askedOf.set(file, (askedOf.get(file) ?? new Set()).add(capability));
  }
  return [...askedOf]
    .filter(([file, asked]) => {
      const linters = LINTERS.filter((linter) => asked.has(linter));
      return isMissed(file, [...asked]) || isMissed(file, linters);
    })
    .map(([file]) => file)
    .sort();
}

function changedOf({ files }: CoveredTask, changed: ReadonlySet<string>): Unjudged[] {
  const message = "the file was changed or removed after the review had listed it";
  return files
    .filter((file) => changed.has(file))
    .map((file) => ({ file, why: "changed-meanwhile", message }));
}

function unjudgedOf({ files, answer, error }: CoveredTask): readonly Unjudged[] {
  if (answer !== null) return answer.unjudged;
  const message = oneLine(error ?? "") || "the task failed";
  return files.map((file) => ({ file, why: "tool-failed", message }));
}

/** The most groups in the line of the report; the others are in `--json`. */
const MAX_GROUPS = 4;

/**
 * Renders the files that were not judged as one line; null when there are none. `failed` has the number of files that an
 * analyser missed because its whole task failed: the report names these tasks elsewhere.
 */
export function renderCoverage(
  { analysers, unread }: Coverage,
  failed: readonly { capability: string; files: number }[],
): string | null {
  const groups = analysers.flatMap(({ capability, unjudged }) => {
    const named = failed
      .filter((task) => task.capability === capability)
      .reduce((sum, task) => sum + task.files, 0);
    return [...Map.groupBy(unjudged, ({ why }) => why)].map(([why, files]) => ({
      capability,
      why,
      count: files.length - (why === "tool-failed" ? named : 0),
    }));
  });
  const told = groups.filter(({ count }) => count > 0).sort((a, b) => b.count - a.count);
  const parts = told
    .slice(0, MAX_GROUPS)
    .map(
      ({ capability, why, count }) =>
        `${files(count)} not judged by ${capability.replace(/^review-/, "")} (${why.replaceAll("-", " ")})`,
    );
  if (told.length > MAX_GROUPS) parts.push(`${told.length - MAX_GROUPS} more reasons`);
  if (unread.length > 0 && failed.length === 0) parts.unshift(`${files(unread.length)} read by no analyser`);
  return parts.length === 0 ? null : `${parts.join("; ")}; details in --json`;
}

function files(count: number): string {
  return `${count} file${count === 1 ? "" : "s"}`;
}

function byFile(a: Unjudged, b: Unjudged): number {
  return a.file < b.file ? -1 : a.file > b.file ? 1 : 0;
}
