// Reads the import graph of the reviewed files: imports of values, imports of types only, unresolved imports, and the files that are
// named without an import. The architecture and the tests analysis share it.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { join, posix } from "node:path";
import type { AnalysisTools, ReviewInput, Unjudged } from "../contract.ts";
import { isCode, isDeclaration, readInside, stateOf } from "../files.ts";
import { Kept } from "../kept.ts";
import { IgnoreList, parseIgnore } from "../patterns/ignore.ts";
import { isComponent } from "../scripts.ts";
import { child, children, eachSource, type Source, type SyntaxNode } from "../syntax.ts";
import {
  type Alias,
  codeAliases,
  dataAliases,
  isTsConfig,
  mayHaveAliases,
  readTsConfig,
  type TsConfig,
  tsAliases,
} from "./aliases.ts";
import { CONFIG_NAME } from "./conventions.ts";
import { allTextsOf, type Data, parseJsonc } from "./data.ts";
import {
  contextsIn,
  Hints,
  isEvidence,
  looseImports,
  MAX_EVIDENCE_BYTES,
  pathsIn,
  READS_FOLDERS,
} from "./evidence.ts";
import { importsOf, type RawImport } from "./imports.ts";
import { type Listing, listFiles } from "./listing.ts";
import { isManifest, Packages, readPackage } from "./packages.ts";
import { type Resolution, Resolver } from "./resolve.ts";

/** One import of a file. */
export interface Import extends RawImport {
  /** The imported file; null for a package, a builtin, a file that is not reviewed, or an unresolved import. */
  to: string | null;
  resolution: Resolution;
}

export interface Module {
  file: string;
  imports: Import[];
  /** Files that the module may load in another way than by an import: a worker by its path, a folder that it reads. */
  loads: ReadonlySet<string>;
  /** True when code is left after compilation. A module of types alone cannot be part of a cycle at run time. */
  hasValues: boolean;
  /** True for a file that people or tools run: it starts with `#!`, or has nothing that another module could use. */
  isProgram: boolean;
  /** True when a class at the top is decorated: many frameworks find such classes by a scan of folders. */
  isDecorated: boolean;
  /** The number of non-blank lines. */
  lines: number;
}

export type ImportGraph = ReadonlyMap<string, Module>;

/** The graph of a repository, and the facts around it. */
export interface Project {
  graph: ImportGraph;
  packages: Packages;
  /** The files that a manifest, a page, a workflow or a configuration names. */
  named: ReadonlySet<string>;
  /** The files that the graph lacks, with the reason. */
  unjudged: Unjudged[];
}

/** A source before its imports are resolved: that needs the configurations among the sources. */
interface ReadSource {
  file: string;
  imports: RawImport[];
  patterns: readonly string[];
  paths: ReadonlySet<string>;
  /** Folders of a configuration: it names files relative to them, and to its own folder. */
  contexts: readonly string[];
  readsFolders: boolean;
  facts: Pick<Module, "hasValues" | "isProgram" | "isDecorated" | "lines">;
}

/** True for files that the graph reads besides code: they name code, or say how names are resolved. */
export function isContext(file: string): boolean {
  return isManifest(file) || isTsConfig(file) || isEvidence(file) || /(?:^|\/)\.gitignore$/.test(file);
}

/** The architecture and the tests of one review ask for the same project: it is read once. */
const KEPT = new Kept<Project>();

/** Reads the imports of all code files of the input, and the words of the other files about them. */
export async function readProject(
  input: ReviewInput,
  tools: Pick<AnalysisTools, "progress" | "signal">,
): Promise<Project> {
  const project = await KEPT.get(keyOf(input), () => buildProject(input, tools));
  tools.signal.throwIfAborted();
  return project;
}

/** Names the files of a project in their present state. */
function keyOf({ directory, files, context = [] }: ReviewInput): string {
  const name = createHash("sha256").update(JSON.stringify([directory, files, context]));
  for (const file of [...files, ...context]) {
    name.update(`${stateOf(join(directory, file))}\n`);
  }
  return name.digest("hex");
}

async function buildProject(
  input: ReviewInput,
  tools: Pick<AnalysisTools, "progress" | "signal">,
): Promise<Project> {
  const root = await realpath(input.directory);
  const others = input.context ?? [];
  const files = [...new Set([...input.files, ...others])];
  const listing = listFiles(
    files,
    memo((path) => !path.startsWith("../") && existsSync(join(root, path))),
  );
  const texts = await readContext(input, files, tools.signal);
  const packages = new Packages(
    [...texts].flatMap(([file, text]) => (isManifest(file) ? (readPackage(file, text) ?? []) : [])),
    listing,
  );
  const configs = new Map(
    [...texts].flatMap(([file, text]): [string, TsConfig][] => {
      const config = isTsConfig(file) ? readTsConfig(file, text) : null;
      return config === null ? [] : [[file, config]];
    }),
  );
  const aliases: Alias[] = [
    ...tsAliases(configs, (name, subpath) => {
      const found = packages.byName(name);
      return found === undefined ? null : packages.fileOf(found, subpath);
    }),
    ...[...texts].flatMap(([file, text]) =>
      /(?:package\.json|\.(?:babel|swc|jest)rc|(?:jest|babel)\.config\.json)$/.test(file)
        ? dataAliases(parseJsonc(text) as Data, posix.dirname(file))
        : [],
    ),
  ];
  const sources: ReadSource[] = [];
  const unjudged = await eachSource(
    input,
    tools,
    (source) => {
      if (mayHaveAliases(source.file, source.text)) {
        aliases.push(
          ...codeAliases(source.file, source.program, packages.above(source.file)[0]?.folder ?? "."),
        );
      }
      sources.push(readSource(source));
    },
    () => true,
  );
  const ignored = new IgnoreList(
    [...texts].flatMap(([file, text]) =>
      file.endsWith(".gitignore")
        ? parseIgnore(text, posix.dirname(file) === "." ? "" : posix.dirname(file))
        : [],
    ),
  );
  const resolver = new Resolver({
    listing,
    packages,
    aliases,
    rootDirs: [...configs.values()].flatMap(({ file, rootDirs }) =>
      rootDirs.length === 0 ? [] : [rootDirs.map((dir) => posix.join(posix.dirname(file), dir))],
    ),
    isIgnored: (path) => ignored.ignores(path),
  });
  const hints = new Hints(listing, files);
  const known = new Set(files);
  const graph = new Map<string, Module>();
  for (const source of sources) {
    tools.signal.throwIfAborted();
    const before = graph.get(source.file);
    const module = toModule(source, { resolver, hints, packages, known, listing });
    graph.set(source.file, before === undefined ? module : merge(before, module));
  }
  for (const { file, why } of unjudged) {
    const text = why === "parse-error" ? await readInside(input.directory, file) : null;
    if (text !== null) texts.set(file, text);
  }
  const named = namedFiles(texts, { resolver, hints, packages, configs, listing });
  return { graph: withoutErased(graph), packages, named, unjudged };
}

function memo(ask: (path: string) => boolean): (path: string) => boolean {
  const answers = new Map<string, boolean>();
  return (path) => {
    const known = answers.get(path);
    if (known !== undefined) return known;
    const answer = ask(path);
    answers.set(path, answer);
    return answer;
  };
}

/** The most characters of code beside the reviewed code whose imports are searched: half a second for a pattern. */
const MAX_IMPORTER_BYTES = 16 * 1024 * 1024;

/** Reads manifests, configurations, evidence, and the code beside the reviewed code. */
async function readContext(
  input: ReviewInput,
  files: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  const own = new Set(input.files);
  let bytesLeft = MAX_IMPORTER_BYTES;
  for (const file of files) {
    // Code beside the files of the task is not judged, and its imports count.
    const isImporter = (isCode(file) || isComponent(file)) && !own.has(file);
    if (isImporter ? bytesLeft <= 0 : own.has(file) && (isCode(file) || isComponent(file))) continue;
    if (!isImporter && !isContext(file)) continue;
    signal.throwIfAborted();
    const text = await readInside(input.directory, file, MAX_EVIDENCE_BYTES);
    if (text === null) continue;
    if (isImporter) bytesLeft -= text.length;
    texts.set(file, text);
  }
  return texts;
}

function readSource(source: Source): ReadSource {
  const { imports, patterns } = importsOf(source);
  const code = withoutComments(source);
  return {
    file: source.file,
    imports,
    patterns,
    paths: CONFIG_NAME.test(source.file) ? withoutPatterns(pathsIn(code)) : pathsIn(code),
    contexts: CONFIG_NAME.test(source.file) ? contextsIn(code) : [],
    readsFolders: READS_FOLDERS.test(code),
    facts: {
      // The template of a component is a value.
      hasValues:
        isComponent(source.file) ||
        (!isDeclaration(source.file) && children(source.program, "body").some(isValue)),
      isProgram: source.text.startsWith("#!") || !hasExports(source),
      isDecorated: children(source.program, "body").some(isDecoratedClass),
      lines: source.text.split("\n").filter((line) => line.trim() !== "").length,
    },
  };
}

/** The words of an export in CommonJS, in AMD, or into a global object. */
const OTHER_EXPORT =
  /\bexports\b|\bdefine\s*\(|\bmodule\b|\b(?:window|global|globalThis|self|root|this)\s*[.[]/;

/** True when another module could use a value of this one. */
function hasExports({ module, text }: Source): boolean {
  return module.staticExports.length > 0 || OTHER_EXPORT.test(text);
}

function isDecoratedClass(statement: SyntaxNode): boolean {
  const declared = child(statement, "declaration") ?? statement;
  return (
    declared.type === "ClassDeclaration" &&
    [declared, statement].some((node) => children(node, "decorators").length > 0)
  );
}

/** The patterns of a configuration choose files to check, to format or to publish. That is no use of them. */
function withoutPatterns(paths: ReadonlySet<string>): Set<string> {
  return new Set([...paths].filter((path) => !path.includes("*")));
}

/** A comment names files that are gone. */
function withoutComments({ text, comments }: Source): string {
  let code = "";
  let at = 0;
  for (const { start, end } of comments) {
    code += text.slice(at, start);
    at = end;
  }
  return code + text.slice(at);
}

interface Rooms {
  resolver: Resolver;
  hints: Hints;
  packages: Packages;
  listing: Listing;
}

function toModule(source: ReadSource, rooms: Rooms & { known: ReadonlySet<string> }): Module {
  const { resolver, hints, packages, known } = rooms;
  const loads = new Set<string>();
  const imports = source.imports.map((raw): Import => {
    const resolution = resolver.resolve(source.file, raw.specifier);
    if (resolution.state === "unsure") for (const file of resolution.maybe) loads.add(file);
    // The author means this file, so it is no unused module.
    if (resolution.state === "missing" && resolution.near !== null) loads.add(resolution.near);
    const to = resolution.state === "file" && known.has(resolution.to) ? resolution.to : null;
    return { ...raw, to, resolution };
  });
  const folder = posix.dirname(source.file);
  const bases = [
    ...basesOf(source.file, packages),
    ...source.contexts.map((context) => posix.join(folder, context)),
  ];
  for (const path of [...source.paths, ...source.patterns]) {
    for (const file of [...hints.filesOf(path, bases), ...packages.filesNamed(path)]) loads.add(file);
  }
  if (source.readsFolders) {
    const own = posix.dirname(source.file);
    for (const path of source.paths) for (const file of hints.filesInFolder(path, bases)) loads.add(file);
    for (const file of rooms.listing.filesIn(own)) loads.add(file);
  }
  loads.delete(source.file);
  return { file: source.file, imports, loads, ...source.facts };
}

/** A file with several scripts (Vue) is one module. */
function merge(a: Module, b: Module): Module {
  return {
    ...a,
    imports: [...a.imports, ...b.imports],
    loads: new Set([...a.loads, ...b.loads]),
    hasValues: a.hasValues || b.hasValues,
    isProgram: a.isProgram && b.isProgram,
    isDecorated: a.isDecorated || b.isDecorated,
    lines: Math.max(a.lines, b.lines),
  };
}

/** The folders that a path in a file may be relative to: the file's own, its packages', the root. */
function basesOf(file: string, packages: Packages): string[] {
  return [...new Set([posix.dirname(file), ...packages.above(file).map(({ folder }) => folder), "."])];
}

/** The files that manifests, pages, workflows and configurations name. */
function namedFiles(
  texts: ReadonlyMap<string, string>,
  { resolver, hints, packages, configs, listing }: Rooms & { configs: ReadonlyMap<string, TsConfig> },
): Set<string> {
  const named = new Set<string>();
  const add = (files: Iterable<string>) => {
    for (const file of files) named.add(file);
  };
  for (const one of packages.all) {
    const shown = new Set(allTextsOf(one.exports));
    for (const path of one.named) {
      // Other patterns choose files to check, to format or to publish. That is no use of them.
      if (path.includes("*") && !shown.has(path)) continue;
      // `exports` with a pattern shows a whole folder to the users of the package.
      const file = packages.fileOf(one, path);
      if (file !== null) named.add(file);
      else for (const word of path.split(/\s+/)) add(hints.filesOf(word.replace(/^\.\//, ""), [one.folder]));
    }
    for (const script of one.scripts) {
      for (const word of script.split(/[\s"'=;&|()]+/)) {
        if (/[./*]/.test(word)) add(hints.filesOf(word, [one.folder, "."]));
      }
    }
    for (const path of one.published)
      add(listing.filesBelow(posix.join(one.folder, path).replace(/\/$/, "")));
    const main = packages.mainOf(one.folder);
    if (main !== null) named.add(main);
  }
  for (const { file, files } of configs.values()) {
    for (const path of files) add(hints.filesOf(path, [posix.dirname(file)]));
  }
  for (const [file, text] of texts) {
    if (isManifest(file) || isTsConfig(file) || file.endsWith(".gitignore")) continue;
    const bases = basesOf(file, packages);
    // A page of documentation describes files; its imports alone use them. So it is with code.
    const paths = /\.mdx?$/.test(file) || isCode(file) ? [] : pathsIn(text);
    for (const path of paths) {
      if (!path.includes("*")) add([...hints.filesOf(path, bases), ...packages.filesNamed(path)]);
    }
    if (/\.jsonc?$/.test(file)) continue;
    for (const specifier of looseImports(text)) {
      const found = resolver.resolve(file, specifier);
      if (found.state === "file") named.add(found.to);
      if (found.state === "unsure") add(found.maybe);
    }
  }
  return named;
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

/** Returns the files that `from` reaches over imports of any kind, and over files that a module may load. */
export function reachable(graph: ImportGraph, from: Iterable<string>): Set<string> {
  const reached = new Set(from);
  for (const file of reached) {
    const module = graph.get(file);
    for (const { to } of module?.imports ?? []) if (to !== null) reached.add(to);
    for (const loaded of module?.loads ?? []) reached.add(loaded);
  }
  return reached;
}
