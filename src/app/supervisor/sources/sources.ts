// The files that a process of a role runs: the folder of the role, and the local files that it imports, each with a hash of its
// content. Tells whether code is newer than a process. Leaves the watching to watcher.ts.
// Packages (`node_modules`) do not count, nor files that an agent reads by a path of its own making.
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The most files of one role. A folder with more holds data, and hashing it at each start would cost seconds. */
export const MAX_SOURCE_FILES = 2_000;
/** A larger file counts by its size and time of change: no source file is that large. */
const MAX_HASHED_BYTES = 4 * 1024 * 1024;

const CODE = new Set([".ts", ".mts", ".cts", ".js", ".mjs", ".cjs"]);
/** Relative specifiers after `from`, `import`, `require(`, `import(` and `new URL(`. Comments match too, which does no harm. */
const IMPORTS = /(?:\bfrom|\bimport|\brequire|\bURL)\s*\(?\s*["'](\.{1,2}\/[^"'\n]+)["']/g;

/** The files of a role or of the program at one moment. */
export interface Sources {
  /** The hash of each file by its path. */
  readonly files: ReadonlyMap<string, string>;
  /** The folders whose entries count. */
  readonly folders: readonly string[];
  /** Imported files that do not exist. */
  readonly missing: readonly string[];
  /** True when there were more than {@link MAX_SOURCE_FILES}: changes of the rest go unnoticed. */
  readonly isCut: boolean;
}

/** Reads the sources of the role that `agentFile` defines. Files that vanish during the read do not count. */
export async function readSources(agentFile: string): Promise<Sources> {
  const folders: string[] = [];
  const todo: string[] = [];
  await listFiles(dirname(agentFile), { folders, files: todo });
  return follow(todo, folders);
}

/** Reads the sources of the program itself: all files of the folder that holds it, and its package.json. */
export async function readProgram(): Promise<Sources> {
  const source = fileURLToPath(new URL("../../..", import.meta.url));
  const folders: string[] = [];
  const files: string[] = [];
  await listFiles(source, { folders, files });
  return follow(files, folders);
}

async function follow(todo: string[], folders: readonly string[]): Promise<Sources> {
  const files = new Map<string, string>();
  const missing = new Set<string>();
  const seen = new Set(todo);
  for (let next = todo.shift(); next !== undefined && files.size < MAX_SOURCE_FILES; next = todo.shift()) {
    const content = await readHashed(next);
    if (content === null) {
      missing.add(next);
      continue;
    }
    files.set(next, content.hash);
    if (!CODE.has(extname(next))) continue;
    for (const [, specifier = ""] of content.text.matchAll(IMPORTS)) {
      const file = resolve(dirname(next), specifier);
      if (seen.has(file) || file.includes("/node_modules/")) continue;
      seen.add(file);
      todo.push(file);
    }
  }
  return { files, folders, missing: [...missing], isCut: todo.length > 0 };
}

async function listFiles(folder: string, found: { folders: string[]; files: string[] }): Promise<void> {
  if (found.files.length > MAX_SOURCE_FILES) return;
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  found.folders.push(folder);
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name === "node_modules" || entry.name.startsWith(".")) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await listFiles(path, found);
    else found.files.push(path);
  }
}

async function readHashed(file: string): Promise<{ hash: string; text: string } | null> {
  try {
    const { size, mtimeMs } = await stat(file);
    const bytes = size > MAX_HASHED_BYTES ? Buffer.from(`${size}:${mtimeMs}`) : await readFile(file);
    const isCode = CODE.has(extname(file));
    return {
      hash: createHash("sha256").update(bytes).digest("base64"),
      text: isCode ? bytes.toString() : "",
    };
  } catch {
    return null; // vanished, a folder, or not readable: the process could not load it either
  }
}

/** The files that differ between two states: changed, new and removed ones. */
export function changedFiles(before: Sources, after: Sources): string[] {
  const paths = new Set([...before.files.keys(), ...after.files.keys()]);
  return [...paths].filter((path) => before.files.get(path) !== after.files.get(path)).sort();
}

/** One text for a state of the program, so that two processes can compare theirs. */
export function hashSources({ files }: Sources): string {
  const hash = createHash("sha256");
  for (const [path, content] of [...files].sort()) hash.update(`${path}\0${content}\0`);
  return hash.digest("hex").slice(0, 16);
}

/**
 * A text that changes when one of the files changes, is replaced, appears or vanishes. It reads no content: 100 files take
 * about 0.3 ms.
 */
export function signSources({ files, folders, missing }: Sources): string {
  return [...files.keys(), ...folders, ...missing].map(signFile).join("\n");
}

function signFile(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? "-" : `${found.mtimeMs}:${found.size}:${found.ino}`;
}
