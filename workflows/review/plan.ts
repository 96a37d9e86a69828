// Turns a list of files into tasks: one analyser each, but the linters together. Pure: who performs them, and when, is run.ts.
import {
  isCode,
  isDeclaration,
  isLockfile,
  LINTERS,
  type Linter,
  REVIEW_CAPABILITIES,
  type ReviewCapability,
} from "../../agents/lib/review/index.ts";
import type { ScannedFile } from "./scan.ts";

/** One task of a review, before it has an id. */
export interface PlannedTask {
  /** Who looks at the files: one analyser; or some linters, each in a seat of one ballot. */
  by: { analyser: ReviewCapability } | { linters: Linter[] };
  files: string[];
}

/** Everybody who looks at a task's files. */
export function capabilitiesOf({ by }: PlannedTask): readonly ReviewCapability[] {
  return "linters" in by ? by.linters : [by.analyser];
}

/** How a capability's files are chosen and dealt out. */
interface Share {
  takes: (path: string) => boolean;
  /** The most files of one task; undefined: the analysis needs to see all of them at once. */
  filesPerTask?: number;
}

/**
 * Chunks bound what one crash costs and let agents share the work; they are large because a linter's start costs as much as
 * some hundred files (ESLint: 1.2 s, a file 5–20 ms).
 */
const SHARES: Record<Part, Share> = {
  "review-security": { takes: () => true, filesPerTask: 400 },
  "review-architecture": { takes: (path) => isCode(path) || isManifest(path) },
  linters: { takes: isLintable, filesPerTask: 200 },
  "review-performance": { takes: isLintable, filesPerTask: 500 },
  "review-tests": { takes: (path) => isCode(path) || isManifest(path) },
  "review-docs": { takes: (path) => /\.(?:md|mdx|markdown)$/i.test(path) },
};

/** What is planned by itself. */
type Part = Exclude<ReviewCapability, Linter> | "linters";

/** A task's files together: what is read and parsed within one attempt's time. Lockfiles do not count. */
export const MAX_TASK_BYTES = 4 * 1024 * 1024;

/**
 * The tasks of a review, those of the slowest analysers first, so that they do not end up alone at the end. `analysers`: who
 * takes part.
 */
export function planReview(
  files: readonly ScannedFile[],
  analysers: readonly ReviewCapability[] = REVIEW_CAPABILITIES,
): PlannedTask[] {
  const linters = LINTERS.filter((linter) => analysers.includes(linter));
  return PLANNED_ORDER.flatMap((part) => {
    if (part === "linters" ? linters.length === 0 : !analysers.includes(part)) return [];
    const { takes, filesPerTask } = SHARES[part];
    const taken = files.filter(({ path }) => takes(path));
    if (!taken.some(({ path }) => !isManifest(path) || part === "review-security")) return [];
    const chunks = filesPerTask === undefined ? [taken.map(({ path }) => path)] : deal(taken, filesPerTask);
    return chunks.map((chunk) => ({
      by: part === "linters" ? { linters: [...linters] } : { analyser: part },
      files: chunk,
    }));
  });
}

const PLANNED_ORDER: readonly Part[] = [
  "linters",
  "review-security",
  "review-architecture",
  "review-performance",
  "review-tests",
  "review-docs",
];

/** Fills chunks in order, so that files of one folder stay together; a new one starts at either bound. */
function deal(files: readonly ScannedFile[], filesPerTask: number): string[][] {
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

function isManifest(path: string): boolean {
  return path === "package.json" || path.endsWith("/package.json");
}
