// The permissions of a local swarm: keys of all users in the data directory, the accounts of its private server, and the user of each
// process. The file and the tables are in app/permissions.
import { writeFileSync } from "node:fs";
import { SwarmError } from "../../protocol/index.ts";
import {
  agentUser,
  makeKeys,
  type Permissions,
  readPermissions,
  renderAccounts,
  requirePublicKeys,
  seedFile,
  usersOf,
} from "../permissions/index.ts";
import { dataFiles } from "./state.ts";

/** The users of a local swarm. */
export interface LocalUsers {
  /** The permissions file. */
  readonly path: string;
  /** The folder of the keys. */
  readonly keys: string;
  /** The settings that let a process connect as a user. */
  environmentOf(user: string): Record<string, string>;
  /** The class whose user the processes of a role have. @throws SwarmError `invalid_input` for a role without a class. */
  classOf(role: string): string;
  /** The user of a coordinator. @throws SwarmError `invalid_input` for an id that the file does not list. */
  coordinatorUser(id: string): string;
}

/**
 * Reads the permissions file, makes missing keys, and writes the accounts of the private server.
 * @throws SwarmError `invalid_input` for a file that cannot be used, or that belongs to another prefix.
 */
export async function prepareUsers(
  path: string,
  swarm: { data: string; prefix: string },
): Promise<LocalUsers> {
  const file = await readPermissions(path);
  if (file.prefix !== swarm.prefix) {
    throw new SwarmError(
      "invalid_input",
      `${path} is for the prefix ${file.prefix}, and this swarm has ${swarm.prefix}; give --prefix ${file.prefix}`,
      { field: "prefix" },
    );
  }
  const { keys } = dataFiles(swarm.data);
  writeAccounts(file, swarm.data);
  return {
    path,
    keys,
    environmentOf: (user) => ({
      MURMUR_NKEY_FILE: seedFile(keys, user),
      MURMUR_INBOX_PREFIX: `_INBOX.${user}`,
    }),
    classOf: (role) => classOf(role, file, path),
    coordinatorUser(id) {
      if (file.coordinators.includes(id)) return id;
      throw new SwarmError(
        "invalid_input",
        `${path} lists no coordinator ${id}; add it to coordinators, or give --coordinators ${file.coordinators.length}`,
        { field: "coordinators" },
      );
    },
  };
}

/** Makes the missing keys of a local swarm, and writes the accounts that its server reads at its start and at a reload. */
export function writeAccounts(file: Permissions, data: string): void {
  const { keys, natsAccounts } = dataFiles(data);
  makeKeys(keys, usersOf(file));
  writeFileSync(natsAccounts, renderAccounts(file, requirePublicKeys(keys, usersOf(file))));
}

/** The class with a group of the role's name; else the class of that name. */
function classOf(role: string, { classes }: Permissions, path: string): string {
  const found =
    classes.find(({ groups }) => groups.some(({ name }) => name === role)) ??
    classes.find(({ name }) => name === role);
  if (found !== undefined) return found.name;
  throw new SwarmError(
    "invalid_input",
    `${path} has no class for the agents of ${role}; add a group named ${role} to the class that offers their capabilities`,
    { field: "agents" },
  );
}

/** The user of the agents of a role. */
export function agentEnvironment(role: string, users: LocalUsers): Record<string, string> {
  const name = users.classOf(role);
  return { ...users.environmentOf(agentUser(name)), MURMUR_AGENT_CLASS: name };
}
