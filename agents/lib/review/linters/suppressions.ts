// Reads the comments that silence a linter's rule. A comment for one linter also silences the equivalent rules of the other
// linters. Each linter honours its own comments itself. Linear in the text, and logarithmic for each finding. Pure.
import type { Linter } from "../contract.ts";
import { isShared, KINDS, kindOfRule } from "../kinds.ts";
import { equivalentsOf } from "./equivalents.ts";
import { type Allows, type ReportedFacts, readExported, readGlobals, readOptions } from "./inline-options.ts";

/** True when a kind is silenced at a line, from 1. Options in comments are about the facts of one report. */
export type Silenced = (kind: string, line: number, facts?: ReportedFacts) => boolean;

/** The kinds of a comment; "all" for a comment without rules. */
type Kinds = ReadonlySet<string> | "all";

/** A comment with a directive: the word, its rules and their reasons, its first and its last line. */
interface Directive {
  word: string;
  /** True in a comment of the form `/* … *\/`. */
  isBlock: boolean;
  rest: string;
  line: number;
  lastLine: number;
}

/**
 * A directive at the start of a comment: `//`, `/*`, `{/*` in JSX, `<!--` in a template, or a line inside a block comment. The words
 * are from the manuals of ESLint, oxlint, Biome, deno lint, JSHint, TSLint and TypeScript. Coverage comments (`istanbul ignore`) and
 * environments (`eslint-env`) silence nothing that the review reports.
 */
const DIRECTIVE =
  /(\/\/|\/\*+|<!--|^[ \t]*\*?)[ \t]*((?:eslint|oxlint)-(?:disable|enable)(?:-next-line|-line)?(?![\w-])|biome-ignore(?:-all|-start|-end)?(?![\w-])|deno-lint-ignore(?:-file)?(?![\w-])|tslint:(?:disable|enable)(?:-next-line|-line)?(?![\w-])|jshint\b|@ts-(?:expect-error|ignore)\b|(?:eslint|oxlint|globals?|exported)(?=\s))/gm;
/** The most comments with options or names that are read in a file: each is asked for each finding. Real files have a few. */
const MAX_ALLOWANCES = 100;
/** The longest comment that is read; a longer list of rules is cut. */
const MAX_COMMENT_CHARACTERS = 4_000;

/** Mistakes that TypeScript reports itself, so that a comment for the compiler shows that the author knows them. */
const COMPILER_KINDS: ReadonlySet<string> = new Set([
  "const-assignment",
  "import-assignment",
  "function-assignment",
  "class-assignment",
  "duplicate-key",
  "duplicate-member",
  "redeclaration",
  "unused-variable",
  "unused-label",
  "unused-private-member",
  "unreachable-code",
  "constant-expression",
  "nan-comparison",
  "invalid-typeof",
  "super-call",
  "unresolved-import",
]);

/** The options of JSHint that switch off a rule, for the whole file: https://jshint.com/docs/options/ */
const JSHINT_OPTIONS: readonly { option: RegExp; kind: string }[] = [
  { option: /\bunused\s*:\s*false/, kind: "unused-variable" },
  { option: /-W098\b/, kind: "unused-variable" },
  { option: /\bevil\s*:\s*true/, kind: "code-injection" },
  { option: /\bdebug\s*:\s*true/, kind: "debugger-statement" },
  { option: /\bwithstmt\s*:\s*true/, kind: "with-statement" },
  { option: /\bshadow\s*:\s*true/, kind: "redeclaration" },
  { option: /\bnotypeof\s*:\s*true/, kind: "invalid-typeof" },
  { option: /\bproto\s*:\s*true/, kind: "no-proto" },
  { option: /\belision\s*:\s*true/, kind: "sparse-array" },
  { option: /\bboss\s*:\s*true/, kind: "no-cond-assign" },
];

/**
 * The warnings of JSHint that mean a kind of the review, by number: `-W054` switches one off from its line on, `+W054` on again.
 * https://github.com/jshint/jshint/blob/main/src/messages.js
 */
const JSHINT_WARNINGS: Readonly<Record<string, readonly string[]>> = {
  W004: ["redeclaration"],
  W019: ["nan-comparison"],
  W020: ["global-assignment"],
  W021: ["function-assignment", "class-assignment"],
  W022: ["caught-error-assignment"],
  W027: ["unreachable-code"],
  W054: ["code-injection"],
  W061: ["code-injection"],
  W063: ["global-object-call"],
  W066: ["code-injection"],
  W075: ["duplicate-key", "duplicate-member"],
  W079: ["redeclaration", "global-assignment"],
  W084: ["no-cond-assign"],
  W085: ["with-statement"],
  W086: ["case-fallthrough"],
  W087: ["debugger-statement"],
  W103: ["no-proto"],
  W122: ["invalid-typeof"],
  W128: ["sparse-array"],
};

/** Rules of TSLint with another name than ESLint's. */
const TSLINT_RULES: Readonly<Record<string, string>> = {
  "no-unused-variable": "no-unused-vars",
  "no-switch-case-fall-through": "no-fallthrough",
  "no-duplicate-variable": "no-redeclare",
  "no-conditional-assignment": "no-cond-assign",
  "no-unsafe-finally": "no-unsafe-finally",
  label: "no-unused-labels",
};

/**
 * Reads every comment that silences rules in a source text.
 * @param options.byNameOnly true when a comment without rules silences nothing: it is about linters, not about this report. Default false.
 */
export function readSuppressions(text: string, options: { byNameOnly?: boolean } = {}): Silenced {
  if (!/lint|biome-ignore|jshint|@ts-|\/\*\s*(?:globals?|exported)\s/.test(text)) return () => false;
  const silences = new Silences(options.byNameOnly === true);
  for (const directive of directivesIn(text)) apply(directive, silences);
  silences.end();
  return (kind, line, facts) =>
    silences.has(kind, line) || (facts !== undefined && silences.allows(kind, facts));
}

function directivesIn(text: string): Directive[] {
  const found: Directive[] = [];
  let line = 1;
  let at = 0;
  const linesTo = (end: number) => {
    for (let next = text.indexOf("\n", at); next !== -1 && next < end; next = text.indexOf("\n", next + 1))
      line++;
    at = Math.max(at, end);
    return line;
  };
  for (const match of text.matchAll(DIRECTIVE)) {
    const [whole, intro = "", word = ""] = match;
    const from = match.index + whole.length;
    const comment = text.slice(from, from + MAX_COMMENT_CHARACTERS);
    const end = comment.indexOf(intro.startsWith("/*") ? "*/" : intro === "<!--" ? "-->" : "\n");
    const rest = (end === -1 ? comment : comment.slice(0, end)).replace(/\*\/.*/, "");
    const first = linesTo(from);
    found.push({
      word,
      isBlock: intro.startsWith("/*"),
      rest,
      line: first,
      lastLine: first + rest.split("\n").length - 1,
    });
  }
  return found;
}

function apply({ word, isBlock, rest, line, lastLine }: Directive, silences: Silences): void {
  // ESLint: "-- reason". Biome: ": reason".
  const rules = rest.split(/\s-{2,}\s?|-->/, 1)[0] ?? "";
  const [tool = "", verb = "", reach = ""] =
    /^(eslint|oxlint|tslint)[-:](disable|enable)(.*)$/.exec(word)?.slice(1) ?? [];
  if (tool !== "") {
    const named =
      tool === "tslint"
        ? rules
            .replace(/^:/, "")
            .split(/\s+/)
            .map((rule) => TSLINT_RULES[rule] ?? rule)
        : rules.split(/[\s,]+/);
    // `tslint:disable reason` names no rules: those follow a colon.
    const kinds = tool === "tslint" && !rules.startsWith(":") ? "all" : kindsOf("review-eslint", named);
    if (verb === "enable") silences.close(kinds, line);
    else if (reach === "-next-line") silences.at(kinds, lastLine + 1, lastLine + 1);
    else if (reach === "-line") silences.at(kinds, line, lastLine);
    else silences.open(kinds, line);
  } else if (word.startsWith("biome-ignore")) {
    const kinds = biomeKinds(rest.split(":", 1)[0] ?? "");
    if (word === "biome-ignore-all") silences.everywhere(kinds);
    else if (word === "biome-ignore-start") silences.open(kinds, line);
    else if (word === "biome-ignore-end") silences.close(kinds, line);
    // One more line, because another comment may come between the suppression and its statement.
    else silences.at(kinds, line, lastLine + 2);
  } else if (word.startsWith("deno-lint-ignore")) {
    const kinds = kindsOf("review-eslint", rules.split(/[\s,]+/));
    if (word === "deno-lint-ignore-file") silences.everywhere(kinds);
    else silences.at(kinds, lastLine + 1, lastLine + 1);
  } else if (word === "jshint") {
    const block = /^\s+ignore:\s*(line|start|end)/.exec(rest)?.[1];
    if (block === "line") silences.at("all", line, line);
    else if (block === "start") silences.open("all", line);
    else if (block === "end") silences.close("all", line);
    else {
      silences.everywhere(
        new Set(JSHINT_OPTIONS.filter(({ option }) => option.test(rest)).map(({ kind }) => kind)),
      );
      silences.open(jshintKinds(rest, "-"), line);
      silences.close(jshintKinds(rest, "+"), line);
    }
  } else if (word.startsWith("@ts-")) silences.at(COMPILER_KINDS, lastLine + 1, lastLine + 1);
  // The declarations below hold for the whole file.
  else if (word === "exported") {
    if (isBlock) silences.allow(readExported(rules));
  } else if (word.startsWith("global")) {
    // Outside of a comment it may be a name of the code.
    if (!isBlock) return;
    silences.allow(readGlobals(rules));
    // ESLint reports a declared name that the code does not use, or declares again, at the comment.
    silences.at(new Set(["unused-variable", "redeclaration"]), line, lastLine);
  } else {
    // `/* eslint no-eval: 0, "no-debugger": ["off"] */`
    silences.everywhere(kindsOf("review-eslint", offRules(rules), true));
    silences.allow(readOptions(rules));
  }
}

/** The kinds of the warnings that a comment of JSHint names with this sign. */
function jshintKinds(options: string, sign: "-" | "+"): ReadonlySet<string> {
  const named = options.matchAll(/([-+])(W\d{3})\b/g);
  return new Set(
    [...named].flatMap(([, given, warning = ""]) => (given === sign ? (JSHINT_WARNINGS[warning] ?? []) : [])),
  );
}

function offRules(rules: string): string[] {
  const off = /(?:^|[\s,{])["']?(@?[a-z][\w@/-]{0,100})["']?\s{0,20}:\s{0,20}\[?\s{0,20}["']?(?:0|off)\b/g;
  return [...rules.matchAll(off)].map(([, rule = ""]) => rule);
}

/** The kinds of rules. oxlint understands ESLint's names. */
function kindsOf(linter: Linter, rules: readonly string[], isListed = false): Kinds {
  const names = rules.filter((name) => name !== "");
  if (names.length === 0 && !isListed) return "all";
  return new Set(names.flatMap((name) => [kindOfRule(linter, name, false).kind, ...equivalentsOf(name)]));
}

/** The kinds of `lint`, `lint/suspicious`, `lint/suspicious/noDebugger`; several may be named. */
function biomeKinds(rules: string): Kinds {
  const names = rules.split(/[\s,]+/).filter((name) => /^lint(?:\/|$)/.test(name));
  if (names.includes("lint")) return "all";
  return new Set(
    names.flatMap((name) => {
      const rule = name.slice("lint/".length);
      if (rule.includes("/")) return [kindOfRule("review-biome", rule.replace(/\(.*/, ""), false).kind];
      return Object.keys(KINDS).filter(
        (kind) =>
          isShared(kind) && KINDS[kind]?.seenBy["review-biome"]?.some((each) => each.startsWith(`${rule}/`)),
      );
    }),
  );
}

/** A range of lines, both ends included. */
type Range = [from: number, to: number];
const ALL = "*";

/** The silenced lines of each kind. Directives come in the order of their lines, so the ranges of a kind are sorted. */
class Silences {
  readonly #everywhere = new Set<string>();
  readonly #lines = new Map<number, Set<string>>();
  readonly #ranges = new Map<string, Range[]>();
  /** Kinds that are enabled again while a comment silences all. */
  readonly #exceptions = new Map<string, Range[]>();
  readonly #allowances: Allows[] = [];
  readonly #byNameOnly: boolean;

  constructor(byNameOnly: boolean) {
    this.#byNameOnly = byNameOnly;
  }

  allow(allows: Allows): void {
    if (this.#allowances.length < MAX_ALLOWANCES) this.#allowances.push(allows);
  }

  allows(kind: string, facts: ReportedFacts): boolean {
    return this.#allowances.some((allows) => allows(kind, facts));
  }

  everywhere(kinds: Kinds): void {
    for (const kind of namesOf(kinds)) this.#everywhere.add(kind);
  }

  at(kinds: Kinds, from: number, to: number): void {
    for (let line = from; line <= to; line++) {
      const known = this.#lines.get(line) ?? new Set();
      for (const kind of namesOf(kinds)) known.add(kind);
      this.#lines.set(line, known);
    }
  }

  open(kinds: Kinds, line: number): void {
    for (const kind of namesOf(kinds)) {
      if (kind === ALL) this.#closeAll(this.#exceptions, line);
      else endLast(this.#exceptions.get(kind), line);
      startRange(this.#ranges, kind, line);
    }
  }

  close(kinds: Kinds, line: number): void {
    if (kinds === "all") {
      this.#closeAll(this.#ranges, line);
      this.#closeAll(this.#exceptions, line);
      return;
    }
    for (const kind of kinds) {
      endLast(this.#ranges.get(kind), line);
      if (isOpen(this.#ranges.get(ALL))) startRange(this.#exceptions, kind, line);
    }
  }

  end(): void {
    this.#closeAll(this.#ranges, Number.POSITIVE_INFINITY);
    this.#closeAll(this.#exceptions, Number.POSITIVE_INFINITY);
  }

  has(kind: string, line: number): boolean {
    const names = this.#lines.get(line);
    if (this.#everywhere.has(kind) || names?.has(kind) === true) return true;
    if (covers(this.#ranges.get(kind), line)) return true;
    if (this.#byNameOnly) return false;
    if (this.#everywhere.has(ALL) || names?.has(ALL) === true) return true;
    return covers(this.#ranges.get(ALL), line) && !covers(this.#exceptions.get(kind), line);
  }

  #closeAll(ranges: Map<string, Range[]>, line: number): void {
    for (const one of ranges.values()) endLast(one, line);
  }
}

function namesOf(kinds: Kinds): Iterable<string> {
  return kinds === "all" ? [ALL] : kinds;
}

/** A range without an end yet. */
const OPEN = -1;

function isOpen(ranges: readonly Range[] | undefined): boolean {
  return ranges?.at(-1)?.[1] === OPEN;
}

function startRange(ranges: Map<string, Range[]>, kind: string, line: number): void {
  const known = ranges.get(kind);
  if (known === undefined) ranges.set(kind, [[line, OPEN]]);
  else if (!isOpen(known)) known.push([line, OPEN]);
}

function endLast(ranges: Range[] | undefined, line: number): void {
  const last = ranges?.at(-1);
  if (last?.[1] === OPEN) last[1] = line;
}

/** True when one of the sorted ranges has the line; by halving. */
function covers(ranges: readonly Range[] | undefined, line: number): boolean {
  let low = 0;
  let high = ranges?.length ?? 0;
  while (low < high) {
    const middle = (low + high) >> 1;
    const [from = 0, to = 0] = ranges?.[middle] ?? [];
    if (line < from) high = middle;
    else if (line > to) low = middle + 1;
    else return true;
  }
  return false;
}
