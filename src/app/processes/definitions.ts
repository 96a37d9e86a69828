// Loads the definitions of workflows of a project: files in YAML and JSON, and modules in TypeScript and JavaScript, which may export several
// versions.
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Definitions } from "../../engine/index.ts";
import { SwarmError, toSwarmError } from "../../protocol/index.ts";
import {
  isWorkflowDefinition,
  loadDefinition,
  objectiveWorkflow,
  type WorkflowDefinition,
} from "../../workflow/index.ts";

/** The endings of definitions that are data, and of modules. */
const DATA = new Set([".yaml", ".yml", ".json"]);
const MODULES = new Set([".ts", ".js", ".mjs"]);
/** The names of a definition's file in a folder of its own, without the ending. */
const FOLDER_FILE = "workflow";
/** How long a module may take to load, in ms: a top-level `await` that never ends would end the process without a word. */
const LOAD_LIMIT_MS = 30_000;

/**
 * The files of definitions below a directory, sorted: `<name>.yaml`, `.yml`, `.json`, `.ts`, `.js` or `.mjs` in it, and `workflow.<ending>` in its
 * folders. A missing directory has none. Tests (`<name>.test.ts`), declarations and hidden files are none.
 */
export async function listDefinitionFiles(directory: string): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await entriesOf(directory)) {
    if (entry.name.startsWith(".")) continue;
    if (entry.isDirectory() || entry.isSymbolicLink()) {
      for (const { name } of await entriesOf(join(directory, entry.name)))
        if (isDefinitionFile(name) && name.split(".")[0] === FOLDER_FILE)
          files.push(join(directory, entry.name, name));
    }
    if (!entry.isDirectory() && isDefinitionFile(entry.name)) files.push(join(directory, entry.name));
  }
  return files.sort();
}

async function entriesOf(directory: string) {
  return readdir(directory, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw error;
  });
}

function isDefinitionFile(name: string): boolean {
  const ending = extname(name);
  return (DATA.has(ending) || MODULES.has(ending)) && !/\.(test|spec|d)\.[a-z]+$/.test(name);
}

/** The place of definitions that are part of the program, for people. */
const BUILT_IN = "the program";

/**
 * Loads all definitions below a directory, and those of the program.
 * @throws SwarmError `invalid_input` with the faults of all files; `conflict` for two definitions of one name and version.
 */
export async function loadDefinitions(directory: string): Promise<Definitions> {
  const files = await listDefinitionFiles(directory);
  const loaded: { file: string; definition: WorkflowDefinition }[] = [
    { file: BUILT_IN, definition: objectiveWorkflow },
  ];
  const faults: string[] = [];
  for (const file of files) {
    try {
      for (const definition of await loadDefinitionFile(file)) loaded.push({ file, definition });
    } catch (error) {
      faults.push(toSwarmError(error).message);
    }
  }
  if (faults.length > 0)
    throw new SwarmError("invalid_input", `workflows that do not load:\n${faults.join("\n")}`, {
      field: "workflowsDir",
    });
  return createDefinitions(loaded);
}

/** True for a file whose definition is a module, and not data. */
export function isModuleFile(file: string): boolean {
  return MODULES.has(extname(file));
}

/** Loads the definitions of one file. @throws SwarmError `invalid_input`, which begins with the file. */
export async function loadDefinitionFile(file: string): Promise<readonly WorkflowDefinition[]> {
  if (DATA.has(extname(file))) return [(await loadDefinition(await readFile(file, "utf8"), file)).definition];
  let exported: Record<string, unknown>;
  try {
    exported = await importWithin(file);
  } catch (error) {
    throw new SwarmError("invalid_input", `${file}: ${(error as Error).message}`, { cause: error });
  }
  const found = [...new Set(Object.values(exported))].filter(isWorkflowDefinition);
  if (found.length > 0) return found;
  throw new SwarmError(
    "invalid_input",
    `${file}: expected an export made by defineWorkflow({ … }), got ${Object.keys(exported).join(", ") || "no export"}; move other modules into a folder`,
  );
}

async function importWithin(file: string): Promise<Record<string, unknown>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `it is not loaded after ${LOAD_LIMIT_MS} ms; a top-level await waits for something`;
    timer = setTimeout(() => reject(new Error(message)), LOAD_LIMIT_MS);
  });
  try {
    return await Promise.race([import(pathToFileURL(file).href) as Promise<Record<string, unknown>>, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The definitions by name and version. @throws SwarmError `conflict` for two of one name and version. */
export function createDefinitions(
  loaded: readonly { readonly file: string; readonly definition: WorkflowDefinition }[],
): Definitions {
  const byName = new Map<string, Map<number, { file: string; definition: WorkflowDefinition }>>();
  for (const each of loaded) {
    const { name, version } = each.definition;
    const versions = byName.get(name) ?? new Map<number, typeof each>();
    const other = versions.get(version);
    if (other !== undefined)
      throw new SwarmError(
        "conflict",
        `${each.file} and ${other.file} both define ${name} v${version}; give one of them another version`,
        { field: "workflowsDir" },
      );
    versions.set(version, each);
    byName.set(name, versions);
  }
  return {
    find(name, version) {
      const versions = byName.get(name);
      if (versions === undefined) return undefined;
      return versions.get(version ?? Math.max(...versions.keys()))?.definition;
    },
    list: () =>
      [...byName]
        .map(([name, versions]) => ({ name, versions: [...versions.keys()].sort((a, b) => a - b) }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}
