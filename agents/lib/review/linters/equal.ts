// Makes the linters judge by equal options. Where a linter has no option for a difference, its extra reports are dropped here, so
// that the silence of the others is a disagreement about code and not about options. Pure. The options themselves are in
// analysers/rules.
import type { Linter } from "../contract.ts";

/** A report of a linter, with the line that it names. */
interface Report {
  kind: string;
  message: string;
  /** The line's text. */
  source: string;
}

/** A difference between the linters: reports of `linter` that the others do not make, by design. */
interface Difference {
  linter: Linter;
  kind: string;
  isExtra: (report: Report) => boolean;
}

/** The names that CommonJS gives to every module; assigning them is how a module exports. */
const MODULE_NAMES = /(?:^|[^.\w])(?:exports|module)\s*=/;

/**
 * The differences, each measured on public repositories (docs/review.md). The reports of each were noise or false there:
 * - Biome reports an unused caught error, and an unused parameter of a short arrow function; its rule has no such options.
 * - typescript-eslint reports a value whose only use is its type. oxlint and Biome count that as a use.
 * - Biome takes `exports` for a global. In CommonJS it is a variable of the module.
 * - Biome reports `Object.prototype.hasOwnProperty.call`, the very call that the other linters recommend.
 * - Biome reports `var` in a switch, which belongs to the function; the others report `let`, `const`, `class` and functions.
 * - Biome reports TypeScript's `private`, also of constructor parameters; the others report `#names`, which are private at run time.
 */
const DIFFERENCES: readonly Difference[] = [
  {
    linter: "review-biome",
    kind: "unused-variable",
    isExtra: ({ message, source }) => {
      const name = /^This variable ([\w$]+) is unused/.exec(message)?.[1];
      return name !== undefined && (isCaught(name, source) || isParameter(name, source));
    },
  },
  {
    linter: "review-eslint",
    kind: "unused-variable",
    isExtra: ({ message }) => message.includes("only used as a type"),
  },
  {
    linter: "review-biome",
    kind: "global-assignment",
    isExtra: ({ source }) => MODULE_NAMES.test(source),
  },
  {
    linter: "review-biome",
    kind: "prototype-builtin",
    isExtra: ({ source }) => /(?:Object\.prototype|\{\})\.\w+\.(?:call|apply)\b/.test(source),
  },
  {
    linter: "review-biome",
    kind: "case-declaration",
    isExtra: ({ source }) => /^\s*(?:case\b.*:|default\s*:)?\s*var\s/.test(source),
  },
  {
    linter: "review-biome",
    kind: "unused-private-member",
    isExtra: ({ source }) => !source.includes("#"),
  },
];

/** True when a report comes from a difference between the linters' options. */
export function isExtra(linter: Linter, report: Report): boolean {
  return DIFFERENCES.some(
    (each) => each.linter === linter && each.kind === report.kind && each.isExtra(report),
  );
}

function isCaught(name: string, source: string): boolean {
  return has(source, "\\bcatch\\s*\\(\\s*", name, "");
}

function isParameter(name: string, source: string): boolean {
  return has(source, "", name, "\\s*=>");
}

function has(source: string, before: string, name: string, after: string): boolean {
  return new RegExp(`${before}(?<![\\w$])${name.replaceAll("$", "\\$")}(?![\\w$])${after}`).test(source);
}
