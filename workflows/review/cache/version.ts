// The version of everything that makes findings: this program, its analyses, and the packages and rules of the analysers.
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { analysersDirectory } from "../../../agents/lib/review/index.ts";

/** The folder of the analyses, beside this one in the checkout and in the package. */
const ANALYSES = fileURLToPath(new URL("../../../agents/lib/review/", import.meta.url));
const AGENTS = fileURLToPath(new URL("../../../agents/", import.meta.url));

/**
 * Returns a hash of the analyses, the agents of the review, and the lockfile and rules of the analysers. `version`: of this
 * program. A release changes the version, and an edit in a checkout the files.
 */
export async function analysersVersion(version: string): Promise<string> {
  const hash = createHash("sha256").update(`${version} ${process.version}\n`);
  const roles = (await readdir(AGENTS)).filter((name) => name.startsWith("review-")).sort();
  for (const folder of [ANALYSES, ...roles.map((role) => join(AGENTS, role)), analysersDirectory()]) {
    for (const file of (await filesIn(folder)).sort())
      hash.update(`${file.slice(folder.length)}\n`).update(await readFile(file));
  }
  return hash.digest("hex");
}

/** Folders that decide nothing about findings: the packages, which the lockfile names, and the texts for people. */
const WITHOUT = new Set(["node_modules", "pages"]);

/** The files in a folder and below. It does not enter the packages: they have thousands of files. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const below = await Promise.all(
    entries.map((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return WITHOUT.has(entry.name) ? [] : filesIn(path);
      return entry.isFile() ? [path] : [];
    }),
  );
  return below.flat();
}
