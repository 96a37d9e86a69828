// Loads roles from folders: `<directory>/<role>/agent.ts` (or `agent.js`, compiled) with the agent as default export. Ignores
// other files of a role folder. The app calls it before it starts a host.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { SwarmError, showValue } from "../../protocol/index.ts";
import { type AgentDefinition, isAgentDefinition } from "./define.ts";

/** The possible names of a role's agent file; the first file that exists is loaded. */
const AGENT_FILES = ["agent.ts", "agent.js"] as const;

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
    if (!folder.isDirectory()) continue;
    const files = await readdir(join(directory, folder.name));
    const name = AGENT_FILES.find((candidate) => files.includes(candidate));
    if (name !== undefined) roles.push({ role: folder.name, file: join(directory, folder.name, name) });
  }
  return roles;
}

/**
 * Loads the agents of `names`, in the same order.
 * @throws SwarmError `not_found` for an unknown role, with a list of the known roles; `invalid_input` for a file that
 *   cannot be loaded, has no agent as default export, or defines an agent with another name than its folder.
 */
export async function loadRoles(
  directories: readonly string[],
  names: readonly string[],
): Promise<AgentDefinition[]> {
  const known = await listRoles(directories);
  return Promise.all(names.map((name) => loadRole(known, name, directories)));
}

async function loadRole(
  known: readonly RoleFile[],
  name: string,
  directories: readonly string[],
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
  let loaded: { default?: unknown };
  try {
    loaded = await import(pathToFileURL(file).href);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SwarmError("invalid_input", `${file} cannot be loaded: ${why}`, {
      field: "role",
      cause: error,
    });
  }
  const definition = loaded.default;
  if (!isAgentDefinition(definition)) {
    throw new SwarmError(
      "invalid_input",
      `${file}: the default export must be made by defineAgent({ … }), got ${showValue(typeof definition)}`,
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
