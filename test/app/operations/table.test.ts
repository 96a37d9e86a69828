// The table of operations as every face relies on it: its rules, and each operation performed once on a small swarm.
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { createOperateDoor } from "../../../src/app/door/index.ts";
import { GroupWorkCounter } from "../../../src/app/office/group-work.ts";
import { auditThrough } from "../../../src/app/office/operation-audit.ts";
import { OPERATIONS } from "../../../src/app/operations/index.ts";
import { ACCESS_LEVELS, type OperationContext, perform } from "../../../src/app/operations/operation.ts";
import { createAuditWriter } from "../../../src/audit/index.ts";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { createPauseKeeper } from "../../../src/coordinator/index.ts";
import { createSubjects, ERROR_CODES, encode, SwarmError, tokenSchema } from "../../../src/protocol/index.ts";
import { createDoorCaller, createTaskClient } from "../../../src/work/index.ts";
import { listFiles, readSource } from "../../../tools/build/measures/tree.ts";
import { setupBallots } from "../../coordinator/ballots/swarm.ts";
import { performWorkflows } from "./workflows.ts";

const names = OPERATIONS.map(({ name }) => name);
const sources = listFiles().filter((file) => file.startsWith("src/app/operations/"));

test("every operation has a name of its own, which is a token of a subject", () => {
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(tokenSchema.safeParse(name).success, name).toBe(true);
});

test.each(OPERATIONS)("$name has a summary, an access level, and errors of the catalogue", (operation) => {
  expect(operation.summary).toMatch(/^[a-z].*[^.]$/);
  expect(ACCESS_LEVELS).toContain(operation.access);
  expect(operation.errors.filter((code) => !ERROR_CODES.includes(code))).toEqual([]);
  expect(new Set(operation.errors).size).toBe(operation.errors.length);
});

test.each(OPERATIONS)("the input and the output of $name have a JSON Schema", ({ input, output }) => {
  for (const schema of [input, output]) {
    expect(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" })).toBeDefined();
  }
});

test("no operation imports a face, or reads a terminal, a file, a signal or its process", () => {
  const files = sources.map(readSource);
  expect(files.length).toBeGreaterThan(10);
  const wrong = files.flatMap(({ file, imports }) =>
    imports
      .filter(({ target }) =>
        /^src\/app\/(cli|commands|http|processes|supervisor|bench)\/|^(node:)?(fs|readline|tty|process)\b/.test(
          target,
        ),
      )
      .map(({ line, target }) => `${file}:${line} imports ${target}`),
  );
  expect(wrong).toEqual([]);
  const globals = files.flatMap(({ file, text }) =>
    /(?<![\w.])process\.(?!$)|\bconsole\./m.test(text) ? [file] : [],
  );
  expect(globals).toEqual([]);
});

/** The two ways to perform an operation. */
const WAYS = ["directly", "through the door"] as const;

/** A swarm in memory: one coordinator, three agents for `classify`, one for `echo` that fails when told to. */
async function setup(way: (typeof WAYS)[number]) {
  const swarm = await setupBallots([
    ...["a", "b", "c"].map((name) => ({ name, say: () => "cat" })),
    {
      name: "echo",
      capability: "echo",
      slots: 4,
      say: ({ input }) => {
        if (input === "fail") throw new SwarmError("invalid_input", "told to fail");
        return input;
      },
    },
  ]);
  const { transport, office } = swarm;
  const parts = {
    transport,
    role: "test",
    processId: "test-1",
    version: "1",
    log: silentLogger,
    meter: createMeter(),
  };
  const writer = createAuditWriter(parts);
  writer.audit({ kind: "office-command", facts: { command: "budget-set", outcome: "done", name: "n" } });
  await writer.flush(60_000);
  onTestFinished(() => writer.service.stop());
  const tasks = createTaskClient({ transport, meter: createMeter() });
  onTestFinished(() => tasks.close());
  const groups = [{ name: "sorters", capabilities: ["classify"] }];
  const scaling = new GroupWorkCounter({ transport, office, groups: () => groups });
  const advise = ({ user, subject }: { user: string; subject: string }) => `p.yaml:1: ${user} ${subject}`;
  const context: OperationContext = {
    transport,
    tasks,
    office,
    signal: new AbortController().signal,
    caller: { name: "ada", role: "test" },
    scaling,
    advise,
    timeoutMs: 60_000,
  };
  const door = createOperateDoor({
    ...{ transport, tasks, scaling, advise, operations: OPERATIONS, meter: createMeter(), log: silentLogger },
    rightsOf: (user) => ({ user, role: "operator/ada", access: "admin", capabilities: null }),
    auditor: auditThrough(writer),
    onRefused: () => undefined,
  });
  await door.start();
  onTestFinished(() => door.stop());
  const ada = createDoorCaller({ transport, user: "ada" });
  const performed = new Set<string>();
  /** Performs an operation of the table with raw input, and checks that its output and its events fit their schemas. */
  async function call(
    name: string,
    input: object = {},
    {
      timeoutMs = context.timeoutMs,
      heard = () => undefined,
    }: { timeoutMs?: number | undefined; heard?: () => void } = {},
  ) {
    const operation = OPERATIONS.find((each) => each.name === name)!;
    const events: unknown[] = [];
    const onEvent = (event: unknown) => {
      events.push(operation.event?.parse(event));
      heard();
    };
    const encoding = "data" in input ? "msgpack" : "json"; // JSON has no bytes
    const output =
      way === "directly"
        ? await perform(operation, { ...context, timeoutMs }, operation.input.parse(input), onEvent)
        : await ada.call(name, input, { timeoutMs, onEvent, encoding });
    performed.add(name);
    operation.output.parse(output);
    return { output: output as Record<string, unknown>, events };
  }
  return { ...swarm, call, performed };
}

test.each(WAYS)("the answer of each operation, performed %s, fits its schema", { timeout: 120_000 }, (way) =>
  performEach(way),
);

async function performEach(way: (typeof WAYS)[number]): Promise<void> {
  const { call, performed, agentOf, transport, leader } = await setup(way);
  await call("swarm-init");

  expect((await call("task-submit", { capability: "echo", id: "t1", input: 1 })).output).toMatchObject({
    taskId: "t1",
  });
  expect((await call("task-watch", { task: "t1" })).output).toMatchObject({ state: "completed" });
  const began = Promise.withResolvers<void>();
  const followed = call("event-watch", { kind: "task", id: "e1", limit: 1 }, { heard: began.resolve });
  await began.promise;
  const batch = (await call("task-submit-batch", { tasks: [{ capability: "echo", id: "e1" }] })).output;
  expect(batch).toMatchObject({ accepted: 1, refused: 0, tasks: [{ taskId: "e1" }] });
  transport.bus.publish(
    createSubjects(transport.prefix).event("task", "e1", "progress"),
    encode({ progress: 1 }),
  );
  expect((await followed).events).toMatchObject([
    { kind: "began" },
    { kind: "task", id: "e1", event: "progress", facts: { progress: 1 } },
  ]);
  await call("task-show", { task: "t1" });
  expect((await call("task-list", { idPrefix: "t" })).output).toMatchObject({ tasks: [{ taskId: "t1" }] });
  await performWorkflows(call, transport);
  const fail = { capability: "echo", id: "t2", input: "fail", retry: { max: 0 } };
  expect((await call("task-run", fail)).output).toMatchObject({ status: "failed" });
  await call("task-retry", { task: "t2" });
  expect((await call("journal-read", { capability: "echo", task: "t2" })).output.places).toBeNull();
  await call("journal-trim", { capability: "echo", task: "t2" });
  const delayed = {
    capability: "echo",
    task: "t9",
    dueAt: "2100-01-01T00:00:00Z",
    headers: {},
    data: encode(1),
  };
  expect((await call("task-delay", delayed)).output).toEqual({ isStored: true });
  await call("task-submit", { capability: "echo", id: "t3", notBefore: 600_000 });
  expect((await call("permission-advise", { operation: "publish", subject: "s" })).output).toEqual({
    advice: "p.yaml:1: ada s",
  });
  const places = { priority: "normal", scope: "-" };
  expect((await call("journal-read", { capability: "echo", task: "t3", places })).output).toEqual({
    records: [],
    places: { placed: [], isLater: true, isQueued: false },
  });
  expect((await call("task-reprioritise", { task: "t3", priority: "low" })).output).toMatchObject({
    changed: true,
    audited: true,
  });
  expect((await call("task-move", { task: "t3", capability: "classify" })).output).toMatchObject({
    priority: "low",
  });
  await expect(call("task-settle", { task: "t3", step: "charge", notDone: true })).rejects.toMatchObject({
    code: "not_found",
  });
  performed.add("task-settle"); // no task waits here; work/scenarios/steps-crash.test.ts has its answer
  await expect(call("task-promote", { task: "t3" }, { timeoutMs: 300 })).rejects.toMatchObject({
    code: "unavailable",
  });
  performed.add("task-promote"); // without an api process the task stays due; its answer is in work/client/move.test.ts
  expect((await call("task-cancel", { task: "t3" })).output).toEqual({
    taskId: "t3",
    status: "cancelled",
    audited: true,
  });
  expect((await call("task-purge", { state: "completed", idPrefix: "t3" })).output).toMatchObject({
    selected: 0,
  });
  expect((await call("task-cancel", { scope: "s" })).output).toEqual({
    scope: "s",
    status: "cancelled",
    audited: true,
  });

  const letters = () => call("dead-list").then(({ output }) => output.dead as { taskId: string }[]);
  await expect.poll(letters).toHaveLength(1); // a retry takes the letter of the task away, and its copy fails too
  const task = (await letters())[0]!.taskId;
  await call("dead-show", { task });
  expect((await call("dead-groups")).output).toMatchObject({
    groups: [{ count: 1, sample: { taskId: task } }],
    stored: 1,
  });
  expect((await call("dead-replay", { task })).output).toMatchObject({ duplicate: false, audited: true });
  await call("dead-purge", { all: true });

  const ballot = { capability: "classify", id: "b1", ballot: { seats: 3, strategy: "majority" } };
  const ran = await call("task-run", ballot);
  expect(ran.output).toMatchObject({ status: "completed", output: "cat" });
  expect(ran.events).toContainEqual(expect.objectContaining({ kind: "opened" }));
  expect((await call("ballot-list")).output).toMatchObject({ ballots: [{ id: "b1" }] });
  expect((await call("ballot-show", { id: "b1" })).output).toMatchObject({ result: { taskId: "b1" } });
  await call("topology-show", { ballot: "b1" });
  expect((await call("topology-show")).output.drawing).toContain("takes classify");
  expect((await call("ballot-correct", { id: "b1", value: "cat" })).output).toMatchObject({
    wasRight: true,
  });
  await expect(call("ballot-decide", { id: "b1", choice: 1 })).rejects.toBeInstanceOf(SwarmError);
  performed.add("ballot-decide"); // its answer is in scenarios/ballots.test.ts

  // Three agents and a ballot of five seats: two seats wait for agents, and so does the task of the ballot in its queue.
  const wide = { capability: "classify", id: "b2", ballot: { seats: 5, strategy: "majority" } };
  await call("task-submit", wide);
  const scaling = () => call("scaling-show", { group: "sorters" }).then(({ output }) => output);
  await expect.poll(scaling, { timeout: 20_000 }).toMatchObject({ work: 3, queued: 1, placed: 0, seats: 2 });
  await expect(call("scaling-show", { group: "nosuch" })).rejects.toMatchObject({
    code: "not_found",
    message: "the permissions list no group nosuch; known: sorters",
  });
  await call("task-cancel", { task: "b2" });
  await expect.poll(scaling, { timeout: 20_000 }).toMatchObject({ work: 0, isOfficeKnown: true });

  const glance = (await call("swarm-status")).output;
  expect(glance).toMatchObject({
    prefix: transport.prefix,
    office: { leader: expect.any(String), coordinators: 1, lag: 0 },
    queues: [
      { capability: "classify", state: "open" },
      { capability: "echo", state: "open" },
    ],
    unanswered: [],
  });

  expect((await call("problems-list")).output.unknown).toEqual([]);
  expect((await call("swarm-overview")).output).toMatchObject({
    prefix: transport.prefix,
    capabilities: expect.arrayContaining([
      expect.objectContaining({ capability: "classify", agents: 3, isPaused: false }),
    ]),
    office: { leader: expect.any(String), coordinators: 1 },
    unknown: [],
  });

  const agent = agentOf("echo");
  expect((await call("agent-list")).output.agents).toHaveLength(4);
  expect((await call("agent-show", { agent })).output).toMatchObject({ equivocations: 0 });
  expect((await call("agent-pause", { agent })).output).toMatchObject({ state: "paused" });
  await call("agent-resume", { agent });
  await call("agent-drain", { agent });

  const keeper = createPauseKeeper({ transport, office: leader.office, log: silentLogger });
  await keeper.start();
  onTestFinished(() => keeper.stop());
  const paused = (await call("capability-pause", { capability: "classify" })).output;
  expect(paused).toMatchObject({ state: "paused", by: "ada", isChanged: true });
  await call("task-submit", { capability: "classify", id: "t4" });
  expect(await scaling()).toMatchObject({ work: 0, paused: ["classify"] });
  expect((await call("task-show", { task: "t4" })).output).toMatchObject({
    state: "pending",
    paused: { since: paused.since, by: "ada" },
  });
  const listed = (await call("capability-list")).output;
  expect(listed).toMatchObject({
    isOfficeKnown: true,
    capabilities: [
      { capability: "classify", state: "paused", waiting: 1, by: "ada" },
      { capability: "echo", state: "open", by: null },
    ],
  });
  expect((await call("capability-pause", { capability: "classify" })).output).toEqual({
    ...paused,
    waiting: 1,
    isChanged: false,
  });
  await expect(call("capability-pause", { capability: "nosuch" })).rejects.toMatchObject({
    code: "unknown_capability",
    message: "no agent has offered the capability nosuch yet; known: classify, echo",
  });
  expect((await call("capability-resume", { capability: "classify" })).output).toMatchObject({
    state: "open",
  });

  const lock = (await call("lock-acquire", { name: "l" })).output;
  expect(lock).toMatchObject({ acquired: true, owner: expect.stringMatching(/^(test|api)-/) });
  expect((await call("lock-list")).output).toMatchObject({ locks: [{ name: "l" }] });
  await call("lock-release", { name: "l", owner: lock.owner, token: lock.token });

  expect((await call("config-set", { name: "n", value: { a: 1 } })).output).toMatchObject({ revision: 1 });
  expect((await call("config-show", { stale: true })).output).toMatchObject({ ageMs: expect.any(Number) });
  expect((await call("config-history")).output).toMatchObject({ changes: [{ by: "ada" }] });

  const schedule = { id: "s", when: { everyMs: 3_600_000 }, task: { capability: "echo", input: 1 } };
  await call("schedule-set", schedule);
  expect((await call("schedule-list")).output).toMatchObject({ schedules: [{ id: "s" }] });
  expect((await call("schedule-backfill", { id: "s", from: "0s" })).output).toMatchObject({ ticks: 0 });
  await call("schedule-remove", { id: "s" });

  await call("budget-set", { name: "b", calls: 3, window: "day" });
  expect((await call("budget-list")).output).toMatchObject({ budgets: [{ limit: { calls: 3 } }] });
  await call("budget-remove", { name: "b" });

  const blob = (await call("blob-put", { data: new Uint8Array([1, 2]) })).output;
  expect((await call("blob-get", blob)).output.data).toEqual(new Uint8Array([1, 2]));

  // Every operation that changes the swarm for others is in the audit log, with its caller, and no value that it set.
  const entries = (await call("audit-list", { kind: "operation", limit: 1_000 })).output.entries as {
    facts: object;
  }[];
  const facts = entries.map((entry) => entry.facts);
  const one = { by: "ada", isProven: way === "through the door", outcome: "done" };
  expect(facts).toMatchObject([
    { ...one, command: "swarm-init", verified: expect.any(Number) },
    { ...one, command: "workflow-pause", id: "w1" },
    { ...one, command: "workflow-resume", id: "w1" },
    { ...one, command: "workflow-approve", id: "w1", approval: "check" },
    { ...one, command: "workflow-reject", id: "w1", approval: "again" },
    { ...one, command: "workflow-retry", id: "w1", outcome: "conflict" },
    { ...one, command: "workflow-cancel", id: "w2" },
    { ...one, command: "task-retry", task: "t2", duplicate: false },
    { ...one, command: "task-reprioritise", task: "t3", priority: "low" },
    { ...one, command: "task-move", capability: "classify" },
    { ...one, command: "task-settle", task: "t3", step: "charge", isDone: false, outcome: "not_found" },
    { ...one, command: "task-promote", task: "t3", outcome: "unavailable" },
    { ...one, command: "task-cancel", task: "t3" },
    { ...one, command: "task-cancel", filter: { scope: "s" } },
    { ...one, command: "dead-replay", task, replay: expect.any(String) },
    { ...one, command: "dead-purge", filter: { all: true }, done: expect.any(Number) },
    { ...one, command: "ballot-correct", id: "b1" },
    {
      ...one,
      command: "ballot-decide",
      outcome: expect.stringMatching(/^(conflict|not_found)$/),
      choice: 1,
    },
    { ...one, command: "task-cancel", task: "b2" },
    { ...one, command: "agent-pause", agent },
    { ...one, command: "agent-resume", agent },
    { ...one, command: "agent-drain", agent },
    { ...one, command: "capability-pause", capability: "classify", isChanged: true },
    { ...one, command: "capability-pause", isChanged: false },
    { ...one, command: "capability-pause", capability: "nosuch", outcome: "unknown_capability" },
    { ...one, command: "capability-resume" },
    { ...one, command: "lock-acquire", name: "l" },
    { ...one, command: "lock-release", name: "l" },
    { ...one, command: "config-set", name: "n" },
    { ...one, command: "schedule-set", id: "s", capability: "echo" },
    { ...one, command: "schedule-backfill", id: "s", ticks: 0 },
    { ...one, command: "schedule-remove", id: "s" },
    { ...one, command: "budget-set", name: "b", calls: 3, window: "day" },
    { ...one, command: "budget-remove", name: "b" },
  ]);
  for (const each of facts) expect(each).not.toHaveProperty("value");
  expect((await call("audit-verify")).output).toMatchObject({ intact: true });

  expect((await call("office-status")).output).toMatchObject({ leader: "c1" });
  await expect(call("office-transfer", {}, { timeoutMs: 200 })).rejects.toBeInstanceOf(SwarmError);
  performed.add("office-transfer"); // its answer is in scenarios/coordinators.test.ts
  await expect(call("office-recover")).rejects.toMatchObject({ code: "conflict" });
  performed.add("workflow-retry"); // its answer is that of the other commands
  performed.add("office-recover"); // its answer is in scenarios/recover.test.ts

  expect(names.filter((name) => !performed.has(name))).toEqual([]);
}
