// Prepares a review: the directory and its configuration. Everything that can be wrong with the input of a review is refused here,
// before a swarm starts.
import { realpath, stat } from "node:fs/promises";
import { relative } from "node:path";
import { SwarmError } from "murmur-swarm";
import { isInside, REVIEW_CAPABILITIES, type ReviewCapability } from "../../agents/lib/review/index.ts";
import {
  type BaselineEntry,
  type BaselinePlace,
  parseBaseline,
  placeBaseline,
  readBaseline,
  showPlace,
} from "./baseline/index.ts";
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
  /** The file of the known findings, absolute; `true`: `murmur-review-baseline.json` in the directory; default none. */
  baseline?: string | true | undefined;
  /** True when this review will write the baseline; then an old one is not read. Default false. */
  writeBaseline?: boolean | undefined;
  /** The analysers of the review; default all, with ESLint as the referee of the two other linters. */
  only?: readonly ReviewCapability[] | undefined;
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
  /** The known findings; null without a baseline. */
  baseline: PreparedBaseline | null;
}

/** The baseline of a review. */
export interface PreparedBaseline {
  place: BaselinePlace;
  /** Its name for people. */
  name: string;
  entries: readonly BaselineEntry[];
}

/**
 * Reads the input of a review.
 * @throws SwarmError `not_found` when the directory or a named file does not exist; `invalid_input` when a file does not fit.
 */
export async function prepareReview(options: PrepareOptions): Promise<Prepared> {
  const directory = await directoryOf(options.directory);
  if (options.writeBaseline === true) expectWholeReview(options);
  const { signal, changed } = options;
  const base = changed === true ? undefined : changed;
  const change = changed === undefined ? null : await readChange({ directory, base, signal });
  const { config, file } = await readConfig(directory, options, change);
  const baseline = await prepareBaseline(directory, options, change);
  return { directory, config, configFile: file, change, baseline };
}

/** A baseline has all findings of the repository. With a part of them, the others would be new in the next review. */
function expectWholeReview({ changed, only = REVIEW_CAPABILITIES }: PrepareOptions): void {
  const isWhole = REVIEW_CAPABILITIES.every((capability) => only.includes(capability));
  const flag = changed !== undefined ? "--changed" : isWhole ? null : "--only";
  if (flag === null) return;
  throw new SwarmError(
    "invalid_input",
    `--write-baseline writes the findings of a whole review, and with ${flag} most of them would be missing; leave ${flag} out`,
    { field: "writeBaseline" },
  );
}

/** Reads the baseline. As with the configuration, a change that edits it is reviewed by the baseline of its base. */
async function prepareBaseline(
  directory: string,
  { directory: named, baseline: file, writeBaseline = false, signal }: PrepareOptions,
  change: Change | null,
): Promise<PreparedBaseline | null> {
  if (file === undefined && !writeBaseline) return null;
  const place = placeBaseline({ directory, named, file: file ?? true });
  const { inside } = place;
  const name = showPlace(place);
  if (writeBaseline) return { place, name, entries: [] };
  if (change === null || inside === null || !isChanged(change, inside))
    return { place, name, entries: await readBaseline(directory, place) };
  const text = await readAtBase({ directory, signal }, change, inside);
  const ofBase = `${change.base}:${name}`;
  return { place, name: ofBase, entries: text === null ? [] : parseBaseline(text, ofBase) };
}

function isChanged({ files, removed }: Change, path: string): boolean {
  return files.has(path) || removed.includes(path);
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
  if (change === null || inside === null || !isChanged(change, inside)) {
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
