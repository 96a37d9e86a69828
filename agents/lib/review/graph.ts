// The import graph of the reviewed files: who imports whom, for values or for types only, and what could not be resolved.
// Shared by the architecture and the tests analysis.
import { realpath } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { join, relative } from "node:path";
import type { AnalysisTools, ReviewInput } from "./contract.ts";
import { isDeclaration, isInside } from "./files.ts";
import { child, children, eachSource, nameOf, type Source, type SyntaxNode, textOf, walk } from "./syntax.ts";
import { importAnalyser } from "./toolbox.ts";

/** One import of a file. */
export interface Import {
  specifier: string;
  /** The reviewed file it leads to; null: a package, a builtin, a file that is not reviewed, or unresolved. */
  to: string | null;
  /** Erased when compiled: it cannot cause a cycle at run time. */
  typeOnly: boolean;
  /** `import()`: loaded when called, not when the module starts. */
  lazy: boolean;
  /** Whether it leads anywhere at all. */
  resolved: boolean;
  line: number;
}

export interface Module {
  file: string;
  imports: Import[];
  /** Whether anything of it is left when it is compiled; a module of types alone cannot be part of a cycle at run time. */
  hasValues: boolean;
  /** Starts with `#!`: run by hand. */
  isProgram: boolean;
  /** Non-blank lines. */
  lines: number;
  /** Texts in it that look like file names: how workers, plugins and templates are loaded. */
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

/** Reads the imports of all code files of the input. */
export async function readGraph(
  input: ReviewInput,
  tools: Pick<AnalysisTools, "progress" | "signal">,
): Promise<ImportGraph> {
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
  await eachSource(
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
        hasValues: !isDeclaration(source.file) && children(source.program, "body").some(isValue),
        isProgram: source.text.startsWith("#!"),
        lines: source.text.split("\n").filter((line) => line.trim() !== "").length,
        mentions: source.text.match(/[\w.-]+\.(?:[cm]?[jt]s|[jt]sx)\b/g) ?? [],
      });
    },
    () => true,
  );
  return withoutErased(graph);
}

/** An import of a module that holds types alone is erased, also where it does not say `type`. */
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

/** Whether a statement at the top of a module is left when types are erased. */
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
    // `import "x"` has no entries and runs; `import type` and all-type entries are erased.
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

/** The files reached from `from` over imports of any sort. */
export function reachable(graph: ImportGraph, from: Iterable<string>): Set<string> {
  const reached = new Set(from);
  for (const file of reached) {
    for (const { to } of graph.get(file)?.imports ?? []) if (to !== null) reached.add(to);
  }
  return reached;
}
