// Reads the comments that silence a linter's rule. A comment for one linter also silences the equivalent rules of the other
// linters. Each linter honours its own comments itself. Pure.
import type { Linter } from "../contract.ts";
import { knownKind } from "../kinds.ts";

/** True when a kind is silenced at a line, from 1. */
export type Silenced = (kind: string, line: number) => boolean;

interface Silence {
  kinds: ReadonlySet<string> | "all";
  from: number;
  to: number;
}

const COMMENT =
  /(?:eslint|oxlint)-(disable|enable)(-next-line|-line)?(?![\w-])([^\n]*)|biome-ignore(-all|-start|-end)? ([\w/, ]+)/g;

/** Reads the comments of `eslint-disable…`, `oxlint-disable…` and `biome-ignore…` in a source text. */
export function readSuppressions(text: string): Silenced {
  if (!/lint-disable|biome-ignore/.test(text)) return () => false;
  const silences: Silence[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    for (const found of line.matchAll(COMMENT)) read(found, index + 1, silences);
  }
  return (kind, line) =>
    silences.some(
      ({ kinds, from, to }) => from <= line && line <= to && (kinds === "all" || kinds.has(kind)),
    );
}

function read(found: RegExpMatchArray, line: number, silences: Silence[]): void {
  const [, verb, reach, rest = "", biomeReach, biomeRules] = found;
  if (biomeRules !== undefined) {
    const kinds = kindsOf("review-biome", biomeRules.replaceAll("lint/", ""));
    if (biomeReach === "-all" || biomeReach === "-start") silences.push({ kinds, from: line, to: Infinity });
    else if (biomeReach === "-end") end(silences, line);
    // One more line, because another comment may come between the suppression and its statement.
    else silences.push({ kinds, from: line, to: line + 2 });
    return;
  }
  const kinds = kindsOf("review-eslint", rest.split(/--|\*\//, 1)[0] ?? "");
  if (verb === "enable") end(silences, line);
  else if (reach === "-next-line") silences.push({ kinds, from: line + 1, to: line + 1 });
  else if (reach === "-line") silences.push({ kinds, from: line, to: line });
  else silences.push({ kinds, from: line, to: Infinity });
}

function end(silences: Silence[], line: number): void {
  for (const silence of silences) if (silence.to === Infinity) silence.to = line;
}

/** Returns the kinds of the rules in a comment. oxlint understands ESLint's names. A comment without rules means all rules. */
function kindsOf(linter: Linter, rules: string): Silence["kinds"] {
  const names = rules.split(/[\s,]+/).filter((name) => name !== "");
  if (names.length === 0) return "all";
  return new Set(names.map((name) => knownKind(linter, name) ?? name));
}
