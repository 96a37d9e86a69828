import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import {
  findGrant,
  findRole,
  type Grant,
  type NatsOperation,
  type Permissions,
  parsePermissions,
  permissionsOf,
  reloadServers,
} from "../../../src/app/permissions/index.ts";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { connect } from "../../../src/client/index.ts";
import { fitsFilter } from "../../../src/protocol/index.ts";
import { connectNats } from "../../../src/transport/index.ts";
import { createDoorCaller } from "../../../src/work/index.ts";
import { startGuarded } from "../../permissions/support.ts";
import { startNatsServer } from "../../support/nats-server.ts";
import { type Recorder, startRecorder } from "../../support/recorder.ts";
import { connectTo, eventually, setupWorld } from "../support.ts";

/** An agent whose starts are limited, and that fails or returns a large output where its task says so. */
const LIMITED = `import { defineAgent, RetryableError } from "murmur-swarm";
export default defineAgent({
  name: "limited",
  capabilities: ["limited"],
  limits: { concurrency: 2, rate: { count: 100, windowMs: 1000 } },
  slots: 4,
  async run(task, ctx) {
    if (task.input?.fail === true && ctx.attempt === 1) throw new RetryableError("once", { retryAfterMs: 10 });
    if (task.input?.waits === true) await ctx.sleep(60_000);
    if (task.input?.talks === true) {
      ctx.broadcast("news", 1);
      return await ctx.ask("echo", 1);
    }
    if (task.input?.isLarge === true) return { answer: "x".repeat(700_000) };
    return task.input;
  },
});
`;

/** A workflow that does with its input what the agent does, after a short sleep. */
const CALM = `workflow: calm
version: 1
steps:
  - { sleep: nap, ms: 1 }
  - { sleep: rest, ms: 300 }
  - { step: say, call: echo, with: "\${input}", retry: { max: 0 } }
output: \${steps.say}
`;

/** A workflow that waits for a step of a capability that no agent offers. */
const STUCK = `workflow: stuck
version: 1
steps:
  - { step: wait, call: unoffered }
`;

/** Reasons that hold for several roles. */
const NO_ANSWER = "only after an append without an answer (test/audit)";
const DEATH = "only the neighbour of a process that died (test/app/scenarios/lifecycle)";
const SCHEDULES = "schedules, which wait for their time (test/coordinator/schedules)";
const RECOVERY = "a new holder of the office, or a long log (test/coordinator/office)";
const SHARED = "a run with shared values (test/app/operations)";
const BALLOT_ENDS = "cancelled and large ballots (test/coordinator/ballots)";

/** The lines that no step of this test uses, by their uses, each with the reason and the tests that use it. */
const UNUSED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "agent/default": {
    "settle an audit entry whose fate is unknown": NO_ANSWER,
    "look whether a placed task that waited is still here": "only a task that waited for a second",
    "ask a named agent": "an ask that names an agent (test/agent)",
    "hear broadcasts of agents": "agents that follow a topic (test/agent)",
    "tell that another process died": DEATH,
    "write its audit log":
      "a rejected second result, or a message with a foreign reply (test/app/scenarios/hostile-subjects)",
  },
  "coordinator/coordinator-1": {
    "ask agents whether they live": "a host that may be dead (test/coordinator/registry)",
    "ask where a task runs": "a placed task whose host is gone (test/coordinator/placement)",
    "cancel questions of ballots": BALLOT_ENDS,
    "delay tasks of schedules": SCHEDULES,
    "find a leader with another list of coordinators": "three coordinators (test/app/scenarios/coordinators)",
    "close the journals of cancelled questions": BALLOT_ENDS,
    "look for marks of cancelled scopes": BALLOT_ENDS,
    "read and replace snapshots": RECOVERY,
    "read journal": "a placed task whose host is gone (test/coordinator/placement)",
    "read large bodies": BALLOT_ENDS,
    "read later": SCHEDULES,
    "read placed-default": "a placed task whose host is gone (test/coordinator/placement)",
    "read tasks": "a paused capability (test/coordinator)",
    "remove messages of journal": BALLOT_ENDS,
    "remove messages of later": SCHEDULES,
    "remove messages of office": RECOVERY,
    "remove messages of placed-default": "a placed task whose host is gone (test/coordinator/placement)",
    "remove messages of tasks": BALLOT_ENDS,
    "settle an audit entry after a foreign message": "a foreign message on its own subject (test/audit)",
    "settle an audit entry whose fate is unknown": NO_ANSWER,
    "let an engine judge the start of a run": SCHEDULES,
    "read large entries of workflows": SCHEDULES,
    "read stored commands": SCHEDULES,
    "read workflows": SCHEDULES,
    "store commands to workflows": SCHEDULES,
    "store large bodies": BALLOT_ENDS,
    "store snapshots": RECOVERY,
    "submit tasks of schedules, and return placed tasks": SCHEDULES,
    "tell that another process died": DEATH,
    vote: "three coordinators (test/app/scenarios/coordinators)",
  },
  api: {
    "change shared values of workflows": SHARED,
    "read shared": SHARED,
    "settle an audit entry whose fate is unknown": NO_ANSWER,
    "store dead letters of unreadable tasks": "an unreadable delayed task (test/work)",
    "tell that another process died": DEATH,
    "tell what operators did to tasks": "the move and the retry of a task (test/app/operations)",
  },
  engine: {
    "change shared values of workflows": SHARED,
    "read shared": SHARED,
    "remove messages of shared": "the shared values of an expired log (test/engine)",
    "ask the office for open ballots": "a cancelled step with a ballot (test/engine)",
    "ask where a step runs": "a cancelled step that runs (test/engine)",
    "hear that a cancelled step begins or ends": "a cancelled step that a host has just got (test/engine)",
    "mark cancelled steps that a host has": "a cancelled step that runs (test/engine)",
    "read large bodies": "a large result (test/engine)",
    "settle an audit entry after a foreign message": "a foreign message on its own subject (test/audit)",
    "settle an audit entry whose fate is unknown": NO_ANSWER,
    "store large bodies": "a large step or result (test/engine)",
    "tell that another process died": DEATH,
    "write its audit log": "a message with a foreign reply (test/app/scenarios/hostile-subjects)",
  },
  init: {
    "tell the account's storage when a stream does not fit":
      "an account without room (test/transport/nats/init)",
  },
  "publisher/web": {
    "submit tasks of": "programs in other languages, which the page shows; the client takes the front door",
  },
  "operator/anna": {},
  system: {},
};

const FILE = `version: 1
publishers: [{ name: web, capabilities: [echo] }]
classes: [{ name: default, capabilities: [echo, limited], asks: [echo] }]
coordinators: [coordinator-1]
operators: [{ name: anna, access: admin }]
`;

/** The subjects that no line of the role allows. Inboxes are left out: without permissions they name no user. */
function findForbidden(
  { published, subscribed }: Pick<Recorder, "published" | "subscribed">,
  role: string,
  file: Permissions,
) {
  const permissions = permissionsOf(findRole(role, file), file);
  const used: [NatsOperation, Iterable<string>][] = [
    ["publish", published],
    ["subscribe", subscribed],
  ];
  return used.flatMap(([operation, subjects]) =>
    [...subjects]
      .filter(
        (subject) => !subject.startsWith("_INBOX.") && findGrant(permissions, operation, subject) === null,
      )
      .map((subject) => `${operation} ${subject}`),
  );
}

/** The uses of the role without any subject that was recorded, of one capability or another, sorted. */
function findUnused(
  { published, subscribed }: Pick<Recorder, "published" | "subscribed">,
  role: string,
  file: Permissions,
): string[] {
  const { publish, subscribe } = permissionsOf(findRole(role, file), file);
  const useOf = ({ why }: Grant) => why.replace(/ (echo|limited)\b/, "");
  const isUsed =
    (subjects: ReadonlySet<string>) =>
    ({ subject }: Grant) =>
      [...subjects].some((each) => each === subject || fitsFilter(subject, each));
  const used = new Set(
    [...publish.allow.filter(isUsed(published)), ...subscribe.allow.filter(isUsed(subscribed))].map(useOf),
  );
  const all = new Set([...publish.allow, ...subscribe.allow].map(useOf));
  return [...all].filter((use) => !used.has(use)).sort();
}

test("the processes of a swarm use no subject that their roles may not use, and an agent has no right to a stream", async () => {
  /** A directory for the process of one user, which its inbox prefix names. */
  const worldOf = (user: string) => {
    const world = setupWorld({
      MURMUR_HTTP_PORT: "0", // a swarm of another test may have the default port
      MURMUR_PERMISSIONS_FILE: "permissions.yaml",
      MURMUR_METRICS_PORT: "0",
      MURMUR_INBOX_PREFIX: `_INBOX.${user}`,
    });
    writeFileSync(join(world.directory, "permissions.yaml"), FILE);
    mkdirSync(join(world.directory, "agents/limited"), { recursive: true });
    writeFileSync(join(world.directory, "agents/limited/agent.ts"), LIMITED);
    mkdirSync(join(world.directory, "workflows"));
    writeFileSync(join(world.directory, "workflows/calm.yaml"), CALM);
    writeFileSync(join(world.directory, "workflows/stuck.yaml"), STUCK);
    return world;
  };
  const server = await startNatsServer();
  onTestFinished(() => server.stop());
  const { transport, tasks } = await connectTo(server.url);
  const start = async (user: string, args: string) => {
    const recorder = await startRecorder(server.port);
    const child = worldOf(user).start(`${args} --server ${recorder.url}`);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const stop = async () => {
      child.kill("SIGTERM");
      await ended;
      recorder.close();
    };
    onTestFinished(stop);
    return { ...recorder, stop };
  };
  const record = async (port: number) => {
    const recorder = await startRecorder(port);
    onTestFinished(() => recorder.close());
    return recorder;
  };
  const [init, web, anna] = await Promise.all([1, 2, 3].map(() => record(server.port)));
  const file = await parsePermissions(FILE, "test");
  const installer = worldOf("init");
  const path = join(installer.directory, "permissions.yaml");
  const made = await installer.call(`init --permissions ${path} --server ${init!.url}`);
  expect(made.exitCode, made.stderr).toBe(0);
  const [api, coordinator, agent, engine] = await Promise.all([
    start("api", "api"),
    start("coordinator-1", "coordinator"),
    start("agent-default", "agent run echo limited"),
    start("engine", "engine"),
  ]);
  const lanes = async () =>
    (
      await transport
        .queue("flow")
        .consumers()
        .catch(() => [])
    ).length;
  await eventually(async () => (await lanes()) === 8 || undefined);
  await eventually(
    async () =>
      (
        await transport
          .queue("tasks")
          .consumers()
          .catch(() => [])
      ).length >= 8 || undefined,
  );

  const run = async (capability: string, input: unknown, more: object = {}) =>
    (await tasks.run({ capability, input, ...more }, { timeoutMs: 60_000 })).status;
  expect(await run("echo", { text: "x".repeat(700_000) })).toBe("completed");
  expect(await run("echo", { $fail: "terminal" })).toBe("failed");
  expect(await run("limited", { fail: true })).toBe("completed");
  expect(await run("limited", { isLarge: true }, { scope: "one" })).toBe("completed");
  expect(await run("limited", { talks: true })).toBe("completed");
  expect(await run("echo", 1, { route: "best" })).toBe("completed");
  expect(await run("echo", 1, { notBefore: 50 })).toBe("completed");
  await operateAs(anna!.url);
  await publishAs(web!.url);
  const system = await recordSystem();
  await Promise.all([agent!.stop(), coordinator!.stop(), api!.stop(), engine!.stop()]);

  expect(findForbidden(agent!, "agent/default", file)).toEqual([]);
  expect(findForbidden(coordinator!, "coordinator/coordinator-1", file)).toEqual([]);
  expect(findForbidden(api!, "api", file)).toEqual([]);
  expect(findForbidden(engine!, "engine", file)).toEqual([]);
  expect(findForbidden(init!, "init", file)).toEqual([]);
  expect(findForbidden(web!, "publisher/web", file)).toEqual([]);
  expect(findForbidden(anna!, "operator/anna", file)).toEqual([]);

  const { publish } = permissionsOf(findRole("agent/default", file), file);
  const wide =
    /\.(STREAM|CONSUMER\.(CREATE|LIST|NAMES|DELETE|PAUSE))\.|DIRECT\.GET\.[^.]+$|^\$JS\.API\.INFO$/;
  const ofJetStream = publish.allow.filter(({ subject }) => subject.startsWith("$"));
  expect([...new Set(ofJetStream.filter(({ subject }) => wide.test(subject)).map(({ why }) => why))]).toEqual(
    [],
  );
  const recorders = {
    "agent/default": agent!,
    "coordinator/coordinator-1": coordinator!,
    api: api!,
    engine: engine!,
    init: init!,
    "publisher/web": web!,
    "operator/anna": anna!,
    system: system!,
  };
  const unused = Object.entries(recorders).map(([role, recorder]) => [
    role,
    findUnused(recorder, role, file),
  ]);
  expect(Object.fromEntries(unused)).toEqual(
    Object.fromEntries(Object.entries(UNUSED).map(([role, uses]) => [role, Object.keys(uses).sort()])),
  );
}, 120_000);

/** Calls operations of every family at the front door, as an operator. */
async function operateAs(server: string): Promise<void> {
  const transport = await connectNats({ ...CONNECTION, servers: server, inboxPrefix: "_INBOX.anna" });
  onTestFinished(() => transport.close());
  const caller = createDoorCaller({ transport, user: "anna" });
  const call = async (name: string, input: object = {}) =>
    caller.call(name, input, {
      timeoutMs: 60_000,
      onEvent: () => undefined,
      encoding: "data" in input ? "msgpack" : "json", // JSON has no bytes
    });
  for (const [name, input] of OPERATED) await call(name, input);
}

/** Runs a task and hears its result, as a publisher. */
async function publishAs(server: string): Promise<void> {
  const client = await connect({
    servers: server,
    prefix: "murmur",
    inboxPrefix: "_INBOX.web",
    operateAs: "web",
  });
  onTestFinished(() => client.close());
  await client.run({ capability: "echo", input: 1 }, { timeoutMs: 60_000 });
}

/** Reloads a server with permissions, and returns the subjects of the user system. */
async function recordSystem(): Promise<Recorder> {
  const guarded = await startGuarded(FILE);
  onTestFinished(() => guarded.stop());
  const recorder = await startRecorder(guarded.server.port);
  onTestFinished(() => recorder.close());
  const transport = await guarded.connect("system", recorder.url);
  onTestFinished(() => transport.close());
  await reloadServers(transport.bus);
  return recorder;
}

const CONNECTION = { name: "test", prefix: "murmur", log: silentLogger, meter: createMeter() };
const BALLOT = { seats: 1, strategy: "majority" };
const OPERATED: readonly (readonly [string, object])[] = [
  ["task-run", { capability: "echo", input: 1 }],
  ["task-run", { capability: "echo", input: 1, ballot: BALLOT }],
  ["task-run", { capability: "echo", input: 1, ballot: { ...BALLOT, seats: 9, timeoutMs: 100 }, id: "torn" }], // it fails: too few agents
  ["task-submit", { capability: "echo", id: "seen", input: { $delayMs: 300 } }],
  ["task-watch", { task: "seen" }],
  ["task-run", { capability: "echo", input: 1, scope: "one" }],
  ["task-cancel", { scope: "one" }],
  ["audit-verify", {}],
  ["blob-put", { data: new Uint8Array(1) }],
  ["swarm-status", {}],
  ["task-list", {}],
  ["dead-list", {}],
  ["dead-replay", { all: true }],
  ["dead-purge", { all: true }],
  ["task-submit", { capability: "echo", id: "late", notBefore: 600_000 }],
  ["task-cancel", { task: "late" }],
  ["task-purge", { all: true }],
  ["audit-list", {}],
  ["office-status", {}],
  ["capability-list", {}],
  ["agent-list", {}],
  ["problems-list", {}],
  ["swarm-overview", {}],
  ["task-submit", { capability: "echo", id: "moved", notBefore: 600_000 }],
  ["task-reprioritise", { task: "moved", priority: "high" }],
  ["task-submit", { capability: "limited", id: "running", input: { waits: true, fail: true } }],
  ["task-cancel", { task: "running" }],
  ["task-purge", { state: "completed", yes: true }],
  ["config-show", { stale: true }],
  ["config-set", { name: "n", value: 1 }],
  ["workflow-run", { workflow: "calm", input: { text: "x".repeat(300_000) }, id: "large" }],
  ["workflow-show", { id: "large" }],
  ["workflow-run", { workflow: "calm", input: { $fail: "terminal" }, id: "failed" }],
  ["workflow-retry", { id: "failed" }],
  ["workflow-show", { id: "failed" }],
  ["workflow-list", {}],
  ["workflow-start", { workflow: "stuck", id: "stuck" }],
  ["workflow-cancel", { id: "stuck" }],
  ["workflow-run", { workflow: "stuck", id: "stuck" }], // waits for its end
];
