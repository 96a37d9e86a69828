// Reads the options and names that inline comments of ESLint and JSHint give: `/* eslint no-unused-vars: ["error", { … }] */`,
// `/* exported a */`, `/* global a:writable */`. Only ESLint reads them, so the reports of every linter are held to them here. Pure. A
// stranger wrote the patterns, so a pattern is used only when its time grows at most with the square of a name.
import { kindOfRule } from "../kinds.ts";

/** The facts of a report that options decide on. */
export interface ReportedFacts {
  /** The names that the report is about; none when it does not tell. */
  names: readonly string[];
  /** The line's text. */
  source: string;
  /** The text of the three lines above it. */
  above: string;
}

/** True for a report that an inline comment allows. */
export type Allows = (kind: string, facts: ReportedFacts) => boolean;

/** Options of ESLint's rules that allow code, by kind: https://eslint.org/docs/latest/rules/ */
const OPTIONS: readonly {
  kind: string;
  option: RegExp;
  allows: (facts: ReportedFacts, value: string) => boolean;
}[] = [
  {
    kind: "unused-variable",
    option:
      /["']?(?:vars|args|caughtErrors|destructuredArray)IgnorePattern["']?\s{0,20}:\s{0,20}("(?:[^"\\]|\\.){1,200}"|'(?:[^'\\]|\\.){1,200}')/g,
    allows: ({ names }, value) => {
      const pattern = patternOf(value);
      return pattern !== null && names.length > 0 && names.every((name) => pattern.test(name));
    },
  },
  {
    // Names at the top level belong to other scripts of the page.
    kind: "unused-variable",
    option: /["']?vars["']?\s{0,20}:\s{0,20}["'](local)["']/g,
    allows: ({ source }) => /^\S/.test(source),
  },
  {
    kind: "case-fallthrough",
    option: /["']?commentPattern["']?\s{0,20}:\s{0,20}("(?:[^"\\]|\\.){1,200}"|'(?:[^'\\]|\\.){1,200}')/g,
    allows: ({ above }, value) => {
      const pattern = patternOf(value);
      return (
        pattern !== null && above.split(/\n|\/[/*]/).some((part) => pattern.test(part.slice(0, MAX_TESTED)))
      );
    },
  },
  {
    kind: "constant-condition",
    option: /["']?checkLoops["']?\s{0,20}:\s{0,20}(false|["'](?:none|allExceptWhileTrue)["'])/g,
    allows: ({ source }) => /\b(?:while|for|do)\b/.test(source),
  },
  {
    kind: "self-assignment",
    option: /["']?props["']?\s{0,20}:\s{0,20}(false)/g,
    allows: ({ source }) => /[.[][^=]*=/.test(source),
  },
  {
    kind: "code-injection",
    option: /["']?allowIndirect["']?\s{0,20}:\s{0,20}(true)/g,
    allows: ({ source }) => /\.eval\b|,\s*eval\s*\)/.test(source),
  },
];

/** The longest text that a pattern is tried on. */
const MAX_TESTED = 200;
/** The most repetitions in a pattern: each adds one power to the time of a try. */
const MAX_REPETITIONS = 2;

/** Returns the pattern of a quoted text; null when it could take long, or does not compile. */
function patternOf(quoted: string): RegExp | null {
  const source = quoted.slice(1, -1).replace(/\\(["'\\])/g, "$1");
  const bare = source.replace(/\\./g, "x").replace(/\[[^\]]*\]/g, "x");
  // A repeated group can take exponential time; a look around and a reference back, nearly so.
  if (/\)[*+?{]|\(\?[^:]|\\[1-9k]/.test(bare) || /\\[1-9k]/.test(source)) return null;
  if ((bare.match(/[*+{]/g) ?? []).length > MAX_REPETITIONS) return null;
  try {
    return new RegExp(source, "u");
  } catch {
    return null;
  }
}

/** The rules of a comment `eslint`, each with the text of its value. */
function* valuesIn(rules: string): Generator<{ rule: string; value: string }> {
  const key = /["']?(@?[a-z][\w@/-]{0,100})["']?\s{0,20}:\s{0,20}\[/g;
  for (let found = key.exec(rules); found !== null; found = key.exec(rules)) {
    let depth = 1;
    let end = key.lastIndex;
    let quote = "";
    for (; end < rules.length && depth > 0; end++) {
      const character = rules[end] ?? "";
      if (quote !== "") {
        if (character === "\\") end++;
        else if (character === quote) quote = "";
      } else if (/["']/.test(character)) quote = character;
      else if (character === "[") depth++;
      else if (character === "]") depth--;
    }
    yield { rule: found[1] ?? "", value: rules.slice(key.lastIndex, end) };
    key.lastIndex = end;
  }
}

/** Reads a comment `eslint`: its rules and options. */
export function readOptions(rules: string): Allows {
  const allowed = [...valuesIn(rules)].flatMap(({ rule, value }) => {
    const { kind } = kindOfRule("review-eslint", rule, false);
    return OPTIONS.filter((each) => each.kind === kind).flatMap(({ option, allows }) =>
      [...value.matchAll(option)].map(([, given = ""]) => ({
        kind,
        allows: (facts: ReportedFacts) => allows(facts, given),
      })),
    );
  });
  return (kind, facts) => allowed.some((each) => each.kind === kind && each.allows(facts));
}

/** Reads a comment `exported a, b`: another script of the page uses the names. */
export function readExported(list: string): Allows {
  const names = new Set(list.split(/[\s,]+/).map((each) => each.replace(/:.*/, "")));
  return (kind, facts) =>
    kind === "unused-variable" && facts.names.length > 0 && facts.names.every((name) => names.has(name));
}

/** Reads a comment `global a, b:writable`: the code may assign the writable names. */
export function readGlobals(list: string): Allows {
  const writable = [...list.matchAll(/([\w$]{1,100})\s{0,20}:\s{0,20}["']?(?:writ(?:e?able)|true)\b/g)].map(
    ([, name = ""]) => name,
  );
  return (kind, { source }) =>
    kind === "global-assignment" && writable.some((name) => source.split(/[^\w$]+/).includes(name));
}
