// Prepares a review: the directory and its configuration. Everything that can be wrong with the input of a review is refused here,
// before a swarm starts.
import { realpath, stat } from "node:fs/promises";
import { relative } from "node:path";
import { SwarmError } from "murmur-swarm";
import { isInside } from "../../agents/lib/review/index.ts";
import {
  DEFAULT_REVIEW_CONFIG,
  parseReviewConfig,
  REVIEW_CONFIG_FILE,
  type ReviewConfig,
  readReviewConfig,
} from "./config/index.ts";
import { type Change, readAtBase, readChange } from "./scope/index.ts";

/** The input of a review that is read before its tasks. */
export interface PrepareOptions {
  /** The directory to review. */
  directory: string;
  /** The configuration file that the user named, absolute; default `murmur-review.yaml` in the directory, when it is there. */
  configFile?: string | undefined;
  /** Review only what changed since this commit, branch or tag; `true`: since the default base. See {@link readChange}. */
  changed?: string | true | undefined;
  signal?: AbortSignal | undefined;
}

/** A review that can start. */
export interface Prepared {
  /** Absolute, without links. */
  directory: string;
  config: ReviewConfig;
  /** The file of the configuration; null without one. */
  configFile: string | null;
  /** The change under review; null for a review of everything. */
  change: Change | null;
}

/**
 * Reads the input of a review.
 * @throws SwarmError `not_found` when the directory or a named file does not exist; `invalid_input` when a file does not fit.
 */
export async function prepareReview(options: PrepareOptions): Promise<Prepared> {
  const directory = await directoryOf(options.directory);
  const { signal, changed } = options;
  const base = changed === true ? undefined : changed;
  const change = changed === undefined ? null : await readChange({ directory, base, signal });
  const { config, file } = await readConfig(directory, options, change);
  return { directory, config, configFile: file, change };
}

/**
 * Reads the configuration. A change that edits it is reviewed by the configuration of its base: otherwise a pull request could
 * switch off the gate that it has to pass.
 */
async function readConfig(
  directory: string,
  { configFile, signal }: PrepareOptions,
  change: Change | null,
): Promise<{ config: ReviewConfig; file: string | null }> {
  const inside =
    configFile === undefined
      ? REVIEW_CONFIG_FILE
      : isInside(directory, configFile)
        ? relative(directory, configFile)
        : null;
  const isChanged = inside !== null && (change?.files.has(inside) || change?.removed.includes(inside));
  if (change === null || inside === null || isChanged !== true) {
    return await readReviewConfig({ directory, file: configFile });
  }
  const text = await readAtBase({ directory, signal }, change, inside);
  if (text === null) return { config: DEFAULT_REVIEW_CONFIG, file: null };
  const file = `${change.base}:${inside}`;
  return { config: parseReviewConfig(text, file), file };
}

async function directoryOf(named: string): Promise<string> {
  const facts = await stat(named).catch(() => null);
  if (facts?.isDirectory() === true) return await realpath(named);
  throw new SwarmError(
    "not_found",
    `expected a directory to review, but ${named} ${facts === null ? "does not exist" : "is not a directory"}`,
    { field: "directory" },
  );
}
