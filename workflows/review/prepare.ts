// Prepares a review: the directory and its configuration. Everything that can be wrong with the input of a review is refused here,
// before a swarm starts.
import { realpath, stat } from "node:fs/promises";
import { SwarmError } from "murmur-swarm";
import { type ReviewConfig, readReviewConfig } from "./config/index.ts";

/** The input of a review that is read before its tasks. */
export interface PrepareOptions {
  /** The directory to review. */
  directory: string;
  /** The configuration file that the user named, absolute; default `murmur-review.yaml` in the directory, when it is there. */
  configFile?: string | undefined;
}

/** A review that can start. */
export interface Prepared {
  /** Absolute, without links. */
  directory: string;
  config: ReviewConfig;
  /** The file of the configuration; null without one. */
  configFile: string | null;
}

/**
 * Reads the input of a review.
 * @throws SwarmError `not_found` when the directory or a named file does not exist; `invalid_input` when a file does not fit.
 */
export async function prepareReview(options: PrepareOptions): Promise<Prepared> {
  const directory = await directoryOf(options.directory);
  const { config, file } = await readReviewConfig({ directory, file: options.configFile });
  return { directory, config, configFile: file };
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
