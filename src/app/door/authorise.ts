// May this user call this operation with this input? Pure: the driver looks up the capability of a task that the answer depends on.
import { SwarmError } from "../../protocol/index.ts";
import { ACCESS_LEVELS, type Access, type Operation, type Reach } from "../operations/operation.ts";
import { keyOf, type UserRights } from "../permissions/index.ts";

/** The answer: the input that may run (a list may be narrowed), and the task whose capability must be one of the user's. */
export interface Authorised {
  readonly input: unknown;
  readonly task: string | null;
}

/**
 * Checks an operation and its parsed input against the rights of the caller.
 * @throws SwarmError `not_permitted`, which names the right that is missing.
 */
export function authorise(rights: UserRights, operation: Operation, input: unknown): Authorised {
  const needed = operation.accessOf?.(input) ?? operation.access;
  const isAllowed = rights.access === null ? operation.isForAgents === true : covers(rights.access, needed);
  if (!isAllowed) {
    throw refusal(
      `${operation.name} needs the access ${needed}, and ${rights.role} has ${rights.access ?? "none"}; ${adviceOnAccess(rights, needed)}`,
    );
  }
  if (rights.capabilities === null) return { input, task: null };
  return checkReach(rights.capabilities, { rights, operation, input });
}

/** Checks the capability of the task that {@link authorise} named. @throws SwarmError `not_permitted`. */
export function checkTask(rights: UserRights, task: string, capability: string | null): void {
  if (rights.capabilities === null || (capability !== null && rights.capabilities.includes(capability)))
    return;
  throw refusal(
    `task ${task} belongs to none of the capabilities of ${rights.role}: ${rights.capabilities.join(", ")}`,
  );
}

/** Publishers and agents have the access of their kind; that of an operator or of an API token is a line of its file. */
function adviceOnAccess(rights: UserRights, needed: Access): string {
  const { access, role } = rights;
  return role.startsWith("operator/") || role.startsWith("token/")
    ? `${placeOf(rights)}: ${keyOf(role)}.access needs ${needed}, and is ${access}`
    : `no line of permissions.yaml permits it to ${role}; it is the right of an operator with the access ${needed}`;
}

const placeOf = ({ place = "permissions.yaml" }: UserRights) => place;

function covers(held: Access, needed: Access): boolean {
  return ACCESS_LEVELS.indexOf(held) >= ACCESS_LEVELS.indexOf(needed);
}

function checkReach(
  own: readonly string[],
  { rights, operation, input }: { rights: UserRights; operation: Operation; input: unknown },
): Authorised {
  const reach: Reach | undefined = operation.reach?.(input);
  const { capabilities = [], task = null, filter } = reach ?? {};
  const foreign = [...capabilities, ...(filter?.capability === undefined ? [] : [filter.capability])].find(
    (each) => !own.includes(each),
  );
  if (foreign !== undefined) {
    throw refusal(
      `${foreign} is none of the capabilities of ${rights.role}: ${own.join(", ")}; ${placeOf(rights)}: ${keyOf(rights.role)}.capabilities needs it`,
    );
  }
  if (filter !== undefined && filter.capability === undefined) {
    if (own.length !== 1) {
      throw refusal(`${operation.name} of ${rights.role} must name one capability: ${own.join(", ")}`);
    }
    return { input: { ...(input as object), capability: own[0] }, task };
  }
  const touchesOnlyThese = capabilities.length > 0 || task !== null || filter !== undefined;
  if (touchesOnlyThese || isOfNoCapability(reach)) return { input, task };
  throw refusal(
    `${operation.name} touches more than the capabilities of ${rights.role}: ${own.join(", ")}; ask an operator without such a list`,
  );
}

/** True for an operation that says that it touches no capability at all, such as the storing of a blob. */
function isOfNoCapability(reach: Reach | undefined): boolean {
  return reach?.capabilities?.length === 0;
}

function refusal(message: string): SwarmError {
  return new SwarmError("not_permitted", message);
}
