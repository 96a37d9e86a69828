// Reads the comments `murmur-ignore <kind>[, kind] -- reason` and `murmur-ignore-file …` of a text. Pure. Leaves the comments of
// the linters (`eslint-disable` and the like) to agents/lib/review/linters.

/** One comment. */
export interface IgnoreComment {
  /** The line of the comment, from 1. */
  line: number;
  kinds: string[];
  /** Null without a reason: the comment then does not count. */
  reason: string | null;
  /** The line that it is about; null for the whole file. */
  target: number | null;
}

/** The word that every comment contains. */
export const IGNORE_WORD = "murmur-ignore";
/** The longest reason that the report repeats, in characters. */
const MAX_REASON_CHARACTERS = 200;

const SLASH_FILES =
  /\.(?:[cm]?[jt]sx?|vue|svelte|astro|css|scss|less|jsonc|json5|go|java|kt|swift|rs|php|c|cc|cpp|h)$/i;
const MARKUP_FILES = /\.(?:html?|xml|svg|vue|svelte|astro|mdx?|markdown)$/i;
const MARKDOWN_FILES = /\.(?:mdx?|markdown)$/i;

const WORDS = `${IGNORE_WORD}(-file)?(?![\\w-])[ \\t]*([^\\n]*)`;
const SLASH = new RegExp(`(?:/\\*+|//+|^\\s*\\*)[ \\t]*${WORDS}`);
const MARKUP = new RegExp(`<!--[ \\t]*${WORDS}`);
const HASH = new RegExp(`(?:^|[ \\t])(?:#+|;+|--)[ \\t]*${WORDS}`);

/** Lines that hold only a comment: a comment above them is about the line below them. */
const COMMENT_LINES = /^\s*(?:\/\/|\/\*.*\*\/\s*$|\*(?:\s|\/|$)|\{\/\*.*\*\/\}\s*$|<!--.*-->\s*$)/;
const HASH_LINES = /^\s*(?:#|;|--)/;

/** Reads the comments of a file, by the comment forms of its language. */
export function readIgnoreComments(path: string, text: string): IgnoreComment[] {
  if (!text.includes(IGNORE_WORD)) return [];
  const forms = formsOf(path);
  const commentLine = forms.includes(HASH) ? HASH_LINES : COMMENT_LINES;
  const lines = text.split(/\r?\n/);
  const isCode = MARKDOWN_FILES.test(path) ? fencedLines(lines) : () => false;
  return lines.flatMap((whole, index): IgnoreComment[] => {
    if (!whole.includes(IGNORE_WORD) || isCode(index)) return [];
    const line = MARKDOWN_FILES.test(path) ? whole.replace(/(`+)(?:(?!\1).)*\1/g, "") : whole;
    for (const form of forms) {
      const found = form.exec(line);
      if (found === null || (form === SLASH && isInString(line.slice(0, found.index)))) continue;
      const before = line.slice(0, found.index).trim();
      const isAlone = before === "" || before === "{";
      const target =
        found[1] !== undefined ? null : isAlone ? nextLine(lines, index, commentLine) : index + 1;
      return [{ line: index + 1, ...readWords(found[2] ?? ""), target }];
    }
    return [];
  });
}

function formsOf(path: string): RegExp[] {
  const forms = [...(SLASH_FILES.test(path) ? [SLASH] : []), ...(MARKUP_FILES.test(path) ? [MARKUP] : [])];
  return forms.length === 0 ? [HASH] : forms;
}

/** Reads `unused-variable, secret -- a reason`, up to the end of the comment. */
function readWords(rest: string): Pick<IgnoreComment, "kinds" | "reason"> {
  const text = rest.replace(/\s*(?:\*\/|-->).*$/, "");
  const at = text.search(/(?:^|\s)--(?:\s|$)/);
  const names = at === -1 ? text : text.slice(0, at);
  const reason =
    at === -1
      ? ""
      : text
          .slice(at)
          .replace(/^\s*--\s*/, "")
          .trim();
  return {
    kinds: names.split(/[\s,]+/).filter((name) => name !== ""),
    reason: reason === "" ? null : reason.slice(0, MAX_REASON_CHARACTERS),
  };
}

/** Returns the next line, from 1, that is neither blank nor a comment; the last line when there is none. */
function nextLine(lines: readonly string[], index: number, commentLine: RegExp): number {
  const next = lines.findIndex((line, at) => at > index && line.trim() !== "" && !commentLine.test(line));
  return next === -1 ? lines.length : next + 1;
}

/** True when a quote is open at the end of the text: the comment is then part of a string. */
function isInString(before: string): boolean {
  let open = "";
  for (let at = 0; at < before.length; at++) {
    const character = before[at] as string;
    if (character === "\\") at++;
    else if (open === "" && /["'`]/.test(character)) open = character;
    else if (character === open) open = "";
  }
  return open !== "";
}

/** Returns a function that is true for the lines of fenced code blocks. */
function fencedLines(lines: readonly string[]): (index: number) => boolean {
  const fenced = new Set<number>();
  let fence: string | null = null;
  for (const [index, line] of lines.entries()) {
    const mark = /^\s*(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence !== null) {
      fenced.add(index);
      if (mark?.startsWith(fence) === true) fence = null;
    } else if (mark !== undefined) {
      fence = mark;
      fenced.add(index);
    }
  }
  return (index) => fenced.has(index);
}
