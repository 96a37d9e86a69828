// Loads roles from folders: `<directory>/<role>/agent.ts` (or `agent.js`, compiled) with the agent as default export. Ignores
// other files of a role folder. The app calls it before it starts a host.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { SwarmError, showValue } from "../../protocol/index.ts";
import { explainLoad } from "../faults/explain.ts";
import { type AgentDefinition, isAgentDefinition } from "./define.ts";

/** The possible names of a role's agent file; the first file that exists is loaded. */
const AGENT_FILES = ["agent.ts", "agent.js"] as const;
/**
 * How long a file may take to load, in ms. Without a limit, a top-level `await` that never ends would end the process without a
 * word. Half the time after which the supervisor kills a process that has not started.
 */
const LOAD_LIMIT_MS = 30_000;

/** A role and the file that defines it. */
export interface RoleFile {
  role: string;
  file: string;
}

/**
 * Lists the roles of `directories`, sorted by name. A missing directory has no roles. When two directories have a role of
 * the same name, the earlier directory wins, so that a project can replace a shipped role.
 */
export async function listRoles(directories: readonly string[]): Promise<RoleFile[]> {
  const found = new Map<string, string>();
  for (const directory of directories) {
    for (const { role, file } of await rolesIn(directory)) {
      if (!found.has(role)) found.set(role, file);
    }
  }
  return [...found].map(([role, file]) => ({ role, file })).sort((a, b) => (a.role < b.role ? -1 : 1));
}

async function rolesIn(directory: string): Promise<RoleFile[]> {
  const folders = await readdir(directory, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const roles: RoleFile[] = [];
  for (const folder of folders) {
    // A folder of a mounted ConfigMap is a link, beside hidden folders of Kubernetes.
    if (folder.name.startsWith(".") || !(folder.isDirectory() || folder.isSymbolicLink())) continue;
    const files = await readdir(join(directory, folder.name)).catch(
      (error: NodeJS.ErrnoException): string[] => {
        if (folder.isSymbolicLink() && (error.code === "ENOTDIR" || error.code === "ENOENT")) return [];
        throw error;
      },
    );
    const name = AGENT_FILES.find((candidate) => files.includes(candidate));
    if (name !== undefined) roles.push({ role: folder.name, file: join(directory, folder.name, name) });
  }
  return roles;
}

/**
 * Loads the agents of `names`, in the same order.
 * @param options.limitMs how long one file may take; default {@link LOAD_LIMIT_MS}.
 * @throws SwarmError `not_found` for an unknown role, with a list of the known roles; `invalid_input` for a file that
 *   cannot be loaded, has no agent as default export, or defines an agent with another name than its folder. One error names
 *   the faults of all roles.
 */
export async function loadRoles(
  directories: readonly string[],
  names: readonly string[],
  options: { limitMs?: number } = {},
): Promise<AgentDefinition[]> {
  const { limitMs = LOAD_LIMIT_MS } = options;
  const known = await listRoles(directories);
  const loads = new Map(names.map((name) => [name, loadRole(known, name, directories, limitMs)]));
  const faults = (await Promise.allSettled(loads.values())).flatMap((load) =>
    load.status === "rejected" ? [load.reason as unknown] : [],
  );
  if (faults.length <= 1) return Promise.all(names.map((name) => loads.get(name)!));
  const texts = faults.map((fault) => (fault instanceof Error ? fault.message : String(fault)));
  throw new SwarmError("invalid_input", `${faults.length} roles do not load:\n${texts.join("\n")}`, {
    field: "role",
    cause: new AggregateError(faults),
  });
}

async function loadRole(
  known: readonly RoleFile[],
  name: string,
  directories: readonly string[],
  limitMs: number,
): Promise<AgentDefinition> {
  const file = known.find(({ role }) => role === name)?.file;
  if (file === undefined) {
    const roles = known.map(({ role }) => role).join(", ") || "none";
    throw new SwarmError(
      "not_found",
      `role ${showValue(name)} not found; known: ${roles} (from ${directories.join(", ")}); a role is a folder with an agent.ts`,
      { field: "role" },
    );
  }
  const loaded = await importFile(file, limitMs);
  const definition = loaded.default;
  if (!isAgentDefinition(definition)) {
    throw new SwarmError(
      "invalid_input",
      `${file}: the default export must be made by defineAgent({ … }), got ${describeExports(loaded)}`,
      { field: "role" },
    );
  }
  if (definition.name !== name) {
    throw new SwarmError(
      "invalid_input",
      `${file}: the agent's name must be the name of its folder, ${showValue(name)}, got ${showValue(definition.name)}`,
      { field: "name" },
    );
  }
  return definition;
}

/** @throws SwarmError `invalid_input` with the place of the fault and the next step. */
async function importFile(file: string, limitMs: number): Promise<Record<string, unknown>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`it is not done after ${limitMs} ms; a top-level await waits for something`)),
      limitMs,
    );
  });
  try {
    return await Promise.race([import(pathToFileURL(file).href), late]);
  } catch (error) {
    throw new SwarmError("invalid_input", explainLoad(error, file), { field: "role", cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** Describes a file without an agent as its default export, in a few words. */
function describeExports(loaded: Record<string, unknown>): string {
  const agent = Object.keys(loaded).find((name) => isAgentDefinition(loaded[name]));
  if (agent !== undefined) return `an agent as the export ${agent}; write export default ${agent}`;
  if ("default" in loaded) return showValue(typeof loaded.default);
  return `no default export; write export default defineAgent({ … })`;
}
