// Finds the names that exist before their declaration runs. `var` is hoisted to the top of its function, so a use above the declaration
// is legal, and in old code it is a habit.
import { children, nameOf, parseText, type SyntaxNode, walk } from "../syntax.ts";
import { type Region, textIn } from "./unused.ts";

/** A report of a use before the declaration, with the name that the linter underlines. */
export interface EarlyUse {
  message: string;
  region?: Region | undefined;
}

/** Returns a function that is true for a report about a hoisted name, or about a parameter: it exists when the function starts. */
export async function hoistedIn(
  file: string,
  text: string,
): Promise<(report: EarlyUse, lines: readonly string[]) => boolean> {
  const source = await parseText(file, text);
  const names = new Set<string>();
  if (source !== null) {
    walk(source.program, (node) => {
      if (node.type !== "VariableDeclaration" || node.kind !== "var") return;
      for (const declared of children(node, "declarations")) addNames(declared.id, names);
    });
  }
  return ({ message, region }, lines) =>
    message.startsWith("This parameter") || (region !== undefined && names.has(textIn(region, lines)));
}

/** Adds the names of a pattern: `a`, `{ a, b: c }`, `[a, ...b]`, `a = 1`. */
function addNames(pattern: unknown, names: Set<string>): void {
  const open: unknown[] = [pattern];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { type, properties, elements, value, argument, left } = next as SyntaxNode;
    if (type === "Identifier") names.add(nameOf(next as SyntaxNode));
    for (const inner of [properties, elements].filter(Array.isArray).flat())
      if (inner !== null) open.push(inner);
    if (type === "Property") open.push(value);
    if (type === "RestElement") open.push(argument);
    if (type === "AssignmentPattern") open.push(left);
  }
}
