// The file permissions.yaml: the swarm's users and their work. Owns its schema, its reader and the texts of its errors. Leaves the
// subjects that each user needs to the tables of permissions, and the enforcement to NATS and to the API.
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { nearest } from "../../base/index.ts";
import {
  ENGINE_CLASS,
  findFaults,
  nameSchema,
  PREFIX_PATTERN,
  SwarmError,
  WORKFLOW_CAPABILITY,
} from "../../protocol/index.ts";
import { MAX_ACK_PENDING } from "../../transport/index.ts";
import { hashOfFile } from "../followed-file.ts";
import { ACCESS_LEVELS } from "../operations/operation.ts";

/** The pattern of an agent class: it becomes a part of stream names, and stream names are upper case. */
export const CLASS_PATTERN = /^[a-z0-9]{1,16}$/;
/** The class of agents without a permissions file. */
export const DEFAULT_CLASS = "default";
/** The largest permissions file, in bytes: room for thousands of users. A larger one is probably another file. */
const MAX_FILE_BYTES = 1024 * 1024;
/** The most entries of a list in the file. NATS reads all permissions of all users at each reload. */
const MAX_LIST_ENTRIES = 1_000;
/** The users that every swarm has, by the names that no other user can take. */
export const FIXED_USERS = ["api", "engine", "init", "system"] as const;
/** The start of the user name of an agent class: `agent-default`. */
const AGENT_USER = "agent-";

const list = <S extends z.ZodType>(entry: S) => z.array(entry).max(MAX_LIST_ENTRIES);
const capabilities = list(
  nameSchema.refine(
    (name) => name !== WORKFLOW_CAPABILITY,
    `must not be ${WORKFLOW_CAPABILITY}, which is reserved for the results of workflows`,
  ),
);
const classSchema = z
  .string()
  .regex(CLASS_PATTERN, "must be 1–16 of a–z 0–9")
  .refine((name) => name !== ENGINE_CLASS, `must not be ${ENGINE_CLASS}, which is reserved for engines`);

const publisherSchema = z.strictObject({
  name: nameSchema,
  /** The capabilities whose tasks it submits, follows, cancels and lists. */
  capabilities: capabilities.min(1),
});

const groupSchema = z.strictObject({
  name: nameSchema,
  /** The tasks that one pod of the group performs at the same time. */
  slots: z.int().min(1).max(10_000),
  /** The part of the class's capabilities that the group's agents offer; default all. */
  capabilities: capabilities.min(1).optional(),
});

const agentClassSchema = z.strictObject({
  name: classSchema,
  /** The capabilities that agents of the class offer. */
  capabilities: capabilities.min(1),
  /** The capabilities that agents of the class may ask. */
  asks: capabilities.default([]),
  /** The groups of pods that scale together. */
  groups: list(groupSchema).default([]),
});

const operatorSchema = z.strictObject({
  name: nameSchema,
  /** The operations that the person may call: `read` < `submit` < `operate` < `admin`. */
  access: z.enum(ACCESS_LEVELS),
  /** The capabilities that the person may touch; default all. */
  capabilities: capabilities.min(1).optional(),
  /** The groups of the person, which approvals of workflows name; default none. */
  groups: list(nameSchema).default([]),
});

const MEBIBYTE = 1024 ** 2;
/** Unlimited, in the settings of nats-server. */
export const UNLIMITED = -1;
const limitsSchema = z.strictObject({
  /** The most connections of all users of the swarm together; -1: no limit. */
  connections: z.int().min(UNLIMITED).default(4_096),
  /** The most subscriptions of one connection: inboxes, mailboxes and follows of one process. */
  subscriptions: z.int().min(UNLIMITED).default(65_536),
  /** The most bytes of one message. Larger bodies travel as blobs. */
  payloadBytes: z
    .int()
    .min(MEBIBYTE)
    .max(64 * MEBIBYTE)
    .default(MEBIBYTE),
  /** The most bytes that the streams of the swarm store; -1: only the limit of the server. */
  storageBytes: z.int().min(UNLIMITED).default(UNLIMITED),
  /** The most unacknowledged deliveries of one consumer that JetStream allows in the account; at least as many as consumers ask for. */
  ackPending: z.int().min(MAX_ACK_PENDING).default(MAX_ACK_PENDING),
});

/** The schema of permissions.yaml. {@link readPermissions} also checks the facts that lie between its entries. */
export const permissionsSchema = z.strictObject({
  version: z.literal(1),
  prefix: z.string().regex(PREFIX_PATTERN, "must be 1–32 of a–z 0–9 _ -").default("murmur"),
  /** The NATS account of the swarm; default: the prefix in upper case. */
  account: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1–64 of A–Z a–z 0–9 _ -")
    .optional(),
  publishers: list(publisherSchema).default([]),
  classes: list(agentClassSchema).default([]),
  coordinators: list(nameSchema).default(["coordinator-1"]),
  operators: list(operatorSchema).default([]),
  /** The API role. It has no settings yet. */
  api: z.strictObject({}).default({}),
  limits: limitsSchema.default(limitsSchema.parse({})),
});

/** The contents of permissions.yaml, with defaults filled in. */
export type Permissions = z.output<typeof permissionsSchema>;
/** A class of agents. */
export type AgentClass = Permissions["classes"][number];

/** The NATS user of an agent class. */
export const agentUser = (name: string) => `${AGENT_USER}${name}`;

/** Coordinators vote, so their number is odd; the limit is that of the election. */
const COORDINATOR_COUNTS: readonly number[] = [1, 3, 5, 7];

/**
 * Reads and checks a permissions file.
 * @throws SwarmError `invalid_input` that names file, line and key: the expectation, the found value, the next step.
 */
export async function readPermissions(path: string): Promise<Permissions> {
  return (await readLocated(path)).permissions;
}

/** A checked file, and the lines of its keys. */
export interface LocatedPermissions {
  readonly permissions: Permissions;
  /** {@link hashOfFile} of its text. */
  readonly hash: string;
  /** The path of the file, as it was named. */
  readonly path: string;
  /** The line of the deepest part of the path that stands in the file; undefined for an empty file. */
  lineOf(path: readonly (string | number)[]): number | undefined;
}

/** As {@link readPermissions}, with the lines. */
export async function readLocated(path: string): Promise<LocatedPermissions> {
  return parseLocated(await readPermissionsText(path), path);
}

/** Reads the text of a permissions file. @throws SwarmError `invalid_input` for a file that cannot be read. */
export async function readPermissionsText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? "unknown";
    throw new SwarmError(
      "invalid_input",
      `permissions file ${path} cannot be read (${why}); name it with --permissions or MURMUR_PERMISSIONS_FILE`,
      { field: "permissionsFile", cause },
    );
  }
}

/** As {@link readPermissions}, for a text. `source` names it in errors. */
export async function parsePermissions(text: string, source: string): Promise<Permissions> {
  return (await parseLocated(text, source)).permissions;
}

/** As {@link parsePermissions}, with the lines. */
export async function parseLocated(text: string, source: string): Promise<LocatedPermissions> {
  const refuse = (line: number | undefined, field: string, problem: string): never => {
    const place = line === undefined ? source : `${source}:${line}`;
    throw new SwarmError("invalid_input", `${place}: ${field === "" ? "the file" : field} ${problem}`, {
      field: field === "" ? "permissionsFile" : field,
    });
  };
  if (text.length > MAX_FILE_BYTES) refuse(undefined, "", `must have at most ${MAX_FILE_BYTES} bytes`);
  // The parser takes 50 ms to load, so only the processes that read such a file load it.
  const { LineCounter, parseDocument } = await import("yaml");
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, uniqueKeys: true });
  const [broken] = document.errors;
  if (broken !== undefined) {
    refuse(counter.linePos(broken.pos[0]).line, "", `must be YAML: ${broken.message.split("\n")[0]}`);
  }
  const lineOf = (path: readonly (string | number)[]) => {
    for (let depth = path.length; depth >= 0; depth--) {
      const node: unknown = document.getIn(path.slice(0, depth), true);
      const range = (node as { range?: [number, number, number] | null } | undefined)?.range;
      if (range !== undefined && range !== null) return counter.linePos(range[0]).line;
    }
    return undefined;
  };
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    refuse(undefined, "", `must be YAML: ${(error as Error).message}`);
  }
  const [fault] = findFaults(permissionsSchema, value ?? {});
  if (fault !== undefined) {
    const path = toPath(fault.field);
    const meant = fault.known === undefined ? undefined : nearest(String(path.at(-1)), fault.known);
    const hint =
      fault.known === undefined
        ? ""
        : `${meant === undefined ? "" : `; did you mean ${meant}?`} (known: ${fault.known.join(", ")})`;
    refuse(lineOf(path), fault.field, fault.text + hint);
  }
  const permissions = permissionsSchema.parse(value);
  const [conflict] = findConflicts(permissions);
  if (conflict !== undefined) refuse(lineOf(conflict.path), conflict.path.join("."), conflict.problem);
  return { permissions, hash: hashOfFile(text), path: source, lineOf };
}

/** `publishers.0.name` → `publishers`, 0, `name`. */
function toPath(field: string): (string | number)[] {
  return field === "" ? [] : field.split(".").map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

interface Conflict {
  path: (string | number)[];
  problem: string;
}

/** The faults that lie between entries: two users of one name, groups beyond their class, a number of coordinators without a majority. */
function* findConflicts({ publishers, classes, coordinators, operators }: Permissions): Generator<Conflict> {
  const taken = new Map<string, string>(FIXED_USERS.map((name) => [name, `the ${name} user of every swarm`]));
  const named = [
    ...publishers.map(({ name }, at) => ({ path: ["publishers", at, "name"], user: name })),
    ...classes.map(({ name }, at) => ({ path: ["classes", at, "name"], user: agentUser(name) })),
    ...coordinators.map((id, at) => ({ path: ["coordinators", at], user: id })),
    ...operators.map(({ name }, at) => ({ path: ["operators", at, "name"], user: name })),
  ];
  for (const { path, user } of named) {
    const other = taken.get(user);
    if (other !== undefined) {
      yield { path, problem: `takes the user name ${user}, which ${other} has; choose another name` };
    }
    taken.set(user, path.join("."));
  }
  if (!COORDINATOR_COUNTS.includes(coordinators.length)) {
    yield {
      path: ["coordinators"],
      problem: `must name 1, 3, 5 or 7 coordinators, got ${coordinators.length}`,
    };
  }
  const groups = new Set<string>();
  for (const [at, { name, capabilities: offered, groups: own }] of classes.entries()) {
    for (const [position, group] of own.entries()) {
      const path = ["classes", at, "groups", position];
      if (groups.has(group.name)) {
        yield {
          path: [...path, "name"],
          problem: `names the group ${group.name} twice; choose another name`,
        };
      }
      groups.add(group.name);
      const foreign = group.capabilities?.find((capability) => !offered.includes(capability));
      if (foreign !== undefined) {
        yield {
          path: [...path, "capabilities"],
          problem: `has ${foreign}, which class ${name} does not offer; add it to the capabilities of the class`,
        };
      }
    }
  }
}
