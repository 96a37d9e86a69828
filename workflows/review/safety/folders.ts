// Looks into the folders of the reviewed files for entries that git does not list, or that a linter finds by itself: special files,
// and configurations of linters. Reads names only.
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isLinterConfig } from "../../../agents/lib/review/index.ts";

/** The most folders that are read at the same time: enough to keep a disk busy. */
const FOLDERS_AT_ONCE = 32;

/** The entries of the folders, relative to the root, by name. */
export interface FolderEntries {
  /** FIFOs, sockets and devices. */
  special: string[];
  /** Files and links with the name of a linter's configuration. */
  configs: string[];
}

/** Looks into every folder that has one of `paths`, at any depth. A folder that cannot be listed counts as empty. */
export async function lookIntoFolders(
  root: string,
  paths: readonly string[],
  signal: AbortSignal | undefined,
): Promise<FolderEntries> {
  const found: FolderEntries = { special: [], configs: [] };
  const folders = foldersOf(paths);
  for (let at = 0; at < folders.length; at += FOLDERS_AT_ONCE) {
    signal?.throwIfAborted();
    await Promise.all(
      folders.slice(at, at + FOLDERS_AT_ONCE).map(async (folder) => {
        for (const entry of await readdir(join(root, folder), { withFileTypes: true }).catch(() => [])) {
          const path = join(folder, entry.name);
          const isPlain = entry.isFile() || entry.isSymbolicLink();
          if (isPlain && isLinterConfig(entry.name)) found.configs.push(path);
          else if (!isPlain && !entry.isDirectory()) found.special.push(path);
        }
      }),
    );
  }
  return { special: found.special.sort(), configs: found.configs.sort() };
}

function foldersOf(paths: readonly string[]): string[] {
  const folders = new Set(["."]);
  for (const path of paths) for (let at = dirname(path); !folders.has(at); at = dirname(at)) folders.add(at);
  return [...folders];
}
