// Turns a list of files into tasks, one capability each. Pure: who performs them, and when, is run.ts.
import { isCode, isDeclaration, isLockfile, type ReviewCapability } from "../../agents/review/index.ts";
import type { ScannedFile } from "./scan.ts";

/** One task of a review, before it has an id. */
export interface PlannedTask {
  capability: ReviewCapability;
  files: string[];
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
const SHARES: Record<ReviewCapability, Share> = {
  "review-security": { takes: () => true, filesPerTask: 400 },
  "review-architecture": { takes: (path) => isCode(path) || isManifest(path) },
  "review-oxlint": { takes: isLintable, filesPerTask: 500 },
  "review-biome": { takes: isLintable, filesPerTask: 500 },
  "review-eslint": { takes: isLintable, filesPerTask: 200 },
  "review-performance": { takes: isLintable, filesPerTask: 500 },
  "review-tests": { takes: (path) => isCode(path) || isManifest(path) },
  "review-docs": { takes: (path) => /\.(?:md|mdx|markdown)$/i.test(path) },
};

/** A task's files together: what is read and parsed within one attempt's time. Lockfiles do not count. */
export const MAX_TASK_BYTES = 4 * 1024 * 1024;

/**
 * The tasks of a review, those of the slowest analysers first, so that they do not end up alone at the end. `only`:
 * just these capabilities.
 */
export function planReview(
  files: readonly ScannedFile[],
  only?: readonly ReviewCapability[] | undefined,
): PlannedTask[] {
  return PLANNED_ORDER.filter((capability) => only === undefined || only.includes(capability)).flatMap(
    (capability) => {
      const { takes, filesPerTask } = SHARES[capability];
      const taken = files.filter(({ path }) => takes(path));
      if (!taken.some(({ path }) => !isManifest(path) || capability === "review-security")) return [];
      const chunks = filesPerTask === undefined ? [taken.map(({ path }) => path)] : deal(taken, filesPerTask);
      return chunks.map((chunk) => ({ capability, files: chunk }));
    },
  );
}

const PLANNED_ORDER: readonly ReviewCapability[] = [
  "review-eslint",
  "review-security",
  "review-architecture",
  "review-performance",
  "review-tests",
  "review-docs",
  "review-biome",
  "review-oxlint",
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
