// The roles of a swarm with permissions, by the names that people give them: publisher/web, agent/default, api. Pure.
import { SwarmError, showValue } from "../../protocol/index.ts";
import { agentUser, FIXED_USERS, type Permissions } from "./file.ts";

/** The kinds of roles. Every swarm has exactly one of each fixed user. */
export type RoleKind = "publisher" | "agent" | "coordinator" | "operator" | (typeof FIXED_USERS)[number];

/** One role: a user of the swarm, or of the servers (`system`). */
export interface Role {
  readonly kind: RoleKind;
  /** The name in the file: of the publisher, class, coordinator or person. The kind itself, for a role without a name. */
  readonly name: string;
  /** As people name it: `publisher/web`, `api`. */
  readonly title: string;
  /** The user at NATS. */
  readonly user: string;
}

const named = (kind: Exclude<RoleKind, (typeof FIXED_USERS)[number]>, name: string): Role => ({
  kind,
  name,
  title: `${kind}/${name}`,
  user: kind === "agent" ? agentUser(name) : name,
});

/** All roles of a file: its own in their order, then those of every swarm. */
export function rolesOf({ publishers, classes, coordinators, operators }: Permissions): Role[] {
  return [
    ...publishers.map(({ name }) => named("publisher", name)),
    ...classes.map(({ name }) => named("agent", name)),
    ...coordinators.map((id) => named("coordinator", id)),
    ...operators.map(({ name }) => named("operator", name)),
    ...FIXED_USERS.map((kind) => ({ kind, name: kind, title: kind, user: kind })),
  ];
}

/** The users of all roles, in the same order. */
export function usersOf(file: Permissions): string[] {
  return rolesOf(file).map(({ user }) => user);
}

/** The role of that title. @throws SwarmError `not_found` that lists the roles of the file. */
export function findRole(title: string, file: Permissions): Role {
  const roles = rolesOf(file);
  const role = roles.find((each) => each.title === title);
  if (role !== undefined) return role;
  throw new SwarmError(
    "not_found",
    `role ${showValue(title)} is not in the permissions; known: ${roles.map((each) => each.title).join(", ")}`,
    { field: "role" },
  );
}

/** The path of the entry in the file that a role's rights come from. Roles of every swarm have none of their own: the prefix names it. */
export function entryOf(role: Role, file: Permissions): readonly (string | number)[] {
  const named = (list: readonly { name: string }[]) => list.findIndex(({ name }) => name === role.name);
  switch (role.kind) {
    case "publisher":
      return ["publishers", named(file.publishers)];
    case "agent":
      return ["classes", named(file.classes)];
    case "operator":
      return ["operators", named(file.operators)];
    case "coordinator":
      return ["coordinators", file.coordinators.indexOf(role.name)];
    default:
      return ["prefix"];
  }
}
