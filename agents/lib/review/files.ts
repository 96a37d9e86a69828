// Reads the reviewed files: never outside the directory (links included), never more than a bound, and what a
// finding is anchored to. Which files there are is the planner's business.
import { createHash } from "node:crypto";
import { readFile, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, relative } from "node:path";
import { MAX_MESSAGE_CHARACTERS, type RawFinding, type ReviewOutput } from "./contract.ts";

/** Larger files are not read: no one writes a megabyte of source by hand (also Biome's own limit). */
export const MAX_FILE_BYTES = 1024 * 1024;

/** The text of `file`, or null where it is gone, too large, not a regular file, or leads out of the directory. */
export async function readInside(
  directory: string,
  file: string,
  maxBytes: number = MAX_FILE_BYTES,
): Promise<string | null> {
  try {
    const root = await realpath(directory);
    const path = await realpath(join(root, file));
    if (!isInside(root, path)) return null;
    const facts = await stat(path);
    if (!facts.isFile() || facts.size > maxBytes) return null;
    return await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** Whether `path` (absolute) is `root` or below it. */
export function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === "" || (!way.startsWith("..") && !isAbsolute(way));
}

/** Gone, not readable, a broken link or a link to itself: nothing to review there. */
export function isMissing(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOENT" || code === "ENOTDIR" || code === "EACCES" || code === "EPERM" || code === "ELOOP";
}

/** JavaScript and TypeScript, declarations included. */
export function isCode(file: string): boolean {
  return /\.(?:[cm]?[jt]s|[jt]sx)$/.test(file);
}

export function isDeclaration(file: string): boolean {
  return /\.d\.(?:[cm]?ts|[^./]+\.ts)$/.test(file);
}

/** Files that hold tests, by the names that the common runners look for. */
export function isTest(file: string): boolean {
  return (
    /(?:^|[./_-])(?:test|spec)s?\.[cm]?[jt]sx?$/.test(file) ||
    /(?:^|\/)(?:tests?|spec|__tests__|__mocks__|e2e|test-d|[\w-]+-tests?)\//.test(file)
  );
}

/** npm's lockfiles: machine-written, larger than anything else that is read. */
export function isLockfile(file: string): boolean {
  return /(?:^|\/)(?:package-lock|npm-shrinkwrap)\.json$/.test(file);
}

/** Code that supports a project without being it: shown, but not what its users run. */
export function isAside(file: string): boolean {
  return /(?:^|\/)(?:examples?|bench(?:marks?)?|perf[\w-]*|scripts?|tools?|docs?|website|demo|playground|build)\//.test(
    file,
  );
}

/** The 1-based line of an offset. */
export function lineCounter(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

/** A stable stand-in for a text: 64 bits of SHA-256 over it with its blanks collapsed. */
export function anchorOf(text: string): string {
  return createHash("sha256").update(text.trim().replace(/\s+/g, " ")).digest("hex").slice(0, 16);
}

/** The anchor of a line of `text`. */
export function anchorOfLine(text: string, line: number): string {
  return anchorOf(text.split("\n", line)[line - 1] ?? "");
}

/** One line, without control characters, not too long. */
export function oneLine(message: string): string {
  const line = message
    .replace(/\p{Cc}+/gu, " ")
    .replace(/ {2,}/g, " ")
    .trim();
  return line.length <= MAX_MESSAGE_CHARACTERS ? line : `${line.slice(0, MAX_MESSAGE_CHARACTERS - 1)}…`;
}

/** A remark of the review about itself, shown as a finding of severity `info`. */
export function note(rule: string, file: string, message: string): RawFinding {
  return {
    kind: "review-note",
    rule,
    severity: "info",
    file,
    line: 1,
    message: oneLine(message),
    anchor: rule,
  };
}

/** An answer without findings. */
export function nothing(): ReviewOutput {
  return { findings: [], unsure: [] };
}
