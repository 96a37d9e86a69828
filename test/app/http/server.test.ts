// The API as a server on sockets, over a real nats-server: slow and large bodies, an outage of NATS, a stop, and readers of streams
// that outlive restarts of the processes that serve them.
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { type ApiParts, apiRoutes } from "../../../src/app/http/api.ts";
import { listen } from "../../../src/app/http/listen.ts";
import { probeRoutes } from "../../../src/app/http/probes.ts";
import { Readiness } from "../../../src/app/http/readiness.ts";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { SwarmError, type TaskStatus } from "../../../src/protocol/index.ts";
import { connectNats, type Transport } from "../../../src/transport/index.ts";
import { createTaskClient } from "../../../src/work/index.ts";
import { setupBallots } from "../../coordinator/ballots/swarm.ts";
import { startNatsServer } from "../../support/nats-server.ts";
import { scaled } from "../../support/scale.ts";
import { readEvents } from "./setup.ts";

const STOPS = new SwarmError("unavailable", "this process stops", { retryAfterMs: 100 });

/** Serves an API on a port; `stop` ends it as its process does. */
async function serve(
  transport: Transport,
  { port = 0, ...parts }: Partial<ApiParts> & { port?: number } = {},
) {
  const meter = createMeter();
  const tasks = createTaskClient({ transport, meter });
  const stopping = new AbortController();
  const app = apiRoutes({
    ...{ transport, tasks, meter, log: silentLogger, host: "127.0.0.1", token: () => undefined },
    probes: probeRoutes({ meter, readiness: new Readiness({ meter, isConnected: () => true }) }),
    stopping: stopping.signal,
    ...parts,
  });
  const listening = await listen(app, { host: "127.0.0.1", port, what: "the API" });
  let closing: Promise<void> | undefined;
  const stop = () => {
    closing ??= (async () => {
      stopping.abort(STOPS);
      await listening.close();
      tasks.close();
    })();
    return closing;
  };
  onTestFinished(stop);
  return { url: listening.url, port: Number(new URL(listening.url).port), stop };
}

async function setupServer() {
  const server = await startNatsServer();
  onTestFinished(() => server.stop());
  const transport = await connectNats({
    ...{ servers: server.url, name: "test", prefix: "murmur", log: silentLogger, meter: createMeter() },
  });
  onTestFinished(() => transport.close());
  await transport.init();
  return { server, transport, api: await serve(transport) };
}

test("while NATS is away, also a request that was in progress gets 503 with Retry-After within a second or so", async () => {
  const { server, transport, api } = await setupServer();
  const lost = new Promise<void>((resolve) => {
    const states = transport.onState((state) => {
      if (state === "disconnected") resolve();
    });
    onTestFinished(() => states.close());
  });
  const inProgress = fetch(`${api.url}/v1/locks`); // waits for the office, which is not there
  await server.kill();
  await lost;
  const startedMs = performance.now();
  const answers = await Promise.all([inProgress, fetch(`${api.url}/v1/tasks`)]);
  expect(performance.now() - startedMs).toBeLessThan(scaled(3_000, 1_000));
  for (const answer of answers) {
    expect(answer.status).toBe(503);
    expect(answer.headers.get("Retry-After")).toBe("1");
    expect(await answer.json()).toMatchObject({ error: { code: "unavailable" } });
  }
  expect((await fetch(`${api.url}/openapi.json`)).status).toBe(200);
});

/** Sends bytes on a socket, and resolves with the status line of the answer. */
function sendRaw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    onTestFinished(() => void socket.destroy());
    socket.once("data", (bytes) => resolve(bytes.toString().split("\r\n")[0] ?? ""));
    socket.once("error", reject);
  });
}

test("a body that is too large, or that stops arriving, is refused and holds no connection", async () => {
  const { transport, api } = await setupServer();
  const hasty = await serve(transport, { bodyStallMs: 50 });
  const head = "POST /v1/tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";
  const declared = await sendRaw(api.port, `${head}Content-Length: 99999999\r\n\r\n{`);
  expect(declared).toContain(" 413 ");
  const chunk = `${(1024 * 1024).toString(16)}\r\n${" ".repeat(1024 * 1024)}\r\n`;
  const streamed = await sendRaw(api.port, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(66)}`);
  expect(streamed).toContain(" 413 ");
  const stalled = await sendRaw(hasty.port, `${head}Content-Length: 100\r\n\r\n{"capab`);
  expect(stalled).toContain(" 408 ");
  const good = '{"capability":"nosuch"}';
  const whole = await sendRaw(api.port, `${head}Content-Length: ${good.length}\r\n\r\n${good}`);
  expect(whole).toContain(" 404 ");
});

test("a server that stops lets open requests finish, and takes no new connections", async () => {
  const { api } = await setupServer();
  const open = fetch(`${api.url}/v1/agents`); // a scatter, which takes a moment
  const events = await fetch(`${api.url}/v1/events`);
  const stopped = api.stop();
  const names: string[] = [];
  for await (const { event } of readEvents(events)) names.push(event);
  expect(names).toEqual(["event", "stop"]); // it began, and ends
  expect((await open).status).toBe(200);
  await stopped;
  await expect(fetch(`${api.url}/livez`)).rejects.toThrow();
});

/** Follows a task across disconnects, as a browser does: it connects again, to any of the servers, with the last id. */
async function follow(urls: () => readonly string[], taskId: string, start: number) {
  const seen: { event: string; id: string | undefined; data: TaskStatus }[] = [];
  let lastId: string | undefined;
  for (let tries = start; ; tries++) {
    const each = urls();
    const headers: Record<string, string> = lastId === undefined ? {} : { "Last-Event-ID": lastId };
    const answer = await fetch(`${each[tries % each.length]}/v1/tasks/${taskId}/events`, { headers }).catch(
      () => null,
    );
    if (answer?.status === 204) return seen;
    if (answer === null || !answer.ok) continue;
    try {
      for await (const { event, id, data } of readEvents(answer)) {
        seen.push({ event, id, data: data as TaskStatus });
        if (event === "status") lastId = id;
      }
    } catch {
      // the connection broke: connect again
    }
  }
}

test("readers of streams lose nothing while two API processes restart one after the other", {
  timeout: 120_000,
}, async () => {
  const READERS = scaled(10, 20);
  const RESTARTS = scaled(2, 6);
  const steps = Array.from({ length: RESTARTS + 1 }, () => Promise.withResolvers<void>());
  const swarm = await setupBallots(
    [
      {
        name: "echo",
        capability: "echo",
        slots: READERS,
        say: async (_task, ctx) => {
          for (const [at, step] of steps.entries()) {
            ctx.progress(at + 1);
            await step.promise;
          }
          return "done";
        },
      },
    ],
    { nats: true },
  );
  const apis = [await serve(swarm.transport), await serve(swarm.transport)];
  const urls = () => apis.map(({ url }) => url);
  const ids = Array.from({ length: READERS }, (_, at) => `t${at}`);
  for (const id of ids) await swarm.tasks.submit({ capability: "echo", id });
  const readers = ids.map((id, at) => follow(urls, id, at));
  for (const [at, step] of steps.entries()) {
    const reached = async () => (await swarm.tasks.status(ids[0]!)).progress;
    await expect.poll(reached, { timeout: 30_000 }).toBe(at + 1);
    const which = at % apis.length;
    if (at < RESTARTS) {
      const { port } = apis[which]!;
      await apis[which]!.stop();
      step.resolve();
      apis[which] = await serve(swarm.transport, { port });
    } else step.resolve();
  }
  let gaps = 0;
  for (const [at, seen] of (await Promise.all(readers)).entries()) {
    const statuses = seen.filter(({ event }) => event === "status");
    expect(statuses.at(-1)?.data, ids[at]).toMatchObject({ state: "completed", result: { output: "done" } });
    expect(statuses.filter(({ data }) => data.state === "completed")).toHaveLength(1);
    const known = new Set(statuses.map(({ id }) => id));
    expect(known.size, "no state is told twice").toBe(statuses.length);
    const progress = statuses.map(({ data }) => data.progress ?? 0);
    expect(progress.slice(0, -1)).toEqual(progress.slice(0, -1).toSorted((a, b) => a - b));
    // A reader has each step, or a gap stands in front of the next one.
    for (const [place, { event, data }] of seen.entries()) {
      const before = seen.slice(0, place).findLast((each) => each.event === "status");
      const jump = (data.progress ?? 0) - (before?.data.progress ?? 0);
      if (event !== "status" || before === undefined || data.state !== "running" || jump <= 1) continue;
      expect(seen[place - 1]?.event, `${ids[at]} jumps by ${jump}`).toBe("gap");
      gaps++;
    }
  }
  expect(gaps).toBeLessThanOrEqual(READERS * RESTARTS);
});
