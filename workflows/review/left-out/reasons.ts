// The reasons to leave a file out of a review, and their words for people. Data only.

/** Every reason, in the order of the report. */
export const LEFT_OUT_REASONS = {
  excluded: "excluded by murmur-review.yaml",
  dependency: "dependencies",
  "build-output": "build output",
  vendored: "vendored code",
  "test-data": "test data",
  generated: "generated code",
  minified: "minified code",
  lockfile: "lockfiles that no analyser reads",
  binary: "binary files",
  link: "links",
  submodule: "submodules",
  "not-a-file": "sockets, devices and the like",
  unreadable: "unreadable files",
  "too-large": "files over the size limit",
  "over-the-limit": "files over the limits of files and of depth",
  "linter-ignore": "files that a linter's own ignore list names (not linted, but reviewed otherwise)",
  "own-file": "the review's own files",
} as const;
export type LeftOutReason = keyof typeof LEFT_OUT_REASONS;

/** The files that a review has left out for one reason. */
export interface LeftOut {
  reason: LeftOutReason;
  /** The number of files. A folder that the scan did not enter (its path ends with a slash) counts as one. */
  count: number;
  /** The first files, sorted by path, each with the rule that named it. */
  files: { path: string; because: string }[];
}

/** The most listed files of one reason. A committed `node_modules` has ten thousands. */
export const MAX_LISTED_FILES = 1_000;

/** The reasons of code that is not reviewed and may use the code that is: a copied program, a generated client, a fixture. */
const USES_CODE: ReadonlySet<LeftOutReason> = new Set(["vendored", "generated", "minified", "test-data"]);

/** The left-out files whose imports count in the graph, as far as they are listed. */
export function importersOf(leftOut: readonly LeftOut[], isCode: (path: string) => boolean): string[] {
  return leftOut.flatMap(({ reason, files }) =>
    USES_CODE.has(reason) ? files.map(({ path }) => path).filter(isCode) : [],
  );
}

/** Counts files by reason. */
export class LeftOutCounter {
  readonly #byReason = new Map<LeftOutReason, LeftOut>();

  add(reason: LeftOutReason, path: string, because: string, count = 1): void {
    const known = this.#byReason.get(reason) ?? { reason, count: 0, files: [] };
    this.#byReason.set(reason, known);
    known.count += count;
    if (known.files.length < MAX_LISTED_FILES) known.files.push({ path, because });
  }

  /** The counts in the order of the reasons. */
  list(): LeftOut[] {
    return (Object.keys(LEFT_OUT_REASONS) as LeftOutReason[]).flatMap((reason) => {
      const found = this.#byReason.get(reason);
      if (found === undefined) return [];
      return [{ ...found, files: found.files.toSorted((a, b) => (a.path < b.path ? -1 : 1)) }];
    });
  }
}

/** Tells in one line how many files were left out, and why; null when there are none. */
export function renderLeftOut(leftOut: readonly LeftOut[]): string | null {
  if (leftOut.length === 0) return null;
  const parts = leftOut
    .toSorted((a, b) => b.count - a.count)
    .map(({ reason, count }) => `${count} ${reason.replaceAll("-", " ")}`);
  const total = leftOut.reduce((sum, { count }) => sum + count, 0);
  return `left out: ${total} (${parts.join(", ")}); details in --json`;
}
