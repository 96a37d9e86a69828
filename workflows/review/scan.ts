// Lists the files of a review. Owns the reasons to leave a file out. Leaves the tasks to plan.ts. The scan only reads: git does
// not refresh its index, and runs no hooks or monitors of the repository.
import { lstat, open, readdir, readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import { isCode, isLockfile, isUtf16, MAX_FILE_BYTES, MAX_FILES } from "../../agents/lib/review/index.ts";
import { type IgnoreRule, isIgnored, parseIgnore } from "./patterns/index.ts";
import { runGit } from "./safety/index.ts";

/** A file to review: its path relative to the directory, and its size. */
export interface ScannedFile {
  path: string;
  bytes: number;
}

export interface Scan {
  files: ScannedFile[];
  /** The number of files that were left out, by reason. */
  skipped: Partial<Record<SkipReason, number>>;
}

export type SkipReason = "too large" | "binary" | "minified" | "generated" | "link" | "over the file limit";

/** Folders with foreign or generated content, or with broken code on purpose (test fixtures). */
const FOREIGN_FOLDER =
  /(?:^|\/)(?:node_modules|bower_components|vendor|vendored|third[_-]party|dist|out|coverage|\.git|\.yarn|\.next|\.nuxt|\.svelte-kit|\.turbo|\.cache|fixtures?|__fixtures__|testdata|__snapshots__)\//;
const BINARY_NAME =
  /\.(?:png|jpe?g|gif|webp|avif|ico|bmp|pdf|zip|gz|tgz|bz2|xz|zst|7z|jar|wasm|node|so|dylib|dll|exe|woff2?|ttf|otf|eot|mp[34]|mov|webm|ogg|wav|flac|sqlite|db|bin|dat|pack|pyc|class|snap|lockb)$/i;
const MINIFIED_NAME = /[.-]min\.(?:js|mjs|cjs|css)$|\.bundle\.js$|\.map$/;
const GENERATED = /@generated|\bDO NOT EDIT\b|\bauto-?generated\b.{0,40}\bby\b/i;

/** The first bytes of a file, which distinguish text from binary files and sources from bundles. */
const HEAD_BYTES = 8 * 1024;
/** A file with a higher average line length, in characters, was not written by hand. */
const MINIFIED_LINE_CHARACTERS = 500;
/** The most heads that are read at the same time: enough to keep a disk busy, and far below any limit of descriptors. */
const HEADS_AT_ONCE = 32;
/** The deepest folder of a walk without git; deeper folders are generated. */
const MAX_DEPTH = 40;

/**
 * Lists the directory's files. In a git checkout these are the files that git tracks or would add; otherwise a walk finds them
 * and honours `.gitignore` files.
 */
export async function scan(directory: string, signal?: AbortSignal): Promise<Scan> {
  const root = await realpath(directory);
  const paths = (await gitFiles(root, signal)) ?? (await walk(root, "", [], 0, signal));
  const wanted = [...new Set(paths)].filter((path) => !FOREIGN_FOLDER.test(path)).sort();
  const files: ScannedFile[] = [];
  const skipped: Scan["skipped"] = {};
  const skip = (reason: SkipReason, count = 1) => {
    skipped[reason] = (skipped[reason] ?? 0) + count;
  };
  for (let at = 0; at < wanted.length; at += HEADS_AT_ONCE) {
    signal?.throwIfAborted();
    if (files.length >= MAX_FILES) {
      skip("over the file limit", wanted.length - at);
      break;
    }
    const looks = await Promise.all(
      wanted.slice(at, at + HEADS_AT_ONCE).map(async (path) => ({ path, look: await lookAt(root, path) })),
    );
    for (const { path, look } of looks) {
      if (typeof look === "string") skip(look);
      else if (look !== null) files.push({ path, bytes: look.bytes });
    }
  }
  return { files: files.slice(0, MAX_FILES), skipped };
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

async function walk(
  root: string,
  folder: string,
  above: readonly IgnoreRule[],
  depth: number,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  signal?.throwIfAborted();
  const ignore = await readFile(join(root, folder, ".gitignore"), "utf8").catch(() => "");
  const rules = [...above, ...parseIgnore(ignore, folder)];
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(() => []);
  const files: string[] = [];
  for (const entry of entries) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (isIgnored(rules, path, entry.isDirectory())) continue;
    if (!entry.isDirectory()) files.push(path);
    else if (depth < MAX_DEPTH && !FOREIGN_FOLDER.test(`${path}/`)) {
      files.push(...(await walk(root, path, rules, depth + 1, signal)));
    }
    if (files.length > 2 * MAX_FILES) break;
  }
  return files;
}

async function lookAt(root: string, path: string): Promise<{ bytes: number } | SkipReason | null> {
  if (BINARY_NAME.test(path)) return "binary";
  if (MINIFIED_NAME.test(path)) return "minified";
  const facts = await lstat(join(root, path)).catch(() => null);
  if (facts === null || facts.isDirectory()) return null;
  if (facts.isSymbolicLink()) return "link";
  if (!facts.isFile()) return null;
  if (isLockfile(path)) return { bytes: facts.size };
  if (facts.size > MAX_FILE_BYTES) return "too large";
  const head = await readHead(join(root, path));
  if (head === null) return null;
  if (head.includes("\0") && !isUtf16(head)) return "binary";
  if (isCode(path)) {
    if (head.length / (head.split("\n").length || 1) > MINIFIED_LINE_CHARACTERS) return "minified";
    if (GENERATED.test(head.slice(0, 500))) return "generated";
  }
  return { bytes: facts.size };
}

async function readHead(path: string): Promise<string | null> {
  const handle = await open(path).catch(() => null);
  if (handle === null) return null;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.toString("latin1", 0, bytesRead);
  } finally {
    await handle.close();
  }
}
