// The permissions of each role on NATS: one table for each kind of role, and one pure function over them. The renderer, `explain`,
// `doctor --role`, the advice after a violation and the tests read the same lists. A line says its use, and whether it allows more
// than this use. Pure.
//
// G1  No role may publish `done.>`: the server republishes stored results there.
// G2  Replies go to inboxes alone, and each user reads its own. No role answers by `allow_responses`, which overrides deny lists.
// G3  A role may ask for everything that it does itself, and for nothing on behalf of another role.
import { CALLS, OFFICE_ACTS, READS, WRITES } from "../../coordinator/index.ts";
import { PRIORITIES, placedKey } from "../../protocol/index.ts";
import { DISCOVERY, inboxPrefixOf, jetStreamApi, serverRequests } from "../../transport/index.ts";
import { MOVER_CONSUMER, queueConsumer } from "../../work/index.ts";
import { grantEngine, grantSharedValues, grantWorkflowCommands, readsOfEntries } from "./engine.ts";
import type { Permissions } from "./file.ts";
import { GrantList, type RolePermissions } from "./grants.ts";
import {
  grantBlobs,
  grantProcess,
  grantSteward,
  grantWholeStream,
  readsOfKeys,
  type Table,
  WIDE,
} from "./lines.ts";
import { createNames, type Names } from "./names.ts";
import { classNamesOf } from "./rights.ts";
import type { Role, RoleKind } from "./role.ts";

const api = jetStreamApi;

/** The office's commands for agents: the place of a task, ballots, locks. */
const AGENT_COMMANDS = ["place", "ballot-open", "lock-acquire", "lock-renew", "lock-release"] as const;
/** The office's commands that only hosts send: a person submits a task instead. */
const HOST_COMMANDS: readonly string[] = ["place", "ballot-open"];

/** Everything that a role may do on NATS, by the file: in the swarm's account, and for `system` in that of the servers. */
export function permissionsOf(role: Role, file: Permissions): RolePermissions {
  const list = new GrantList();
  list.subscribe("replies to its own requests", `${inboxPrefixOf(role.user)}.>`);
  TABLES[role.kind]({ file, names: createNames(file.prefix, classNamesOf(file)), role, list });
  return list.permissions;
}

const TABLES: Readonly<Record<RoleKind, (table: Table) => void>> = {
  publisher: grantPublisher,
  agent: grantAgent,
  coordinator: grantCoordinator,
  operator: grantOperator,
  api: grantApi,
  engine: grantEngine,
  init: grantInit,
  system: grantSystem,
};

function grantPublisher({ file, names, role, list }: Table): void {
  const { capabilities } = file.publishers.find(({ name }) => name === role.name)!;
  for (const capability of capabilities) {
    list.publish(`submit tasks of ${capability}`, names.subject("task", { capability }));
    list.subscribe(`hear the results of ${capability}`, names.subject("doneOf", { capability }));
  }
  list.publish("call operations at the front door", frontDoorOf(names, role));
}

function grantOperator({ names, role, list }: Table): void {
  list.publish("call operations at the front door", frontDoorOf(names, role));
}

/** The operations of one user, and the receipts of running ones. */
const frontDoorOf = (names: Names, { user }: Role) => [
  names.subject("operate", { user }),
  names.subject("operateReceipt", { user }),
];

// An agent gets no right to a stream: no list, no purge, no consumer but its own, and no read that names its subject in the body.
// `init` makes its consumers. The front door reads the trail of a redelivered or handed-off task for it (operation journal-read), and delays its tasks (task-delay).
function grantAgent(table: Table): void {
  const { file, names, role, list } = table;
  const agents = file.classes.find(({ name }) => name === role.name)!;
  grantProcess(table, "murmur-agent");
  const tasks = names.stream("tasks");
  const placed = names.stream(placedKey(role.name));
  for (const capability of agents.capabilities) {
    for (const priority of PRIORITIES) {
      const consumer = queueConsumer(capability, priority);
      list.publish(`take tasks of ${capability}`, [api.next(tasks, consumer), api.ack(tasks, consumer)]);
      list.publish(
        `find the consumer of ${capability}, and read the server's time`,
        api.consumerInfo(tasks, consumer),
      );
    }
    list.publish(
      `look for an earlier end of tasks of ${capability}`,
      [
        names.reads("results", [names.subject("result", { capability })]),
        names.reads("dead", [names.subject("dead", { capability })]),
      ].flat(),
    );
    const limits = [names.key("limits", `task.${capability}`), names.key("limits", `task.${capability}.*`)];
    list.publish(`take permits of the limits of ${capability}`, limits);
    list.publish(
      `read the limits of ${capability}`,
      limits.map((key) => api.directGetOf(names.storeOf("limits"), key)),
    );
    list.publish(`store the results of ${capability}`, names.subject("result", { capability }));
    list.publish(`journal the attempts of ${capability}`, names.subject("journal", { capability }));
    list.publish(`store dead letters of ${capability}`, names.subject("dead", { capability }));
    list.subscribe(`answer asks of ${capability}`, names.subject("ask", { capability }));
  }
  list.publish("take placed tasks", [
    api.next(placed, "*"),
    api.ack(placed, "*"),
    api.consumerInfo(placed, "*"),
  ]);
  list.publish("place a task on the agent that the office chose", names.subject("placed"), WIDE.placed);
  for (const key of names.placedKeys)
    list.publish(
      "look whether a placed task that waited is still here",
      names.reads(key, [names.subject("placed")]),
      WIDE.placed,
    );
  list.publish(
    "read the mark of a scope when one of its tasks starts, and of a cancelled step that comes again",
    [names.key("cancelled", "*"), names.key("cancelled", "task.*")].map((key) =>
      api.directGetOf(names.storeOf("cancelled"), key),
    ),
    WIDE.marks,
  );
  list.publish(
    "read and trim the trails of tasks, and delay tasks, at the front door",
    frontDoorOf(names, role),
  );
  list.publish(
    "ask the office",
    AGENT_COMMANDS.map((command) => names.subject("office", { command })),
  );
  list.publish("tell the progress of tasks", names.subject("event", { kind: "task" }));
  list.publish("send heartbeats", names.subject("heartbeat", { class: role.name }));
  list.subscribe("answer where a task runs", names.subject("where"));
  list.subscribe("hear of cancelled tasks and scopes", names.filters.allCancels);
  list.subscribe("answer its mailboxes", names.subject("agent", { class: role.name }));
  list.subscribe("answer roll calls", names.subject("everyAgent"));
  list.subscribe("hear of agent ids that two hosts claim", names.subject("event", { kind: "agent" }));
  for (const capability of agents.asks) {
    list.publish(`ask agents of ${capability}`, names.subject("ask", { capability }));
  }
  if (agents.asks.length > 0) list.publish("ask a named agent", names.subject("agent", { verb: "ask" }));
  list.publish("broadcast to agents", names.subject("topic"));
  list.subscribe("hear broadcasts of agents", names.subject("topic"));
  grantBlobs(table);
}

function grantCoordinator(table: Table): void {
  const { names, role, list } = table;
  grantProcess(table, "murmur-coordinator");
  grantSteward(table);
  list.publish("vote", names.subject("election", { from: role.name }));
  list.subscribe("hear votes", names.subject("election", { to: role.name }));
  list.publish("write the control log", names.subject("officeLog"));
  grantWholeStream(table, "office", ["read", "follow", "purge"]);
  grantSnapshots(table);
  list.subscribe("answer the office's requests", names.subject("office"));
  list.subscribe("answer reads that may be old", names.subject("stale"));
  list.publish(
    "find a leader with another list of coordinators",
    names.subject("office", { command: "tenure" }),
  );
  list.subscribe("answer the roll call of coordinators", names.subject("coordinators"));
  list.publish(
    "call the roll of coordinators: at its start, while it runs, and before the office is recovered",
    names.subject("coordinators"),
  );
  list.publish("tell the office's events", [
    ...(["office", "ballot", "agent", "task"] as const).map((kind) => names.subject("event", { kind })),
  ]);
  list.subscribe("hear heartbeats", names.subject("heartbeat"));
  list.subscribe("hear of dead hosts", names.subject("gone"));
  list.subscribe("hear of lost connections", DISCONNECTS);
  list.publish("ask agents whether they live", names.subject("agent", { verb: "ping" }));
  list.publish("call the roll of agents", names.subject("everyAgent"));
  list.publish("ask where a task runs", names.subject("where"));
  list.subscribe("answer where a ballot is", names.subject("where"));
  list.publish("cancel questions of ballots", names.subject("cancel"));
  list.subscribe("hear of cancelled ballots", names.filters.allCancels);
  list.publish("place questions and tasks", names.subject("placed"));
  list.publish("submit tasks of schedules, and return placed tasks", names.subject("task"));
  list.publish("delay tasks of schedules", names.subject("later"), WIDE.later);
  grantRunsOfSchedules(table);
  list.publish("store verdicts and results of ballots", names.subject("result"));
  list.subscribe("hear answers", [names.subject("doneOf"), names.subject("result")]);
  list.publish("store dead letters of ballots", names.subject("dead"));
  list.publish("look for an earlier dead letter of a ballot", names.reads("dead", [names.subject("dead")]));
  list.publish("close the journals of cancelled questions", names.subject("journal"));
  for (const key of ["tasks", "later", ...names.placedKeys] as const)
    grantWholeStream(table, key, ["read", "purge"]);
  list.publish("find the streams of placed tasks", api.streamNames);
  grantWholeStream(table, "results", ["read"]);
  grantWholeStream(table, "journal", ["read", "purge"]);
  for (const key of ["tasks", ...names.placedKeys] as const) {
    const stream = names.stream(key);
    list.publish(`make, pause and remove consumers of ${key}`, [
      api.consumerList(stream),
      api.consumerCreate(stream, "*", ">"),
      api.consumerInfo(stream, "*"),
      api.consumerDelete(stream, "*"),
      api.consumerPause(stream, "*"),
    ]);
  }
  grantBlobs(table);
  list.publish("look for marks of cancelled scopes", readsOfKeys(names, "cancelled"));
}

/** A schedule of a workflow starts runs, looks whether they have ended, and cancels them. */
function grantRunsOfSchedules(table: Table): void {
  grantWorkflowCommands(table);
  grantWholeStream(table, "workflows", ["read"]);
  table.list.publish("read large entries of workflows", readsOfEntries(table));
  table.list.publish("let an engine judge the start of a run", table.names.subject("engines"));
}

/** The advisories about connections that ended; the account imports them from the servers' account. */
const DISCONNECTS = "$SYS.ACCOUNT.*.DISCONNECT";

function grantSnapshots({ names, list }: Table): void {
  const store = names.storeOf("snapshots");
  list.publish("store snapshots", names.objects("snapshots"));
  list.publish("read and replace snapshots", [
    api.messageGet(store),
    api.directGet(store),
    `${api.directGet(store)}.>`,
    api.purge(store),
  ]);
}

function grantApi(table: Table): void {
  const { names, list } = table;
  grantProcess(table, "murmur-api");
  grantSteward(table);
  list.subscribe("perform operations for users", [names.subject("operate"), names.subject("operateReceipt")]);
  list.publish("submit tasks", names.subject("task"));
  list.publish("delay tasks", names.subject("later"), WIDE.later);
  list.publish("store results of cancelled tasks", names.subject("result"));
  list.subscribe("hear results", names.subject("doneOf"));
  list.publish("tell of cancelled tasks and scopes", names.subject("cancel"));
  list.publish("ask where a task runs", names.subject("where"));
  list.publish("store dead letters of unreadable tasks", names.subject("dead"));
  list.publish("close journals", names.subject("journal"));
  list.publish("tell what operators did to tasks", names.subject("event", { kind: "task" }));
  list.subscribe("follow tasks and ballots for watchers", names.subject("event"));
  list.publish("steer agents", names.subject("agent"));
  list.publish("call the roll of agents", names.subject("everyAgent"));
  list.publish("call the roll of coordinators", names.subject("coordinators"));
  list.publish(
    "call the roll of processes",
    Object.values(DISCOVERY).flatMap((verb) => [verb, `${verb}.>`]),
  );
  const commands = [...WRITES, ...CALLS, ...READS, ...OFFICE_ACTS].filter(
    (command) => !HOST_COMMANDS.includes(command),
  );
  list.publish(
    "ask the office for operators",
    commands.map((command) => names.subject("office", { command })),
  );
  list.publish(
    "read the office's state where it may be old",
    READS.map((read) => names.subject("stale", { read })),
  );
  list.publish("find the streams of placed tasks", api.streamNames);
  for (const key of ["tasks", "later", "results", "journal", "dead", ...names.placedKeys] as const) {
    grantWholeStream(table, key, ["read", "purge"]);
  }
  list.publish("read the audit log", api.directGet(names.stream("audit")), WIDE.bareRead);
  const [tasks, later] = [names.stream("tasks"), names.stream("later")];
  list.publish("list queues", [api.consumerList(tasks), api.consumerInfo(tasks, "*")]);
  for (const key of names.placedKeys)
    list.publish(`list the consumers of ${key}`, api.consumerList(names.stream(key)));
  list.publish("move due tasks", [
    api.consumerCreate(later, MOVER_CONSUMER, ">"),
    api.consumerInfo(later, MOVER_CONSUMER),
    api.next(later, MOVER_CONSUMER),
    api.ack(later, MOVER_CONSUMER),
  ]);
  grantWorkflowCommands(table);
  grantWholeStream(table, "workflows", ["read", "follow"]);
  list.publish("read large entries of workflows", readsOfEntries(table));
  grantSharedValues(table);
  list.publish("let an engine judge a command", names.subject("engines"));
  grantBlobs(table);
  list.publish("look for marks of cancelled scopes", readsOfKeys(names, "cancelled"));
  list.publish("mark cancelled scopes", names.keys("cancelled"));
}

function grantInit(table: Table): void {
  const { names, list } = table;
  list.publish(
    "create, verify and update streams and buckets",
    names.allStreams.flatMap((stream) => [
      api.streamCreate(stream),
      api.streamInfo(stream),
      api.streamUpdate(stream),
    ]),
  );
  list.publish("find the streams of placed tasks", api.streamNames);
  const tasks = names.stream("tasks");
  list.publish("create the consumers of capabilities", [
    api.consumerList(tasks),
    api.consumerCreate(tasks, "*", ">"),
  ]);
  list.publish("tell the account's storage when a stream does not fit", api.account, WIDE.account);
  list.publish("begin the control log", names.subject("officeLog"));
  list.publish("write its audit log", names.subject("audit"), WIDE.audit);
}

function grantSystem({ list }: Table): void {
  list.publish("find the servers", serverRequests.ping);
  list.publish("let the servers read their configuration anew", serverRequests.reload("*"));
  list.publish("see which configuration a server runs", serverRequests.facts("*"));
}
