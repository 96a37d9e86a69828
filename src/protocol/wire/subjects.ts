// Builds and reads every NATS subject of a swarm. subject-facts.ts describes each subject for people.
//
// I1  Each interpolated token is checked before it becomes part of a subject, because the NATS client and JetStream accept
//     `a.*`, empty tokens and NUL.
import { crc32 } from "node:zlib";
import { SwarmError } from "./errors.ts";

/** The pattern of one subject token: an id, a capability, a scope, or one token of a topic. */
export const TOKEN_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;

/** The token that stands for "none" or "all". It is no name, so that it can never stand for a task, an agent or a host. */
export const PLACEHOLDER = "-";

/** The pattern of a name: a token that is not {@link PLACEHOLDER}. */
export const NAME_PATTERN = /^(?!-$)[A-Za-z0-9_-]{1,64}$/;

/** The pattern of a swarm's prefix. It is lower case, because stream names are its upper-case form. */
export const PREFIX_PATTERN = /^[a-z0-9][a-z0-9_-]{0,31}$/;

/**
 * The pattern of an agent class. A class is a token of its own in subjects, and in upper case a part of a stream's name, so
 * that NATS permissions can name all hosts of one class.
 */
export const CLASS_PATTERN = /^[a-z0-9]{1,16}$/;

/** The class of hosts and agents that name none. */
export const DEFAULT_CLASS = "default";
/** The class that no agents can have: the processes that run workflows are no agents, and their user has this name. */
export const ENGINE_CLASS = "engine";

/** The priorities, most urgent first, with their weights when a worker pulls (8:4:2:1). */
export const PRIORITY_WEIGHTS = { urgent: 8, high: 4, normal: 2, low: 1 } as const;

/** A task's priority. */
export type Priority = keyof typeof PRIORITY_WEIGHTS;

/** All priorities, most urgent first. */
export const PRIORITIES = Object.keys(PRIORITY_WEIGHTS) as [Priority, ...Priority[]];

/** The scope of a task that belongs to no workflow or group. */
export const NO_SCOPE = PLACEHOLDER;

/** The capability on the subject of the result of a workflow. No agent can offer it. */
export const WORKFLOW_CAPABILITY = "workflow";

/**
 * The number of lanes for the results of scoped tasks. Each lane costs its reader a consumer: in an interleaved measurement one
 * lane's workflows ran at 0.80 of their rate with eight lanes and at 0.54 with 32, and eight processes are more than the writes of
 * one NATS server can feed.
 */
export const LANE_COUNT = 8;

/** The lanes for the results of scoped tasks: `w00`…`w07`. */
export const LANES: readonly string[] = Array.from(
  { length: LANE_COUNT },
  (_, lane) => `w${String(lane).padStart(2, "0")}`,
);

/** True if `value` is a valid subject token. */
export function isToken(value: string): boolean {
  return TOKEN_PATTERN.test(value);
}

/** True if `value` is a valid token that can name a thing. */
export function isName(value: string): boolean {
  return NAME_PATTERN.test(value);
}

/** Returns `value` if it is a valid name, else throws `invalid_input` naming `field`. */
export function checkName(value: string, field: string): string {
  if (checkToken(value, field) !== PLACEHOLDER) return value;
  throw new SwarmError("invalid_input", `${field} must not be "-", which stands for none`, { field });
}

/** Returns `value` if it is a valid token, else throws `invalid_input` naming `field`. */
export function checkToken(value: string, field: string): string {
  if (TOKEN_PATTERN.test(value)) return value;
  throw new SwarmError("invalid_input", `${field} must be 1–64 of A–Z a–z 0–9 _ -, got ${showValue(value)}`, {
    field,
  });
}

/** Returns `value` if it is an agent class, else throws `invalid_input` naming `field`. */
export function checkClass(value: string, field = "class"): string {
  if (value === ENGINE_CLASS)
    throw new SwarmError(
      "invalid_input",
      `${field} must not be ${ENGINE_CLASS}: it is reserved for engines; choose another class`,
      { field },
    );
  if (CLASS_PATTERN.test(value)) return value;
  throw new SwarmError("invalid_input", `${field} must be 1–16 of a–z 0–9, got ${showValue(value)}`, {
    field,
  });
}

/** The class of a host, an agent or a placement. A record without one, such as an older one, means {@link DEFAULT_CLASS}. */
export function classOf(record: { readonly class?: string | undefined }): string {
  return record.class ?? DEFAULT_CLASS;
}

/** The class of a record, as a field: none for {@link DEFAULT_CLASS}, so that records of one meaning have one JSON. */
export function classField(record: { readonly class?: string | undefined }): { class?: string } {
  const name = classOf(record);
  return name === DEFAULT_CLASS ? {} : { class: name };
}

/** A host in a record: its class may be absent, see {@link classOf}. */
export interface HostRef {
  readonly class?: string | undefined;
  readonly host: string;
}

/** True for records about the same host: two classes may have hosts of one name. */
export function isSameHost(one: HostRef, other: HostRef): boolean {
  return one.host === other.host && classOf(one) === classOf(other);
}

/** The name of a host for people: with its class, unless that is {@link DEFAULT_CLASS}. */
export function hostName(at: HostRef): string {
  const name = classOf(at);
  return name === DEFAULT_CLASS ? at.host : `${name}.${at.host}`;
}

/** Returns `value` if it is a priority, else throws `invalid_input`: a foreign value may have passed the types. */
function checkPriority(value: Priority): Priority {
  if (Object.hasOwn(PRIORITY_WEIGHTS, value)) return value;
  throw new SwarmError(
    "invalid_input",
    `priority must be one of ${PRIORITIES.join(", ")}, got ${showValue(value)}`,
    { field: "priority" },
  );
}

/** Formats a foreign value for an error message: quoted, control characters escaped, cut at 80 characters. */
export function showValue(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/** True if a subject fits a filter: `*` stands for one token, a last `>` for one or more. */
export function fitsFilter(filter: string, subject: string): boolean {
  const wanted = filter.split(".");
  const tokens = subject.split(".");
  const isOpenEnded = wanted.at(-1) === ">";
  if (isOpenEnded ? tokens.length < wanted.length : tokens.length !== wanted.length) return false;
  const fixed = isOpenEnded ? wanted.slice(0, -1) : wanted;
  return fixed.every((token, index) => token === "*" || token === tokens[index]);
}

/** Returns the last token of a subject. In most of our subjects it is the id. */
export function lastToken(subject: string): string {
  return subject.slice(subject.lastIndexOf(".") + 1);
}

/** Returns the lane of a scope's results: `-` for no scope, else `w00`…`w07` by crc32 of the scope. */
export function laneOf(scope: string): string {
  if (scope === NO_SCOPE) return NO_SCOPE;
  return LANES[crc32(scope) % LANE_COUNT] as string;
}

/**
 * True if a stored result on `lane` can belong to `scope`. Earlier versions had 32 lanes, `w00`…`w31`: 8 divides 32, so the number
 * of an earlier lane, modulo 8, is the number of today's lane.
 */
export function isLaneOf(lane: string, scope: string): boolean {
  const number = /^w(\d\d)$/.exec(lane)?.[1];
  return laneOf(scope) === (number === undefined ? lane : LANES[Number(number) % LANE_COUNT]);
}

/** The address of a task, read from or written into a subject. */
export interface TaskAddress {
  capability: string;
  priority: Priority;
  scope: string;
  taskId: string;
}

/** The address of a host. Two classes may have hosts of one name, so a host is known by both. */
export interface HostAddress {
  class: string;
  host: string;
}

/** The address of an agent's mailbox. An agent's id is unique in the swarm; NATS permissions name its class. */
export interface AgentMailbox {
  class: string;
  agent: string;
}

/** The address of a placed task. Its capability and priority are in its `Murmur-Placement` header. */
export interface PlacedAddress extends HostAddress {
  agent: string;
  scope: string;
  taskId: string;
}

/** The builders and readers of all subjects under one prefix. */
export type Subjects = ReturnType<typeof createSubjects>;

/** Returns the subjects of the swarm named `prefix`. Throws `invalid_input` on a bad prefix. */
export function createSubjects(prefix: string) {
  if (!PREFIX_PATTERN.test(prefix)) {
    throw new SwarmError(
      "invalid_input",
      `prefix must be 1–32 of a–z 0–9 _ -, starting with a letter or digit, got ${showValue(prefix)}`,
      { field: "prefix" },
    );
  }
  const token = checkToken;
  const classToken = (value: string) => checkClass(value);
  const capabilityToken = (value: string) => checkName(value, "capability");
  const idToken = (value: string) => checkName(value, "id");
  const scopeToken = (value: string) => token(value, "scope");
  const agentToken = (value: string) => checkName(value, "agentId");
  const hostToken = (value: string) => checkName(value, "host");
  return {
    prefix,
    task: (at: TaskAddress) =>
      `${prefix}.task.${capabilityToken(at.capability)}.${checkPriority(at.priority)}.${scopeToken(at.scope)}.${idToken(at.taskId)}`,
    due: (at: TaskAddress) =>
      `${prefix}.due.${capabilityToken(at.capability)}.${checkPriority(at.priority)}.${scopeToken(at.scope)}.${idToken(at.taskId)}`,
    placed: (at: PlacedAddress) =>
      `${prefix}.placed.${classToken(at.class)}.${hostToken(at.host)}.${agentToken(at.agent)}.${scopeToken(at.scope)}.${idToken(at.taskId)}`,
    later: (scope: string, taskId: string) => `${prefix}.later.${scopeToken(scope)}.${idToken(taskId)}`,
    result: (capability: string, scope: string, taskId: string) =>
      `${prefix}.result.${capabilityToken(capability)}.${laneOf(scope)}.${idToken(taskId)}`,
    /** The subject on which the server republishes the result that is stored on `resultSubject`. */
    doneOf: (resultSubject: string) => `${prefix}.done${resultSubject.slice(`${prefix}.result`.length)}`,
    journal: (capability: string, taskId: string) =>
      `${prefix}.journal.${capabilityToken(capability)}.${idToken(taskId)}`,
    dead: (capability: string, taskId: string) =>
      `${prefix}.dead.${capabilityToken(capability)}.${idToken(taskId)}`,
    submit: `${prefix}.submit`,
    operate: (user: string, operation: string) =>
      `${prefix}.operate.${checkName(user, "user")}.${checkName(operation, "operation")}`,
    /** The caller's word about its running operation: no operation has the name `-`. */
    operateReceipt: (user: string, requestId: string) =>
      `${prefix}.operate.${checkName(user, "user")}.${PLACEHOLDER}.${token(requestId, "requestId")}`,
    where: (taskId: string) => `${prefix}.where.${idToken(taskId)}`,
    cancel: (scope: string, taskId: string) => `${prefix}.cancel.${scopeToken(scope)}.${idToken(taskId)}`,
    /** Cancels a whole scope: no task has the id `-`. */
    cancelScope: (scope: string) => `${prefix}.cancel.${checkName(scope, "scope")}.${PLACEHOLDER}`,
    ask: (capability: string) => `${prefix}.ask.${capabilityToken(capability)}`,
    agent: (at: AgentMailbox, verb: string) =>
      `${prefix}.agent.${classToken(at.class)}.${agentToken(at.agent)}.${token(verb, "verb")}`,
    /** Asks every process for the states of its agents: no class and no agent is named `-`. */
    everyAgent: `${prefix}.agent.${PLACEHOLDER}.${PLACEHOLDER}.status`,
    heartbeat: (at: HostAddress) => `${prefix}.heartbeat.${classToken(at.class)}.${hostToken(at.host)}`,
    gone: (host: string) => `${prefix}.gone.${hostToken(host)}`,
    topic: (topic: string) =>
      `${prefix}.topic.${topic
        .split(".")
        .map((part) => token(part, "topic"))
        .join(".")}`,
    event: (kind: EventKind, id: string, event: string) =>
      `${prefix}.event.${kind}.${idToken(id)}.${token(event, "event")}`,
    officeLog: `${prefix}.log.office`,
    office: (command: string) => `${prefix}.office.${token(command, "command")}`,
    /** The sender is the last token, so that NATS permissions on it can authenticate the sender. */
    election: (to: string, from: string) => `${prefix}.election.${token(to, "to")}.${token(from, "from")}`,
    coordinators: `${prefix}.coordinators`,
    stale: (read: string) => `${prefix}.stale.${token(read, "read")}`,
    audit: (role: string, processId: string) =>
      `${prefix}.audit.${token(role, "role")}.${token(processId, "processId")}`,
    workflow: (workflowId: string) => `${prefix}.workflow.${laneOf(workflowId)}.${idToken(workflowId)}`,
    flow: (workflowId: string, command: string) =>
      `${prefix}.flow.${laneOf(workflowId)}.${idToken(workflowId)}.${token(command, "command")}`,
    /** The place of a wake-up's schedule; it fires on `flow.<lane>.<workflowId>.wake`. */
    wake: (workflowId: string, n: string) =>
      `${prefix}.wake.${laneOf(workflowId)}.${idToken(workflowId)}.${token(n, "n")}`,
    /** A shared value of a workflow. */
    shared: (workflowId: string, name: string) =>
      `${prefix}.shared.${laneOf(workflowId)}.${idToken(workflowId)}.${token(name, "name")}`,
    engine: (engineId: string) => `${prefix}.engine.${checkName(engineId, "engineId")}`,
    engines: (request: string) => `${prefix}.engines.${token(request, "request")}`,

    /** Filters: subjects with wildcards, for subscribers, consumers, look-ups and purges. */
    filters: {
      tasks: (capability: string, priority: Priority) =>
        `${prefix}.task.${capabilityToken(capability)}.${checkPriority(priority)}.>`,
      tasksInScope: (scope: string) => `${prefix}.task.*.*.${scopeToken(scope)}.>`,
      taskById: (taskId: string) => `${prefix}.task.*.*.*.${idToken(taskId)}`,
      allTasks: `${prefix}.task.>`,
      placedOnHost: (at: HostAddress) => `${prefix}.placed.${classToken(at.class)}.${hostToken(at.host)}.>`,
      placedOnAgent: (at: HostAddress & AgentMailbox) =>
        `${prefix}.placed.${classToken(at.class)}.${hostToken(at.host)}.${agentToken(at.agent)}.>`,
      placedInScope: (scope: string) => `${prefix}.placed.*.*.*.${scopeToken(scope)}.>`,
      placedById: (taskId: string) => `${prefix}.placed.*.*.*.*.${idToken(taskId)}`,
      allPlaced: `${prefix}.placed.>`,
      dueById: (taskId: string) => `${prefix}.due.*.*.*.${idToken(taskId)}`,
      dueInScope: (scope: string) => `${prefix}.due.*.*.${scopeToken(scope)}.>`,
      allDue: `${prefix}.due.>`,
      laterById: (taskId: string) => `${prefix}.later.*.${idToken(taskId)}`,
      laterInScope: (scope: string) => `${prefix}.later.${scopeToken(scope)}.>`,
      allLater: `${prefix}.later.>`,
      resultById: (taskId: string) => `${prefix}.result.*.*.${idToken(taskId)}`,
      /** As {@link doneOfTask}, for the stored result. */
      resultOfTask: (capability: string, taskId: string) =>
        `${prefix}.result.${capabilityToken(capability)}.*.${idToken(taskId)}`,
      allResults: `${prefix}.result.>`,
      /** The result of one task. It names the capability, so that a NATS permission for one capability allows it. */
      doneOfTask: (capability: string, taskId: string) =>
        `${prefix}.done.${capabilityToken(capability)}.*.${idToken(taskId)}`,
      doneOfCapability: (capability: string) => `${prefix}.done.${capabilityToken(capability)}.*.*`,
      /** The stored results of one lane. */
      doneInLane: (lane: string) => `${prefix}.done.*.${token(lane, "lane")}.*`,
      /** The results of one lane: stored results, and on core NATS also results that the stream rejected. */
      resultsInLane: (lane: string) => `${prefix}.result.*.${token(lane, "lane")}.*`,
      allDone: `${prefix}.done.>`,
      journalById: (taskId: string) => `${prefix}.journal.*.${idToken(taskId)}`,
      allDead: `${prefix}.dead.>`,
      deadOfCapability: (capability: string) => `${prefix}.dead.${capabilityToken(capability)}.*`,
      deadById: (taskId: string) => `${prefix}.dead.*.${idToken(taskId)}`,
      allOperations: `${prefix}.operate.*.*`,
      allOperateReceipts: `${prefix}.operate.*.${PLACEHOLDER}.*`,
      /** Every subject that a user of the front door publishes to. */
      operationsOf: (user: string) => `${prefix}.operate.${checkName(user, "user")}.>`,
      allWhere: `${prefix}.where.*`,
      allCancels: `${prefix}.cancel.>`,
      allHeartbeats: `${prefix}.heartbeat.*.*`,
      allGone: `${prefix}.gone.*`,
      /** The events of the leader about two hosts that claim one agent id. */
      agentConflicts: `${prefix}.event.agent.*.conflict`,
      agentVerbs: (at: AgentMailbox) => `${prefix}.agent.${classToken(at.class)}.${agentToken(at.agent)}.*`,
      allOffice: `${prefix}.office.*`,
      allStale: `${prefix}.stale.*`,
      electionTo: (to: string) => `${prefix}.election.${token(to, "to")}.*`,
      /** The audit log: the entries of all writers, of the writers of one role, or of one process. */
      audits: ({ role, processId }: { role?: string | undefined; processId?: string | undefined } = {}) =>
        `${prefix}.audit.${role === undefined ? "*" : token(role, "role")}.${processId === undefined ? "*" : token(processId, "processId")}`,
      /** The events about things of one kind, about the things with one id, or about both. */
      events: ({ kind, id }: { kind?: EventKind | undefined; id?: string | undefined }) =>
        `${prefix}.event.${kind ?? "*"}.${id === undefined ? "*" : idToken(id)}.*`,
      taskEvents: (taskId: string) => `${prefix}.event.task.${idToken(taskId)}.*`,
      ballotEvents: (taskId: string) => `${prefix}.event.ballot.${idToken(taskId)}.*`,
      workflowEvents: (workflowId: string) => `${prefix}.event.workflow.${idToken(workflowId)}.*`,
      /** The logs of all workflows, or of one lane. */
      workflows: (lane = "*") => `${prefix}.workflow.${lane === "*" ? lane : token(lane, "lane")}.*`,
      /** The commands to the workflows of one lane. */
      commandsInLane: (lane: string) => `${prefix}.flow.${token(lane, "lane")}.*.*`,
      allCommands: `${prefix}.flow.>`,
      commandsOf: (workflowId: string) => `${prefix}.flow.${laneOf(workflowId)}.${idToken(workflowId)}.*`,
      wakesOf: (workflowId: string) => `${prefix}.wake.${laneOf(workflowId)}.${idToken(workflowId)}.*`,
      /** The shared values of one workflow, or of all workflows of a lane. */
      sharedOf: (workflowId: string) => `${prefix}.shared.${laneOf(workflowId)}.${idToken(workflowId)}.*`,
      sharedInLane: (lane: string) => `${prefix}.shared.${token(lane, "lane")}.*.*`,
      allEngines: `${prefix}.engine.*`,
      allEngineRequests: `${prefix}.engines.*`,
    },

    /**
     * Reads the address from a `task.` or `due.` subject. Returns null for a subject that this version does not write.
     * Must be fast, because it runs for every delivery.
     */
    readTask(subject: string): TaskAddress | null {
      const parts = subject.split(".");
      const [head, kind, capability, priority, scope, taskId] = parts;
      if (parts.length !== 6 || head !== prefix || (kind !== "task" && kind !== "due")) return null;
      if (priority === undefined || !Object.hasOwn(PRIORITY_WEIGHTS, priority)) return null;
      if (capability === undefined || scope === undefined || taskId === undefined) return null;
      if (!isName(capability) || !isToken(scope) || !isName(taskId)) return null;
      return { capability, priority: priority as Priority, scope, taskId };
    },

    /** Reads the address from a `placed.` subject. Returns null for any other subject. */
    readPlaced(subject: string): PlacedAddress | null {
      const parts = subject.split(".");
      const [head, kind, agentClass, host, agent, scope, taskId] = parts;
      if (parts.length !== 7 || head !== prefix || kind !== "placed") return null;
      if (agentClass === undefined || host === undefined || agent === undefined) return null;
      if (scope === undefined || taskId === undefined || !CLASS_PATTERN.test(agentClass)) return null;
      if (!isName(host) || !isName(agent) || !isToken(scope) || !isName(taskId)) return null;
      return { class: agentClass, host, agent, scope, taskId };
    },

    /** Reads the sender of a `heartbeat.` subject. Returns null for any other subject. */
    readHeartbeat(subject: string): HostAddress | null {
      const [head, kind, agentClass, host, ...rest] = subject.split(".");
      if (head !== prefix || kind !== "heartbeat" || rest.length > 0) return null;
      if (agentClass === undefined || host === undefined) return null;
      return CLASS_PATTERN.test(agentClass) && isName(host) ? { class: agentClass, host } : null;
    },

    /** Reads the user and the operation from an `operate.` subject. Returns null for any other subject. */
    readOperate(subject: string): { user: string; operation: string } | null {
      const [head, kind, user, operation, ...rest] = subject.split(".");
      if (head !== prefix || kind !== "operate" || rest.length > 0) return null;
      if (user === undefined || operation === undefined || !isName(user) || !isName(operation)) return null;
      return { user, operation };
    },

    /** Reads the user and the request from the subject of a receipt. Returns null for any other subject. */
    readOperateReceipt(subject: string): { user: string; requestId: string } | null {
      const [head, kind, user, verb, requestId, ...rest] = subject.split(".");
      if (head !== prefix || kind !== "operate" || verb !== PLACEHOLDER || rest.length > 0) return null;
      if (user === undefined || requestId === undefined || !isName(user) || !isToken(requestId)) return null;
      return { user, requestId };
    },

    /** Reads the writer, `<role>.<processId>`, from an `audit.` subject. Returns null for any other subject. */
    readAudit(subject: string): string | null {
      const [head, kind, role, processId, ...rest] = subject.split(".");
      if (head !== prefix || kind !== "audit" || rest.length > 0) return null;
      if (role === undefined || processId === undefined || !isToken(role) || !isToken(processId)) return null;
      return `${role}.${processId}`;
    },

    /** Reads the workflow and the command from a `flow.` subject. Returns null for any other subject. */
    readFlow(subject: string): { workflowId: string; command: string } | null {
      const [head, kind, lane, workflowId, command, ...rest] = subject.split(".");
      if (head !== prefix || kind !== "flow" || rest.length > 0) return null;
      if (workflowId === undefined || command === undefined) return null;
      if (!isName(workflowId) || !isToken(command) || lane !== laneOf(workflowId)) return null;
      return { workflowId, command };
    },

    /** Reads the workflow and the name from a `shared.` subject. Returns null for any other subject. */
    readShared(subject: string): { workflowId: string; name: string } | null {
      const [head, kind, lane, workflowId, name, ...rest] = subject.split(".");
      if (head !== prefix || kind !== "shared" || rest.length > 0) return null;
      if (workflowId === undefined || name === undefined) return null;
      if (!isName(workflowId) || !isToken(name) || lane !== laneOf(workflowId)) return null;
      return { workflowId, name };
    },

    /** Reads the id from a `workflow.` subject. Returns null for any other subject. */
    readWorkflow(subject: string): string | null {
      const [head, kind, lane, workflowId, ...rest] = subject.split(".");
      if (head !== prefix || kind !== "workflow" || rest.length > 0 || workflowId === undefined) return null;
      return isName(workflowId) && lane === laneOf(workflowId) ? workflowId : null;
    },

    /** Reads the capability and the task id from a `result.`, `done.`, `journal.` or `dead.` subject. Null for any other. */
    readTaskIdentity(subject: string): { capability: string; taskId: string } | null {
      const parts = subject.split(".");
      const [head, kind, capability] = parts;
      const taskId = parts[parts.length - 1];
      if (head !== prefix || capability === undefined || taskId === undefined) return null;
      const length = kind === "result" || kind === "done" ? 5 : kind === "journal" || kind === "dead" ? 4 : 0;
      if (parts.length !== length || !isToken(capability) || !isToken(taskId)) return null;
      return { capability, taskId };
    },
  };
}

/** The kind of thing that an event on `<p>.event.<kind>.<id>.<event>` is about. */
export type EventKind = "task" | "workflow" | "ballot" | "agent" | "office";
