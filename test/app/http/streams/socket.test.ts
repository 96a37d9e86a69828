// The stream of the swarm's events on a WebSocket, over real sockets: the same events, filters and tokens as with server-sent events, and
// bounds for readers that are slow, gone or hostile.
import { once } from "node:events";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { listen } from "../../../../src/app/http/listen.ts";
import { MAX_CLIENT_FRAMES } from "../../../../src/app/http/streams/socket-stream.ts";
import { createSubjects, encode, SwarmError } from "../../../../src/protocol/index.ts";
import { setupApi, writeTokens } from "../setup.ts";

interface Told {
  event: string;
  data: Record<string, unknown>;
}

/** Serves an API on a port of loopback; `follow` opens a socket and keeps its messages. */
async function serve(parts: Parameters<typeof setupApi>[0] = {}) {
  const api = await setupApi(parts);
  const listening = await listen(api.app, { host: "127.0.0.1", port: 0, what: "the API" });
  onTestFinished(() => listening.close());
  const { host, port } = new URL(listening.url);
  const gauge = async () =>
    /murmur_http_streams\{kind="websocket"\} (\d+)/.exec(await api.meter.registry.metrics())?.[1];
  const publish = (kind: "task" | "agent", id: string, facts: object) =>
    api.transport.bus.publish(createSubjects("murmur").event(kind, id, "started"), encode(facts));
  const follow = (path: string, headers: Record<string, string> = {}) => {
    const socket = new WebSocket(`ws://${host}${path}`, { headers });
    onTestFinished(() => socket.terminate());
    const told: Told[] = [];
    socket.on("message", (data) => told.push(JSON.parse(String(data)) as Told));
    socket.on("error", () => undefined);
    const closed = once(socket, "close").then(([code, reason]) => ({
      code: code as number,
      reason: String(reason),
    }));
    return { socket, told, closed, opened: once(socket, "open") };
  };
  /** Asks for a socket that the API refuses. */
  const refused = async (path: string, headers: Record<string, string> = {}) => {
    const socket = new WebSocket(`ws://${host}${path}`, { headers });
    socket.on("error", () => undefined);
    const [request, answer] = (await once(socket, "unexpected-response")) as [
      { destroy(): void },
      { statusCode: number; headers: Record<string, string>; toArray(): Promise<Buffer[]> },
    ];
    const body = JSON.parse(Buffer.concat(await answer.toArray()).toString()) as { error: object };
    request.destroy();
    return { status: answer.statusCode, headers: answer.headers, ...body };
  };
  return { ...api, close: () => listening.close(), port: Number(port), gauge, publish, follow, refused };
}

test("a socket gets the events of its filter, and a close code when the operation ends", async () => {
  const { follow, publish, gauge, meter } = await serve();
  const { told, closed } = follow("/v1/events?kind=task&id=t&limit=1");
  await expect.poll(() => told).toEqual([{ event: "event", data: { kind: "began" } }]);
  expect(await gauge()).toBe("1");
  publish("task", "other", {});
  publish("agent", "t", {});
  publish("task", "t", { attempt: 1 });
  expect(await closed).toEqual({ code: 1000, reason: "the operation ended" });
  expect(told.slice(1)).toEqual([
    { event: "event", data: { kind: "task", id: "t", event: "started", facts: { attempt: 1 } } },
    { event: "end", data: { seen: 1, dropped: 0 } },
  ]);
  await expect.poll(gauge).toBe("0");
  expect(await meter.registry.metrics()).toContain(
    'murmur_http_requests_total{route="/v1/events",method="GET",status="101"} 1',
  );
});

test("a request that gets no socket is answered with status and reason", async () => {
  const { refused, port } = await serve();
  expect(await refused("/v1/events?kind=nosuch")).toMatchObject({ status: 400, error: { field: "kind" } });
  expect(await refused("/v1/tasks")).toMatchObject({ status: 400, error: { field: "Upgrade" } });
  expect(await refused("/nosuch")).toMatchObject({ status: 404 });
  expect(await refused("/v1/events", { Origin: "https://evil.example" })).toMatchObject({
    status: 403,
    error: { field: "Origin" },
  });
  // `curl --http2` names an upgrade that the server need not make.
  const other = connect(port, "127.0.0.1");
  other.write("GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
  const [answer] = (await once(other, "data")) as [Buffer];
  other.destroy();
  expect(String(answer)).toMatch(/^HTTP\/1.1 (200 OK|400 )/);
});

test("a socket needs a token with the right, and ends at the next beat after the token is revoked", async () => {
  const reader = { secret: "murmur_r", name: "r", access: "read" as const };
  const { tokens, write } = await writeTokens([reader]);
  const { follow, refused } = await serve({ tokens, streamTimes: { beatMs: 10, slowReaderMs: 60_000 } });
  const answer = await refused("/v1/events");
  expect(answer).toMatchObject({ status: 401, error: { code: "not_permitted" } });
  expect(answer.headers["www-authenticate"]).toBe("Bearer");
  expect(await refused("/v1/events", { Authorization: "Bearer murmur_x" })).toMatchObject({ status: 401 });
  const { told, closed } = follow("/v1/events", { Authorization: "Bearer murmur_r" });
  await expect.poll(() => told.length).toBe(1);
  write([]);
  await tokens.look(() => undefined);
  expect(await closed).toMatchObject({ code: 1008, reason: expect.stringContaining("revoked") });
  expect(told.at(-1)).toMatchObject({ event: "error", data: { error: { code: "not_permitted" } } });
});

test("a process that stops tells its sockets when to connect again, and waits for none that stays", async () => {
  const stopping = new AbortController();
  const { follow, close } = await serve({ stopping: stopping.signal });
  const { told, closed } = follow("/v1/events");
  await expect.poll(() => told.length).toBe(1);
  stopping.abort(new SwarmError("unavailable", "stops", { retryAfterMs: 1_000 }));
  expect(await closed).toMatchObject({ code: 1012, reason: expect.stringContaining("another one answers") });
  expect(told.at(-1)).toMatchObject({ event: "stop", data: { retryAfterMs: 1_000 } });
  await close();
});

test("a reader that takes nothing is cut, and is told when it reads on", async () => {
  const { follow, publish, gauge } = await serve({ streamTimes: { beatMs: 60_000, slowReaderMs: 50 } });
  const { socket, told, closed, opened } = follow("/v1/events");
  await opened;
  await expect.poll(() => told.length).toBe(1);
  socket.pause();
  const facts = { text: "x".repeat(64 * 1024) };
  await expect
    .poll(async () => {
      for (let sent = 0; sent < 20; sent++) publish("task", "t", facts); // more than the buffers of both sockets hold
      await new Promise((resolve) => setImmediate(resolve));
      return gauge();
    })
    .toBe("0");
  socket.resume();
  expect(await closed).toMatchObject({ code: 1008, reason: expect.stringContaining("read faster") });
  expect(told.at(-1)).toMatchObject({ event: "cut", data: { error: { code: "rate_limited" } } });
});

test("a client that floods the socket is cut, one message that is too large ends it, and a few are dropped", async () => {
  const { follow } = await serve();
  const polite = follow("/v1/events");
  const flooding = follow("/v1/events");
  const large = follow("/v1/events");
  await Promise.all([polite.opened, flooding.opened, large.opened]);
  for (let sent = 0; sent < 3; sent++) polite.socket.send("hello");
  for (let sent = 0; sent <= MAX_CLIENT_FRAMES; sent++) flooding.socket.send("x");
  large.socket.send("x".repeat(100_000));
  expect(await flooding.closed).toMatchObject({ code: 1008, reason: expect.stringContaining("frames") });
  expect(await large.closed).toMatchObject({ code: 1009 });
  expect(polite.socket.readyState).toBe(WebSocket.OPEN);
});

test("a client that answers no ping has left", async () => {
  const { follow, gauge } = await serve({ streamTimes: { beatMs: 10, slowReaderMs: 60_000 } });
  const { socket, told } = follow("/v1/events");
  await expect.poll(() => told.length).toBe(1);
  socket.pause(); // so it sends no pong
  await expect.poll(gauge).toBe("0");
});
