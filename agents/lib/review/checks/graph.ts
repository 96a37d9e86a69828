// Reads the import graph of the reviewed files: imports of values, imports of types only, and unresolved imports. The
// architecture and the tests analysis share it.
import { realpath } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { join, relative } from "node:path";
import type { AnalysisTools, ReviewInput, Unjudged } from "../contract.ts";
import { isDeclaration, isInside } from "../files.ts";
import { isComponent } from "../scripts.ts";
import {
  child,
  children,
  eachSource,
  nameOf,
  type Source,
  type SyntaxNode,
  textOf,
  walk,
} from "../syntax.ts";
import { importAnalyser } from "../toolbox.ts";

/** One import of a file. */
export interface Import {
  specifier: string;
  /** The imported file; null for a package, a builtin, a file that is not reviewed, or an unresolved import. */
  to: string | null;
  /** True when the compiler removes the import, so that it cannot cause a cycle at run time. */
  typeOnly: boolean;
  /** True for `import()`: the module is loaded at the call, not when the importing module starts. */
  lazy: boolean;
  /** True when the import is resolved. */
  resolved: boolean;
  line: number;
}

export interface Module {
  file: string;
  imports: Import[];
  /** True when code is left after compilation, or for a component, whose template is a value. A module of types alone cannot be part of a cycle at run time. */
  hasValues: boolean;
  /** True when the file starts with `#!`: people run it by hand. */
  isProgram: boolean;
  /** The number of non-blank lines. */
  lines: number;
  /** Strings that look like file names: programs load workers, plugins and templates so. */
  mentions: string[];
}

export type ImportGraph = ReadonlyMap<string, Module>;

interface Resolver {
  ResolverFactory: new (
    options: Record<string, unknown>,
  ) => {
    resolveFileSync(file: string, specifier: string): { path?: string };
  };
}

/** Reads the imports of all code files of the input. Returns the graph, and the files that are missing in it. */
export async function readGraph(
  input: ReviewInput,
  tools: Pick<AnalysisTools, "progress" | "signal">,
): Promise<{ graph: ImportGraph; unjudged: Unjudged[] }> {
  const { ResolverFactory } = await importAnalyser<Resolver>("oxc-resolver");
  const resolver = new ResolverFactory({
    tsconfig: "auto",
    conditionNames: ["node", "import", "require", "types", "default"],
    extensions: [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".d.ts", ".json", ".node"],
    extensionAlias: {
      ".js": [".ts", ".tsx", ".js", ".jsx", ".d.ts"],
      ".jsx": [".tsx", ".jsx"],
      ".mjs": [".mts", ".mjs", ".d.mts"],
      ".cjs": [".cts", ".cjs", ".d.cts"],
    },
  });
  const root = await realpath(input.directory);
  const files = new Set(input.files);
  const graph = new Map<string, Module>();
  const unjudged = await eachSource(
    input,
    tools,
    (source) => {
      const imports = importsOf(source).map(({ specifier, typeOnly, lazy, line }): Import => {
        const about = { specifier, typeOnly, lazy, line };
        if (isBuiltin(specifier)) return { ...about, to: null, resolved: true };
        const { path } = resolver.resolveFileSync(join(root, source.file), withoutQuery(specifier));
        const to = path === undefined || !isInside(root, path) ? null : relative(root, path);
        return { ...about, to: to !== null && files.has(to) ? to : null, resolved: path !== undefined };
      });
      graph.set(source.file, {
        file: source.file,
        imports,
        hasValues:
          isComponent(source.file) ||
          (!isDeclaration(source.file) && children(source.program, "body").some(isValue)),
        isProgram: source.text.startsWith("#!"),
        lines: source.text.split("\n").filter((line) => line.trim() !== "").length,
        mentions: source.text.match(/[\w.-]+\.(?:[cm]?[jt]s|[jt]sx|vue|svelte|astro)\b/g) ?? [],
      });
    },
    () => true,
  );
  return { graph: withoutErased(graph), unjudged };
}

/** The compiler removes an import of a module of types alone, even without the word `type`. */
function withoutErased(graph: Map<string, Module>): ImportGraph {
  for (const module of graph.values()) {
    module.imports = module.imports.map((edge) => {
      const target = edge.to === null ? undefined : graph.get(edge.to);
      return target === undefined || (target.hasValues && module.hasValues)
        ? edge
        : { ...edge, typeOnly: true };
    });
  }
  return graph;
}

/** True when code of a top-level statement is left after the types are removed. */
function isValue(statement: SyntaxNode): boolean {
  const { type } = statement;
  if (type === "ImportDeclaration") return children(statement, "specifiers").length === 0;
  if (/^TS(?:Interface|TypeAlias)Declaration$/.test(type) || statement.declare === true) return false;
  if (type !== "ExportNamedDeclaration") return true;
  const declared = child(statement, "declaration");
  return statement.exportKind !== "type" && (declared === null || isValue(declared));
}

interface RawImport {
  specifier: string;
  typeOnly: boolean;
  lazy: boolean;
  line: number;
}

function importsOf(source: Source): RawImport[] {
  const { module, text, lineAt, program } = source;
  const found: RawImport[] = [];
  for (const { moduleRequest, entries, start } of module.staticImports) {
    // `import "x"` has no entries and runs the module; the compiler removes `import type` and imports of types alone.
    const typeOnly = entries.length > 0 && entries.every(({ isType }) => isType);
    found.push({ specifier: moduleRequest.value, typeOnly, lazy: false, line: lineAt(start) });
  }
  for (const { entries, start } of module.staticExports) {
    const from = entries.filter(({ moduleRequest }) => moduleRequest !== null);
    const specifier = from[0]?.moduleRequest?.value;
    if (specifier === undefined) continue;
    found.push({ specifier, typeOnly: from.every(({ isType }) => isType), lazy: false, line: lineAt(start) });
  }
  for (const { moduleRequest, start } of module.dynamicImports) {
    const quoted = /^(["'`])([^"'`$]+)\1$/.exec(text.slice(moduleRequest.start, moduleRequest.end));
    if (quoted?.[2] !== undefined) {
      found.push({ specifier: quoted[2], typeOnly: false, lazy: true, line: lineAt(start) });
    }
  }
  if (text.includes("require(")) {
    walk(program, (node, above) => {
      if (node.type !== "CallExpression" || nameOf(child(node, "callee")) !== "require") return undefined;
      const specifier = textOf(children(node, "arguments")[0]);
      const lazy = above.some(({ type }) => type.includes("Function"));
      if (specifier !== null) found.push({ specifier, typeOnly: false, lazy, line: lineAt(node.start) });
      return undefined;
    });
  }
  return found;
}

/** Bundlers take `./a.svg?url`. */
function withoutQuery(specifier: string): string {
  return specifier.replace(/[?].*$/, "");
}

/** Returns the files that `from` reaches over imports of any kind. */
export function reachable(graph: ImportGraph, from: Iterable<string>): Set<string> {
  const reached = new Set(from);
  for (const file of reached) {
    for (const { to } of graph.get(file)?.imports ?? []) if (to !== null) reached.add(to);
  }
  return reached;
}
