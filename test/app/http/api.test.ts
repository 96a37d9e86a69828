import { expect, onTestFinished, test, vi } from "vitest";
import { apiRoutes } from "../../../src/app/http/api.ts";
import { probeRoutes } from "../../../src/app/http/probes.ts";
import { Readiness } from "../../../src/app/http/readiness.ts";
import { createMeter, type Meter, silentLogger } from "../../../src/base/index.ts";
import { createOffice, createOfficeServer, foundOffice } from "../../../src/coordinator/index.ts";
import { createSubjects, decode, encode } from "../../../src/protocol/index.ts";
import { connectMemory } from "../../../src/transport/index.ts";
import { createTaskClient } from "../../../src/work/index.ts";

const TOKEN = "a-token-of-sixteen-characters";

function createReadiness({ meter, problem }: { meter: Meter; problem: string | null }): Readiness {
  const readiness = new Readiness({ meter, isConnected: () => true });
  readiness.add({ name: "it", look: () => problem });
  return readiness;
}

async function setup(options: { host?: string; token?: string; problem?: string | null } = {}) {
  const transport = connectMemory({ prefix: "murmur" });
  await transport.init();
  const filter = createSubjects("murmur").filters.tasks("echo", "normal");
  await transport.queue("tasks").consumer({ name: "echo-normal", filter });
  const meter = createMeter();
  const tasks = createTaskClient({ transport, meter });
  onTestFinished(() => {
    tasks.close();
    return transport.close();
  });
  const app = apiRoutes({
    transport,
    tasks,
    meter,
    officeWaitMs: 100,
    log: silentLogger,
    host: options.host ?? "127.0.0.1",
    token: () => options.token,
    probes: probeRoutes({ meter, readiness: createReadiness({ meter, problem: options.problem ?? null }) }),
  });
  const send = (path: string, init: RequestInit = {}) => app.request(`http://127.0.0.1${path}`, init);
  const post = (body: unknown, headers: Record<string, string> = {}) =>
    send("/v1/tasks", {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  return { transport, send, post };
}

test.each([
  ["PUT", "/v1/tasks", "GET, HEAD, POST"],
  ["POST", "/v1/tasks/a", "DELETE, GET, HEAD"],
  ["DELETE", "/v1/office", "GET, HEAD"],
  ["POST", "/metrics", "GET, HEAD"],
])("%s %s is answered 405 with the methods that the path takes", async (method, path, allowed) => {
  const { send } = await setup();
  const answer = await send(path, { method });
  expect(answer.status).toBe(405);
  expect(answer.headers.get("Allow")).toBe(allowed);
  expect(await answer.json()).toMatchObject({
    error: {
      code: "invalid_input",
      field: "method",
      message: `${path} does not take ${method}; allowed: ${allowed}`,
    },
  });
});

test("a path that no route has is answered 404 for every method", async () => {
  const { send } = await setup();
  for (const method of ["GET", "POST", "PATCH"]) {
    const answer = await send("/v1/tasks/a/b", { method });
    expect(answer.status).toBe(404);
    expect(answer.headers.get("Allow")).toBeNull();
  }
});

test("a body that curl sends as a form is refused with the flag to use", async () => {
  const { post } = await setup();
  const body = JSON.stringify({ capability: "echo", input: 1 });
  for (const type of ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]) {
    const answer = await post(body, { "Content-Type": type });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      error: {
        field: "Content-Type",
        message: expect.stringContaining("add -H 'Content-Type: application/json'"),
      },
    });
  }
  expect((await post(body, { "Content-Type": "application/json; charset=utf-8" })).status).toBe(202);
});

test("a task is accepted, seen and cancelled", async () => {
  const { post, send } = await setup();
  const accepted = await post({ capability: "echo", input: 1, id: "a" });
  expect(accepted.status).toBe(202);
  expect(await accepted.json()).toMatchObject({ taskId: "a", status: "accepted", duplicate: false });
  expect(await (await send("/v1/tasks/a")).json()).toMatchObject({ taskId: "a", state: "pending" });
  expect(await (await send("/v1/tasks?capability=echo&limit=5&seats=true")).json()).toMatchObject({
    tasks: [{ taskId: "a" }],
  });
  await post({ capability: "echo", id: "b", labels: { team: "x", kind: "y" } });
  const filter = "label=team%3Dx&label=kind%3Dy&scope=-&since=1h&idPrefix=b";
  expect(await (await send(`/v1/tasks?${filter}&limit=1`)).json()).toMatchObject({
    ...{ tasks: [{ taskId: "b" }], seen: 1, next: "live.2", hidden: [] },
  });
  expect(await (await send(`/v1/tasks?${filter}&after=live.2`)).json()).toEqual({
    ...{ tasks: [], seen: 1, next: null, missesBallots: false },
    hidden: [{ why: "filter", count: 1, reason: "do not match the filter" }],
  });
  expect(await (await send("/v1/tasks/a", { method: "DELETE" })).json()).toEqual({
    taskId: "a",
    status: "cancelled",
    audited: true,
  });
  expect(await (await send("/v1/tasks/a")).json()).toMatchObject({ state: "cancelled" });
});

test("a waiting task gets another priority; a change to nothing that exists is refused", async () => {
  const { post, send } = await setup();
  const change = (verb: string, body?: string) =>
    send(`/v1/tasks/a/${verb}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      ...(body === undefined ? {} : { body }),
    });
  await post({ capability: "echo", id: "a", notBefore: 600_000 });
  const raised = await change("reprioritise", '{"priority":"high"}');
  expect([raised.status, await raised.json()]).toEqual([
    200,
    { taskId: "a", capability: "echo", priority: "high", changed: true, audited: true },
  ]);
  expect(await (await change("reprioritise", '{"priority":"high"}')).json()).toMatchObject({
    changed: false,
  });
  const wrong = await change("reprioritise", '{"priority":"hihg"}');
  expect([wrong.status, await wrong.json()]).toMatchObject([400, { error: { field: "priority" } }]);
  const unknown = await change("move", '{"capability":"nosuch"}');
  expect([unknown.status, await unknown.json()]).toMatchObject([
    404,
    { error: { code: "unknown_capability" } },
  ]);
  const missing = await send("/v1/tasks/b/promote", { method: "POST" });
  expect(missing.status).toBe(404);
});

test("waiting tasks are purged by filter, and their results by state", async () => {
  const { post, send } = await setup();
  for (const id of ["a", "b"]) await post({ capability: "echo", id, labels: { team: id } });
  const purge = async (body: object) => {
    const headers = { "Content-Type": "application/json" };
    const answer = await send("/v1/tasks/purge", { method: "POST", headers, body: JSON.stringify(body) });
    return [answer.status, await answer.json()];
  };
  const filter = { label: ["team=a"] };
  expect(await purge(filter)).toMatchObject([200, { preview: true, selected: 1, ids: ["a"], running: 0 }]);
  expect(await purge({ ...filter, yes: true })).toMatchObject([
    200,
    { preview: false, done: 1, audited: true },
  ]);
  expect(await (await send("/v1/tasks/a")).json()).toMatchObject({ state: "cancelled" });
  expect(await (await send("/v1/tasks/b")).json()).toMatchObject({ state: "pending" });
  expect(await purge({ state: "cancelled", yes: true })).toMatchObject([200, { done: 1 }]);
  expect((await send("/v1/tasks/a")).status).toBe(404);
  expect(await purge({})).toMatchObject([400, { error: { code: "invalid_input" } }]);
  expect(await purge({ state: "running" })).toMatchObject([400, { error: { field: "state" } }]);
});

test("dead letters are listed, shown, replayed and removed", async () => {
  const { send, transport } = await setup();
  const subjects = createSubjects("murmur");
  for (const taskId of ["d1", "d2"]) {
    const letter = {
      ...{
        taskId,
        capability: "echo",
        priority: "normal",
        scope: "-",
        subject: "s",
        attempts: 1,
        agent: "a-1",
      },
      ...{ reason: { code: "timeout", message: "m", retryable: false }, diedAt: "2026-01-01T00:00:00Z" },
      ...{
        payload: Buffer.from('{"capability":"echo"}').toString("base64"),
        contentType: "application/json",
      },
    };
    await transport.log("dead").append(subjects.dead("echo", taskId), encode(letter));
  }
  const command = async (path: string, body: object) => {
    const headers = { "Content-Type": "application/json" };
    const answer = await send(path, { method: "POST", headers, body: JSON.stringify(body) });
    return [answer.status, await answer.json()];
  };
  const page = (await (await send("/v1/dead?capability=echo&limit=1")).json()) as { next: string };
  expect(page).toMatchObject({ dead: [{ taskId: "d1" }], seen: 1 });
  expect(await (await send(`/v1/dead?code=timeout&after=${page.next}`)).json()).toMatchObject({
    dead: [{ taskId: "d2" }],
    next: null,
  });
  expect((await send("/v1/dead?state=failed")).status).toBe(400);
  expect(await (await send("/v1/dead/d2")).json()).toMatchObject({ taskId: "d2" });
  expect((await send("/v1/dead/d3")).status).toBe(404);
  expect(await command("/v1/dead/replay", { code: "timeout" })).toMatchObject([
    200,
    { preview: true, selected: 2 },
  ]);
  expect(await command("/v1/dead/replay", { task: "d1" })).toMatchObject([200, { duplicate: false }]);
  expect(await command("/v1/dead/purge", {})).toMatchObject([400, { error: { code: "invalid_input" } }]);
  expect(await command("/v1/dead/purge", { idPrefix: "d", dryRun: true })).toMatchObject([
    200,
    { purged: 0, report: { preview: true, selected: 1 } },
  ]);
  expect(await command("/v1/dead/purge", { idPrefix: "d" })).toMatchObject([200, { purged: 0 }]);
  expect(await command("/v1/dead/purge", { idPrefix: "d", yes: true })).toMatchObject([200, { purged: 1 }]);
  expect(await (await send("/v1/dead")).json()).toEqual({ dead: [], next: null, seen: 0, hidden: [] });
});

test("capabilities are listed; a pause without an office, or of an unknown capability, is refused", async () => {
  const { send } = await setup();
  expect(await (await send("/v1/capabilities")).json()).toMatchObject({
    capabilities: [{ capability: "echo", state: "open" }],
    isOfficeKnown: false,
  });
  const unknown = await send("/v1/capabilities/nosuch/pause", { method: "POST" });
  expect([unknown.status, await unknown.json()]).toMatchObject([
    404,
    { error: { code: "unknown_capability" } },
  ]);
  const refused = await send("/v1/capabilities/echo/resume", { method: "POST" });
  expect(refused.status).toBe(503);
});

test("the status of the office names its holder, and is 503 while no coordinator proves that it leads", async () => {
  const { send, transport } = await setup();
  await foundOffice(transport);
  const vacant = await send("/v1/office");
  expect(vacant.status).toBe(503);
  expect(await vacant.json()).toEqual({
    leader: null,
    leaderPid: null,
    term: null,
    since: null,
    members: [],
    logSeq: null,
  });
  const parts = { transport, log: silentLogger, meter: createMeter() };
  const office = createOffice({ ...parts, id: "c1", members: ["c1"], version: "1.0.0", seed: 1 });
  const server = createOfficeServer({ ...parts, office, members: ["c1"] });
  onTestFinished(async () => {
    await server.stop();
    await office.service.stop();
  });
  await office.service.start();
  await server.start();
  await office.opened;
  const held = await vi.waitFor(
    async () => {
      const answer = await send("/v1/office");
      expect(answer.status).toBe(200);
      return answer;
    },
    { timeout: 60_000 },
  );
  expect(await held.json()).toMatchObject({
    leader: "c1",
    term: 1,
    members: [{ id: "c1", role: "leader", lag: 0 }],
  });
});

test("a wait that ends too early is a timeout, and the task continues", async () => {
  const { send } = await setup();
  const init = { method: "POST", headers: { "Content-Type": "application/json" } };
  const reply = await send("/v1/tasks?wait=30", { ...init, body: '{"capability":"echo","id":"slow"}' });
  expect(reply.status).toBe(408);
  expect(await reply.json()).toMatchObject({ error: { code: "timeout", taskId: "slow" } });
  expect((await send("/v1/tasks/slow")).status).toBe(200);
});

test("MessagePack in, MessagePack out", async () => {
  const { send } = await setup();
  const reply = await send("/v1/tasks", {
    method: "POST",
    headers: { "Content-Type": "application/msgpack" },
    body: encode({ capability: "echo" }, "msgpack") as Uint8Array<ArrayBuffer>,
  });
  expect(reply.headers.get("content-type")).toBe("application/msgpack");
  const { value } = decode(new Uint8Array(await reply.arrayBuffer()), "application/msgpack");
  expect(value).toMatchObject({ status: "accepted" });
});

test.each([
  ["{", 400, "invalid_input", "body"],
  [{ capability: "echo", prority: "low" }, 400, "invalid_input", "prority"],
  [{ capability: "a.b" }, 400, "invalid_input", "capability"],
  [{ capability: "unheard-of" }, 404, "unknown_capability", "capability"],
  ['{"capability":"echo","input":{"__proto__":1}}', 400, "invalid_input", "input.__proto__"],
  [
    `{"capability":"echo","input":${"[".repeat(10_000)}${"]".repeat(10_000)}}`,
    400,
    "invalid_input",
    "input.0.0",
  ],
])("%.60j is refused with the catalogue's error and its status", async (body, status, code, field) => {
  const { post } = await setup();
  const reply = await post(body);
  expect(reply.status).toBe(status);
  expect(await reply.json()).toMatchObject({ error: { code, field } });
});

test.each([
  ["/v1/tasks/a.b", 400],
  ["/v1/tasks/nobody", 404],
  ["/v1/tasks?limit=0", 400],
  ["/v1/tasks?lmit=1", 400],
  ["/v1/tasks?seats=maybe", 400],
  ["/v1/tasks?label=team", 400],
  ["/v1/tasks?code=nosuch", 400],
  ["/v1/tasks?after=nosuch.1", 400],
  ["/v1/nothing", 404],
])("GET %s is %d", async (path, status) => {
  const { send } = await setup();
  const reply = await send(path);
  expect(reply.status).toBe(status);
  expect(await reply.json()).toMatchObject({ error: { code: expect.any(String) } });
});

test("a body over the limit is refused before it is read", async () => {
  const { post } = await setup();
  const reply = await post("{}", { "Content-Length": String(100 * 1024 * 1024) });
  expect(reply.status).toBe(413);
  expect(await reply.json()).toMatchObject({ error: { code: "payload_too_large" } });
});

test("an address that other machines reach is refused without a token", async () => {
  await expect(setup({ host: "0.0.0.0" })).rejects.toMatchObject({
    code: "invalid_input",
    field: "apiToken",
  });
  await expect(setup({ host: "0.0.0.0", token: TOKEN })).resolves.toBeDefined();
});

test("with a token, every route but the probes requires it", async () => {
  const { send } = await setup({ token: TOKEN });
  expect((await send("/v1/tasks")).status).toBe(401);
  expect((await send("/metrics")).status).toBe(401);
  expect((await send("/v1/tasks", { headers: { Authorization: `Bearer ${TOKEN}x` } })).status).toBe(401);
  expect((await send("/v1/tasks", { headers: { Authorization: `Bearer ${TOKEN}` } })).status).toBe(200);
  expect((await send("/livez")).status).toBe(200);
});

test("without a token, a page of another site and a rebound name are refused", async () => {
  const { send } = await setup();
  expect((await send("/v1/tasks", { headers: { Origin: "https://evil.example" } })).status).toBe(403);
  expect((await send("/v1/tasks", { headers: { Origin: "null" } })).status).toBe(403);
  expect((await send("/v1/tasks", { headers: { Host: "evil.example" } })).status).toBe(403);
  expect(
    (await send("/v1/tasks", { headers: { Host: "localhost:7070", Origin: "http://localhost:7070" } }))
      .status,
  ).toBe(200);
});

test("readyz names the failed check; livez and metrics still answer", async () => {
  const { send } = await setup({ problem: "no streams" });
  const ready = await send("/readyz");
  expect(ready.status).toBe(503);
  expect(await ready.text()).toContain("FAIL it: no streams");
  expect((await send("/livez")).status).toBe(200);
  expect(await (await send("/metrics")).text()).toContain("# TYPE murmur_tasks_submitted_total counter");
});
