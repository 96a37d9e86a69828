// Reads the linters' own ignore lists as data, so that a file that the project does not lint is not linted here. Pure. An ESLint
// flat configuration (`eslint.config.js`) is a program: its `ignores` are not read.
import { type IgnoreRule, parseIgnore, parsePatterns } from "../patterns/index.ts";

/** A list, and the file that it was read from. */
export interface LinterList {
  file: string;
  rules: IgnoreRule[];
}

/** The largest list that is read, in bytes. */
export const MAX_LIST_BYTES = 256 * 1024;

const NAMES =
  /(?:^|\/)(?:\.eslintignore|\.oxlintignore|\.oxlintrc\.jsonc?|\.eslintrc(?:\.json)?|\.?biome\.jsonc?|package\.json)$/;

/** True for the name of a file that can hold an ignore list of a linter. */
export function mayHoldList(path: string): boolean {
  return NAMES.test(path);
}

/** Reads the list of a file that `mayHoldList`; null when it has none, or is not JSON. Its own linter reports the latter. */
export function readLinterList(path: string, text: string): LinterList | null {
  const at = path.lastIndexOf("/");
  const [folder, name] = [path.slice(0, Math.max(0, at)), path.slice(at + 1)];
  const rules = name.endsWith("ignore")
    ? parseIgnore(text, folder)
    : readJsonList(name, folder, parseJsonc(text));
  return rules.length === 0 ? null : { file: path, rules };
}

function readJsonList(name: string, folder: string, value: unknown): IgnoreRule[] {
  if (name === "package.json") {
    const lists = [
      strings(field(value, "eslintIgnore")),
      strings(field(field(value, "eslintConfig"), "ignorePatterns")),
    ];
    return parsePatterns(lists.flat(), folder);
  }
  if (name.includes("biome")) return readBiome(folder, value);
  return parsePatterns(strings(field(value, "ignorePatterns")), folder);
}

/**
 * Biome 2: the negated patterns of `files.includes` and `linter.includes` (`!` and `!!`), relative to the file. Biome 1:
 * `files.ignore` and `linter.ignore`. Patterns that name the files to lint are not a list of ignored files.
 */
function readBiome(folder: string, value: unknown): IgnoreRule[] {
  const [files, linter] = [field(value, "files"), field(value, "linter")];
  const negated = [...strings(field(files, "includes")), ...strings(field(linter, "includes"))]
    .filter((pattern) => pattern.startsWith("!"))
    .map((pattern) => pattern.replace(/^!+/, ""));
  const ignored = [...strings(field(files, "ignore")), ...strings(field(linter, "ignore"))];
  // Biome counts every pattern from the folder of the file. `/` at the start says that here; `/**` at the end adds nothing.
  const anchored = [...negated, ...ignored].map(
    (pattern) => `/${pattern.replace(/^\.?\//, "").replace(/\/\*\*$/, "")}`,
  );
  return parsePatterns(anchored, folder);
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

/** Returns the strings of a list; a single string counts as a list of one, as ESLint has it. */
function strings(value: unknown): string[] {
  const all = Array.isArray(value) ? value : [value];
  return all.filter((each): each is string => typeof each === "string");
}

/** Parses JSON with comments and commas at ends; undefined for other text. */
export function parseJsonc(text: string): unknown {
  const bare = text.replace(/"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (found) =>
    found.startsWith('"') ? found : " ",
  );
  const tidy = bare.replace(/"(?:[^"\\\n]|\\.)*"|,(?=\s*[\]}])/g, (found) => (found === "," ? "" : found));
  try {
    return JSON.parse(tidy.replace(/^\uFEFF/, ""));
  } catch {
    return undefined;
  }
}
