// The rights of one user at the front door of a swarm with permissions: the operations and the capabilities. Pure.
import type { Access } from "../operations/operation.ts";
import { agentUser, type LocatedPermissions, type Permissions } from "./file.ts";
import { entryOf, rolesOf } from "./role.ts";

/** The rights of a user at the front door. */
export interface UserRights {
  readonly user: string;
  /** The role as `explain` names it: `publisher/web`, `agent/default`, `operator/anna`; `token/web` for a token of the HTTP API. */
  readonly role: string;
  /** The most that an operation may ask for. Null: no operation but those for agents, such as the read of a journal. */
  readonly access: Access | null;
  /** The capabilities whose tasks the user may touch. Null: all. */
  readonly capabilities: readonly string[] | null;
  /** The groups of the user, which approvals of workflows name. Default: none. */
  readonly groups?: readonly string[] | undefined;
  /** The file and the line of the user's entry, as an error names them. Default: `permissions.yaml`. */
  readonly place?: string | undefined;
}

/** The rights of the user whose name NATS proved; null for a user who may call nothing. */
export function rightsOf(user: string, file: Permissions): UserRights | null {
  const publisher = file.publishers.find(({ name }) => name === user);
  if (publisher !== undefined) {
    return { user, role: `publisher/${user}`, access: "submit", capabilities: publisher.capabilities };
  }
  const operator = file.operators.find(({ name }) => name === user);
  if (operator !== undefined) {
    const { access, capabilities = null, groups } = operator;
    return { user, role: `operator/${user}`, access, capabilities, groups };
  }
  const agents = file.classes.find(({ name }) => agentUser(name) === user);
  if (agents === undefined) return null;
  return { user, role: `agent/${agents.name}`, access: null, capabilities: agents.capabilities };
}

/** As {@link rightsOf}, with the place of the user's entry. */
export function locateRights(user: string, file: LocatedPermissions): UserRights | null {
  const rights = rightsOf(user, file.permissions);
  const role = rolesOf(file.permissions).find((each) => each.user === user);
  if (rights === null || role === undefined) return rights;
  const line = file.lineOf(entryOf(role, file.permissions));
  return { ...rights, place: line === undefined ? file.path : `${file.path}:${line}` };
}

const LISTS: Readonly<Record<string, string>> = {
  publisher: "publishers",
  operator: "operators",
  agent: "classes",
  token: "tokens",
};

/** The key of a user's entry in the file, by its role: `operator/anna` is `operators[anna]`. */
export function keyOf(role: string): string {
  const [kind = "", name = ""] = role.split("/");
  return `${LISTS[kind] ?? kind}[${name}]`;
}

/** One group of agents that scales together. */
export interface ScaledGroup {
  readonly name: string;
  readonly class: string;
  readonly capabilities: readonly string[];
  /** The tasks that one pod performs at the same time. */
  readonly slots: number;
}

/** All groups of the file, in its order. */
export function groupsOf({ classes }: Permissions): ScaledGroup[] {
  return classes.flatMap((each) =>
    each.groups.map(({ name, slots, capabilities = each.capabilities }) => ({
      name,
      class: each.name,
      capabilities,
      slots,
    })),
  );
}

/** Every capability that the file names, sorted: of publishers and classes, and of asks. */
export function capabilitiesOf({ publishers, classes }: Permissions): string[] {
  const all = [
    ...publishers.flatMap(({ capabilities }) => capabilities),
    ...classes.flatMap(({ capabilities, asks }) => [...capabilities, ...asks]),
  ];
  return [...new Set(all)].sort();
}

/**
 * The capabilities of classes whose agents wait in vain: a user of the file submits tasks, and none submits or asks these. A file without
 * users that submit is that of a swarm whose commands connect as `api`.
 */
export function findIdle({
  publishers,
  classes,
  operators,
}: Permissions): { class: string; capability: string }[] {
  const people = operators.filter(({ access }) => access !== "read");
  if (publishers.length + people.length === 0) return [];
  if (people.some(({ capabilities }) => capabilities === undefined)) return [];
  const used = new Set([
    ...[...publishers, ...people].flatMap(({ capabilities = [] }) => capabilities),
    ...classes.flatMap(({ asks }) => asks),
  ]);
  return classes.flatMap(({ name, capabilities }) =>
    capabilities.filter((each) => !used.has(each)).map((capability) => ({ class: name, capability })),
  );
}

/** The classes of the file, sorted: `init` creates a stream of placed tasks for each. */
export function classNamesOf({ classes }: Permissions): string[] {
  return classes.map(({ name }) => name).sort();
}
