// The file of a baseline: the findings that a repository knows and does not want to hear of again. Owns its form, and the only write
// of a review into the repository. Leaves the comparison to compare.ts.
// I1: a reader sees the old file or the new one as a whole: the new one is written beside it, and then renamed.
// I2: nothing is written through a link.
import { randomUUID } from "node:crypto";
import { lstat, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { SwarmError } from "murmur-swarm";
import { z } from "zod";
import { isInside, oneLine, rawFindingSchema, readInside } from "../../../agents/lib/review/index.ts";
import { tryJson } from "../../../src/base/index.ts";

/** The default name of the file, in the reviewed directory. */
export const BASELINE_FILE = "murmur-review-baseline.json";
/** The version of the form, and of the fingerprints in it. A change of either is a new version. */
const VERSION = 1;
/** The largest file that is read, in bytes: about 200,000 findings. */
const MAX_BASELINE_BYTES = 64 * 1024 * 1024;
/** The most characters of a foreign value in an error. */
const MAX_SHOWN_VALUE = 40;

const entrySchema = z.strictObject({
  fingerprint: z.string().regex(/^[0-9a-f]{16}$/, "must be 16 hex digits"),
  kind: rawFindingSchema.shape.kind,
  file: rawFindingSchema.shape.file,
  /** For people only: lines move. */
  line: rawFindingSchema.shape.line,
  /** Finds the problem again after its file was renamed. */
  anchor: rawFindingSchema.shape.anchor,
});
/** A known finding. */
export type BaselineEntry = z.infer<typeof entrySchema>;

const baselineSchema = z.strictObject({
  version: z.literal(VERSION),
  about: z.string().max(1_000),
  findings: z.array(entrySchema),
});

/** The place of a baseline. */
export interface BaselinePlace {
  /** Absolute. */
  file: string;
  /** The path below the reviewed directory; null for a file elsewhere. */
  inside: string | null;
}

/**
 * Returns the place of a baseline.
 * @param input.named the directory as the user gave it, which may be reached through a link.
 * @param input.file absolute; `true` for {@link BASELINE_FILE} in the directory.
 */
export function placeBaseline(input: {
  directory: string;
  named: string;
  file: string | true;
}): BaselinePlace {
  const { directory, file } = input;
  if (file === true) return { file: join(directory, BASELINE_FILE), inside: BASELINE_FILE };
  for (const root of [directory, resolve(input.named)]) {
    if (!isInside(root, file)) continue;
    const inside = relative(root, file);
    return { file: join(directory, inside), inside };
  }
  return { file, inside: null };
}

/** Returns the name of a baseline for people. */
export function showPlace({ file, inside }: BaselinePlace): string {
  return inside ?? file;
}

/**
 * Reads a baseline.
 * @throws SwarmError `not_found` without the file; `invalid_input` when it is damaged, too large, or of another version.
 */
export async function readBaseline(directory: string, place: BaselinePlace): Promise<BaselineEntry[]> {
  const name = showPlace(place);
  const facts = await lstat(place.file).catch(() => null);
  if (facts === null) {
    throw new SwarmError("not_found", `there is no baseline ${name}; write it with --write-baseline`, {
      field: "baseline",
    });
  }
  const text =
    place.inside === null
      ? await readElsewhere(place.file)
      : await readInside(directory, place.inside, MAX_BASELINE_BYTES);
  if (text !== null) return parseBaseline(text, name);
  const limit = MAX_BASELINE_BYTES / 1024 / 1024;
  throw refuse(
    `${name} must be a readable file of at most ${limit} MiB (in the repository: and no link to the outside)`,
  );
}

/**
 * Reads the text of a baseline. `name`: for errors.
 * @throws SwarmError `invalid_input` when it is damaged, or of another version.
 */
export function parseBaseline(text: string, name: string): BaselineEntry[] {
  const value = tryJson(text);
  const again = "restore it from version control, or write it anew with --write-baseline";
  if (value === undefined) {
    const why = /^(?:<{7}|={7}|>{7})/m.test(text)
      ? "it has the marks of a merge conflict; keep the lines of both sides"
      : "it is not JSON";
    throw refuse(`expected a baseline in ${name}, but ${why}; ${again}`);
  }
  const { version } = z.looseObject({ version: z.unknown() }).catch({ version: undefined }).parse(value);
  if (version !== undefined && version !== VERSION) {
    throw refuse(
      `expected a baseline of version ${VERSION} in ${name}, got version ${oneLine(String(JSON.stringify(version))).slice(0, MAX_SHOWN_VALUE)}; write it anew with --write-baseline, or use the program that wrote it`,
    );
  }
  const baseline = baselineSchema.safeParse(value);
  if (baseline.success) return baseline.data.findings;
  const [issue] = baseline.error.issues;
  const at = issue?.path.join(".") || "the document";
  throw refuse(
    `${name} is damaged at ${oneLine(at)}: ${oneLine(issue?.message ?? "its form is wrong")}; ${again}`,
  );
}

/** Renders a baseline: sorted, and each finding on its own line, so that version control shows and merges it by findings. */
export function renderBaseline(entries: readonly BaselineEntry[]): string {
  const lines = entries
    .toSorted(byPlace)
    .map(({ fingerprint, kind, file, line, anchor }) =>
      JSON.stringify({ fingerprint, kind, file, line, anchor }),
    );
  const about = "Findings that `murmur review --baseline` does not show. Written by --write-baseline.";
  return [
    "{",
    `  "version": ${VERSION},`,
    `  "about": ${JSON.stringify(about)},`,
    `  "findings": [${lines.length === 0 ? "]" : ""}`,
    ...lines.map((line, at) => `    ${line}${at === lines.length - 1 ? "" : ","}`),
    ...(lines.length === 0 ? [] : ["  ]"]),
    "}",
    "",
  ].join("\n");
}

/**
 * Writes a baseline.
 * @throws SwarmError `invalid_input` when the place is a link, is no regular file, or when a link leads out of the directory.
 */
export async function writeBaseline(
  directory: string,
  place: BaselinePlace,
  entries: readonly BaselineEntry[],
): Promise<void> {
  const target = await findTarget(directory, place);
  // The name is new and the file must not exist, so no link is followed.
  const beside = join(dirname(target), `.${basename(target)}.${randomUUID()}.tmp`);
  try {
    await writeFile(beside, renderBaseline(entries), { flag: "wx", flush: true });
    await rename(beside, target);
  } catch (cause) {
    await rm(beside, { force: true }).catch(() => undefined);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SwarmError("tool_failed", `the baseline ${showPlace(place)} was not written: ${why}`, {
      cause,
    });
  }
}

async function findTarget(directory: string, place: BaselinePlace): Promise<string> {
  const name = showPlace(place);
  const folder = await realpath(dirname(place.file)).catch(() => null);
  if (folder === null) throw refuse(`the folder of ${name} does not exist; make it first`);
  if (place.inside !== null && folder !== directory && !isInside(directory, folder)) {
    throw refuse(
      `a link leads from ${name} out of the reviewed directory; nothing was written; name another file`,
    );
  }
  const target = join(folder, basename(place.file));
  const facts = await lstat(target).catch(() => null);
  if (facts?.isSymbolicLink() === true) {
    throw refuse(
      `${name} is a link; nothing was written; remove it, or name the file itself with --baseline=FILE`,
    );
  }
  if (facts !== null && !facts.isFile())
    throw refuse(`${name} is not a file; nothing was written; name another file`);
  return target;
}

async function readElsewhere(file: string): Promise<string | null> {
  try {
    const facts = await stat(file);
    return facts.isFile() && facts.size <= MAX_BASELINE_BYTES ? await readFile(file, "utf8") : null;
  } catch {
    return null;
  }
}

function byPlace(a: BaselineEntry, b: BaselineEntry): number {
  return (
    compare(a.file, b.file) ||
    a.line - b.line ||
    compare(a.kind, b.kind) ||
    compare(a.fingerprint, b.fingerprint)
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function refuse(message: string): SwarmError {
  return new SwarmError("invalid_input", message, { field: "baseline" });
}
