// Measures how plainly the checkout is written: counts five patterns of sentences that are hard to read, per 10,000 words.
// Owns the patterns and the choice of the texts; test/tidy fails when a count rises.
import { listFiles, readSource, readText } from "./tree.ts";

/** The patterns. Each has the goal that it may not exceed, in hits per 10,000 words. */
export const PATTERNS: readonly { name: string; pattern: RegExp; goal: number }[] = [
  { name: '"what …" begins a clause', pattern: /(?:^|[.;:!?(,–—]\s+|\n)what\s+(?![^.;:!?]*\?)/gi, goal: 10 },
  { name: "nobody, somebody, everybody, anybody", pattern: /\b(?:no|some|every|any)body\b/gi, goal: 3 },
  { name: "whoever, whomever", pattern: /\bwhom?ever\b/gi, goal: 0 },
  {
    name: "of which, in what, by whom …",
    pattern: /\b(?:of|in|from|behind|by|about|to|for|under|with) (?:which|whom|whose|what)\b/gi,
    goal: 5,
  },
  { name: "the one that, those who …", pattern: /\b(?:one|ones|those|that) (?:that|who|which)\b/gi, goal: 3 },
];

/** Pages that a program writes: their sentences are those of help texts and schemas, which are counted where they stand. */
const GENERATED_PAGES = new Set(["docs/commands.md", "docs/configuration.md"]);
/** Code whose comments and texts are read by people who work here. */
const CODE = /^(src|agents|workflows|tools|grafana|console|test|examples)\/.*\.ts$/;
/** A string of this many words or more is a sentence for people: an error, a help text, a log line, a test's title. */
const MIN_SENTENCE_WORDS = 4;

/** A piece of text for people, and where it begins. */
export interface Passage {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** Hits of one pattern. */
export interface PatternCount {
  readonly name: string;
  readonly hits: number;
  readonly per10kWords: number;
  readonly goal: number;
  /** `file:line text` of each hit. */
  readonly places: readonly string[];
}

/** Comments of the code and hand-written pages. */
export function listProse(): Passage[] {
  const files = listFiles();
  return [
    ...files.filter((file) => CODE.test(file)).flatMap(commentsOf),
    ...files.filter((file) => file.endsWith(".md") && !GENERATED_PAGES.has(file)).flatMap(paragraphsOf),
  ];
}

/** Strings of the code that are sentences. Templates count piece by piece. */
export function listTexts(): Passage[] {
  return listFiles()
    .filter((file) => CODE.test(file))
    .flatMap((file) => readSource(file).strings.map(({ line, text }) => ({ file, line, text })))
    .filter(({ text }) => countWords(text) >= MIN_SENTENCE_WORDS);
}

/** Counts each pattern in `passages`. */
export function countPatterns(passages: readonly Passage[]): { words: number; counts: PatternCount[] } {
  const words = passages.reduce((sum, { text }) => sum + countWords(text), 0);
  const counts = PATTERNS.map(({ name, pattern, goal }) => {
    const places = passages.flatMap(({ file, line, text }) =>
      [...text.matchAll(pattern)].map(({ index }) => {
        const at = line + text.slice(0, index).split("\n").length - 1;
        return `${file}:${at} ${text.slice(Math.max(0, index - 30), index + 60).replace(/\s+/g, " ")}`;
      }),
    );
    return { name, hits: places.length, per10kWords: (places.length * 10_000) / words, goal, places };
  });
  return { words, counts };
}

function countWords(text: string): number {
  return text.match(/[\p{L}][\p{L}'’-]*/gu)?.length ?? 0;
}

/** A file's comments; lines that follow each other are one passage, so that a sentence is read across its line breaks. */
function commentsOf(file: string): Passage[] {
  const passages: { file: string; line: number; end: number; text: string }[] = [];
  for (const { line, text } of readSource(file).comments) {
    const words = text
      .split("\n")
      .map((row) => row.replace(/^\s*\*?\s?/, ""))
      .join(" ");
    const last = passages.at(-1);
    if (last?.end === line - 1 && !text.includes("\n")) {
      last.text += ` ${words.trim()}`;
      last.end = line;
    } else {
      passages.push({ file, line, end: line + text.split("\n").length - 1, text: words.trim() });
    }
  }
  return passages.map(({ line, text }) => ({ file, line, text: text.replace(/`[^`]*`/g, "`code`") }));
}

/** A page's paragraphs, list items and table cells, without code. */
function paragraphsOf(file: string): Passage[] {
  const passages: { file: string; line: number; text: string }[] = [];
  let inCode = false;
  let last: { file: string; line: number; text: string } | undefined;
  for (const [index, row] of readText(file).split("\n").entries()) {
    if (/^\s*(```|~~~)/.test(row)) inCode = !inCode;
    const isBlank = inCode || row.trim() === "" || /^\s*(```|~~~)/.test(row);
    const begins = /^\s*([-*+|#>]|\d+\.)/.test(row);
    if (isBlank) {
      last = undefined;
      continue;
    }
    const text = row
      .replace(/`[^`]*`/g, "`code`")
      .replace(/^\s*(?:[-*+#>]+|\d+\.)\s+/, "")
      .replace(/\*\*?|__?(?=\w)/g, "");
    if (row.trimStart().startsWith("|")) {
      for (const cell of text.split("|")) {
        if (cell.trim() !== "") passages.push({ file, line: index + 1, text: cell.trim() });
      }
      last = undefined;
    } else if (last === undefined || begins) {
      last = { file, line: index + 1, text: text.trim() };
      passages.push(last);
    } else {
      last.text += ` ${text.trim()}`;
    }
  }
  return passages;
}
