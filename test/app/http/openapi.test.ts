// The HTTP API as its OpenAPI document tells it: the document covers the table of operations, and a real swarm answers every
// operation as the document says.
import { expect, onTestFinished, test } from "vitest";
import { apiRoutes } from "../../../src/app/http/api.ts";
import { describeApi, type OpenApiDocument } from "../../../src/app/http/openapi/document.ts";
import { probeRoutes } from "../../../src/app/http/probes.ts";
import { Readiness } from "../../../src/app/http/readiness.ts";
import { NOT_SERVED, ROUTES } from "../../../src/app/http/routes/table.ts";
import { GroupWorkCounter } from "../../../src/app/office/group-work.ts";
import { OPERATIONS } from "../../../src/app/operations/index.ts";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { createPauseKeeper } from "../../../src/coordinator/index.ts";
import { createSubjects, encode, fromWire, SwarmError } from "../../../src/protocol/index.ts";
import { createMover, createTaskClient } from "../../../src/work/index.ts";
import { setupBallots } from "../../coordinator/ballots/swarm.ts";
import { performWorkflows } from "../operations/workflows.ts";
import { describesStream, readDocument, type Sent } from "./document.ts";
import { readAll } from "./setup.ts";

test("each operation is served by a route, or left out for a reason", () => {
  const served = new Set(ROUTES.flatMap(({ operation, waiting }) => [operation.name, waiting?.name ?? ""]));
  for (const { name } of OPERATIONS) expect(served.has(name) !== name in NOT_SERVED, name).toBe(true);
  expect(Object.keys(NOT_SERVED).filter((name) => !OPERATIONS.some((each) => each.name === name))).toEqual(
    [],
  );
});

test("no two routes have the same method and path, and no two operations of the document the same id", () => {
  const requests = ROUTES.map(({ method, path }) => `${method} ${path.replaceAll(/:\w+/g, ":")}`);
  expect(new Set(requests).size).toBe(requests.length);
  const ids = Object.values(describeApi().paths).flatMap((methods) =>
    Object.values(methods).map(({ operationId }) => operationId),
  );
  expect(new Set(ids).size).toBe(ids.length);
});

test("every parameter of a path is a field of its operation, and every reference leads to a schema", () => {
  const document = describeApi();
  for (const { method, path, parameters } of ROUTES) {
    const named = [...path.matchAll(/:(\w+)/g)].map(([, name]) => name);
    expect(Object.keys(parameters), `${method} ${path}`).toEqual(named);
  }
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
  expect(references.length).toBeGreaterThan(15);
  for (const [, name] of references) {
    const schema = document.components.schemas[name ?? ""];
    expect(schema?.type ?? schema?.oneOf, name).toBeDefined(); // and is no reference to itself
  }
});

/** A real swarm behind its API. Every request and every reply is checked against the document that the API serves. */
async function setup() {
  const swarm = await setupBallots(
    [
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
    ],
    { nats: true },
  );
  const { transport, office, leader } = swarm;
  const meter = createMeter();
  const tasks = createTaskClient({ transport, meter });
  onTestFinished(() => tasks.close());
  const parts = { transport, meter, log: silentLogger };
  for (const service of [createMover(parts), createPauseKeeper({ ...parts, office: leader.office })]) {
    await service.start();
    onTestFinished(() => service.stop());
  }
  const groups = [{ name: "sorters", capabilities: ["classify"] }];
  const app = apiRoutes({
    ...{ ...parts, tasks, host: "127.0.0.1", token: () => undefined },
    scaling: new GroupWorkCounter({ transport, office, groups: () => groups }),
    probes: probeRoutes({ meter, readiness: new Readiness({ meter, isConnected: () => true }) }),
  });
  const document = (await (await app.request("http://127.0.0.1/openapi.json")).json()) as OpenApiDocument;
  const reader = readDocument(document);
  const answered = new Set<string>();

  async function send(request: string, { query, body }: Pick<Sent, "query" | "body"> = {}) {
    const [method = "", path = ""] = request.split(" ");
    const sent: Sent = { method, path, query, body };
    const search = new URLSearchParams(
      Object.entries(query ?? {}).flatMap(([name, value]) =>
        (typeof value === "string" ? [value] : value).map((each): [string, string] => [name, each]),
      ),
    );
    const answer = await app.request(`http://127.0.0.1${path}${search.size === 0 ? "" : `?${search}`}`, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
    });
    const isStream = answer.headers.get("content-type") === "text/event-stream";
    const told = isStream ? { events: await readAll(answer) } : await answer.json();
    const reply = { status: answer.status, body: told as Record<string, unknown> };
    if (!isStream) reader.checkReply(sent, reply);
    else expect(describesStream(reader.find(sent).operation, answer.status), request).toBe(true);
    if (answer.ok) reader.checkRequest(sent);
    answered.add(`${reader.find(sent).operation.operationId}${answer.ok ? "" : " refused"}`);
    return reply;
  }
  const good = async (request: string, sent: Pick<Sent, "query" | "body"> = {}) => {
    const { status, body } = await send(request, sent);
    if (status >= 300) throw fromWire(body.error as Parameters<typeof fromWire>[0]);
    return body;
  };
  return { ...swarm, document, send, good, answered };
}

/** The operations that the small swarm below can only refuse, and the tests that have their answers. */
const ANSWERED_ELSEWHERE = {
  "task-settle": "work/scenarios/steps-crash.test.ts",
  "ballot-decide": "app/scenarios/ballots.test.ts",
  "office-transfer": "app/scenarios/coordinators.test.ts",
  "workflow-retry": "engine/scenarios",
};

test("a real swarm answers every operation as the document says", { timeout: 120_000 }, async () => {
  const { document, send, good, answered, agentOf, transport } = await setup();

  expect(
    await good("POST /v1/tasks", {
      query: { wait: "60000" },
      body: { capability: "echo", id: "t1", input: 1 },
    }),
  ).toMatchObject({ taskId: "t1", status: "completed" });
  expect(
    await good("POST /v1/tasks", { body: { capability: "echo", id: "t2", notBefore: 600_000 } }),
  ).toMatchObject({
    taskId: "t2",
    status: "accepted",
  });
  const many = [{ capability: "echo", id: "t1", input: 1 }, { capability: "nosuch" }, { capability: "echo" }];
  expect(await good("POST /v1/tasks/batch", { body: { tasks: many } })).toMatchObject({
    accepted: 2,
    refused: 1,
    tasks: [
      { taskId: "t1", reply: { duplicate: true }, error: null },
      { reply: null, error: { code: "unknown_capability" } },
      { reply: { duplicate: false }, error: null },
    ],
  });
  expect(
    await send("POST /v1/tasks/batch", { body: { tasks: [{ capability: "echo" }, { id: "x" }] } }),
  ).toMatchObject({
    status: 400,
    body: { error: { code: "invalid_input", field: "tasks.1.capability" } },
  });
  await good("GET /v1/tasks/t1");
  expect(await good("GET /v1/tasks/t1/events")).toMatchObject({
    events: [{ event: "status", data: { taskId: "t1", state: "completed" } }],
  });
  const followed = good("GET /v1/events", { query: { kind: "task", limit: "1" } });
  const news = createSubjects(transport.prefix).event("task", "t1", "progress");
  const telling = setInterval(() => transport.bus.publish(news, encode({ progress: 1 })), 20);
  await followed.finally(() => clearInterval(telling));
  expect(await followed).toMatchObject({
    events: [{ data: { kind: "began" } }, { event: "event" }, { event: "end", data: { seen: 1 } }],
  });
  expect(
    await good("GET /v1/tasks", { query: { limit: "1", state: "completed", seats: "false" } }),
  ).toMatchObject({
    tasks: [{ state: "completed" }],
  });
  expect(await good("POST /v1/tasks/t2/reprioritise", { body: { priority: "low" } })).toMatchObject({
    changed: true,
  });
  expect(
    await good("POST /v1/tasks/t2/move", { body: { capability: "echo", priority: "high" } }),
  ).toMatchObject({
    priority: "high",
  });
  expect(await good("POST /v1/tasks/t2/promote")).toMatchObject({ taskId: "t2", changed: true });
  expect(await send("POST /v1/tasks/t2/settle", { body: { step: "pay", notDone: true } })).toMatchObject({
    body: { error: { code: expect.any(String) } },
  });
  await good("POST /v1/tasks", { body: { capability: "echo", id: "t3", notBefore: 600_000, scope: "s" } });
  expect(await good("DELETE /v1/tasks/t3")).toMatchObject({ taskId: "t3", status: "cancelled" });
  expect(await good("DELETE /v1/scopes/s")).toMatchObject({ scope: "s", status: "cancelled" });
  expect(
    await good("POST /v1/tasks/purge", { body: { state: "completed", idPrefix: "no", dryRun: true } }),
  ).toMatchObject({
    preview: true,
    selected: 0,
  });

  const fail = { capability: "echo", id: "t4", input: "fail", retry: { max: 0 } };
  expect(await good("POST /v1/tasks", { query: { wait: "60000" }, body: fail })).toMatchObject({
    status: "failed",
  });
  const letters = async () =>
    (await good("GET /v1/dead", { query: { label: [], limit: "5" } })).dead as { taskId: string }[];
  await expect.poll(letters).toHaveLength(1);
  await good("GET /v1/dead/t4");
  expect(await good("GET /v1/dead/groups", { query: { code: "invalid_input" } })).toMatchObject({
    groups: [{ capability: "echo", fingerprint: "told to fail", count: 1, sample: { taskId: "t4" } }],
  });
  const narrow = { code: "invalid_input", fingerprint: "told to fail", dryRun: true };
  expect(await good("POST /v1/dead/purge", { body: narrow })).toMatchObject({ report: { selected: 1 } });
  expect(await good("POST /v1/dead/replay", { body: { code: "invalid_input", dryRun: true } })).toMatchObject(
    {
      preview: true,
      selected: 1,
    },
  );
  expect(await good("POST /v1/dead/replay", { body: { task: "t4" } })).toMatchObject({ duplicate: false });
  await good("POST /v1/dead/purge", { body: { all: true } });
  await good("POST /v1/tasks", { query: { wait: "60000" }, body: { ...fail, id: "t5" } });
  await expect.poll(async () => (await send("GET /v1/dead/t5")).status).toBe(200);
  await good("POST /v1/tasks/t5/retry");

  const ballot = { seats: 3, strategy: "majority" };
  await good("POST /v1/tasks", {
    query: { wait: "60000" },
    body: { capability: "classify", id: "b1", ballot },
  });
  expect(await good("GET /v1/ballots", { query: { stale: "true" } })).toMatchObject({
    ageMs: expect.any(Number),
  });
  expect(await good("GET /v1/ballots/b1")).toMatchObject({ result: { taskId: "b1" } });
  expect(await good("POST /v1/ballots/b1/correct", { body: { value: "cat" } })).toMatchObject({
    wasRight: true,
  });
  await send("POST /v1/ballots/b1/decide", { body: { choice: 1 } });
  await good("GET /v1/topology", { query: { ballot: "b1", format: "mermaid" } });

  await performWorkflows(async (name, input = {}) => {
    const route = ROUTES.find(({ operation, waiting }) => [operation.name, waiting?.name].includes(name))!;
    const isDecision = ["workflow-approve", "workflow-reject"].includes(name);
    const given = { ...(input as Record<string, unknown>), ...(isDecision ? { as: "ada" } : {}) };
    const isInPath = ([key]: [string, unknown]) => key in route.parameters;
    const entries = Object.entries(given);
    const fields = Object.fromEntries(entries.filter((entry) => !isInPath(entry)));
    const path = entries
      .filter(isInPath)
      .reduce((filled, [key, value]) => filled.replace(`:${key}`, String(value)), route.path);
    const request = `${route.method} ${path}`;
    const query = route.waiting?.name === name ? { wait: "60000" } : undefined;
    const output =
      route.method === "GET"
        ? await good(request, {
            query: Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, String(value)])),
          })
        : await good(request, { query, body: Object.keys(fields).length === 0 ? undefined : fields });
    const events = output.events as { data: Record<string, unknown> }[] | undefined;
    return { output: events?.at(-1)?.data ?? output };
  }, transport);
  await good("GET /v1/overview");
  await good("GET /v1/session");
  await good("POST /v1/session", { body: { token: "any" } });
  await good("DELETE /v1/session");

  const agent = agentOf("echo");
  await good("GET /v1/agents");
  await good("GET /v1/agents", { query: { kept: "true" } });
  await good(`GET /v1/agents/${agent}`);
  expect(await good(`POST /v1/agents/${agent}/pause`)).toMatchObject({ state: "paused" });
  await good(`POST /v1/agents/${agent}/resume`);
  await good(`POST /v1/agents/${agentOf("a")}/drain`);
  expect(await good("GET /v1/scaling/sorters")).toMatchObject({ work: 0 });
  await good("GET /v1/capabilities");
  expect(await good("POST /v1/capabilities/classify/pause")).toMatchObject({ state: "paused" });
  await good("POST /v1/capabilities/classify/resume");

  const lock = await good("POST /v1/locks/l/acquire", { body: { ttlMs: 60_000 } });
  await good("GET /v1/locks");
  await good("POST /v1/locks/l/release", { body: { owner: lock.owner, token: lock.token } });
  await good("PUT /v1/config/n", { body: { value: { a: [1, null] } } });
  expect(await good("GET /v1/config", { query: { name: "n" } })).toMatchObject({
    values: [{ value: { a: [1, null] } }],
  });
  await good("GET /v1/config/history");
  await good("PUT /v1/schedules/s", {
    body: { when: { everyMs: 3_600_000 }, task: { capability: "echo", input: 1 } },
  });
  await good("GET /v1/schedules");
  await good("POST /v1/schedules/s/backfill", { body: { from: "0s" } });
  await good("DELETE /v1/schedules/s");
  await good("PUT /v1/budgets/b", { body: { calls: 3, window: "day" } });
  await good("GET /v1/budgets");
  await good("DELETE /v1/budgets/b");
  expect(await good("GET /v1/audit", { query: { kind: "operation", limit: "3" } })).toMatchObject({
    entries: [{}, {}, { facts: { command: "budget-remove", by: "http" } }],
  });
  await good("GET /v1/audit/verify");
  await good("GET /v1/problems");
  await good("GET /v1/status");
  await good("GET /v1/office");
  await send("POST /v1/office/transfer", { body: { to: "nosuch" } });

  const ids = Object.values(document.paths).flatMap((methods) =>
    Object.values(methods).map(({ operationId }) => operationId),
  );
  const elsewhere = Object.keys(ANSWERED_ELSEWHERE);
  expect(ids.filter((id) => !answered.has(id) && !elsewhere.includes(id))).toEqual([]);
  expect(elsewhere.filter((id) => !answered.has(`${id} refused`))).toEqual([]);
});
