// Reads configuration files as data: JSON with comments and trailing commas, and the literal parts of configurations in
// JavaScript. Nothing is run. Pure.
import { child, children, isNode, keyOf, type SyntaxNode, textOf } from "../syntax.ts";

/** The part of a value that literals show; undefined for everything that only a run could tell. */
export type Data = string | number | boolean | null | undefined | Data[] | { [key: string]: Data };

/** Returns the literal value of an expression. Unknown parts of objects and arrays are undefined. */
export function dataOf(node: SyntaxNode | null): Data {
  if (node === null) return undefined;
  const text = textOf(node);
  if (text !== null) return text;
  if (node.type === "Literal") return isPrimitive(node.value) ? node.value : undefined;
  if (node.type === "ArrayExpression") return children(node, "elements").map(dataOf);
  if (node.type !== "ObjectExpression") return undefined;
  const entries = children(node, "properties").map((property): [string, Data] => [
    keyOf(property),
    dataOf(child(property, "value")),
  ]);
  return Object.fromEntries(entries.filter(([key]) => key !== "" && key !== "__proto__"));
}

function isPrimitive(value: unknown): value is number | boolean | null {
  return value === null || typeof value === "number" || typeof value === "boolean";
}

/** Returns the fields of an object; none for other values. */
export function fieldsOf(data: Data): Readonly<Record<string, Data>> {
  return typeof data === "object" && data !== null && !Array.isArray(data) ? data : {};
}

/** Returns the strings of an array, or of a single string. */
export function textsOf(data: Data): string[] {
  if (typeof data === "string") return [data];
  return Array.isArray(data) ? data.filter((item) => typeof item === "string") : [];
}

/** Returns all strings of a value, at any depth. */
export function allTextsOf(data: Data): string[] {
  if (typeof data === "string") return [data];
  if (typeof data !== "object" || data === null) return [];
  return Object.values(data).flatMap(allTextsOf);
}

/** Parses JSON with comments and trailing commas (tsconfig.json, deno.jsonc, .swcrc); undefined when it does not parse. */
export function parseJsonc(text: string): Data {
  try {
    return JSON.parse(withoutComments(text.replace(/^\uFEFF/, ""))) as Data;
  } catch {
    return undefined;
  }
}

/** Leaves out comments, and commas before a closing bracket, outside strings. One pass: the text may be hostile. */
function withoutComments(text: string): string {
  let code = "";
  for (let at = 0; at < text.length; ) {
    const end = endOfToken(text, at);
    const token = text.slice(at, end);
    if (/^[}\]]/.test(token)) code = code.endsWith(",") ? code.slice(0, -1) : code;
    // Blanks and comments are dropped, so that a trailing comma is the last character before a bracket.
    if (!/^(?:\s|\/[/*])/.test(token)) code += token;
    at = end;
  }
  return code;
}

/** Returns the end of the string, comment or character at `at`. */
function endOfToken(text: string, at: number): number {
  const next = text[at + 1];
  if (text[at] === '"') {
    for (let end = at + 1; end < text.length; end++) {
      if (text[end] === "\\") end++;
      else if (text[end] === '"') return end + 1;
    }
    return text.length;
  }
  if (text[at] !== "/" || (next !== "/" && next !== "*")) return at + 1;
  const end = text.indexOf(next === "/" ? "\n" : "*/", at + 2);
  return end === -1 ? text.length : end + (next === "/" ? 1 : 2);
}

/** Calls `visit` with the node below each property named `key`, at any depth. */
export function eachProperty(
  program: SyntaxNode,
  key: RegExp,
  visit: (value: SyntaxNode, key: string) => void,
): void {
  const open: SyntaxNode[] = [program];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node.type === "Property" && key.test(keyOf(node))) {
      const value = child(node, "value");
      if (value !== null) visit(value, keyOf(node));
    }
    for (const field in node) {
      const value = node[field];
      if (Array.isArray(value)) open.push(...value.filter(isNode));
      else if (isNode(value)) open.push(value);
    }
  }
}
