// Lists the files of a review, and counts the files that it leaves out. Owns the reading of names, sizes, and first and last bytes.
// Leaves the reasons to left-out/, and the tasks to plan.ts. The scan only reads: git does not refresh its index, and runs no hooks
// or monitors of the repository.
import { hash } from "node:crypto";
import { constants, lstatSync, type Stats } from "node:fs";
import { open, readdir, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import {
  isCode,
  isComponent,
  isLockfile,
  isUtf16,
  MAX_FILE_BYTES,
  MAX_FILES,
  readInside,
} from "../../agents/lib/review/index.ts";
import { DEFAULT_REVIEW_CONFIG, type ReviewConfig } from "./config/index.ts";
import {
  AttributeReader,
  type Candidate,
  classifyCode,
  classifyPath,
  findLibraries,
  type LeftOut,
  LeftOutCounter,
  type LinterList,
  MAX_ATTRIBUTES_BYTES,
  MAX_LIST_BYTES,
  mayHoldList,
  ownNamesOf,
  readBanner,
  readLinterList,
  type Verdict,
} from "./left-out/index.ts";
import { IgnoreList, type IgnoreRule, isIgnored, parseIgnore, parsePatterns } from "./patterns/index.ts";
import { lookIntoFolders, runGit } from "./safety/index.ts";
import { IGNORE_WORD } from "./suppress/index.ts";

/** A file to review: its path relative to the directory, and its size. */
export interface ScannedFile {
  path: string;
  bytes: number;
  /** The time of its last change, which tells whether it changed during the review. */
  modifiedMs?: number;
  /** True when a linter's own ignore list names the file: every analyser but the linters reads it. */
  unlinted?: boolean;
  /** The contents at the time of the scan, which reads most files completely; missing for large files and lockfiles. */
  contents?: { sha256: string; hasIgnoreWord: boolean };
}

export interface Scan {
  files: ScannedFile[];
  /** The files that were left out, by reason. */
  leftOut: LeftOut[];
  /** The files that configure linters, in the folders of the repository's own files; also files that git ignores. */
  linterConfigs: string[];
}

export interface ScanOptions {
  config?: ReviewConfig | undefined;
  /** Files that the review itself writes, such as its baseline; relative to the directory. */
  ownFiles?: readonly string[] | undefined;
  /**
   * Reads a file that narrows the review (`.gitattributes`, ignore lists of linters); null when there is none. Default: the file
   * of the directory. A review of a change reads the base of the change instead, so that the change cannot disarm it.
   */
  readNarrowing?: ((path: string, maxBytes: number) => Promise<string | null>) | undefined;
  /** The most files that a walk without git lists below one folder; default {@link MAX_WALKED_FILES}. */
  maxWalkedFiles?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** The first bytes, which distinguish text from binary files and sources from bundles. */
const HEAD_BYTES = 8 * 1024;
/** Files up to this size are read completely, so that nothing has to open them again: far above most sources. */
const WHOLE_BYTES = 128 * 1024;
/** The last bytes, which can name a source map. */
const TAIL_BYTES = 512;
/** The most heads that are read at the same time: enough to keep a disk busy, and far below any limit of descriptors. */
const HEADS_AT_ONCE = 32;
/** The most files that can narrow the review (`.gitattributes`, ignore lists) in one repository; a monorepo has some hundred. */
const MAX_NARROWING_FILES = 2_000;
/** The deepest folder of a walk without git; deeper folders are generated. */
const MAX_DEPTH = 40;
/** The most files that a walk without git lists below one folder: twice the files of a review, because later checks leave files out. */
const MAX_WALKED_FILES = 2 * MAX_FILES;

/**
 * Lists the directory's files. In a git checkout these are the files that git tracks or would add; otherwise a walk finds them
 * and honours `.gitignore` files.
 */
export async function scan(directory: string, options: ScanOptions = {}): Promise<Scan> {
  const { config = DEFAULT_REVIEW_CONFIG, maxWalkedFiles = MAX_WALKED_FILES, signal } = options;
  const root = await realpath(directory);
  const leftOut = new LeftOutCounter();
  const keeps = new IgnoreList(parsePatterns(config.keep));
  const enters = (folder: string) => enterFolder(folder, config.keep.length > 0, leftOut);
  const paths =
    (await gitFiles(root, signal)) ??
    (await walk(root, "", [], 0, { enters, leftOut, maxWalkedFiles, signal }));
  const ours = paths.filter((path) => classifyPath(path, {}) === null);
  const entries = await lookIntoFolders(root, ours, signal);
  // git lists no special files; the report counts them, as it does without git.
  const all = [...new Set([...paths, ...entries.special])].sort();
  const read = options.readNarrowing ?? ((path, maxBytes) => readInside(root, path, maxBytes));
  const narrowing = await readNarrowing(all, read);
  const exclude = new IgnoreList(parsePatterns(config.exclude));
  const own = new Set(options.ownFiles);
  const look = async (path: string): Promise<Looked | Verdict | null> => {
    if (own.has(path)) return { reason: "own-file", because: "the baseline of the review" };
    if (exclude.ignores(path)) return { reason: "excluded", because: "exclude" };
    const isKept = keeps.ignores(path);
    const attributes = narrowing.attributes.of(path);
    const named = classifyPath(path, attributes);
    if (named !== null && (!isKept || named.reason === "binary")) return named;
    const looked = await lookAt(root, path, config.limits.fileBytes ?? MAX_FILE_BYTES);
    if (looked === null || "reason" in looked || isKept || !isCode(path)) return looked;
    return classifyCode({ path, head: looked.head, tail: looked.tail }, attributes) ?? looked;
  };
  const maxFiles = config.limits.files ?? MAX_FILES;
  const kept: (ScannedFile & Candidate)[] = [];
  for (let at = 0; at < all.length; at += HEADS_AT_ONCE) {
    signal?.throwIfAborted();
    const looks = await Promise.all(
      all.slice(at, at + HEADS_AT_ONCE).map(async (path) => ({ path, looked: await look(path) })),
    );
    for (const { path, looked } of looks) {
      if (looked === null) continue;
      if ("reason" in looked) leftOut.add(looked.reason, path, looked.because);
      else if (kept.length >= maxFiles) leftOut.add("over-the-limit", path, `the limit is ${maxFiles} files`);
      else {
        const { bytes, modifiedMs, head, contents } = looked;
        const banner = isScript(path) ? readBanner(head) : null;
        kept.push({ path, bytes, modifiedMs, banner, ...(contents === undefined ? {} : { contents }) });
      }
    }
  }
  const scripts = kept.filter(({ path }) => isScript(path) && !keeps.ignores(path));
  const libraries = findLibraries(scripts, ownNamesOf(basename(root), narrowing.manifests));
  for (const [path, { reason, because }] of libraries) leftOut.add(reason, path, because);
  const files = kept
    .filter(({ path }) => !libraries.has(path))
    .map(({ banner: _, ...file }) => markUnlinted(file, narrowing.lists, leftOut));
  return { files, leftOut: leftOut.list(), linterConfigs: entries.configs };
}

/** Returns the files that were changed or removed after the scan, of those whose time of change it knows. */
export async function findChanged(directory: string, files: readonly ScannedFile[]): Promise<string[]> {
  const changed: string[] = [];
  for (let at = 0; at < files.length; at += HEADS_AT_ONCE) {
    for (const { path, bytes, modifiedMs } of files.slice(at, at + HEADS_AT_ONCE)) {
      if (modifiedMs === undefined) continue;
      const facts = factsOf(join(directory, path));
      if (typeof facts === "string" || facts.size !== bytes || facts.mtimeMs !== modifiedMs)
        changed.push(path);
    }
    await setImmediate();
  }
  return changed;
}

/** True for plain JavaScript. Copied libraries are JavaScript; TypeScript sources of others come as packages. */
function isScript(path: string): boolean {
  return /\.[cm]?js$/.test(path);
}

/** Marks a code file that a list of a linter ignores. */
function markUnlinted(file: ScannedFile, lists: readonly LoadedList[], leftOut: LeftOutCounter): ScannedFile {
  const list =
    isCode(file.path) || isComponent(file.path)
      ? lists.find(({ ignores }) => ignores.ignores(file.path))
      : undefined;
  if (list === undefined) return file;
  leftOut.add("linter-ignore", file.path, list.file);
  return { ...file, unlinted: true };
}

interface LoadedList {
  file: string;
  ignores: IgnoreList;
}

/** Reads the files of the repository that narrow a review, as data. */
async function readNarrowing(
  paths: readonly string[],
  read: (path: string, maxBytes: number) => Promise<string | null>,
): Promise<{ attributes: AttributeReader; lists: LoadedList[]; manifests: ReadonlyMap<string, string> }> {
  const ours = paths.filter((path) => classifyPath(path, {}) === null);
  const attributeFiles = new Map<string, string>();
  const lists: LinterList[] = [];
  const manifests = new Map<string, string>();
  for (const path of ours.filter(isNarrowing).slice(0, MAX_NARROWING_FILES)) {
    const isAttributes = basename(path) === ".gitattributes";
    const text = await read(path, isAttributes ? MAX_ATTRIBUTES_BYTES : MAX_LIST_BYTES);
    if (text === null) continue;
    if (isAttributes) attributeFiles.set(path, text);
    else lists.push(...[readLinterList(path, text) ?? []].flat());
    if (basename(path) === "package.json") manifests.set(path, text);
  }
  return {
    attributes: new AttributeReader(attributeFiles),
    lists: lists.map(({ file, rules }) => ({ file, ignores: new IgnoreList(rules) })),
    manifests,
  };
}

/** True for the name of a file that narrows a review: attributes, and ignore lists of linters. */
function isNarrowing(path: string): boolean {
  return basename(path) === ".gitattributes" || mayHoldList(path);
}

/** Lists the files that git knows; null outside a git checkout, without git, or when the directory itself is ignored. */
async function gitFiles(root: string, signal: AbortSignal | undefined): Promise<string[] | null> {
  try {
    const args = ["-z", "--cached", "--others", "--exclude-standard"];
    const { exitCode, stdout } = await runGit("ls-files", args, { directory: root, signal });
    const files = stdout.split("\0").filter((path) => path !== "");
    return exitCode !== 0 || files.length === 0 ? null : files;
  } catch {
    signal?.throwIfAborted();
    return null;
  }
}

/** Decides whether a walk enters a folder (its path ends with a slash), and counts the folder when it does not. */
function enterFolder(folder: string, hasKept: boolean, leftOut: LeftOutCounter): boolean {
  // `keep` can name files below such a folder, but never dependencies: those are too many.
  const found = classifyPath(folder, {});
  if (found === null || (hasKept && found.reason !== "dependency")) return true;
  leftOut.add(found.reason, folder, found.because);
  return false;
}

async function walk(
  root: string,
  folder: string,
  above: readonly IgnoreRule[],
  depth: number,
  options: {
    enters: (folder: string) => boolean;
    leftOut: LeftOutCounter;
    maxWalkedFiles: number;
    signal: AbortSignal | undefined;
  },
): Promise<string[]> {
  options.signal?.throwIfAborted();
  // Like every file of the repository it may be a FIFO, a link or huge.
  const ignore = (await readInside(root, join(folder, ".gitignore"))) ?? "";
  const rules = [...above, ...parseIgnore(ignore, folder)];
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(() => {
    options.leftOut.add("unreadable", `${folder}/`, "the folder cannot be listed");
    return [];
  });
  const files: string[] = [];
  for (const [index, entry] of entries.entries()) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (files.length >= options.maxWalkedFiles) {
      const because = `the listing of ${folder === "" ? "the directory" : folder} stopped after ${options.maxWalkedFiles} files`;
      options.leftOut.add("over-the-limit", path, because, entries.length - index);
      break;
    }
    if (entry.name === ".git" || isIgnored(rules, path, entry.isDirectory())) continue;
    if (!entry.isDirectory()) files.push(path);
    else if (options.enters(`${path}/`)) {
      if (depth < MAX_DEPTH) files.push(...(await walk(root, path, rules, depth + 1, options)));
      else
        options.leftOut.add("over-the-limit", `${path}/`, `the folder is deeper than ${MAX_DEPTH} folders`);
    }
  }
  return files;
}

/** The size of a file, and its first and last bytes as Latin-1. */
interface Looked {
  bytes: number;
  modifiedMs: number;
  head: string;
  tail: string;
  contents?: ScannedFile["contents"];
}

/**
 * Returns the facts of a path, or the code of an error. Synchronous: it opens nothing, so it waits for no other program, and for thousands
 * of files it takes a twentieth of the time of a promise each.
 */
function factsOf(path: string): Stats | string {
  try {
    return lstatSync(path);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "";
  }
}

/** Looks at a file; null when it does not exist any more. */
async function lookAt(root: string, path: string, maxBytes: number): Promise<Looked | Verdict | null> {
  const facts = factsOf(join(root, path));
  if (facts === "ENOENT" || facts === "ENOTDIR") return null;
  if (typeof facts === "string")
    return { reason: "unreadable", because: `the system refuses to look at it (${facts})` };
  if (facts.isSymbolicLink()) return { reason: "link", because: "links are not followed" };
  // Of git's files only a submodule is a folder.
  if (facts.isDirectory())
    return { reason: "submodule", because: "a repository of its own; review it there" };
  if (!facts.isFile()) return { reason: "not-a-file", because: "not a regular file" };
  if (isLockfile(path)) return { bytes: facts.size, modifiedMs: facts.mtimeMs, head: "", tail: "" };
  if (facts.size > maxBytes)
    return { reason: "too-large", because: `${facts.size} bytes, over the limit of ${maxBytes}` };
  const looked = await readEnds(join(root, path), facts.size, facts.mtimeMs);
  if (looked === null) return { reason: "unreadable", because: "it cannot be opened" };
  return looked.head.includes("\0") && !isUtf16(looked.head)
    ? { reason: "binary", because: "it contains a NUL byte" }
    : looked;
}

async function readEnds(path: string, bytes: number, modifiedMs: number): Promise<Looked | null> {
  // Not blocking, and not through a link: the file may have been replaced since it was looked at.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
  const handle = await open(path, flags).catch(() => null);
  if (handle === null) return null;
  try {
    const read = async (length: number, from: number) => {
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, from);
      return buffer.subarray(0, bytesRead);
    };
    // One byte more shows that the file has grown.
    const start = await read(bytes <= WHOLE_BYTES ? bytes + 1 : HEAD_BYTES, 0);
    const head = start.toString("latin1", 0, HEAD_BYTES);
    if (bytes > WHOLE_BYTES) {
      const tail = (await read(TAIL_BYTES, bytes - TAIL_BYTES)).toString("latin1");
      return { bytes, modifiedMs, head, tail };
    }
    const tail = start.toString("latin1", Math.max(0, start.length - TAIL_BYTES));
    return {
      bytes,
      modifiedMs,
      head,
      tail,
      ...(start.length === bytes ? { contents: contentsOf(start) } : {}),
    };
  } catch {
    return null;
  } finally {
    await handle.close();
  }
}

function contentsOf(bytes: Buffer): NonNullable<ScannedFile["contents"]> {
  const hasIgnoreWord = bytes.includes(IGNORE_WORD) || isUtf16(bytes.toString("latin1", 0, 2));
  return { sha256: hash("sha256", bytes), hasIgnoreWord };
}
