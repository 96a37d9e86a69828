// Parses sources with oxc and walks their syntax trees. Owns the small set of questions that analyses ask about code;
// each analysis owns the problems that it looks for.
import type { ParseResult } from "oxc-parser";
import type { AnalysisTools, RawFinding, ReviewInput, Severity, Unjudged } from "./contract.ts";
import { anchorOf, isCode, isDeclaration, lineCounter, linesOf, oneLine, readReviewed } from "./files.ts";
import { KeptTrees } from "./kept-trees.ts";
import { KINDS } from "./kinds.ts";
import { isComponent, scriptOf } from "./scripts.ts";
import { importAnalyser } from "./toolbox.ts";

/** A node of oxc's ESTree; its fields are read by name. */
export interface SyntaxNode {
  type: string;
  start: number;
  end: number;
  [field: string]: unknown;
}

/** One parsed file. */
export interface Source {
  file: string;
  text: string;
  program: SyntaxNode;
  module: ParseResult["module"];
  comments: ParseResult["comments"];
  /** Returns the line of an offset, from 1. */
  lineAt(offset: number): number;
  /** The lines of the text, for the anchors of findings. */
  lines: readonly string[];
}

interface Parser {
  parseSync(
    file: string,
    text: string,
    options: { lang: Language; sourceType?: "module" | "commonjs" },
  ): ParseResult;
}

/** The trees of the analyses in this process: each of them asks for most files of a review. */
const TREES = new KeptTrees<Parsed | { error: string }>();

/**
 * Parses the code files and components of the input that `takes` chooses, and calls `visit` for each. Returns the files that it could not
 * read or parse. Between files it gives the event loop back.
 */
export async function eachSource(
  input: ReviewInput,
  tools: Pick<AnalysisTools, "progress" | "signal">,
  visit: (source: Source) => void,
  takes: (file: string) => boolean = (file) => !isDeclaration(file),
): Promise<Unjudged[]> {
  const parser = await importAnalyser<Parser>("oxc-parser");
  const files = input.files.filter((file) => (isCode(file) || isComponent(file)) && takes(file));
  const unjudged: Unjudged[] = [];
  for (const [at, file] of files.entries()) {
    tools.signal.throwIfAborted();
    const read = await readReviewed(input.directory, file);
    if (!("text" in read)) {
      unjudged.push(read.unjudged);
      continue;
    }
    const { text } = read;
    const parsed =
      TREES.get(input.directory, file, text) ??
      TREES.keep(input.directory, file, text, parseSource(parser, file, text));
    if ("error" in parsed) {
      unjudged.push(
        isTemplate(text)
          ? { file, why: "not-supported", message: IS_TEMPLATE }
          : {
              file,
              why: isFlow(text) ? "not-supported" : "parse-error",
              message: oneLine(parsed.error) || "no message",
            },
      );
      continue;
    }
    visit(sourceOf(file, text, parsed));
    tools.progress((100 * (at + 1)) / files.length, file);
  }
  return unjudged;
}

/** Parses one text as the file that it comes from; null when it does not parse. */
export async function parseText(file: string, text: string): Promise<Source | null> {
  const parsed = parseSource(await importAnalyser<Parser>("oxc-parser"), file, text);
  return "error" in parsed ? null : sourceOf(file, text, parsed);
}

function sourceOf(file: string, text: string, parsed: Parsed): Source {
  return { file, text, ...parsed, lineAt: lineCounter(text), lines: linesOf(text) };
}

type Language = "jsx" | "ts" | "tsx" | "dts";
type Parsed = Pick<Source, "program" | "module" | "comments">;

/** A `return` at the top level is legal in a CommonJS module, and in the code above the template of an Astro file. */
const TOP_LEVEL_RETURN = "A 'return' statement can only be used within a function body.";

/**
 * Parses a file as generously as the program that will run it: JSX in every JavaScript file, the scripts of a component as one
 * program, and a file that is no ES module as CommonJS.
 */
function parseSource(parser: Parser, file: string, text: string): Parsed | { error: string } {
  if (!isComponent(file)) {
    const lang = languageOf(file);
    const parsed = withoutErrors(parser.parseSync(file, text, { lang }));
    if (!("error" in parsed) || /\.m[jt]s$/.test(file)) return parsed;
    const asCommonJs = withoutErrors(parser.parseSync(file, text, { lang, sourceType: "commonjs" }));
    return "error" in asCommonJs ? parsed : asCommonJs;
  }
  const { text: script, lang } = scriptOf(file, text);
  const accepted = file.endsWith(".astro") ? [TOP_LEVEL_RETURN] : [];
  return withoutErrors(parser.parseSync(file, script, { lang, sourceType: "module" }), accepted);
}

function languageOf(file: string): Language {
  if (isDeclaration(file)) return "dts";
  if (file.endsWith(".tsx")) return "tsx";
  return /\.[cm]?ts$/.test(file) ? "ts" : "jsx";
}

function withoutErrors(
  { program, module, comments, errors }: ParseResult,
  accepted: readonly string[] = [],
): Parsed | { error: string } {
  const error = errors.find(
    ({ severity, message }) => String(severity) === "Error" && !accepted.includes(message),
  );
  if (error !== undefined) return { error: error.message };
  return { program: program as unknown as SyntaxNode, module, comments };
}

/** True for a file with Flow's types: no analyser of the review reads them. */
export function isFlow(text: string): boolean {
  return /(?:^|[\s*/])@flow\b/.test(text.slice(0, 1000));
}

/** The message about a file that {@link isTemplate} recognises. */
export const IS_TEMPLATE = "markup or a template, not code";

/**
 * True for a text that is no code in spite of its name: a page (`help.html.js` with HTML), or a template that a generator fills in. The
 * marks stand in no code that parses, outside strings, so only a text that does not parse is asked.
 */
export function isTemplate(text: string): boolean {
  return /^\uFEFF?\s*<[!?a-z]|<%|<\?php|\{%|\{\{\{?[#/>^&]?\s*[\w.-]+\s*\}\}/i.test(text);
}

/** Calls `enter` for a node and all nodes below it, with its ancestors, nearest last. Returning false skips the children. */
export function walk(
  node: SyntaxNode,
  enter: (node: SyntaxNode, above: readonly SyntaxNode[]) => boolean | undefined,
  above: SyntaxNode[] = [],
): void {
  if (enter(node, above) === false) return;
  above.push(node);
  for (const field in node) {
    const value = node[field];
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) walk(item, enter, above);
    } else if (isNode(value)) walk(value, enter, above);
  }
  above.pop();
}

export function isNode(value: unknown): value is SyntaxNode {
  return (
    typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string"
  );
}

/** Returns the node in a field, without parentheses and TypeScript's casts around it. */
export function child(node: SyntaxNode | null | undefined, field: string): SyntaxNode | null {
  let value = node?.[field];
  while (isNode(value) && TRANSPARENT.has(value.type)) value = value.expression;
  return isNode(value) ? value : null;
}

const TRANSPARENT = new Set([
  "ParenthesizedExpression",
  "ChainExpression",
  "TSAsExpression",
  "TSNonNullExpression",
  "TSSatisfiesExpression",
  "TSTypeAssertion",
]);

export function children(node: SyntaxNode | null | undefined, field: string): SyntaxNode[] {
  const value = node?.[field];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** Returns `a.b.c` for names joined by dots, and "" for other expressions. */
export function nameOf(node: SyntaxNode | null | undefined): string {
  if (node?.type === "Identifier" && typeof node.name === "string") return node.name;
  if (node?.type === "ThisExpression") return "this";
  if (node?.type !== "MemberExpression") return "";
  const object = nameOf(child(node, "object"));
  const property = child(node, "property");
  const key = node.computed === true ? textOf(property) : nameOf(property);
  return object === "" || key === null || key === "" ? "" : `${object}.${key}`;
}

/** Returns the value of a string literal or of a template without expressions; otherwise null. */
export function textOf(node: SyntaxNode | null | undefined): string | null {
  if (node?.type === "Literal" && typeof node.value === "string") return node.value;
  if (node?.type !== "TemplateLiteral" || children(node, "expressions").length > 0) return null;
  const value = children(node, "quasis")[0]?.value;
  return typeof value === "object" && value !== null && "cooked" in value ? String(value.cooked) : null;
}

/** Returns a property of an object literal. */
export function propertyOf(node: SyntaxNode | null | undefined, key: string): SyntaxNode | null {
  const found = children(node, "properties").find((property) => keyOf(property) === key);
  return child(found, "value");
}

/** Returns the name of a property of an object literal or class. */
export function keyOf(property: SyntaxNode): string {
  const key = child(property, "key");
  return property.computed === true ? "" : (textOf(key) ?? nameOf(key));
}

export function isFunction(node: SyntaxNode): boolean {
  return node.type === "FunctionDeclaration" || node.type === "FunctionExpression" || isArrow(node);
}

export function isArrow(node: SyntaxNode): boolean {
  return node.type === "ArrowFunctionExpression";
}

/** True for text built at run time: a template with expressions, or a sum with an operand that is not a literal. */
export function isBuiltText(node: SyntaxNode | null): boolean {
  if (node?.type === "TemplateLiteral")
    return children(node, "expressions").some((part) => !isConstantName(part));
  if (node?.type !== "BinaryExpression" || node.operator !== "+") return false;
  const [left, right] = [child(node, "left"), child(node, "right")];
  const isText = (side: SyntaxNode | null) =>
    textOf(side) !== null || side?.type === "TemplateLiteral" || isBuiltText(side);
  const isFixed = (side: SyntaxNode | null): boolean =>
    textOf(side) !== null || (side !== null && isConstantName(side));
  return (isText(left) || isText(right)) && !(isFixed(left) && isFixed(right));
}

/** True for `SOME_CONSTANT` and `Some.CONSTANT`: by convention, they do not hold user input. */
function isConstantName(node: SyntaxNode): boolean {
  return /^(?:\w+\.)*[A-Z][A-Z0-9_]+$/.test(nameOf(node));
}

/**
 * Returns the names that a file imports or requires from `modules`: local name → imported name, "*" for the module itself.
 * It reads `import * as fs`, `import fs`, `import { readFile as read }`, `const { exec } = require("child_process")`.
 */
export function importedFrom(source: Source, modules: readonly string[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const { moduleRequest, entries } of source.module.staticImports) {
    if (!modules.includes(moduleRequest.value)) continue;
    for (const { importName, localName } of entries) {
      names.set(localName.value, String(importName.kind) === "Name" ? (importName.name ?? "*") : "*");
    }
  }
  if (!source.text.includes("require(")) return names;
  walk(source.program, (node) => {
    if (node.type !== "VariableDeclarator") return;
    const [target, value] = [child(node, "id"), child(node, "init")];
    if (value?.type !== "CallExpression" || nameOf(child(value, "callee")) !== "require") return;
    if (!modules.includes(textOf(children(value, "arguments")[0]) ?? "")) return;
    if (target?.type === "Identifier") names.set(nameOf(target), "*");
    for (const property of children(target, "properties"))
      names.set(nameOf(child(property, "value")), keyOf(property));
  });
  return names;
}

/** Returns the called function's name in its module: `exec` for `cp.exec` and for `exec`; "" for other calls. */
export function calledFrom(imported: ReadonlyMap<string, string>, callee: SyntaxNode | null): string {
  const [first = "", second, third] = nameOf(callee).split(".");
  const name = imported.get(first);
  if (name === undefined) return "";
  if (name !== "*") return second === undefined ? name : "";
  return second === "promises" ? (third ?? "") : (second ?? "");
}

/** Makes a finding at a node, by default with the severity of its kind. */
export function findingAt(
  source: Source,
  at: { start: number },
  facts: { kind: string; rule: string; message: string; severity?: Severity; anchor?: string },
): RawFinding {
  const line = source.lineAt(at.start);
  return {
    kind: facts.kind,
    rule: facts.rule,
    severity: facts.severity ?? KINDS[facts.kind]?.severity ?? "low",
    file: source.file,
    line,
    message: oneLine(facts.message),
    anchor: facts.anchor ?? anchorOf(source.lines[line - 1] ?? ""),
  };
}
