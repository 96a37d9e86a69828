// Reads murmur-review.yaml. Owns the texts of its errors: file, line, expectation, value, and the nearest name for a mistyped one.
import { lstat, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { SwarmError } from "murmur-swarm";
import { isCollection, isMap, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import type { z } from "zod";
import { oneLine, readInside } from "../../../agents/lib/review/index.ts";
import { nearest } from "../../../src/base/index.ts";
import { DEFAULT_REVIEW_CONFIG, type ReviewConfig, reviewConfigSchema } from "./schema.ts";

/** The configuration file in the root of the reviewed repository. */
export const REVIEW_CONFIG_FILE = "murmur-review.yaml";

/** The largest file, in bytes. A configuration with 1,000 entries has about 100 KB. */
const MAX_CONFIG_BYTES = 256 * 1024;
/** The most faults that one error lists. */
const MAX_FAULTS = 10;
/** The longest shown value, in characters. */
const MAX_SHOWN_VALUE = 60;

/**
 * Reads the configuration of a review.
 * @param input.directory the reviewed directory: absolute, without links.
 * @param input.file the file named by the user's flag, absolute; it may be outside the directory. Without it:
 *   {@link REVIEW_CONFIG_FILE} in the directory, when it is there.
 * @throws SwarmError `invalid_input` with file, line, expectation and value; `not_found` when the named file does not exist.
 */
export async function readReviewConfig(input: {
  directory: string;
  file?: string | undefined;
}): Promise<{ config: ReviewConfig; file: string | null }> {
  const name = input.file ?? REVIEW_CONFIG_FILE;
  const text = input.file === undefined ? await readOwn(input.directory) : await readNamed(input.file);
  if (text === null) return { config: DEFAULT_REVIEW_CONFIG, file: null };
  return { config: parseReviewConfig(text, name), file: name };
}

/**
 * Parses the text of a configuration.
 * @param name the file's name, for errors.
 * @throws SwarmError `invalid_input`, with one line for each fault.
 */
export function parseReviewConfig(text: string, name: string): ReviewConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineOf = (offset: number | undefined) => lines.linePos(offset ?? 0).line;
  if (document.errors.length > 0) {
    refuse(
      name,
      document.errors.map((error) => ({
        line: lineOf(error.pos[0]),
        message: `must be YAML: ${error.message}`,
      })),
    );
  }
  let value: unknown;
  try {
    value = withoutNulls(document.toJS() ?? {});
  } catch (error) {
    // The parser bounds the work of aliases.
    return refuse(name, [{ line: 1, message: `must be YAML: ${(error as Error).message}` }]);
  }
  const parsed = reviewConfigSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.flatMap((issue) => {
    const at = issue.path.map((step) => (typeof step === "symbol" ? String(step) : step));
    if (issue.code !== "unrecognized_keys") {
      return [
        {
          line: lineOf(offsetAt(document.contents, at)),
          message: describeIssue(issue, at, valueAt(value, at)),
        },
      ];
    }
    const known = keysAt(reviewConfigSchema, at);
    return issue.keys.map((key) => {
      const meant = nearest(key, known);
      const hint = meant === undefined ? `known: ${known.join(", ")}` : `did you mean ${meant}?`;
      return {
        line: lineOf(keyOffset(document.contents, at, key)),
        message: `${at.length === 0 ? "" : `${showPath(at)}: `}there is no key ${show(key)}; ${hint}`,
      };
    });
  });
  return refuse(name, faults);
}

interface Fault {
  line: number;
  message: string;
}

function refuse(name: string, faults: readonly Fault[]): never {
  const sorted = faults.toSorted((a, b) => a.line - b.line);
  const shown = sorted.slice(0, MAX_FAULTS).map(({ line, message }) => `${name}:${line}: ${message}`);
  const more = sorted.length - shown.length;
  throw new SwarmError(
    "invalid_input",
    `${shown.join("\n")}${more > 0 ? `\nand ${more} more` : ""}\n(docs/review.md, "Configuration", lists the keys)`,
    { field: name },
  );
}

function describeIssue(issue: z.core.$ZodIssue, at: readonly (string | number)[], value: unknown): string {
  const where = at.length === 0 ? "" : `${showPath(at)}: `;
  if (issue.code === "invalid_value") {
    const known = issue.values.map(String);
    const meant = typeof value === "string" ? nearest(value, known) : undefined;
    const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
    return `${where}must be one of ${known.join(", ")}, got ${show(value)}${hint}`;
  }
  if (issue.code === "invalid_type" && value === undefined) return `${where}is missing`;
  if (issue.code === "invalid_type" && at.length === 0) return `must be a map of keys, got ${show(value)}`;
  return `${where}${issue.message}, got ${show(value)}`;
}

/** Returns the keys that the schema knows at a path. */
function keysAt(schema: z.ZodType, path: readonly (string | number)[]): string[] {
  let at = schema as z.ZodType & {
    def: { innerType?: z.ZodType; element?: z.ZodType; shape?: Record<string, z.ZodType> };
  };
  const unwrap = () => {
    while (at.def.innerType !== undefined) at = at.def.innerType as typeof at;
  };
  for (const step of path) {
    unwrap();
    const next = typeof step === "number" ? at.def.element : at.def.shape?.[step];
    if (next === undefined) return [];
    at = next as typeof at;
  }
  unwrap();
  return Object.keys(at.def.shape ?? {});
}

function keyOffset(root: unknown, path: readonly (string | number)[], key: string): number | undefined {
  const map = path.length === 0 || !isMap(root) ? root : root.getIn(path, true);
  if (!isMap(map)) return offsetOf(map);
  return offsetOf(map.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === key)?.key ?? map);
}

/** Returns the place of a value, or of the nearest thing around it when it is missing. */
function offsetAt(root: unknown, path: readonly (string | number)[]): number | undefined {
  if (path.length === 0 || !isCollection(root)) return offsetOf(root);
  return offsetOf(root.getIn(path, true)) ?? offsetAt(root, path.slice(0, -1));
}

/** A key without a value, for example because its lines are comments now, counts as not given. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== null));
}

function offsetOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}

function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (found, step) =>
      typeof found === "object" && found !== null
        ? (found as Record<string | number, unknown>)[step]
        : undefined,
    value,
  );
}

function showPath(path: readonly (string | number)[]): string {
  return path
    .map((step, index) => (typeof step === "number" ? `[${step}]` : index > 0 ? `.${step}` : step))
    .join("");
}

function show(value: unknown): string {
  const text = oneLine(JSON.stringify(value) ?? "nothing");
  return text.length <= MAX_SHOWN_VALUE ? text : `${text.slice(0, MAX_SHOWN_VALUE - 1)}…`;
}

async function readNamed(file: string): Promise<string> {
  const facts = await stat(file).catch(() => null);
  if (facts === null) {
    throw new SwarmError("not_found", `--review-config: there is no file ${file}`, { field: "reviewConfig" });
  }
  if (!facts.isFile() || facts.size > MAX_CONFIG_BYTES) throw notReadable(file);
  return await readFile(file, "utf8");
}

async function readOwn(directory: string): Promise<string | null> {
  const text = await readInside(directory, REVIEW_CONFIG_FILE, MAX_CONFIG_BYTES);
  if (text !== null) return text;
  // A link to nowhere, a folder or a huge file must not count as "no configuration": that would switch it off in silence.
  const isThere = await lstat(join(directory, REVIEW_CONFIG_FILE)).then(
    () => true,
    () => false,
  );
  if (isThere) throw notReadable(REVIEW_CONFIG_FILE);
  return null;
}

function notReadable(file: string): SwarmError {
  return new SwarmError(
    "invalid_input",
    `${file}: must be a readable file of at most ${MAX_CONFIG_BYTES / 1024} KiB (in the repository: and no link to the outside)`,
    { field: file },
  );
}
