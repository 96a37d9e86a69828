// Checks the import graph: cycles, unused modules, hubs, imports of missing files, and imports of undeclared packages.
// Distinguishes type-only imports, because the compiler removes them.
import { posix } from "node:path";
import type { Analysis, RawFinding, Severity } from "../contract.ts";
import { anchorOf, isDeclaration, isTest, isTypeTest, note, oneLine, targetOf } from "../files.ts";
import {
  CONFIG_NAME,
  ENTRY_NAME,
  isCopied,
  isLoadedByPlace,
  isProvided,
  TOOL_FOLDER,
} from "../graph/conventions.ts";
import { type Import, type ImportGraph, type Project, readProject } from "../graph/graph.ts";
import type { Packages } from "../graph/packages.ts";
import { KINDS } from "../kinds.ts";
import { honouring } from "../linters/honour.ts";
import { isAside } from "../purpose.ts";
import { isComponent } from "../scripts.ts";

/** A module is a hub from these counts of direct imports, in both directions: most changes pass through it. */
export const HUB_FAN_IN = 15;
export const HUB_FAN_OUT = 15;
/** The most modules of a cycle that a message names. */
const MAX_CYCLE_NAMES = 6;

/** Checks the whole import graph. */
export const architecture: Analysis = honouring(async (input, tools) => {
  const project = await readProject(input, tools);
  const findings = [
    ...cycles(project.graph),
    ...unresolved(project),
    ...undeclared(project),
    ...orphans(project),
    ...hubs(project.graph),
  ];
  return { findings, unsure: [], unjudged: project.unjudged };
});

type Edge = Import & { to: string };

/** Makes one finding for each group of modules that all reach each other; its message names the shortest cycle. */
function cycles(graph: ImportGraph): RawFinding[] {
  const atStart = (edge: Import) => !edge.lazy && !edge.typeOnly;
  const withTypes = (edge: Import) => !edge.lazy;
  const real = components(graph, atStart);
  const inReal = new Set(real.flat());
  // Declarations are left out, because several of them may describe one module.
  const ofTypes = components(graph, withTypes).filter(
    (group) => !group.some((file) => inReal.has(file)) && !group.every(isDeclaration),
  );
  return [
    ...real.map((group) => cycleFinding(graph, group, atStart, "import-cycle")),
    ...ofTypes.map((group) => cycleFinding(graph, group, withTypes, "type-import-cycle")),
  ];
}

function cycleFinding(
  graph: ImportGraph,
  group: readonly string[],
  follows: (edge: Import) => boolean,
  kind: "import-cycle" | "type-import-cycle",
): RawFinding {
  const inside = new Set(group);
  const start = [...group].sort()[0] ?? "";
  const path = shortestCycle(graph, inside, start, follows);
  const line = edgesOf(graph, start, follows).find(({ to }) => to === path[1])?.line ?? 1;
  const names = path.length > MAX_CYCLE_NAMES ? [...path.slice(0, MAX_CYCLE_NAMES - 1), "…", start] : path;
  const more = group.length > path.length - 1 ? ` (${group.length} modules reach each other)` : "";
  const why =
    kind === "import-cycle"
      ? "Their order of execution depends on the first import, and no module of them can be used or tested alone. Move the shared code into a module of its own."
      : "The cycle has only types, so nothing breaks at run time, but no module of it can be understood alone. Move the shared types into a module of their own.";
  return finding({
    kind,
    rule: "cycle",
    file: start,
    line,
    message: `${names.join(" → ")}${more}. ${why}`,
    anchor: [...group].sort().join(" "),
  });
}

/** Finds the strongly connected components (Tarjan 1972) of two or more modules; iterative, because import chains are long. */
function components(graph: ImportGraph, follows: (edge: Import) => boolean): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const isOpen = new Set<string>();
  const groups: string[][] = [];
  const lower = (file: string, to: number) => low.set(file, Math.min(low.get(file) ?? to, to));
  for (const root of graph.keys()) {
    if (index.has(root)) continue;
    const calls: { file: string; rest: string[] }[] = [];
    const enter = (file: string) => {
      index.set(file, index.size);
      low.set(file, index.size - 1);
      open.push(file);
      isOpen.add(file);
      calls.push({ file, rest: edgesOf(graph, file, follows).map(({ to }) => to) });
    };
    enter(root);
    for (let call = calls.at(-1); call !== undefined; call = calls.at(-1)) {
      const next = call.rest.pop();
      if (next === undefined) {
        calls.pop();
        const above = calls.at(-1);
        if (above !== undefined) lower(above.file, low.get(call.file) ?? 0);
        if (low.get(call.file) !== index.get(call.file)) continue;
        const group = open.splice(open.lastIndexOf(call.file));
        for (const file of group) isOpen.delete(file);
        if (group.length > 1) groups.push(group);
      } else if (!index.has(next)) enter(next);
      else if (isOpen.has(next)) lower(call.file, index.get(next) ?? 0);
    }
  }
  return groups;
}

function shortestCycle(
  graph: ImportGraph,
  inside: ReadonlySet<string>,
  start: string,
  follows: (edge: Import) => boolean,
): string[] {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const file of queue) {
    for (const { to } of edgesOf(graph, file, follows)) {
      if (to === start) return [...wayTo(cameFrom, start, file), start];
      if (!inside.has(to) || cameFrom.has(to)) continue;
      cameFrom.set(to, file);
      queue.push(to);
    }
  }
  return [start, start];
}

function wayTo(cameFrom: ReadonlyMap<string, string>, start: string, end: string): string[] {
  const way = [end];
  for (let at = end; at !== start; ) {
    at = cameFrom.get(at) ?? start;
    way.unshift(at);
  }
  return way;
}

function edgesOf(graph: ImportGraph, file: string, follows: (edge: Import) => boolean): Edge[] {
  const imports = graph.get(file)?.imports ?? [];
  return imports.filter(
    (edge): edge is Edge => edge.to !== null && edge.to !== file && graph.has(edge.to) && follows(edge),
  );
}

/** Finds relative imports of missing files. Tests and tools are left out: they import missing files on purpose, or made ones. */
function unresolved({ graph, packages }: Project): RawFinding[] {
  return [...graph.values()].flatMap(({ file, imports }) =>
    isSupport(file) || isCopied(file, declaredAbove(file, packages))
      ? []
      : imports.flatMap(({ specifier, resolution, typeOnly, optional, line }) => {
          if (resolution.state !== "missing" || optional) return [];
          const effect = typeOnly ? "the compiler does not know its types" : "this module cannot be loaded";
          const repair =
            resolution.near === null
              ? "Fix the path, or commit the missing file."
              : `Only the capitals of ${resolution.near} differ: write the same ones.`;
          const message = `No file matches the import "${specifier}", so ${effect}. ${repair}`;
          return [
            finding({
              kind: "unresolved-import",
              rule: "unresolved",
              file,
              line,
              message,
              anchor: specifier,
              ...targetOf(resolution.path),
            }),
          ];
        }),
  );
}

/** Finds imported packages that no package.json declares: another package installs them, and its update may remove them. */
function undeclared({ graph, packages }: Project): RawFinding[] {
  const seen = new Set<string>();
  return [...graph.values()].flatMap(({ file, imports }) => {
    const above = packages.above(file);
    const nearest = above[0];
    // Without a manifest nothing is declared; beside an import map the runtime resolves bare names by other rules.
    if (nearest === undefined || above.some(({ isDeno }) => isDeno) || isSupport(file)) return [];
    const names = declaredAbove(file, packages);
    if (isCopied(file, names)) return [];
    return imports.flatMap(({ resolution, typeOnly, optional, line }) => {
      // Leaves missing types to the compiler.
      if (resolution.state !== "package" || typeOnly || optional) return [];
      const { name } = resolution;
      const key = `${nearest.folder} ${name}`;
      const types = `@types/${name.replace(/^@/, "").replace("/", "__")}`;
      if (seen.has(key) || names.includes(name) || names.includes(types) || isProvided(name, names))
        return [];
      seen.add(key);
      const message = `No package.json above this file declares the imported package ${name}, so it may be missing after an install. Declare it.`;
      return [
        finding({ kind: "undeclared-dependency", rule: "undeclared", file, line, message, anchor: name }),
      ];
    });
  });
}

/** With a larger share of unused modules, the program probably loads its modules in a way that the graph does not show. */
export const MAX_ORPHAN_SHARE = 0.3;
/** A few unused modules of a small program are believed, whatever their share. */
const FEW_ORPHANS = 5;

/** Finds modules that no file imports, names or starts. */
function orphans({ graph, packages, named }: Project): RawFinding[] {
  const used = new Set(named);
  for (const { file, imports, loads } of graph.values()) {
    for (const { to } of imports) if (to !== null && to !== file) used.add(to);
    for (const loaded of loads) used.add(loaded);
  }
  const judged = [...graph.values()].filter(
    ({ file, imports, hasValues, isDecorated }) =>
      // Frameworks find components by their folder, or by their name in a template.
      imports.length > 0 &&
      hasValues &&
      !isComponent(file) &&
      !isSupport(file) &&
      !isEntry(file, packages) &&
      !(isDecorated && !importsDecorated(declaredAbove(file, packages))),
  );
  const unused = judged.filter(({ file, isProgram }) => !isProgram && !used.has(file));
  if (unused.length > FEW_ORPHANS && unused.length > MAX_ORPHAN_SHARE * judged.length) {
    const file = unused[0]?.file ?? "package.json";
    const message = `The imports do not show how this program loads ${unused.length} of its ${judged.length} modules, so unused modules are not reported.`;
    return [note("orphans-unknown", file, message)];
  }
  return unused.map(({ file }) =>
    finding({
      kind: "orphan-module",
      rule: "orphan",
      file,
      line: 1,
      message: "No module imports this one, and no package.json or program names it. Delete it, or use it.",
      anchor: "orphan",
    }),
  );
}

/** True when the framework of the project finds decorated classes by imports alone. Others scan folders for them. */
function importsDecorated(names: readonly string[]): boolean {
  return names.some((name) => /^@(?:angular|nestjs)\/core$/.test(name));
}

/** True for the first module of a program, and for files that a framework loads by their place. */
function isEntry(file: string, packages: Packages): boolean {
  const above = packages.above(file);
  const folder = above[0]?.folder ?? ".";
  const path = folder === "." ? file : file.slice(folder.length + 1);
  const names = declaredAbove(file, packages);
  return (
    !path.includes("/") ||
    ENTRY_NAME.test(posix.basename(path)) ||
    isLoadedByPlace(path, names) ||
    isCopied(file, names)
  );
}

/** The packages that the manifests above a file declare. */
function declaredAbove(file: string, packages: Packages): string[] {
  return packages.above(file).flatMap(({ declared }) => [...declared]);
}

/** True for tests, tools, examples, declarations and configurations: tools start them, and they have their own installation. */
function isSupport(file: string): boolean {
  return (
    isTest(file) ||
    isTypeTest(file) ||
    isAside(file) ||
    isDeclaration(file) ||
    CONFIG_NAME.test(file) ||
    TOOL_FOLDER.test(file)
  );
}

function hubs(graph: ImportGraph): RawFinding[] {
  const users = Map.groupBy(
    [...graph.values()].flatMap(({ file, imports }) =>
      isTest(file) ? [] : [...new Set(imports.filter(({ typeOnly }) => !typeOnly).map(({ to }) => to))],
    ),
    (file) => file,
  );
  return [...graph.values()].flatMap(({ file, imports }) => {
    const fanIn = users.get(file)?.length ?? 0;
    const fanOut = new Set(imports.filter(({ typeOnly }) => !typeOnly).map(({ specifier }) => specifier))
      .size;
    const isDoor = /(?:^|\/)(?:index|mod)\.[cm]?[jt]sx?$/.test(file);
    if (fanIn < HUB_FAN_IN || fanOut < HUB_FAN_OUT || isDoor || isTest(file)) return [];
    return [
      finding({
        kind: "hub-module",
        rule: "fan-in-fan-out",
        file,
        line: 1,
        message: `${fanIn} modules use this module, and it uses ${fanOut}: most changes pass through it. Split it by its users.`,
        anchor: "hub",
      }),
    ];
  });
}

function finding(facts: Omit<RawFinding, "severity"> & { severity?: Severity }): RawFinding {
  const severity = facts.severity ?? KINDS[facts.kind]?.severity ?? "low";
  return { ...facts, severity, message: oneLine(facts.message), anchor: anchorOf(facts.anchor) };
}
