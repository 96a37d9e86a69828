// Runs a linter so that a file on which the program fails costs only that file: it splits the files until it has found the file.
// Leaves the running of the program to the linter.
import { toSwarmError } from "murmur-swarm";
import { oneLine } from "../files.ts";
import { UnknownOutputError } from "../toolbox.ts";

/** The most runs of one search: a chunk has 200 files, so the search for one of them takes 1 + 2 × 8 runs. */
const MAX_RUNS = 20;
/** The search starts no run after this time, in ms: half of an attempt's 120 s, because one more run may take long. */
const MAX_SEARCH_MS = 60_000;

/** The results of all runs, and the files on which the program failed, with its message. */
export interface Search<Run> {
  runs: Run[];
  failed: { file: string; message: string }[];
}

/**
 * Calls `run` with all files, and after a failure with each half, the largest part first. Files that the bounds leave over count as
 * failed.
 * @throws the first error when no run succeeded, because then no file is the cause.
 */
export async function searchFailures<Run>(
  run: (files: readonly string[]) => Promise<Run>,
  files: readonly string[],
  { signal, nowMs = () => performance.now() }: { signal: AbortSignal; nowMs?: () => number },
): Promise<Search<Run>> {
  const found: Search<Run> = { runs: [], failed: [] };
  const open: (readonly string[])[] = [files];
  const startedMs = nowMs();
  let first: unknown;
  for (let count = 0; open.length > 0; count++) {
    open.sort((a, b) => b.length - a.length);
    const part = open.shift() ?? [];
    if (count >= MAX_RUNS || nowMs() - startedMs > MAX_SEARCH_MS) {
      const { message: cause } = toSwarmError(first);
      // Once for all files: a part of a long text holds the whole text in memory.
      const message = oneLine(
        `not run: the program failed on this file and ${part.length - 1} others together, ${cause}`,
      );
      found.failed.push(...part.map((file) => ({ file, message })));
      continue;
    }
    try {
      found.runs.push(await run(part));
    } catch (error) {
      signal.throwIfAborted();
      first ??= error;
      // The program printed something else than this review knows, on any file.
      if (error instanceof UnknownOutputError) throw error;
      if (part.length > 1) open.push(part.slice(0, part.length >> 1), part.slice(part.length >> 1));
      else {
        const message = oneLine(toSwarmError(error).message) || "no message";
        found.failed.push(...part.map((file) => ({ file, message })));
      }
    }
  }
  if (found.runs.length === 0 && first !== undefined) throw first;
  return found;
}
