// The permissions file of a process that runs: the users and rights of now (followed-file.ts).
import type { Logger } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import { type FileKind, FollowedFile, readFirst } from "../followed-file.ts";
import { type LocatedPermissions, type Permissions, parseLocated, readPermissionsText } from "./file.ts";
import { findIdle } from "./rights.ts";
import { usersOf } from "./role.ts";

const PERMISSIONS_KIND: FileKind<LocatedPermissions> = {
  name: "permissions file",
  gives: "rights",
  read: readPermissionsText,
  parse: parseLocated,
  members: ({ permissions }) => usersOf(permissions),
  requireSuccessor: requireSameSwarm,
  weakness: ({ permissions }, path) => describeIdle(permissions, path),
};

/** A permissions file, and its contents that count. */
export class FollowedPermissions extends FollowedFile<LocatedPermissions> {
  /** Reads the file for the first time. @throws SwarmError `invalid_input`, as `readPermissions`. */
  static async read(path: string, options: { log: Logger }): Promise<FollowedPermissions> {
    return new FollowedPermissions(await readFirst(PERMISSIONS_KIND, path), options);
  }

  /** The permissions that count. */
  get now(): Permissions {
    return this.contents.permissions;
  }
}

/** The capabilities that no user submits, so that agents wait in vain; null without one. */
function describeIdle(permissions: Permissions, path: string): string | null {
  const [first, ...more] = findIdle(permissions);
  if (first === undefined) return null;
  const others = more.length === 0 ? "" : ` and ${more.length} more`;
  return `${path}: no publisher and no operator submits tasks of ${first.capability} (classes[${first.class}])${others}, so its agents wait in vain; add it to a publisher, or remove it from the class`;
}

/** The names of subjects and streams begin with the prefix, and the connection of this process has one account. */
function requireSameSwarm(now: LocatedPermissions, next: LocatedPermissions, path: string): void {
  const { prefix } = now.permissions;
  if (next.permissions.prefix === prefix) return;
  throw new SwarmError(
    "invalid_input",
    `${path}: prefix must stay ${prefix}, got ${next.permissions.prefix}; another swarm needs processes of its own`,
    { field: "prefix" },
  );
}
