// The line of permissions.yaml that would permit an operation which NATS refused. Tries edits of the file, and asks the tables of
// permissions about each. Pure.
// A1: an edit is named only if the tables permit the operation with it, and do not without it.
import { dropOldest } from "../../base/index.ts";
import {
  type AgentClass,
  agentUser,
  CLASS_PATTERN,
  FIXED_USERS,
  type LocatedPermissions,
  type Permissions,
  permissionsSchema,
} from "./file.ts";
import { findGrant, type NatsOperation } from "./grants.ts";
import { permissionsOf } from "./permissions-of.ts";
import { entryOf, type Role, rolesOf } from "./role.ts";

/** A refused operation, and its user: see `Violation` of the transport. */
export interface RefusedByNats {
  readonly user: string;
  readonly operation: NatsOperation;
  readonly subject: string;
}

/** A capability that no subject names: with it an edit permits the operation, whatever the capability is. */
const ANY_CAPABILITY = "any-capability-at-all";
/** The separators of the parts of a subject; a consumer's name ends with a priority. */
const PARTS = /[.\s]/;
const PRIORITY_END = /-(?:high|normal|low)$/;
/** The users that have inboxes of their own: `_INBOX.<user>`. */
const INBOX_OF_USER = /^_INBOX\.([A-Za-z0-9_-]{1,64})$/;
/** The most parts of a subject that are tried: the subject may come from the input of a caller. */
const MAX_PARTS = 16;

/** The most answers that are remembered. Subjects may hold ids, so their number has no bound of its own. */
const MAX_REMEMBERED = 100;

/** The question to the front door: the advice of an api process, which has the file. */
export type AskForAdvice = (refused: Omit<RefusedByNats, "user">) => Promise<string>;

/** The advice of one connection. */
export interface Advisor {
  /** The advice at once. Without a file it names the key by the user alone, and asks the front door for the next time. */
  readonly advise: (refused: Omit<RefusedByNats, "user">) => string;
  /** The guess that a message ends with, if one was asked about. */
  guessIn(message: string): string | undefined;
  /** An advice that {@link advise} gave, or the better one of the front door, once that has answered or failed. */
  better(advice: string): Promise<string>;
}

/**
 * Makes the advice of one connection: the user is that of its inbox prefix. Undefined for a connection without one, in a swarm whose
 * users do not come from a permissions file. `ask`: asks the front door, for a process without the file.
 */
export function createAdvisor(
  { inboxPrefix, prefix }: { inboxPrefix?: string | undefined; prefix: string },
  file: () => LocatedPermissions | null,
  ask?: (user: string) => AskForAdvice,
): Advisor | undefined {
  const user = INBOX_OF_USER.exec(inboxPrefix ?? "")?.[1];
  if (user === undefined) return undefined;
  let remembered = new Map<string, string>();
  let of = file();
  const asked = new Map<string, Promise<string>>();
  const askFor = (key: string, refused: Omit<RefusedByNats, "user">, guess: string) => {
    // A user without the front door cannot ask it, and the refused question would ask again.
    const mayAsk = !FIXED_USERS.some((fixed) => fixed === user);
    if (ask === undefined || !mayAsk || refused.subject.startsWith(`${prefix}.operate.`)) return;
    const answer = ask(user)(refused).then(
      (advice) => {
        remembered.set(key, advice);
        return advice;
      },
      () => guess,
    );
    asked.set(guess, answer);
    dropOldest(asked, MAX_REMEMBERED);
  };
  return {
    advise({ operation, subject }) {
      const now = file();
      if (now !== of) remembered = new Map();
      of = now;
      const key = `${operation} ${subject}`;
      const known = remembered.get(key);
      const advice = known ?? adviceFor({ user, operation, subject }, now, prefix);
      remembered.set(key, advice);
      dropOldest(remembered, MAX_REMEMBERED);
      if (known === undefined && now === null) askFor(key, { operation, subject }, advice);
      return advice;
    },
    guessIn: (message) => [...asked.keys()].find((guess) => message.endsWith(guess)),
    better: async (advice) => (await asked.get(advice)) ?? advice,
  };
}

/** The file to look into, for a process that does not have it. */
const ELSEWHERE = "permissions.yaml of the api process (its setting permissionsFile)";

/**
 * The advice, as a sentence without its end: the file with its line, the key and its new value, or the reason why no line of the file
 * helps. `file`: null where the process has no permissions file; the user is then a publisher or a class of agents without capabilities.
 */
export function adviceFor(
  refused: RefusedByNats,
  file: Pick<LocatedPermissions, "permissions" | "path" | "lineOf"> | null,
  prefix: string,
): string {
  const known = file?.permissions ?? guessFile(refused.user, prefix);
  const role = rolesOf(known).find(({ user }) => user === refused.user);
  const source = file?.path ?? ELSEWHERE;
  if (role === undefined) {
    return `${source} has no user ${refused.user}: add it to publishers, classes, coordinators or operators`;
  }
  const isPermitted = (edited: Permissions, by: Role = role) =>
    findGrant(permissionsOf(by, edited), refused.operation, refused.subject) !== null;
  if (isPermitted(known)) {
    return `${source} permits it to ${role.title}: let the servers read the present file (murmur permissions render, reload)`;
  }
  for (const { key, value, edited } of editsOf(known, role, refused.subject)) {
    if (!isPermitted(edited)) continue; // A1
    const line = file?.lineOf(key === "prefix" ? [key] : entryOf(role, known));
    return `${source}${line === undefined ? "" : `:${line}`}: ${key} needs ${value}`;
  }
  const others = rolesOf(known).filter((each) => each.kind !== role.kind && isPermitted(known, each));
  const kinds = [...new Set(others.map(({ kind }) => kind))];
  return kinds.length === 0
    ? `no line of ${source} permits it to ${role.title}`
    : `no line of ${source} permits it to ${role.title}; it is the right of: ${kinds.join(", ")}`;
}

interface Edit {
  /** The key, with the name of the entry: `classes[default].asks`. */
  readonly key: string;
  readonly value: string;
  readonly edited: Permissions;
}

/** The edits to try, the narrowest first. */
function* editsOf(file: Permissions, role: Role, subject: string): Generator<Edit> {
  for (const capability of [ANY_CAPABILITY, ...capabilitiesIn(subject)]) {
    const value = capability === ANY_CAPABILITY ? "a capability" : capability;
    if (role.kind === "publisher") {
      const publishers = file.publishers.map((each) =>
        each.name === role.name ? { ...each, capabilities: [...each.capabilities, capability] } : each,
      );
      yield { key: `publishers[${role.name}].capabilities`, value, edited: { ...file, publishers } };
    }
    if (role.kind === "agent") {
      for (const list of ["asks", "capabilities"] as const) {
        const classes = file.classes.map((each) =>
          each.name === role.name ? withCapability(each, list, capability) : each,
        );
        yield { key: `classes[${role.name}].${list}`, value, edited: { ...file, classes } };
      }
    }
  }
  const [prefix = ""] = subject.split(".");
  if (prefix !== file.prefix && permissionsSchema.shape.prefix.safeParse(prefix).success) {
    yield { key: "prefix", value: `${prefix}, and is ${file.prefix}`, edited: { ...file, prefix } };
  }
}

function withCapability(agents: AgentClass, list: "asks" | "capabilities", capability: string): AgentClass {
  return { ...agents, [list]: [...agents[list], capability] };
}

/** The parts of a subject that may be capabilities. */
function capabilitiesIn(subject: string): string[] {
  const parts = subject.split(PARTS).slice(0, MAX_PARTS);
  const all = parts.flatMap((part) => [part, part.replace(PRIORITY_END, "")]);
  return [...new Set(all)].filter((part) => /^[A-Za-z0-9_-]{1,64}$/.test(part));
}

/** A file with this user alone, and without capabilities: its name tells a class of agents; others are publishers. */
function guessFile(user: string, prefix: string): Permissions {
  const empty = permissionsSchema.parse({ version: 1, prefix });
  const start = agentUser("");
  if (user.startsWith(start) && CLASS_PATTERN.test(user.slice(start.length))) {
    const agents = { name: user.slice(start.length), capabilities: [], asks: [], groups: [] };
    return { ...empty, classes: [agents] };
  }
  const isFixed = rolesOf(empty).some((each) => each.user === user);
  return isFixed ? empty : { ...empty, publishers: [{ name: user, capabilities: [] }] };
}
