// Reads the linguist attributes of `.gitattributes` files (gitattributes(5)) as data. Pure. Other attributes, such as filters, have
// no meaning here: git is not asked, because its filters are programs.
import { type Glob, matchesGlob, parseRule } from "../patterns/index.ts";

/** The linguist attributes of a file: true when set, false when unset (`-linguist-vendored`), undefined without a line. */
export interface Attributes {
  vendored?: boolean | undefined;
  generated?: boolean | undefined;
}

interface AttributeRule {
  glob: Glob;
  attributes: Attributes;
}

/** The largest `.gitattributes` that is read, in bytes. Larger ones are machine-written lists. */
export const MAX_ATTRIBUTES_BYTES = 128 * 1024;

/** The attributes of all `.gitattributes` files of a repository. */
export class AttributeReader {
  readonly #rules: AttributeRule[];

  /** @param files the texts by their paths. */
  constructor(files: ReadonlyMap<string, string>) {
    // A deeper file comes before one above it, and a later line before an earlier one.
    this.#rules = [...files]
      .toSorted(([a], [b]) => a.split("/").length - b.split("/").length)
      .flatMap(([path, text]) => parseAttributes(text, path.slice(0, Math.max(0, path.lastIndexOf("/")))));
  }

  of(path: string): Attributes {
    const found: Attributes = {};
    for (const { glob, attributes } of this.#rules) {
      if (matchesGlob(glob, path)) Object.assign(found, attributes);
    }
    return found;
  }
}

/** Parses the lines with linguist attributes of one file in `folder` ("" for the root). */
function parseAttributes(text: string, folder: string): AttributeRule[] {
  return text.split(/\r?\n/).flatMap((line): AttributeRule[] => {
    if (!line.includes("linguist-")) return [];
    const [pattern, ...words] = splitLine(line.trim());
    if (pattern === undefined || pattern.startsWith("#") || pattern.startsWith("[attr]")) return [];
    const attributes: Attributes = {};
    for (const word of words) {
      const found = /^([-!]?)linguist-(vendored|generated)(?:=(\w+))?$/.exec(word);
      if (found === null) continue;
      const [, sign, name, value] = found;
      attributes[name as keyof Attributes] = sign === "!" ? undefined : sign !== "-" && value !== "false";
    }
    // In this file a pattern for a folder (`vendor/`) does not match the files below it, and `!` has no meaning.
    if (Object.keys(attributes).length === 0 || pattern.endsWith("/") || pattern.startsWith("!")) return [];
    const rule = parseRule(pattern.replace(/^#/, "\\#"), folder);
    return rule === null ? [] : [{ glob: rule.glob, attributes }];
  });
}

/** Splits a line at blanks; the pattern may be in double quotes, with C escapes. */
function splitLine(line: string): string[] {
  if (!line.startsWith('"')) return line.split(/\s+/);
  const quoted = /^"((?:[^"\\]|\\.)*)"\s*(.*)$/.exec(line);
  if (quoted === null) return [];
  return [(quoted[1] ?? "").replace(/\\(["\\])/g, "$1"), ...(quoted[2] ?? "").split(/\s+/)];
}
