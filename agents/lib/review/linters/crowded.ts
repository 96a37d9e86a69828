// Finds the files with so many findings that Biome cannot report them in reasonable time and memory. Leaves the report of such a file
// to biome.ts.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { AnalysisTools, Unjudged } from "../contract.ts";
import { countReports } from "./oxlint.ts";

/**
 * The most bytes that Biome may copy for one file. Its reporter keeps a copy of the source for each finding, and no option of Biome 2.5
 * changes that: 12,000 findings in a file of 108 KB (1.3 GB of copies) took 6.4 s of CPU time and 1.5 GiB. So this limit is about 1.3 s and
 * 0.3 GiB.
 */
const MAX_COPIED_BYTES = 256 * 1024 * 1024;
/** A smaller file cannot reach the limit: the shortest statement with a finding has nine bytes (`debugger;`). */
const LARGE_BYTES = 48 * 1024;

/**
 * Returns the files that Biome should not judge. Only large files can be: oxlint counts their findings by the review's rules, in the run
 * over all files that its own seat needs too. Paths are relative to `cwd`, each starting with `./`.
 */
export async function findCrowded(
  tools: AnalysisTools,
  cwd: string,
  files: readonly string[],
): Promise<Map<string, Unjudged>> {
  const sizes = new Map<string, number>();
  for (const file of files) {
    // A file that went meanwhile is reported by the review's last look at all files.
    const bytes = await stat(join(cwd, file)).then(
      ({ size }) => size,
      () => 0,
    );
    if (bytes >= LARGE_BYTES) sizes.set(file, bytes);
  }
  const crowded = new Map<string, Unjudged>();
  if (sizes.size === 0) return crowded;
  const counts = await countReports(tools, cwd, files);
  for (const [path, bytes] of sizes) {
    const file = path.replace(/^\.\//, "");
    const count = counts.get(file) ?? 0;
    if (count * bytes <= MAX_COPIED_BYTES) continue;
    const message = `oxlint has ${count} findings in its ${bytes} bytes, and Biome would copy the file for each of its own`;
    crowded.set(path, { file, why: "too-many-findings", message });
  }
  return crowded;
}
