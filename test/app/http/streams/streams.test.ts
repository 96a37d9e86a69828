// Streams of server-sent events, on one API over a swarm in memory.
import { expect, test } from "vitest";
import { EventStream } from "../../../../src/app/http/streams/event-stream.ts";
import { createSubjects, encode, SwarmError } from "../../../../src/protocol/index.ts";
import { readEvents, setupApi, writeTokens } from "../setup.ts";

const result = (taskId: string) => ({
  ...{ taskId, status: "completed", output: 1, attempt: 1, agent: "echo-1", queuedMs: 1, ranMs: 1 },
  ...{ startedAt: "2026-01-01T00:00:00.000Z", finishedAt: "2026-01-01T00:00:01.000Z" },
});

async function setup(parts: Parameters<typeof setupApi>[0] = {}) {
  const api = await setupApi(parts);
  const subjects = createSubjects("murmur");
  const finish = (taskId: string) =>
    api.transport.log("results").append(subjects.result("echo", "-", taskId), encode(result(taskId)), {
      headers: { "Content-Type": "application/json" },
    });
  const gauge = async () =>
    /murmur_http_streams\{kind="sse"\} (\d+)/.exec(await api.meter.registry.metrics())?.[1];
  return { ...api, finish, gauge };
}

test("a reader sees a task's states as they come, until the one with the result", async () => {
  const { send, finish, gauge } = await setup();
  await send("POST /v1/tasks", { body: { capability: "echo", id: "t" } });
  const answer = await send("GET /v1/tasks/t/events");
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("text/event-stream");
  const events = readEvents(answer);
  const first = await events.next();
  expect(first.value).toMatchObject({
    event: "status",
    id: "0.pending..",
    data: { taskId: "t", state: "pending" },
  });
  expect(await gauge()).toBe("1");
  await finish("t");
  expect((await events.next()).value).toMatchObject({
    event: "status",
    id: "1.completed.echo-1.100",
    data: { state: "completed", result: { output: 1 } },
  });
  expect((await events.next()).done).toBe(true);
  await expect.poll(gauge).toBe("0");
});

test("a reader that comes back gets what is new after a gap, nothing twice, and nothing after the end", async () => {
  const { send, finish } = await setup();
  await send("POST /v1/tasks", { body: { capability: "echo", id: "t" } });
  const back = (id: string) => send("GET /v1/tasks/t/events", { headers: { "Last-Event-ID": id } });
  const same = readEvents(await back("0.pending.."));
  const next = same.next();
  await finish("t");
  expect((await next).value).toMatchObject({ id: "1.completed.echo-1.100" }); // the pending state is not told again
  const other = readEvents(await back("0.pending.."));
  expect((await other.next()).value).toMatchObject({ event: "gap", data: { after: "0.pending.." } });
  expect((await other.next()).value).toMatchObject({ id: "1.completed.echo-1.100" });
  expect((await back("1.completed.echo-1.100")).status).toBe(204);
  for (const bad of ["7", "1.nosuch.a.", "1.running.a b.", "x".repeat(10_000)]) {
    const refused = await back(bad);
    expect([refused.status, await refused.json()]).toMatchObject([
      400,
      { error: { field: "Last-Event-ID" } },
    ]);
  }
});

test("the stream of an unknown task is 404, and a HEAD opens none", async () => {
  const { send, gauge } = await setup();
  expect((await send("GET /v1/tasks/nosuch/events")).status).toBe(404);
  await send("POST /v1/tasks", { body: { capability: "echo", id: "t" } });
  expect((await send("HEAD /v1/tasks/t/events")).status).toBe(200);
  expect(await gauge()).toBe("0");
});

test("a process that stops ends its streams with a hint, and tells a waiting caller its task", async () => {
  const stopping = new AbortController();
  const { send } = await setup({ stopping: stopping.signal });
  await send("POST /v1/tasks", { body: { capability: "echo", id: "t" } });
  const events = readEvents(await send("GET /v1/tasks/t/events"));
  await events.next();
  const waiting = send("POST /v1/tasks?wait=60000", { body: { capability: "echo", id: "w" } });
  await expect.poll(async () => (await send("GET /v1/tasks/w")).status).toBe(200);
  stopping.abort(new SwarmError("unavailable", "stops", { retryAfterMs: 1_000 }));
  expect((await events.next()).value).toMatchObject({ event: "stop", data: { retryAfterMs: 1_000 } });
  expect((await events.next()).done).toBe(true);
  const answer = await waiting;
  expect([answer.status, answer.headers.get("Retry-After"), await answer.json()]).toMatchObject([
    ...[503, "1"],
    { error: { code: "unavailable", taskId: "w" } },
  ]);
});

test("the stream of a revoked token ends at its next beat", async () => {
  const token = { secret: "murmur_s", name: "s", access: "read" as const };
  const { tokens, write } = await writeTokens([token]);
  const { send } = await setup({ tokens, streamTimes: { beatMs: 10, slowReaderMs: 60_000 } });
  const events = readEvents(await send("GET /v1/events", { token: token.secret }));
  await events.next(); // it began
  const next = events.next();
  write([]);
  await tokens.look(() => undefined);
  expect((await next).value).toMatchObject({ event: "error", data: { error: { code: "not_permitted" } } });
});

test("the swarm's events are filtered by kind and id", async () => {
  const { send, transport } = await setup();
  const leave = new AbortController();
  const answer = await send("GET /v1/events?kind=task&id=t&limit=1", { signal: leave.signal });
  const publish = (kind: "task" | "agent", id: string, facts: object) =>
    transport.bus.publish(createSubjects("murmur").event(kind, id, "started"), encode(facts));
  publish("task", "other", {});
  publish("agent", "t", {});
  publish("task", "t", { attempt: 1 });
  const events = readEvents(answer);
  expect((await events.next()).value).toMatchObject({ data: { kind: "began" } });
  expect((await events.next()).value).toMatchObject({
    event: "event",
    data: { kind: "task", id: "t", event: "started", facts: { attempt: 1 } },
  });
  expect((await events.next()).value).toMatchObject({ event: "end", data: { seen: 1, dropped: 0 } });
  expect((await send("GET /v1/events?kind=nosuch")).status).toBe(400);
});

test("a bulk change tells its progress, and stops after the current change when its caller leaves", async () => {
  const { send } = await setup();
  for (const id of ["a", "b", "c"]) await send("POST /v1/tasks", { body: { capability: "echo", id } });
  const headers = { Accept: "text/event-stream" };
  const purge = (body: object, signal?: AbortSignal) =>
    send("POST /v1/tasks/purge", { headers, body, ...(signal === undefined ? {} : { signal }) });
  const leave = new AbortController();
  const slow = readEvents(await purge({ all: true, yes: true, rate: 0.1 }, leave.signal));
  for (let done = 0; done < 1; ) {
    const { value } = await slow.next();
    done = (value as { data: { done?: number } }).data.done ?? 0;
  }
  leave.abort();
  const states = async () =>
    (((await (await send("GET /v1/tasks")).json()) as { tasks: { state: string }[] }).tasks ?? []).map(
      ({ state }) => state,
    );
  expect((await states()).filter((state) => state === "cancelled")).toHaveLength(1);
  const all: string[] = [];
  for await (const { event } of readEvents(await purge({ all: true, yes: true }))) all.push(event);
  expect(all).toEqual(["progress", "progress", "progress", "report"].slice(-all.length));
  expect(await states()).toEqual(["cancelled", "cancelled", "cancelled"]);
  const plain = await send("POST /v1/tasks/purge", { body: { all: true } });
  expect(await plain.json()).toMatchObject({ preview: true, selected: 0 });
});

test("a reader that takes nothing is cut, and is told when it reads on; hints are dropped meanwhile", async () => {
  const stream = new EventStream(() => null, { beatMs: 60_000, slowReaderMs: 20 });
  const data = "x".repeat(32 * 1024);
  for (let sent = 0; sent < 2; sent++) await stream.send({ event: "e", data });
  expect(stream.offer({ event: "hint", data })).toBe(false);
  await stream.send({ event: "late", data }); // waits for room, and is dropped by the cut
  expect(stream.left.aborted).toBe(true);
  await stream.over;
  const names: string[] = [];
  for await (const { event } of readEvents(new Response(stream.body))) names.push(event);
  expect(names).toEqual(["e", "e", "cut"]);
});

test("a quiet stream has comments, and a reader that leaves ends it", async () => {
  const stream = new EventStream(() => null, { beatMs: 5, slowReaderMs: 60_000 });
  const reader = stream.body.getReader();
  const read = async () => new TextDecoder().decode((await reader.read()).value);
  expect(await read()).toBe("retry: 1000\n\n");
  expect(await read()).toBe(": alive\n\n");
  await reader.cancel();
  await stream.over;
  expect(stream.left.aborted).toBe(true);
});
