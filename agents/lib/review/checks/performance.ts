// Checks performance and size: code that is slow to run, to load or to read. Each message states its measure; the limits are
// where a reader has difficulties too. Tests and supporting code are not measured.
import type { Analysis, RawFinding } from "../contract.ts";
import { isDeclaration, isTest } from "../files.ts";
import { honouring } from "../linters/honour.ts";
import { isAside } from "../purpose.ts";
import {
  calledFrom,
  child,
  eachSource,
  findingAt,
  importedFrom,
  isArrow,
  isFunction,
  keyOf,
  nameOf,
  type Source,
  type SyntaxNode,
  walk,
} from "../syntax.ts";

/** The most non-blank lines of a file. */
export const LARGE_FILE_LINES = 1000;
/** The most lines of a function, from first to last. */
export const LONG_FUNCTION_LINES = 150;
/** McCabe's measure (1976): decisions + 1. He advised 10; ESLint warns at 20. Far above that, a function is hard to read. */
export const COMPLEX_FUNCTION = 25;
/** From this measure on, the severity is higher. */
const VERY_COMPLEX_FUNCTION = 40;
/** More findings of one kind in a file are a style, and are reported once. */
const MAX_AWAITS_PER_FILE = 3;

/** Packages that cost far more than the part that is usually used, with advice for each. */
const HEAVY: Readonly<Record<string, string>> = {
  lodash: "import the one function (`lodash/debounce`), or use the language's own",
  underscore: "the language has most of its functions",
  moment: "it brings every locale and is frozen by its authors; date-fns, luxon or Intl do the same",
  "aws-sdk":
    "version 2 brings every service and is out of support; use the client of one service of version 3",
  "core-js": "it polyfills everything; name the features, or drop it for the engines you support",
  faker: "it belongs in tests only",
  "@faker-js/faker": "it belongs in tests only",
  typescript: "the compiler is 10 MB of code; load it with import() where it is needed",
  request: "it is out of support; fetch() is built in",
  bluebird: "promises are built in",
};

/** Measures files and functions, and looks for waits that block or pile up. */
export const performance: Analysis = honouring(async (input, tools) => {
  const findings: RawFinding[] = [];
  const unjudged = await eachSource(
    input,
    tools,
    (source) => {
      findings.push(...measureFile(source), ...measureFunctions(source), ...heavyImports(source));
      findings.push(...syncInAsync(source), ...awaitsInLoops(source));
    },
    (file) => !isTest(file) && !isAside(file) && !isDeclaration(file),
  );
  return { findings, unsure: [], unjudged };
});

function measureFile(source: Source): RawFinding[] {
  const lines = source.text.split("\n").filter((line) => line.trim() !== "").length;
  if (lines <= LARGE_FILE_LINES) return [];
  const message = `The file has ${lines} lines that are not blank (over ${LARGE_FILE_LINES}), too many to read as a whole. Split it where a part has a clear name.`;
  return [findingAt(source, { start: 0 }, { kind: "large-file", rule: "lines", message, anchor: "file" })];
}

function measureFunctions(source: Source): RawFinding[] {
  const findings: RawFinding[] = [];
  walk(source.program, (node, above) => {
    if (!isFunction(node)) return undefined;
    const name = functionName(node, above);
    const complexity = complexityOf(node);
    const lines = source.lineAt(node.end) - source.lineAt(node.start) + 1;
    if (complexity > COMPLEX_FUNCTION) {
      const message = `${name} has ${complexity} paths through it (McCabe, over ${COMPLEX_FUNCTION}): too many to test one by one. Move decisions into functions with a name.`;
      findings.push(
        findingAt(source, node, {
          kind: "complex-function",
          rule: "mccabe",
          message,
          severity: complexity > VERY_COMPLEX_FUNCTION ? "medium" : "low",
          anchor: name.slice(0, 64),
        }),
      );
    } else if (lines > LONG_FUNCTION_LINES && !holdsFunctions(node)) {
      const message = `${name} is ${lines} lines long (over ${LONG_FUNCTION_LINES}). Split it where a step has a name.`;
      findings.push(
        findingAt(source, node, { kind: "long-function", rule: "lines", message, anchor: name.slice(0, 64) }),
      );
    }
    return undefined;
  });
  return findings;
}

/** A function that mostly defines other functions (a factory, a module wrapper) is a scope, not a long function. */
function holdsFunctions(node: SyntaxNode): boolean {
  let inner = 0;
  walk(node, (below) => {
    if (below === node || !isFunction(below)) return undefined;
    inner += below.end - below.start;
    return false;
  });
  return inner > (node.end - node.start) / 2;
}

const DECISIONS = new Set([
  "IfStatement",
  "ConditionalExpression",
  "ForStatement",
  "ForInStatement",
  "ForOfStatement",
  "WhileStatement",
  "DoWhileStatement",
  "CatchClause",
]);

/** The decisions of this function plus one; functions inside it are measured separately. */
function complexityOf(node: SyntaxNode): number {
  let decisions = 0;
  walk(node, (below) => {
    if (below !== node && isFunction(below)) return false;
    const isLogical = below.type === "LogicalExpression" && below.operator !== "??";
    const isCase = below.type === "SwitchCase" && child(below, "test") !== null;
    if (DECISIONS.has(below.type) || isLogical || isCase) decisions += 1;
    return undefined;
  });
  return decisions + 1;
}

function functionName(node: SyntaxNode, above: readonly SyntaxNode[]): string {
  const own = nameOf(child(node, "id"));
  if (own !== "") return `${own}()`;
  const owner = above.at(-1);
  const given =
    owner === undefined ? "" : nameOf(child(owner, "id")) || keyOf(owner) || nameOf(child(owner, "left"));
  return given === "" ? (isArrow(node) ? "this arrow function" : "this function") : `${given}()`;
}

function heavyImports(source: Source): RawFinding[] {
  return source.module.staticImports.flatMap(({ moduleRequest, entries, start }) => {
    const advice = Object.hasOwn(HEAVY, moduleRequest.value) ? HEAVY[moduleRequest.value] : undefined;
    if (advice === undefined || (entries.length > 0 && entries.every(({ isType }) => isType))) return [];
    const message = `The package ${moduleRequest.value} is heavy for the part that is usually used: ${advice}.`;
    return [findingAt(source, { start }, { kind: "heavy-import", rule: "package", message })];
  });
}

/** Calls whose time grows with a file, or is long by design. Making a folder, or checking for a file, ends at once. */
const SLOW_SYNC =
  /^(?:(?:readFile|writeFile|appendFile|readdir|cp|copyFile)|(?:exec|execFile|spawn|pbkdf2|scrypt|gzip|gunzip|deflate|inflate|brotli\w+))Sync$/;

/** Finds calls that block all other work of the process while an async function runs. */
function syncInAsync(source: Source): RawFinding[] {
  if (!/Sync\b/.test(source.text) || source.text.startsWith("#!")) return [];
  const modules = ["fs", "child_process", "zlib", "crypto"].flatMap((name) => [name, `node:${name}`]);
  const imported = importedFrom(source, modules);
  const findings: RawFinding[] = [];
  walk(source.program, (node, above) => {
    if (node.type !== "CallExpression") return undefined;
    const called = calledFrom(imported, child(node, "callee"));
    if (!SLOW_SYNC.test(called)) return undefined;
    const owner = above.findLast(isFunction);
    if (owner === undefined || owner.async !== true) return undefined;
    const severity = /File|readdir|cp/.test(called) && !called.startsWith("exec") ? "low" : "medium";
    const message = `${called}() inside an async function blocks all other work of the process until it ends. Use the promise version.`;
    findings.push(findingAt(source, node, { kind: "sync-io-in-async", rule: called, message, severity }));
    return undefined;
  });
  return findings;
}

/**
 * Finds loops over a collection that wait for each element's own request. Order, early exit and error handling are reasons for
 * such a loop, so only bare loops count.
 */
function awaitsInLoops(source: Source): RawFinding[] {
  const findings: RawFinding[] = [];
  walk(source.program, (node) => {
    if (node.type !== "ForOfStatement" || node.await === true || findings.length >= MAX_AWAITS_PER_FILE)
      return undefined;
    const call = bareFetch(child(node, "body"));
    if (call === null) return undefined;
    const message =
      "Each request waits for the request before it, so their times add up. If they do not depend on each other, send them together (Promise.all, with a bound).";
    findings.push(findingAt(source, call, { kind: "await-in-loop", rule: "request-in-loop", message }));
    return undefined;
  });
  return findings;
}

const EXITS = new Set([
  "BreakStatement",
  "ContinueStatement",
  "ReturnStatement",
  "ThrowStatement",
  "TryStatement",
  "YieldExpression",
  "IfStatement",
]);
const REQUEST = /^(?:fetch|axios(?:\.\w+)?|got(?:\.\w+)?|ky(?:\.\w+)?|request(?:\.\w+)?)$/;

function bareFetch(body: SyntaxNode | null): SyntaxNode | null {
  if (body === null) return null;
  let found: SyntaxNode | null = null;
  let exits = false;
  walk(body, (node) => {
    if (isFunction(node)) return false;
    if (EXITS.has(node.type)) exits = true;
    const call = node.type === "AwaitExpression" ? child(node, "argument") : null;
    if (call?.type === "CallExpression" && REQUEST.test(nameOf(child(call, "callee")))) found ??= call;
    return undefined;
  });
  return exits ? null : found;
}
