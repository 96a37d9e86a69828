// Checks the import graph: cycles, unused modules, hubs, imports of missing files, and imports of undeclared packages.
// Distinguishes type-only imports, because the compiler removes them.
import { isBuiltin } from "node:module";
import { dirname } from "node:path";
import type { Analysis, RawFinding, ReviewInput, Severity } from "../contract.ts";
import { anchorOf, isAside, isDeclaration, isTest, oneLine, readInside } from "../files.ts";
import { KINDS } from "../kinds.ts";
import { isComponent } from "../scripts.ts";
import { type Import, type ImportGraph, readGraph } from "./graph.ts";

/** A module is a hub from these counts of direct imports, in both directions: most changes pass through it. */
export const HUB_FAN_IN = 15;
export const HUB_FAN_OUT = 15;
/** The most modules of a cycle that a message names. */
const MAX_CYCLE_NAMES = 6;

/** Checks the whole import graph. */
export const architecture: Analysis = async (input, tools) => {
  const { graph, unjudged } = await readGraph(input, tools);
  const manifests = await readManifests(input);
  const findings = [
    ...cycles(graph),
    ...unresolved(graph),
    ...undeclared(graph, manifests),
    ...orphans(graph, manifests),
    ...hubs(graph),
  ];
  return { findings, unsure: [], unjudged };
};

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

/** Finds relative imports of missing files. Tests are left out (they do so on purpose), and build output (it comes later). */
function unresolved(graph: ImportGraph): RawFinding[] {
  const built = /(?:^|\/)(?:dist|build|out|generated|gen|\.[\w-]+)\//;
  return [...graph.values()].flatMap(({ file, imports }) =>
    imports
      .filter(
        ({ specifier, resolved }) =>
          !resolved && /^\.{1,2}(?:\/|$)/.test(specifier) && !built.test(specifier),
      )
      .filter(({ specifier }) => /\.[cm]?[jt]sx?$|\/[^./]+$|^\.+$/.test(specifier))
      .filter(() => !isTest(file) && !isAside(file) && !isDeclaration(file))
      .map(({ specifier, line }) =>
        finding({
          kind: "unresolved-import",
          rule: "unresolved",
          file,
          line,
          message: `No file matches the import "${specifier}", so this module cannot be loaded. Fix the path, or commit the missing file.`,
          anchor: specifier,
        }),
      ),
  );
}

interface Manifest {
  folder: string;
  text: string;
  name: string | undefined;
  declared: ReadonlySet<string>;
}

async function readManifests(input: ReviewInput): Promise<Manifest[]> {
  const manifests: Manifest[] = [];
  for (const file of input.files.filter(
    (path) => path === "package.json" || path.endsWith("/package.json"),
  )) {
    const text = await readInside(input.directory, file);
    try {
      const value = JSON.parse(text ?? "null") as Record<string, unknown> | null;
      const fields = ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"];
      const declared = fields.flatMap((field) => Object.keys((value?.[field] as object | undefined) ?? {}));
      const name = typeof value?.name === "string" ? value.name : undefined;
      manifests.push({ folder: dirname(file), text: text ?? "", name, declared: new Set(declared) });
    } catch {
      // A package.json that does not parse declares nothing. The package manager reports that error.
    }
  }
  return manifests;
}

/** Finds imported packages that no package.json declares: another package installs them, and its update may remove them. */
function undeclared(graph: ImportGraph, manifests: readonly Manifest[]): RawFinding[] {
  if (manifests.length === 0) return [];
  const known = new Set(manifests.map(({ name }) => name));
  const seen = new Set<string>();
  return [...graph.values()].flatMap(({ file, imports }) => {
    if (isTest(file) || isAside(file) || isDeclaration(file) || isConfig(file)) return [];
    const declared = manifests
      .filter(({ folder }) => folder === "." || file.startsWith(`${folder}/`))
      .map((manifest) => manifest.declared);
    return imports.flatMap(({ specifier, to, typeOnly, resolved, line }) => {
      const name = packageName(specifier);
      if (name === null || to !== null || isBuiltin(specifier) || known.has(name) || seen.has(name))
        return [];
      const names = [name, `@types/${name.replace(/^@/, "").replace("/", "__")}`];
      if (declared.some((set) => names.some((each) => set.has(each)))) return [];
      // Leaves missing types to the compiler, and aliases to the bundler.
      if (typeOnly && !resolved) return [];
      seen.add(name);
      return [
        finding({
          kind: "undeclared-dependency",
          rule: "undeclared",
          file,
          line,
          message: `No package.json above this file declares the imported package ${name}, so it may be missing after an install. Declare it.`,
          anchor: name,
        }),
      ];
    });
  });
}

/** Returns the package of a bare specifier; null for paths, `#internal`, builtins, schemes (`bun:test`) and aliases. */
function packageName(specifier: string): string | null {
  return /^(?:@[a-z0-9][\w.-]*\/)?[a-z0-9][\w.-]*(?=\/|$)/.exec(specifier)?.[0] ?? null;
}

/** Finds modules that no file imports, names or starts. */
function orphans(graph: ImportGraph, manifests: readonly Manifest[]): RawFinding[] {
  const imported = new Set([...graph.values()].flatMap(({ imports }) => imports.map(({ to }) => to)));
  const mentioned = new Set([...graph.values()].flatMap(({ mentions }) => mentions));
  const texts = manifests.map(({ text }) => text).join("\n");
  return [...graph.values()]
    .filter(({ file, isProgram, imports }) => {
      const name = file.slice(file.lastIndexOf("/") + 1);
      const stem = name.replace(/\.[^.]+$/, "");
      const isUsed = imported.has(file) || mentioned.has(name) || mentioned.has(`${stem}.js`) || isProgram;
      const isKnown = texts.includes(file) || texts.includes(`/${stem}.`) || texts.includes(`/${stem}"`);
      const isEntry =
        /^(?:index|main|mod|cli|server|app|worker|sw|setup|entry)\b/.test(name) || !file.includes("/");
      // Frameworks find components by their folder or by their name in a template.
      const isElsewhere =
        isComponent(file) || isTest(file) || isAside(file) || isDeclaration(file) || isConfig(file);
      return !isUsed && !isKnown && !isEntry && !isElsewhere && imports.length > 0 && !isRoute(file);
    })
    .map(({ file }) =>
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

/** True for files that frameworks load by their folder. */
function isRoute(file: string): boolean {
  return /(?:^|\/)(?:pages|routes|app|api|migrations|seeds|stories|\.storybook|functions|commands|plugins)\//.test(
    file,
  );
}

function isConfig(file: string): boolean {
  return /(?:^|\/)\.?[\w-]+(?:\.[\w-]+)*\.?(?:config|rc|setup)\.[cm]?[jt]s$|(?:^|\/)\.[^/]+\//.test(file);
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
