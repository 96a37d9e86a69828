// The imports of one source: static and dynamic, `require`, and the patterns that a built path leaves. Pure.
import { child, children, isNode, nameOf, type Source, type SyntaxNode, textOf, walk } from "../syntax.ts";

/** One import as it is written. */
export interface RawImport {
  specifier: string;
  /** True when the compiler removes the import, so that it cannot cause a cycle at run time. */
  typeOnly: boolean;
  /** True for `import()` and for `require` in a function: the module is loaded at the call, not when the importing module starts. */
  lazy: boolean;
  /** True when the program runs without the module: in `try`, with `.catch()`, or behind a check for another module system. */
  optional: boolean;
  line: number;
}

/** The imports of a source, and the patterns of paths that are built at run time (`./locales/*.js`). */
export interface SourceImports {
  imports: RawImport[];
  patterns: string[];
}

/**
 * Marks of a `require` that is not Node's. A module for several systems asks for them at run time, and takes its dependencies from any
 * (https://github.com/umdjs/umd); a page sets `window.require` itself, or loads a script that sets it.
 */
const OTHER_REQUIRE =
  /\bdefine\.amd\b|typeof (?:exports|module|define|require)\b|\b(?:window|self|top|parent)\.(?:require|define)\b|\brequire\s{0,20}=\s{0,20}(?:async\s|function\b|\()|\bfunction\s{1,20}require\s{0,20}\(|\brequire(?:js)?\.config\s*\(/;

/** True for a text whose `require` is not Node's: its packages may come from a page. */
export function hasOtherRequire(text: string): boolean {
  return OTHER_REQUIRE.test(text);
}

export function importsOf(source: Source): SourceImports {
  const { module, text, lineAt } = source;
  const imports: RawImport[] = [];
  const patterns: string[] = [];
  const typeStatements = new Set(
    children(source.program, "body").flatMap(({ start, importKind, exportKind }) =>
      importKind === "type" || exportKind === "type" ? [start] : [],
    ),
  );
  for (const { moduleRequest, entries, start } of module.staticImports) {
    // `import "x"` has no entries and runs the module; the compiler removes `import type {}` and imports of types alone.
    const typeOnly =
      typeStatements.has(start) || (entries.length > 0 && entries.every(({ isType }) => isType));
    imports.push({
      specifier: moduleRequest.value,
      typeOnly,
      lazy: false,
      optional: false,
      line: lineAt(start),
    });
  }
  for (const { entries, start } of module.staticExports) {
    const from = entries.filter(({ moduleRequest }) => moduleRequest !== null);
    const specifier = from[0]?.moduleRequest?.value;
    if (specifier === undefined) continue;
    const typeOnly = typeStatements.has(start) || from.every(({ isType }) => isType);
    imports.push({ specifier, typeOnly, lazy: false, optional: false, line: lineAt(start) });
  }
  if (!/\brequire\b|\bimport\s*\(|\bimport\.meta|\bimport\s+\w+\s*=|\bmock\s*\(/.test(text))
    return { imports, patterns };
  const isOtherRequire = hasOtherRequire(text);
  walk(source.program, (node, above) => {
    const asked = requestOf(node);
    if (asked === null) return undefined;
    const specifier = textOf(asked);
    if (specifier === null) {
      const pattern = patternOf(asked);
      if (pattern !== null) patterns.push(pattern);
      return undefined;
    }
    const typeOnly = node.type === "TSImportType" || node.importKind === "type";
    const lazy = node.type === "ImportExpression" || above.some(({ type }) => type.includes("Function"));
    const optional = isOtherRequire || isOptional(node, above);
    imports.push({ specifier, typeOnly, lazy, optional, line: lineAt(node.start) });
    return undefined;
  });
  return { imports, patterns };
}

/** The expression that names a module: of `import(x)`, `require(x)`, `require.resolve(x)`, `import a = require(x)`. */
function requestOf(node: SyntaxNode): SyntaxNode | null {
  if (node.type === "ImportExpression") return child(node, "source");
  if (node.type === "TSImportEqualsDeclaration") {
    const reference = child(node, "moduleReference");
    return reference?.type === "TSExternalModuleReference" ? child(reference, "expression") : null;
  }
  if (node.type !== "CallExpression") return null;
  return /^(?:module\.|globalThis\.)?require(?:\.resolve|\.async)?$|^import\.meta\.resolve$/.test(
    nameOf(child(node, "callee")),
  )
    ? (children(node, "arguments")[0] ?? null)
    : null;
}

/** True in the block of a `try`, before `.catch()`, and in a function that gets `require` as a parameter (AMD, browserify). */
function isOptional(node: SyntaxNode, above: readonly SyntaxNode[]): boolean {
  let below = node;
  for (const parent of above.toReversed()) {
    if (parent.type === "TryStatement" && parent.block === below) return true;
    if (parent.type === "MemberExpression" && nameOf(child(parent, "property")) === "catch") return true;
    if (children(parent, "params").some((parameter) => nameOf(parameter) === "require")) return true;
    below = parent;
  }
  return false;
}

/** The pattern of a built path: `./${name}.js` → `./*.js`, `"./a/" + name` → `./a/**`, `join(__dirname, "a", name)` → `./a/**`. */
function patternOf(node: SyntaxNode): string | null {
  if (node.type === "TemplateLiteral") {
    const quasis = children(node, "quasis").map(({ value }) =>
      String((value as { cooked?: unknown }).cooked ?? ""),
    );
    const pattern = quasis.join("*");
    return /^(?:\.|@|~|\/|[\w-]+\/)/.test(pattern) && pattern !== "*" ? deepened(pattern) : null;
  }
  const parts = literalParts(node);
  if (parts.length === 0) return null;
  const first = parts[0] ?? "";
  const joined = parts.join("/").replace(/\/{2,}/g, "/");
  return `${/^[./@~]/.test(first) ? joined : `./${joined}`}${joined.endsWith("/") ? "" : "*"}`.replace(
    /\/?\*?$/,
    "/**",
  );
}

/** A name in a pattern may contain slashes: `./pages/${path}.vue` loads the folders below too. */
function deepened(pattern: string): string {
  return pattern.replace(/\/\*(?=\.|$)/, "/**/*").replace(/\/\*\/index/, "/**/index");
}

/** The literal beginning of a sum or of the arguments of a call; stops at the first part that is not literal, after `__dirname`. */
function literalParts(node: SyntaxNode): string[] {
  const operands: SyntaxNode[] = [];
  const open: SyntaxNode[] = [node];
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    const fields =
      next.type === "BinaryExpression"
        ? [next.left, next.right]
        : next.type === "CallExpression"
          ? next.arguments
          : null;
    if (Array.isArray(fields)) open.unshift(...fields.filter(isNode));
    else operands.push(next);
  }
  const parts: string[] = [];
  for (const operand of operands) {
    const text = textOf(operand);
    if (text !== null) parts.push(text);
    else if (!/^(?:__dirname|import\.meta\.(?:dirname|url)|root|cwd)$/.test(nameOf(operand))) break;
  }
  return parts.filter((part) => part !== "");
}
