// Traces of a whole swarm, as a collector receives them: one trace for a task, whatever happens to it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { beforeAll, describe, expect, test } from "vitest";
import { traceIdOf } from "../../../src/base/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "../../support/otlp.ts";
import { scaled } from "../../support/scale.ts";
import { atFileEnd, eventually, type Swarm, setupWorld, type World } from "../support.ts";

const atEnd = atFileEnd();
let server: NatsServer;
let receiver: OtlpReceiver;
let world: World;
let swarm: Swarm;

/** Fails once, then works in a step, asks echo, and runs a program; its input may also order its process to die, or a hand-off. */
const RELAY = `
import { defineAgent } from "murmur-swarm";
export default defineAgent({
  name: "relay",
  capabilities: ["relay"],
  exec: { allow: ["true"] },
  run: async ({ input }, ctx) => {
    if (input.die && ctx.attempt === 1) process.kill(process.pid, "SIGKILL");
    if (input.handOff && ctx.handedOff === undefined) ctx.handOff({ context: {} });
    if (input.retry && ctx.attempt === 1) throw new Error("a secret of the payload");
    await ctx.step("think", () => 1);
    await ctx.exec({ argv: ["true"] });
    return ctx.ask("echo", input);
  },
});
`;

/** A run with a step, a nap during which its engine can die, a child run, and a step that fails, so that the first one is undone. */
const TRIP = `
import { child, defineWorkflow, sleep, step } from "murmur-swarm";
export const leg = defineWorkflow({ name: "leg", version: 1, *run() { return yield* step("ride", "echo", 1); } });
export const trip = defineWorkflow({
  name: "trip",
  version: 1,
  *run() {
    yield* step("book", "echo", 1, { undo: { call: "echo", with: 2 } });
    yield* sleep("nap", 1_500);
    yield* child("part", "leg");
    yield* step("pay", "echo", { $fail: "terminal" }, { retry: { max: 0 } });
  },
});
`;

beforeAll(async () => {
  server = await startNatsServer();
  atEnd(() => server.stop());
  receiver = await startOtlpReceiver();
  atEnd(() => receiver.stop());
  world = setupWorld(
    {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_BSP_SCHEDULE_DELAY: "50",
      MURMUR_EXEC_ALLOW: "true",
      MURMUR_TRACE_URL: "https://traces.example/{traceId}",
    },
    atEnd,
  );
  mkdirSync(join(world.directory, "agents/relay"), { recursive: true });
  writeFileSync(join(world.directory, "agents/relay/agent.ts"), RELAY);
  mkdirSync(join(world.directory, "workflows"));
  writeFileSync(join(world.directory, "workflows/trip.ts"), TRIP);
  swarm = await world.up(`--server ${server.url} --coordinators 1 --agents relay*2,echo*3`);
}, 120_000);

const post = async (body: object, headers: Record<string, string> = {}) => {
  const answer = await fetch(`${swarm.http}/v1/tasks?wait=60000`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return (await answer.json()) as { taskId: string; status: string };
};

/** The spans of a trace once `isWhole`, in the order of their starts. */
const spansOf = (traceId: string, isWhole: (names: string[]) => boolean) =>
  eventually(async () => {
    const spans = receiver.spans.filter((span) => span.traceId === traceId);
    return isWhole(spans.map(({ name }) => name))
      ? spans.sort((a, b) => Number(a.startNs - b.startNs))
      : undefined;
  });

const parentOf = (spans: readonly ReceivedSpan[], span: ReceivedSpan | undefined) =>
  spans.find(({ spanId }) => spanId === span?.parentId)?.name;

const count = (names: readonly string[], start: string) =>
  names.filter((name) => name.startsWith(start)).length;

const SEND = "send murmur.task.relay.{priority}.{scope}.{taskId}";
const PROCESS = SEND.replace("send", "process");

describe("one trace", () => {
  test("has the submit, each attempt, and the agent with its steps, tools and asks, each with its parent", async () => {
    const { taskId } = await post({
      capability: "relay",
      input: { retry: true },
      retry: { max: 1, backoffMs: 10 },
    });
    const spans = await spansOf(
      traceIdOf(taskId),
      (names) => names.includes("answer echo") && count(names, "process") === 2,
    );
    const send = spans.find(({ name }) => name === SEND);
    expect(send).toMatchObject({ service: "murmur-api", kind: 4, parentId: "" });
    const attempts = spans.filter(({ name }) => name === PROCESS);
    expect(attempts.map(({ isError, attributes }) => [attributes["murmur.task.attempt"], isError])).toEqual([
      [1, true],
      [2, false],
    ]);
    for (const attempt of attempts) {
      expect(attempt).toMatchObject({ kind: 5, parentId: send?.spanId, links: [{ spanId: send?.spanId }] });
    }
    const find = (name: string) => spans.findLast((span) => span.name === name);
    expect(parentOf(spans, find("invoke_agent relay"))).toBe(PROCESS);
    for (const name of ["step think", "execute_tool true", "ask echo"])
      expect(parentOf(spans, find(name))).toBe("invoke_agent relay");
    expect(parentOf(spans, find("answer echo"))).toBe("ask echo");
    expect(parentOf(spans, find("invoke_agent echo"))).toBe("answer echo");
    for (const { startNs, endNs } of spans) expect(endNs >= startNs).toBe(true);
    expect(
      JSON.stringify(spans, (_, value) => (typeof value === "bigint" ? Number(value) : value)),
    ).not.toContain("secret");
    const shown = await world.call(`task show ${taskId} --json --server ${server.url}`);
    expect(shown.json()).toMatchObject({ traceUrl: `https://traces.example/${traceIdOf(taskId)}` });
  });

  test("continues the trace of the caller, over a hand-off", async () => {
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
    await post({ capability: "relay", input: { handOff: true } }, headers);
    const spans = await spansOf(traceId, (names) => count(names, PROCESS) === 2);
    expect(spans.find(({ name }) => name === SEND)?.parentId).toBe("b7ad6b7169203331");
  });

  // The redelivery waits for the ack-wait, 10 s.
  test.skipIf(scaled(1, 0) === 1)("survives the kill of the agent's process", async () => {
    const retry = { max: 1, backoffMs: 10 };
    const { taskId, status } = await post({ capability: "relay", input: { die: true }, retry });
    expect(status).toBe("completed");
    const isWhole = (names: string[]) => names.includes("answer echo") && names.includes(PROCESS);
    const spans = await spansOf(traceIdOf(taskId), isWhole);
    const attempts = spans.filter(({ name }) => name === PROCESS);
    expect(attempts.map(({ attributes }) => attributes["murmur.task.attempt"])).toEqual([2]);
  });

  test("has a ballot and the attempts of its seats", async () => {
    const { taskId } = await post({
      capability: "echo",
      input: 1,
      ballot: { seats: 3, strategy: "majority" },
    });
    const spans = await spansOf(
      traceIdOf(taskId),
      (names) => names.includes("ballot majority") && count(names, "process") === 3,
    );
    expect(spans.find(({ name }) => name === "ballot majority")).toMatchObject({
      service: "murmur-coordinator",
      attributes: { "murmur.ballot.outcome": "decided" },
    });
  });

  test("of a publisher without a trace begins with the attempt", async () => {
    const nats = await connect({ servers: server.url });
    nats.publish(
      "murmur.task.echo.normal.-.bare1",
      new TextEncoder().encode('{"capability":"echo","input":1}'),
    );
    await nats.drain();
    const isWhole = (names: string[]) => names.includes("invoke_agent echo") && count(names, "process") === 1;
    const spans = await spansOf(traceIdOf("bare1"), isWhole);
    const roots = spans.filter(({ parentId }) => parentId === "");
    expect(roots).toMatchObject([{ name: expect.stringMatching(/^process /), links: [] }]);
  });

  test("of a caller that does not sample it sends no span, and the task ends", async () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-00";
    expect(await post({ capability: "echo", input: 1 }, { traceparent })).toMatchObject({
      status: "completed",
    });
    await post({ capability: "relay", input: {} });
    expect(receiver.spans.some((span) => span.traceId.endsWith("319d"))).toBe(false);
  });
});

describe("one trace of a run", () => {
  const start = async (id: string, workflow: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${swarm.http}/v1/workflows`, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify({ id, workflow }),
    });
    expect(answer.status).toBe(202);
  };
  const at = (spans: readonly ReceivedSpan[], name: string, path: string) =>
    spans.find((span) => span.name.startsWith(name) && span.attributes["murmur.workflow.path"] === path);
  const ECHO = "murmur.task.echo.{priority}.{scope}.{taskId}";

  test("has its decisions with the tasks that they order, its child and the undoing of its steps, over a kill of its engine", async () => {
    const traceId = "0af7651916cd43dd8448eb211c80319e";
    await start("trip-1", "trip", { traceparent: `00-${traceId}-b7ad6b7169203331-01` });
    // The spans of the step before the nap. Spans that an engine has not sent die with it.
    await spansOf(traceId, (names) =>
      [`process ${ECHO}`, `send ${ECHO}`, "decide trip"].every((name) => names.includes(name)),
    );
    process.kill(swarm.processes.find(({ role }) => role === "engine")!.pid, "SIGKILL");
    const spans = await spansOf(
      traceId,
      (names) => names.includes("workflow trip") && count(names, `process ${ECHO}`) === 4,
    );
    for (const path of ["book", "ride", "pay", "book~undo"]) {
      const send = at(spans, "send", path);
      expect(send, path).toMatchObject({ service: "murmur-engine", kind: 4 });
      expect(parentOf(spans, send)).toBe(path === "ride" ? "decide leg" : "decide trip");
      const attempt = spans.find(
        ({ name, parentId }) => name === `process ${ECHO}` && parentId === send?.spanId,
      );
      expect(attempt?.isError, path).toBe(path === "pay");
    }
    const decisions = (name: string) => spans.filter((span) => span.name === `decide ${name}`);
    for (const { parentId } of decisions("trip")) expect(parentId).toBe("b7ad6b7169203331");
    for (const decision of decisions("leg")) expect(parentOf(spans, decision)).toBe("decide trip");
    expect(spans.find(({ name }) => name === "workflow trip")).toMatchObject({
      ...{ parentId: "b7ad6b7169203331", isError: true },
      attributes: { "murmur.workflow.id": "trip-1", "murmur.workflow.state": "compensated" },
    });
    expect(
      parentOf(
        spans,
        spans.find(({ name }) => name === "workflow leg"),
      ),
    ).toBe("decide trip");
  }, 60_000);

  test("is the trace of its id without a caller's, with its decisions as roots", async () => {
    await start("leg-1", "leg");
    const spans = await spansOf(
      traceIdOf("leg-1"),
      (names) => names.includes("workflow leg") && names.includes("invoke_agent echo"),
    );
    const roots = spans.filter(({ parentId }) => parentId === "").map(({ name }) => name);
    expect(roots.sort()).toEqual(["decide leg", "decide leg", "workflow leg"]);
  });
});

test("the log lines of an attempt name its trace", async () => {
  const { taskId } = await post({ capability: "relay", input: { retry: true }, retry: { max: 0 } });
  const logs = await world.run(`logs --json --task ${taskId}`);
  expect(logs.stdout).toContain(`"traceId":"${traceIdOf(taskId)}"`);
});

test("a scrape has the trace of an attempt as an exemplar of its running time", async () => {
  await post({ capability: "echo", input: 1 });
  const { metrics } = swarm.processes.find(({ role }) => role === "echo")!;
  const scrape = await fetch(metrics!);
  expect(scrape.headers.get("content-type")).toContain("application/openmetrics-text");
  const text = await scrape.text();
  expect(text).toMatch(
    /^murmur_task_run_seconds_bucket\{.*\} \d+ # \{trace_id="[0-9a-f]{32}",span_id="[0-9a-f]{16}"\}/m,
  );
  expect(text).toMatch(/^# EOF$/m);
});

test("a lost endpoint slows no task, and the lost spans are counted", async () => {
  await receiver.stop();
  const startedMs = performance.now();
  for (let i = 0; i < 20; i++)
    expect((await post({ capability: "echo", input: i })).status).toBe("completed");
  expect(performance.now() - startedMs).toBeLessThan(15_000);
  const { metrics } = swarm.processes.find(({ role }) => role === "echo")!;
  await eventually(async () => {
    const text = await (await fetch(metrics!)).text();
    return /^murmur_spans_dropped_total\{reason="not_sent"\} [1-9]/m.test(text) ? true : undefined;
  });
}, 120_000);
