// Splits a list of files into tasks: one for each analyser, one ballot for all linters. Pure. Leaves the submission to submit.ts.
import {
  isCode,
  isComponent,
  isDeclaration,
  isGraphContext,
  isLockfile,
  LINTERS,
  type Linter,
  MAX_FILES,
  REVIEW_CAPABILITIES,
  type ReviewCapability,
} from "../../../agents/lib/review/index.ts";
import type { ScannedFile } from "../scan.ts";

/** One task of a review, before it has an id. */
export interface PlannedTask {
  /** The analysers of the files: one analyser, or some linters with a seat each in one ballot. */
  by: { analyser: ReviewCapability } | { linters: Linter[] };
  files: string[];
  /** Other files that the analyser may read to judge these; absent when it needs none. */
  context?: string[];
}

/** Returns the capabilities that analyse a task's files. */
export function capabilitiesOf({ by }: PlannedTask): readonly ReviewCapability[] {
  return "linters" in by ? by.linters : [by.analyser];
}

/** True for one of the linters, which share a ballot. */
export function isLinter(capability: ReviewCapability): capability is Linter {
  return (LINTERS as readonly string[]).includes(capability);
}

/** The rule that chooses a capability's files and splits them into tasks. */
interface Share {
  takes: (path: string) => boolean;
  /** The most files of one task; undefined when the analysis needs all files at once. */
  filesPerTask?: number;
  /** The other files that the analysis needs, such as the pages and configurations that name code. */
  reads?: (path: string) => boolean;
}

/**
 * The rule of each part. Chunks bound the cost of one crash and let agents share the work. They are large, because the start of
 * a linter takes as long as some hundred files (ESLint: 1.2 s, a file 5–20 ms).
 */
const SHARES: Record<Part, Share> = {
  "review-security": { takes: () => true, filesPerTask: 400 },
  "review-architecture": { takes: (path) => isSource(path) || isManifest(path), reads: isGraphContext },
  linters: { takes: (path) => isLintable(path) || isComponent(path), filesPerTask: 200 },
  "review-performance": { takes: (path) => isLintable(path) || isComponent(path), filesPerTask: 500 },
  "review-tests": { takes: (path) => isSource(path) || isManifest(path), reads: isGraphContext },
  "review-docs": { takes: (path) => /\.(?:md|mdx|markdown)$/i.test(path) },
};

/** A part of the review that is planned separately. */
type Part = Exclude<ReviewCapability, Linter> | "linters";

/** The most bytes of a task's files, so that one attempt has time to read and parse them. Lockfiles do not count. */
export const MAX_TASK_BYTES = 4 * 1024 * 1024;

/**
 * Makes the tasks of a review for the given analysers. The slowest analysers come first, so that they do not run alone at the
 * end.
 * @param importers code that is not reviewed, and whose imports count in the graph: {@link importersOf}.
 * @param isChanged the files of the change under review. The graph, the tests and the links need all files; the other analyses
 *   judge each file by itself, so they get the changed ones.
 */
export function planReview(
  files: readonly ScannedFile[],
  analysers: readonly ReviewCapability[] = REVIEW_CAPABILITIES,
  isChanged: (path: string) => boolean = () => true,
  importers: readonly string[] = [],
): PlannedTask[] {
  const linters = LINTERS.filter((linter) => analysers.includes(linter));
  return PLANNED_ORDER.flatMap((part) => {
    if (part === "linters" ? linters.length === 0 : !analysers.includes(part)) return [];
    const { takes, filesPerTask, reads } = SHARES[part];
    const taken = files.filter(
      ({ path, unlinted }) =>
        takes(path) &&
        !(part === "linters" && unlinted === true) &&
        (isChanged(path) || WHOLE_PARTS.has(part) || (part === "review-security" && isOfPackage(path))),
    );
    if (!taken.some(({ path }) => !isManifest(path) || part === "review-security")) return [];
    const context =
      reads === undefined
        ? []
        : [
            ...files.flatMap(({ path }) => (reads(path) && !takes(path) ? [path] : [])),
            ...importers.filter(takes),
          ].slice(0, MAX_FILES);
    const chunks =
      filesPerTask === undefined ? [taken.map(({ path }) => path)] : splitIntoChunks(taken, filesPerTask);
    return chunks.map((chunk) => ({
      by: part === "linters" ? { linters: [...linters] } : { analyser: part },
      files: chunk,
      ...(context.length === 0 ? {} : { context }),
    }));
  });
}

/** The analyses that need all files, also in a review of a change. */
const WHOLE_PARTS: ReadonlySet<Part> = new Set(["review-architecture", "review-tests", "review-docs"]);

/** True for the files that the check of lockfiles compares with each other. */
function isOfPackage(path: string): boolean {
  return isManifest(path) || isLockfile(path);
}

const PLANNED_ORDER: readonly Part[] = [
  "linters",
  "review-security",
  "review-architecture",
  "review-performance",
  "review-tests",
  "review-docs",
];

/** Fills chunks in order, so that files of one folder stay together. A new chunk starts at the limit of files or of bytes. */
function splitIntoChunks(files: readonly ScannedFile[], filesPerTask: number): string[][] {
  const chunks: string[][] = [];
  let chunk: string[] = [];
  let chunkBytes = 0;
  for (const { path, bytes } of files) {
    const counted = isLockfile(path) ? 0 : bytes;
    if (chunk.length === filesPerTask || (chunk.length > 0 && chunkBytes + counted > MAX_TASK_BYTES)) {
      chunks.push(chunk);
      chunk = [];
      chunkBytes = 0;
    }
    chunk.push(path);
    chunkBytes += counted;
  }
  if (chunk.length > 0) chunks.push(chunk);
  return chunks;
}

function isLintable(path: string): boolean {
  return isCode(path) && !isDeclaration(path);
}

/** True for code, and for components, which import code in their scripts. */
function isSource(path: string): boolean {
  return isCode(path) || isComponent(path);
}

function isManifest(path: string): boolean {
  return path === "package.json" || path.endsWith("/package.json");
}
