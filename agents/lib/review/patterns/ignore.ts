// Lists of patterns: `.gitignore` (gitignore(5)), and the lists of other tools that have its form. Pure. Leaves the match of one
// pattern to glob.ts.
import { compileGlob, expandBraces, type Glob, matchesGlob } from "./glob.ts";

/** One line of an ignore list. */
export interface IgnoreRule {
  glob: Glob;
  /** True for a line with `!`, which cancels an earlier line. */
  keeps: boolean;
  foldersOnly: boolean;
}

/** Parses the lines of a `.gitignore` in `folder` ("" for the root). */
export function parseIgnore(text: string, folder: string): IgnoreRule[] {
  return text.split(/\r?\n/).flatMap((line) => parseRule(line, folder) ?? []);
}

/** Parses one line of an ignore list in `folder`; null for a blank line, a comment, and a pattern over the size limit. */
export function parseRule(line: string, folder: string): IgnoreRule | null {
  // Blanks at the end do not count, unless a backslash protects the last one.
  const trimmed = line.replace(/(?<!\\)[ \t]+$/, "");
  if (trimmed === "" || trimmed.startsWith("#")) return null;
  const keeps = trimmed.startsWith("!");
  const whole = keeps ? trimmed.slice(1) : trimmed;
  const foldersOnly = whole.endsWith("/");
  const bare = foldersOnly ? whole.slice(0, -1) : whole;
  const body = bare.replace(/^\//, "");
  if (body === "") return null;
  const glob = compileGlob(bare.includes("/") ? body : `**/${body}`);
  return glob === null ? null : { glob: [...literalFolder(folder), ...glob], keeps, foldersOnly };
}

/**
 * Parses patterns as people write them in a configuration: the lines of an ignore list, where `{a,b}` means either, and `./` at
 * the start means nothing.
 */
export function parsePatterns(patterns: readonly string[], folder = ""): IgnoreRule[] {
  return patterns
    .flatMap(expandBraces)
    .flatMap((pattern) => parseRule(pattern.replace(/^(!?)\.\//, "$1/"), folder) ?? []);
}

/** True when the last matching rule ignores `path` itself. It does not look at the folders above. */
export function isIgnored(rules: readonly IgnoreRule[], path: string, isFolder: boolean): boolean {
  const last = rules.findLast((rule) => (isFolder || !rule.foldersOnly) && matchesGlob(rule.glob, path));
  return last !== undefined && !last.keeps;
}

/** A list of rules that remembers the folders that it ignores. A file in an ignored folder is ignored, whatever follows. */
export class IgnoreList {
  readonly #rules: readonly IgnoreRule[];
  readonly #folders = new Map<string, boolean>();

  constructor(rules: readonly IgnoreRule[]) {
    this.#rules = rules;
  }

  /** True when a rule ignores the file, or a folder above it. */
  ignores(file: string): boolean {
    if (this.#rules.length === 0) return false;
    return this.#ignoresFolder(folderOf(file)) || isIgnored(this.#rules, file, false);
  }

  #ignoresFolder(folder: string): boolean {
    if (folder === "") return false;
    const known = this.#folders.get(folder);
    if (known !== undefined) return known;
    const ignored = this.#ignoresFolder(folderOf(folder)) || isIgnored(this.#rules, folder, true);
    this.#folders.set(folder, ignored);
    return ignored;
  }
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** The folder of the list, whose name is no pattern. */
function literalFolder(folder: string): Glob {
  if (folder === "") return [];
  return folder.split("/").map((part) => [...part].map((character) => `=${character}`));
}
