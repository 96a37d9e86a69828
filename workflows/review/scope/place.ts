// Tells where findings lie in a change. Pure.
import { basename } from "node:path";
import { REVIEW_CONFIG_FILE } from "../config/index.ts";
import type { BaselineState, PlaceInChange } from "../finding.ts";
import { mayHoldList } from "../left-out/index.ts";
import type { Change } from "./change.ts";

/** The change of a review, in its report. */
export interface ChangeScope {
  base: string;
  /** The merge base: the commit that the working tree was compared with. */
  commit: string;
  /** The changed files that were reviewed. */
  changedFiles: number;
  removedFiles: number;
  /** The findings that were not shown, because the change has not touched their lines. */
  untouched: { inChangedFiles: number; elsewhere: number };
  /** Files that narrow a review and are changed here. The review used them as they are at the base. */
  narrowing: string[];
}

/**
 * Returns the place of a finding in a change. A finding about a missing file that the change removes is on the change's lines: the
 * removal caused it.
 */
export function placeInChange(
  change: Change,
  { file, line, targets = [] }: { file: string; line: number; targets?: readonly string[] },
): PlaceInChange {
  if (targets.some((target) => change.removed.some((path) => means(target, path)))) return "line";
  const lines = change.files.get(file);
  if (lines === undefined) return "outside";
  return lines === "all" || lines.some(([from, to]) => from <= line && line <= to) ? "line" : "file";
}

/** True when code that writes `target` means the file `path`: the same name with any extension, or a file in the folder. */
function means(target: string, path: string): boolean {
  const bare = (name: string) => name.replace(/(?<=[^/])(?:\.d)?\.\w+$/, "");
  const folder = target.replace(/\/$/, "");
  return path === folder || bare(path) === bare(folder) || path.startsWith(`${folder}/`);
}

/**
 * True for a finding on a changed line that the baseline does not know. A review without a change has all lines in scope, and a review
 * without a baseline knows nothing.
 */
export function isInScope({
  inChange = "line",
  baseline = "new",
}: {
  inChange?: PlaceInChange;
  baseline?: BaselineState;
}): boolean {
  return inChange === "line" && baseline === "new";
}

/** Summarises a change and its findings. `baseline`: the file of the baseline, when it is in the directory. */
export function scopeOf(
  change: Change,
  findings: readonly { inChange?: PlaceInChange }[],
  changedFiles: number,
  baseline: string | null = null,
): ChangeScope {
  const count = (place: PlaceInChange) => findings.filter(({ inChange }) => inChange === place).length;
  const narrowing = [...change.files.keys(), ...change.removed].filter(
    (path) => path === REVIEW_CONFIG_FILE || path === baseline || isIgnoreList(path),
  );
  return {
    base: change.base,
    commit: change.commit,
    changedFiles,
    removedFiles: change.removed.length,
    untouched: { inChangedFiles: count("file"), elsewhere: count("outside") },
    narrowing: narrowing.sort(),
  };
}

/** True for a file whose main purpose is to narrow. A manifest is edited too often for a warning each time. */
function isIgnoreList(path: string): boolean {
  return basename(path) === ".gitattributes" || (mayHoldList(path) && basename(path) !== "package.json");
}

/** Tells the scope in one or two lines. */
export function renderScope(scope: ChangeScope): string[] {
  const { base, commit, changedFiles, untouched, narrowing } = scope;
  const more = [
    ...(untouched.inChangedFiles > 0
      ? [`${untouched.inChangedFiles} more in files that changed, on lines that did not`]
      : []),
    ...(untouched.elsewhere > 0 ? [`${untouched.elsewhere} in other files`] : []),
  ];
  return [
    ...(narrowing.length === 0
      ? []
      : [
          `This change edits ${narrowing.join(", ")}, which can silence findings; the review used the version of the base.`,
        ]),
    `Changed since ${base} (${commit.slice(0, 10)}): ${changedFiles} files${more.length === 0 ? "" : `; ${more.join("; ")}: see --json`}`,
  ];
}
