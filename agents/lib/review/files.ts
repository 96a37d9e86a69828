// Reads the reviewed files, within a size limit and never outside the directory, not even through a link. Also makes the
// anchors of findings. Leaves the choice of files to the planner.
import { hash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { isAbsolute, join, relative } from "node:path";
import { setImmediate } from "node:timers/promises";
import {
  MAX_MESSAGE_CHARACTERS,
  type RawFinding,
  relativePathSchema,
  type Unjudged,
  type UnjudgedReason,
} from "./contract.ts";

/** The largest file that is read. A megabyte of source is not written by hand; Biome has the same limit. */
export const MAX_FILE_BYTES = 1024 * 1024;

/** Reads the text of `file`; null if it is missing, too large, not a regular file, or outside the directory. */
export async function readInside(
  directory: string,
  file: string,
  maxBytes: number = MAX_FILE_BYTES,
): Promise<string | null> {
  const read = await readReviewed(directory, file, maxBytes);
  return "text" in read ? read.text : null;
}

/** The text of a reviewed file, or the reason why it cannot be judged. */
export type ReadFile =
  | {
      text: string /** False when the bytes were UTF-16 or Latin-1, which the linters do not read. */;
      isUtf8: boolean;
    }
  | { unjudged: Unjudged };

/** Reads a file that the analyser has to judge. */
export async function readReviewed(
  directory: string,
  file: string,
  maxBytes: number = MAX_FILE_BYTES,
): Promise<ReadFile> {
  const not = (why: UnjudgedReason, message: string) => ({ unjudged: { file, why, message } });
  await takeTurns();
  try {
    const root = realpathSync.native(directory);
    const path = realpathSync.native(join(root, file));
    if (!isInside(root, path)) return not("unreadable", "the file lies outside the reviewed directory");
    // The file can be replaced at any time: so no wait for the writer of a FIFO, no link, and all questions go to the opened file.
    const opened = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      const facts = fstatSync(opened);
      if (!facts.isFile()) return not("unreadable", "this is not a regular file");
      if (facts.size > maxBytes)
        return not("too-large", `${facts.size} bytes, over the limit of ${maxBytes}`);
      return decodeText(readUpTo(opened, facts.size));
    } finally {
      closeSync(opened);
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" || code === "ENOTDIR"
      ? not("changed-meanwhile", "the file was removed while the review ran")
      : not("unreadable", `the system refuses to open the file (${code})`);
  }
}

/** Reads at most `size` bytes: a file that grows meanwhile does not grow in memory. */
function readUpTo(opened: number, size: number): Uint8Array {
  const bytes = Buffer.alloc(size);
  let length = 0;
  while (length < size) {
    const bytesRead = readSync(opened, bytes, length, size - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

/** The longest turn of an analysis, in ms, before other work of the process gets its turn: far below any limit of silence. */
const TURN_MS = 20;
let turnSinceMs = 0;

/**
 * Gives the event loop back when the analyses have had it for {@link TURN_MS}. Reading is synchronous, because the same five calls as
 * promises take ten times the CPU time, and an analysis that only reads and parses would never wait for anything.
 */
async function takeTurns(): Promise<void> {
  if (performance.now() - turnSinceMs < TURN_MS) return;
  await setImmediate();
  turnSinceMs = performance.now();
}

/**
 * Decodes a text: UTF-16 by its byte order mark, else UTF-8, else Latin-1, which has a character for each byte. Drops the mark, which
 * no parser needs.
 */
function decodeText(bytes: Uint8Array): { text: string; isUtf8: boolean } {
  const mark = UTF16_MARKS.find(({ first, second }) => bytes[0] === first && bytes[1] === second);
  if (mark !== undefined) return { text: new TextDecoder(mark.encoding).decode(bytes), isUtf8: false };
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), isUtf8: true };
  } catch {
    return { text: new TextDecoder("latin1").decode(bytes), isUtf8: false };
  }
}

/** The byte order marks of UTF-16 (Unicode 16.0, 23.8). */
const UTF16_MARKS = [
  { first: 0xff, second: 0xfe, encoding: "utf-16le" },
  { first: 0xfe, second: 0xff, encoding: "utf-16be" },
] as const;

/** True when a text starts with a byte order mark of UTF-16: such a text has bytes 0, but is not binary. */
export function isUtf16(head: string): boolean {
  return UTF16_MARKS.some(
    ({ first, second }) => head.charCodeAt(0) === first && head.charCodeAt(1) === second,
  );
}

/** Keeps the first reason of each file. */
export function onePerFile(unjudged: readonly Unjudged[]): Unjudged[] {
  return [...new Map(unjudged.toReversed().map((each) => [each.file, each])).values()].reverse();
}

/** True when `path` (absolute) is `root` or below it. */
export function isInside(root: string, path: string): boolean {
  const steps = relative(root, path);
  return steps === "" || (!steps.startsWith("..") && !isAbsolute(steps));
}

/** The errors of a missing or unreadable file, a broken link, a link to itself, and of a socket or a device without a driver. */
const MISSING: ReadonlySet<unknown> = new Set([
  "ENOENT",
  "ENOTDIR",
  "EACCES",
  "EPERM",
  "ELOOP",
  "ENXIO",
  "ENODEV",
]);

/** Names the present state of a file, for an answer that is kept: another state has another name. */
export function stateOf(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "error";
  }
}

/** True for the error of a file that cannot be opened: there is nothing to review. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && MISSING.has(error.code);
}

/** True for JavaScript and TypeScript, including declarations. */
export function isCode(file: string): boolean {
  return /\.(?:[cm]?[jt]s|[jt]sx)$/.test(file);
}

export function isDeclaration(file: string): boolean {
  return /\.d\.(?:[cm]?ts|[^./]+\.ts)$/.test(file);
}

/** True for files of tests, by the names that the common test runners look for. */
export function isTest(file: string): boolean {
  return (
    /(?:^|[./_-])(?:test|spec|cy|e2e)s?\.[cm]?[jt]sx?$/.test(file) ||
    /(?:^|\/)(?:tests?|specs?|__tests__|__mocks__|e2e|cypress|test-d|[\w-]+-(?:tests?|e2e))\//.test(file)
  );
}

/** True for files that the type checker tests and no runner runs: tsd, dtslint, tstyche, vitest's `typecheck`. */
export function isTypeTest(file: string): boolean {
  return /(?:[.-](?:test|spec)-d|\.tst)\.[cm]?tsx?$|(?:^|\/)(?:test-d|type-?tests?|typings?-?tests?|dts-?(?:tests?|lint)?|tsd)\/|(?:^|\/)(?:types?|typings)\/tests?(?:[-.][\w-]+)?\.tsx?$/.test(
    file,
  );
}

/** True for npm's lockfiles: machine-written, and larger than all other files that are read. */
export function isLockfile(file: string): boolean {
  return /(?:^|\/)(?:package-lock|npm-shrinkwrap)\.json$/.test(file);
}

/** The ends of lines, as linters count them: of Unix, of Windows, and of old Macs. */
const LINE_END = /\r\n?|\n/g;

/** Returns a function from an offset in `text` to its line, from 1. */
export function lineCounter(text: string): (offset: number) => number {
  const starts = [0, ...Array.from(text.matchAll(LINE_END), (end) => end.index + end[0].length)];
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

/** Returns a stable identifier of a text: 64 bits of SHA-256 over the text with its blanks collapsed. */
export function anchorOf(text: string): string {
  return hash("sha256", text.trim().replace(/\s+/g, " "), "hex").slice(0, 16);
}

/** Returns the lines of a text, as linters count them. */
export function linesOf(text: string): string[] {
  return text.split(LINE_END);
}

/** Turns a message into one line of limited length, without control characters. */
export function oneLine(message: string): string {
  // A program's output can be a part of a message: only its start is looked at.
  const line = message
    .slice(0, 10 * MAX_MESSAGE_CHARACTERS)
    .replace(/\p{Cc}+/gu, " ")
    .replace(/ {2,}/g, " ")
    .trim();
  return line.length <= MAX_MESSAGE_CHARACTERS ? line : `${line.slice(0, MAX_MESSAGE_CHARACTERS - 1)}…`;
}

/** Makes the field `target` of a finding; nothing for a path that no task can name. */
export function targetOf(path: string): Pick<RawFinding, "target"> {
  const { success } = relativePathSchema.safeParse(path);
  return success ? { target: path } : {};
}

/** Makes a note of the review about itself, as a finding of severity `info`. */
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
