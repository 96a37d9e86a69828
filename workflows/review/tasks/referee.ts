// The referee of the linters: ESLint costs seven times as much as oxlint and Biome together, so it judges only the files where
// these two differ. Pure. Leaves the submission to submit.ts, and the count of the agreement to merge.ts.
import {
  isComponent,
  isShared,
  type Linter,
  type RawFinding,
  type ReviewCapability,
  type Unjudged,
  type UnjudgedReason,
} from "../../../agents/lib/review/index.ts";
import type { ScannedFile } from "../scan.ts";
import { type PlannedTask, planReview } from "./plan.ts";

/** The linter that is asked second. */
export const REFEREE: Linter = "review-eslint";
/** The linters that are asked first. Without both of them there is nothing to compare, and the referee has a seat like them. */
const FIRST: readonly Linter[] = ["review-oxlint", "review-biome"];
/** Another linter may still judge a file that a linter has not judged for one of these reasons. */
const OPEN: ReadonlySet<UnjudgedReason> = new Set(["parse-error", "tool-failed"]);

/**
 * Returns the linter that waits for the disagreement of the others; null when it has a seat from the start: when the user names
 * the analysers, or the linters load the repository's own rules, which may differ from linter to linter.
 */
export function refereeOf(options: {
  /** The analysers that the user names. */
  only: readonly ReviewCapability[] | undefined;
  /** Analysers without an agent. */
  absent: ReadonlyMap<ReviewCapability, string>;
  trustRepoConfig: boolean;
}): Linter | null {
  if (options.only !== undefined || options.trustRepoConfig) return null;
  return FIRST.some((linter) => options.absent.has(linter)) ? null : REFEREE;
}

/** The part of a linter's outcome that the referee needs. */
export interface FirstOutcome {
  capability: ReviewCapability;
  files: readonly string[];
  /** Null when the task failed. */
  answer: { findings: readonly RawFinding[]; unjudged: readonly Unjudged[] } | null;
}

/**
 * Returns the files for the referee: one of the first linters reports a shared kind on a line and the other one does not, or one
 * of them has not judged the file, and another linter may. A file with too many findings for one of them is left to the other.
 */
export function disputedFiles(outcomes: readonly FirstOutcome[]): Set<string> {
  const disputed = new Set<string>();
  const crowded = new Set(
    outcomes.flatMap(({ answer }) =>
      (answer?.unjudged ?? []).flatMap(({ file, why }) => (why === "too-many-findings" ? [file] : [])),
    ),
  );
  const counts = new Map<string, { file: string; linters: Set<ReviewCapability> }>();
  for (const { capability, files, answer } of outcomes) {
    if (answer === null) for (const file of files) disputed.add(file);
    for (const { file, why } of answer?.unjudged ?? []) if (OPEN.has(why)) disputed.add(file);
    for (const { file, line, kind } of answer?.findings ?? []) {
      if (!isShared(kind) || crowded.has(file)) continue;
      const place = `${line} ${kind} ${file}`;
      const count = counts.get(place) ?? { file, linters: new Set() };
      counts.set(place, count);
      count.linters.add(capability);
    }
  }
  for (const { file, linters } of counts.values()) if (linters.size < FIRST.length) disputed.add(file);
  return new Set([...disputed].filter((file) => !isComponent(file)));
}

/** Makes the referee's tasks over the disputed files, in the chunks of every linter. */
export function planReferee(
  scanned: readonly ScannedFile[],
  outcomes: readonly FirstOutcome[],
): PlannedTask[] {
  const disputed = disputedFiles(outcomes);
  return planReview(
    scanned.filter(({ path }) => disputed.has(path)),
    [REFEREE],
  ).map(({ files }) => ({ by: { analyser: REFEREE }, files }));
}
