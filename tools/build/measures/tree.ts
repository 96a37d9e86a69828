// The checkout as the tidy tests see it: its files, and what each source file says about others. Reads only.
import { readdirSync, readFileSync } from "node:fs";
import { join, posix, relative, sep } from "node:path";
import { parseSync } from "oxc-parser";

export const ROOT = join(import.meta.dirname, "../../..");

/** Folders that are installed, generated, or made-up input of tests. */
const SKIPPED = new Set(["node_modules", ".git", ".murmur", "dist", ".venv", "__pycache__", "fixtures"]);

/** Every file of the checkout, with `/` in its path, sorted. */
export function listFiles(folder = ROOT): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : listFiles(path);
      return entry.isFile() ? [relative(ROOT, path).split(sep).join("/")] : [];
    })
    .sort();
}

export function readText(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

/** One place where a file names another file or package in an import, an export, `import()` or an import type. */
export interface Import {
  line: number;
  /** A package as written, or the imported file's path from the checkout's top. */
  target: string;
  kind: "file" | "package";
  /** True: Node loads it with the file. False for types, and for `import()`, which loads it later. */
  isAtOnce: boolean;
}

export interface Source {
  file: string;
  text: string;
  /** The comment that opens the file, without its slashes; empty when there is none. */
  header: string;
  imports: Import[];
  /** Files named by any relative string, so `new URL("./worker.ts", import.meta.url)` counts. */
  mentions: string[];
  comments: { line: number; text: string }[];
  /** `any` written as a type. */
  anys: number[];
  /** Calls that read the clock or draw chance. */
  impure: { line: number; what: string }[];
  /** Strings, and the pieces of templates. */
  strings: { line: number; text: string }[];
  /** Names that the file exports or passes on, `export *` not followed. */
  exported: string[];
  /** Functions with a body in braces. */
  functions: { line: number; lines: number }[];
  /** Lines that hold code: neither blank nor wholly a comment. */
  codeLines: number;
}

const sources = new Map<string, Source>();

/** Reads and parses one TypeScript file; each file once. */
export function readSource(file: string): Source {
  const known = sources.get(file);
  if (known !== undefined) return known;
  const text = readText(file);
  const parsed = parseSync(file, text);
  if (parsed.errors.length > 0) throw new Error(`${file} does not parse: ${parsed.errors[0]?.message}`);
  const lineOf = lineFinder(text);
  const source: Source = {
    file,
    text,
    header: readHeader(text),
    imports: [],
    mentions: [],
    comments: parsed.comments.map((comment) => ({ line: lineOf(comment.start), text: comment.value })),
    anys: [],
    impure: [],
    strings: [],
    exported: [],
    functions: [],
    codeLines: countCodeLines(text, parsed.comments),
  };
  walk(parsed.program as unknown as Node, (node) => {
    note(node, source, lineOf(node.start));
    noteMeasures(node, source, lineOf);
  });
  sources.set(file, source);
  return source;
}

/** The room of a file of src, or its top folder. */
export function roomOf(file: string): string {
  const parts = file.split("/");
  if (parts[0] !== "src") return parts[0] ?? "";
  return parts.length === 2 ? "(door)" : (parts[1] ?? "");
}

interface Node {
  type: string;
  start: number;
  end: number;
  [key: string]: unknown;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string";
}

function walk(node: Node, visit: (node: Node) => void): void {
  visit(node);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) walk(child, visit);
  }
}

const IMPORTING = new Set([
  "ImportDeclaration",
  "ExportNamedDeclaration",
  "ExportAllDeclaration",
  "ImportExpression",
  "TSImportType",
]);

function note(node: Node, source: Source, line: number): void {
  if (IMPORTING.has(node.type)) {
    const specifier = literal(node.source);
    const isAtOnce = isLoadedAtOnce(node);
    if (specifier?.startsWith(".") === true) {
      source.imports.push({ line, kind: "file", target: resolve(source.file, specifier), isAtOnce });
    } else if (specifier !== undefined && !specifier.startsWith("node:")) {
      source.imports.push({ line, kind: "package", target: specifier, isAtOnce });
    }
  }
  const words = literal(node);
  if (words !== undefined && /^\.{1,2}\/.*\.(ts|js|json)$/.test(words))
    source.mentions.push(resolve(source.file, words));
  if (node.type === "TSAnyKeyword") source.anys.push(line);
  const what = impureCall(node);
  if (what !== undefined) source.impure.push({ line, what });
}

function isLoadedAtOnce(node: Node): boolean {
  if (node.type === "ImportExpression" || node.type === "TSImportType") return false;
  const isType = ({ importKind, exportKind }: Node) => importKind === "type" || exportKind === "type";
  const names = Array.isArray(node.specifiers) ? (node.specifiers as Node[]) : [];
  return !isType(node) && (names.length === 0 || !names.every(isType));
}

/** The parts of a syntax tree that house.ts measures. */
function noteMeasures(node: Node, source: Source, lineOf: (offset: number) => number): void {
  const line = lineOf(node.start);
  const words = literal(node);
  if (words !== undefined) source.strings.push({ line, text: words });
  if (node.type === "TemplateElement") {
    const { cooked } = node.value as { cooked?: string | null };
    source.strings.push({ line, text: cooked ?? "" });
  }
  if (
    FUNCTIONS.has(node.type) &&
    isNode(node.body) &&
    /^(BlockStatement|FunctionBody)$/.test(node.body.type)
  ) {
    source.functions.push({ line, lines: lineOf(node.end) - line + 1 });
  }
  if (node.type === "ExportNamedDeclaration") source.exported.push(...exportedNames(node));
}

const FUNCTIONS = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"]);

function exportedNames(node: Node): string[] {
  const specifiers = Array.isArray(node.specifiers) ? node.specifiers : [];
  const listed = specifiers.map((specifier: { exported: { name: string } }) => specifier.exported.name);
  const { declaration } = node;
  if (!isNode(declaration)) return listed;
  if (isNode(declaration.id)) return [...listed, String(declaration.id.name)];
  const declarations = Array.isArray(declaration.declarations) ? declaration.declarations : [];
  return [...listed, ...declarations.map((one: { id: { name: string } }) => one.id.name)];
}

function countCodeLines(text: string, comments: readonly { start: number; end: number }[]): number {
  let code = "";
  let from = 0;
  for (const { start, end } of comments) {
    code += text.slice(from, start) + text.slice(start, end).replace(/[^\n]/g, "");
    from = end;
  }
  code += text.slice(from);
  return code.split("\n").filter((line) => line.trim() !== "").length;
}

/** `Math.random`, `Date.now`, `performance.now` (in any use) and `new Date()`. */
function impureCall(node: Node): string | undefined {
  if (node.type === "MemberExpression" && isNode(node.object) && isNode(node.property)) {
    const name = `${node.object.name}.${node.property.name}`;
    if (["Math.random", "Date.now", "performance.now", "crypto.randomUUID"].includes(name)) return name;
  }
  if (node.type === "NewExpression" && isNode(node.callee) && node.callee.name === "Date") {
    if (Array.isArray(node.arguments) && node.arguments.length === 0) return "new Date()";
  }
  return undefined;
}

function literal(value: unknown): string | undefined {
  return isNode(value) && value.type === "Literal" && typeof value.value === "string"
    ? value.value
    : undefined;
}

function resolve(file: string, specifier: string): string {
  return posix.join(posix.dirname(file), specifier);
}

function readHeader(text: string): string {
  const lines = text.split("\n");
  const from = lines[0]?.startsWith("#!") === true ? 1 : 0;
  const end = lines.findIndex((line, index) => index >= from && !line.startsWith("//"));
  return lines
    .slice(from, end === -1 ? lines.length : end)
    .map((line) => line.replace(/^\/\/ ?/, ""))
    .join("\n");
}

/** From an offset to its line, counted from 1. */
function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
}
