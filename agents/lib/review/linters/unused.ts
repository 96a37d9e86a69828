// Finds the uses of a name that the linters do not see: by another script of the page, and by the compiler of JSX. Owns the names that
// a report of an unused name is about.
import { parseText } from "../syntax.ts";
import { globalsOf } from "./globals.ts";
import type { JsxNames } from "./jsx.ts";

/** A report of an unused name, with the place that the linter underlines, where it tells one. */
export interface UnusedReport {
  line: number;
  message: string;
  region?: Region | undefined;
}

/** A part of a text; lines and columns from 1, `end` not included. */
export interface Region {
  start: { line: number; column: number };
  end: { line: number; column: number };
}

/** Returns the names that a report says are unused; none when the report does not tell. */
export function unusedNames({ message, region }: UnusedReport, lines: readonly string[]): readonly string[] {
  const [, quoted, bare] = /^[^']*'([\w$]+)'|^This [\w ]+ ([\w$]+) is unused/.exec(message) ?? [];
  const name = quoted ?? bare;
  if (name !== undefined) return [name];
  if (region === undefined || !/imports? (?:is|are) unused/.test(message)) return [];
  // Biome underlines the clause of an import, from its first unused name to its last, and tells no name.
  const names = textIn(region, lines)
    .replace(/\bfrom\b[\s\S]*$/, "")
    .split(",")
    .flatMap((each) => /([\w$]+)[\s{}]*$/.exec(each.trim())?.[1] ?? []);
  if (!message.startsWith("Several")) return names;
  const around = [...lines.slice(0, region.start.line - 1), ...lines.slice(region.end.line)].join("\n");
  return names.filter((each) => !hasWord(around, each));
}

/** Returns the part of a text that a region covers. */
export function textIn({ start, end }: Region, lines: readonly string[]): string {
  const inside = lines.slice(start.line - 1, end.line);
  const last = inside.pop() ?? "";
  const text = [...inside, last.slice(0, end.column - 1)].join("\n");
  return text.slice(start.column - 1);
}

function hasWord(text: string, word: string): boolean {
  return new RegExp(`(?<![\\w$])${word.replaceAll("$", "\\$")}(?![\\w$])`).test(text);
}

/** Returns a function that is true for a report of names that code outside of the linters' view uses. */
export async function usedElsewhere(
  file: string,
  text: string,
  jsx: JsxNames,
): Promise<(names: readonly string[], line: number) => boolean> {
  const globals = await globalsOf(file, text);
  const source = /<[/>A-Za-z]/.test(text) ? await parseText(file, text) : null;
  const ofJsx = source === null ? new Set<string>() : await jsx.of(source);
  return (names, line) =>
    names.length > 0 && names.every((name) => globals.get(name) === line || ofJsx.has(name));
}
