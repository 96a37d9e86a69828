// The attempts of `doctor --role`: each line of a role, which the server must allow, and lines of other roles, which it must refuse. Pure.
import { createSubjects } from "../../protocol/index.ts";
import { ANY_INBOX, inboxPrefixOf, jetStreamApi, serverRequests } from "../../transport/index.ts";
import type { Permissions } from "./file.ts";
import { findGrant, type NatsOperation, type RolePermissions } from "./grants.ts";
import { createNames } from "./names.ts";
import { permissionsOf } from "./permissions-of.ts";
import { classNamesOf } from "./rights.ts";
import { type Role, rolesOf } from "./role.ts";

/** The most attempts that must be refused. The server writes a log line for each; those of a swarm with three classes fit. */
export const MAX_FOREIGN = 200;
/** The token for each wildcard of a subject. */
const TOKEN = "doctor";

/** One attempt. */
export interface Attempt {
  readonly operation: NatsOperation;
  readonly subject: string;
  /** The use of the line; of a foreign line, with the role that has it. */
  readonly why: string;
  readonly isNeeded: boolean;
}

/** The attempts for one role. */
export interface TrialPlan {
  /** A subject of the role that no program listens on; null: the role has none, so no publish can be tried. */
  readonly control: string | null;
  readonly attempts: readonly Attempt[];
  /** The foreign lines above {@link MAX_FOREIGN}. */
  readonly dropped: number;
}

/** Plans the attempts of a role: each of its lines, and what no user or only other users may do. */
export function planTrial(role: Role, file: Permissions): TrialPlan {
  const own = permissionsOf(role, file);
  const control = controlOf(role, file, own);
  const needed = linesOf(own).map((line) => ({ ...line, isNeeded: true }));
  const foreign = new Map<string, Attempt>();
  const add = (line: Line) => {
    if (findGrant(own, line.operation, line.subject) !== null) return;
    const key = `${line.operation} ${line.subject}`;
    if (!foreign.has(key)) foreign.set(key, { ...line, isNeeded: false });
  };
  for (const line of forbiddenToAll(file)) add(line);
  for (const other of rolesOf(file)) {
    if (other.user === role.user) continue;
    for (const line of linesOf(permissionsOf(other, file))) {
      add({ ...line, why: `${other.title}: ${line.why}` });
    }
  }
  const all = [...foreign.values()];
  return {
    control,
    attempts: [...needed, ...all.slice(0, MAX_FOREIGN)].filter(({ subject }) => subject !== control),
    dropped: Math.max(0, all.length - MAX_FOREIGN),
  };
}

type Line = Omit<Attempt, "isNeeded">;

function linesOf({ publish, subscribe }: RolePermissions): Line[] {
  return [
    ...publish.allow.map(({ subject, why }) => ({
      operation: "publish" as const,
      subject: concrete(subject),
      why,
    })),
    ...subscribe.allow.map(({ subject, why }) => ({ operation: "subscribe" as const, subject, why })),
  ];
}

const concrete = (pattern: string) =>
  pattern
    .split(".")
    .map((token) => (token === "*" || token === ">" ? TOKEN : token))
    .join(".");

/** The subjects that no role may use. */
function forbiddenToAll(file: Permissions): Line[] {
  const names = createNames(file.prefix, classNamesOf(file));
  const tasks = names.stream("tasks");
  const publish = (subject: string, why: string): Line => ({
    operation: "publish",
    subject: concrete(subject),
    why,
  });
  const subscribe = (subject: string, why: string): Line => ({ operation: "subscribe", subject, why });
  return [
    publish(names.subject("doneOf"), "no user: forge the end of a task"),
    publish(createSubjects(file.prefix).submit, "no user: submit without a name"),
    publish(`$JS.API.STREAM.DELETE.${tasks}`, "no user: delete a stream"),
    publish(`$JS.API.CONSUMER.DURABLE.CREATE.${tasks}.${TOKEN}`, "no user: create a consumer in the old way"),
    publish(jetStreamApi.purge(names.stream("audit")), "no user: purge the audit log"),
    publish(`$SYS.REQ.SERVER.${TOKEN}.KICK`, "no user: cut a client"),
    subscribe(">", "no user: hear everything"),
    subscribe(`${file.prefix}.>`, "no user: hear the whole swarm"),
    subscribe(ANY_INBOX, "no user: hear the replies to all users"),
    subscribe("$JS.API.>", "no user: hear requests to JetStream"),
    subscribe("$SYS.>", "no user: hear the servers"),
  ];
}

/** The first of the subjects without an effect that the role may publish: its own inbox, a receipt that does not exist, two questions. */
function controlOf(role: Role, file: Permissions, own: RolePermissions): string | null {
  const names = createNames(file.prefix, classNamesOf(file));
  const harmless = [
    `${inboxPrefixOf(role.user)}.${TOKEN}`,
    concrete(names.subject("operateReceipt", { user: role.user })),
    jetStreamApi.streamInfo(names.stream("audit")),
    serverRequests.ping,
  ];
  return harmless.find((subject) => findGrant(own, "publish", subject) !== null) ?? null;
}
