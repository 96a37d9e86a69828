// The basics of .gitignore, for directories without git: comments, `!`, anchored patterns, folder patterns, `*`, `?`, `**`
// (gitignore(5)). Pure. Escapes and character classes are not supported: they match literally.

/** One line of a `.gitignore`. */
export interface IgnoreRule {
  pattern: RegExp;
  /** True for a line with `!`, which cancels an earlier line. */
  keeps: boolean;
  foldersOnly: boolean;
}

/** Parses the rules of a `.gitignore` in `folder` ("" for the root). */
export function parseIgnore(text: string, folder: string): IgnoreRule[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const keeps = line.startsWith("!");
      const bare = (keeps ? line.slice(1) : line).replace(/\/$/, "");
      const anchored = bare.includes("/");
      const base = folder === "" ? "" : `${literally(folder)}/`;
      const body = globToPattern(bare.replace(/^\//, ""));
      return {
        pattern: new RegExp(`^${base}${anchored ? "" : "(?:.*/)?"}${body}$`),
        keeps,
        foldersOnly: line.endsWith("/"),
      };
    });
}

/** True when the last matching rule ignores `path`. */
export function isIgnored(rules: readonly IgnoreRule[], path: string, isFolder: boolean): boolean {
  const last = rules.findLast((rule) => (isFolder || !rule.foldersOnly) && rule.pattern.test(path));
  return last !== undefined && !last.keeps;
}

function globToPattern(glob: string): string {
  return glob
    .split(/(\*\*\/|\/\*\*|\*|\?)/)
    .map((part) => {
      if (part === "**/") return "(?:.*/)?";
      if (part === "/**") return "/.*";
      if (part === "*") return "[^/]*";
      if (part === "?") return "[^/]";
      return literally(part);
    })
    .join("");
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
