// Hand-offs: another agent continues the work of the first one; on both transports.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  createSubjects,
  decode,
  encode,
  encodePlacement,
  HEADERS,
  type Hop,
  MAX_HAND_OFFS,
  type PlaceRequest,
  RetryableError,
  SwarmError,
} from "../../../src/protocol/index.ts";
import { MemoryServer } from "../../../src/transport/index.ts";
import type { Attempt } from "../../../src/work/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { bringBack, type Choice, countTasks, openOffice, placedLog } from "../office.ts";
import { type Script, TestSwarm, until } from "../support.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());

/** Hands off a task that no agent had before; the next agent returns the hand-off as its output. */
const passing: Script = async (attempt) => {
  if (attempt.handedOff === undefined) attempt.handOff({ context: { found: [1, 2] } });
  return attempt.handedOff;
};
const idOf = (attempt: Attempt) => (attempt as Attempt & { agentId: string }).agentId;
const told = ({ agent }: { agent: string }, attempt: number) => ({ agent, attempt, at: expect.any(String) });

describe.each(["nats", "memory"])("a hand-off on %s", (kind) => {
  let swarm: TestSwarm;
  beforeEach(() => {
    swarm = new TestSwarm(kind === "nats" ? server.url : new MemoryServer());
  });
  afterEach(() => swarm.stop());

  /** Agents on hosts of their own, and an office that knows all of them. Only the first host takes tasks from the queue. */
  async function setup(...scripts: Script[]) {
    const hosts = [];
    for (const script of scripts) {
      const capabilities = [{ name: hosts.length === 0 ? "echo" : "other" }];
      const { workforce, hostId, ...host } = await swarm.work(script, { capabilities });
      hosts.push({ ...host, workforce, host: hostId, agent: workforce.agentId });
    }
    const places = hosts.map(({ host, agent }) => ({ host, agent }));
    const choose = ({ route, exclude }: PlaceRequest): Choice =>
      places.find(({ agent }) =>
        route === "best" ? exclude?.includes(agent) !== true : route.agent === agent,
      ) ?? new SwarmError("unavailable", "no other agent", { retryAfterMs: 20 });
    const office = { choose };
    const transport = await swarm.connect();
    const open = () => openOffice(transport, (request) => office.choose(request));
    const client = await swarm.client();
    const untilEmpty = () => until(async () => ((await countTasks(transport)) === 0 ? true : undefined));
    return { hosts, office, open, client, transport, untilEmpty, subjects: createSubjects(swarm.prefix) };
  }

  /** The same with an open office. */
  async function setupOpen(...scripts: Script[]) {
    const made = await setup(...scripts);
    return {
      ...made,
      ...(await made.open()),
      first: made.hosts[0]!,
      second: made.hosts[1] ?? made.hosts[0]!,
    };
  }

  it("passes a task from the queue to another agent, with its context, as the next attempt", async () => {
    const { client, first, second, requests, untilEmpty } = await setupOpen(passing, passing);
    const result = await client.run({ capability: "echo", input: "a story", labels: { team: "red" } });
    const hops = [told(first, 1)];
    expect(result).toMatchObject({
      status: "completed",
      output: { from: first.agent, context: { found: [1, 2] }, hops },
      attempt: 2,
      agent: second.agent,
      handOffs: hops,
      placement: { agent: second.agent, host: second.host },
    });
    expect(requests).toMatchObject([
      { taskId: result.taskId, route: "best", exclude: [first.agent], text: "a story" },
    ]);
    expect(await client.status(result.taskId)).toMatchObject({ state: "completed", handOffs: hops });
    await untilEmpty();
  });

  it("passes a placed task on, and shows its labels and context to the office", async () => {
    const labels = { expertise: "search" };
    const script: Script = async (attempt) => {
      if (attempt.handedOff === undefined) attempt.handOff({ labels, context: "needs an index" });
      return attempt.task.labels;
    };
    const { client, first, second, requests, untilEmpty } = await setupOpen(script, script);
    const task = { capability: "echo", input: "slow", labels: { team: "red" }, route: "best" } as const;
    const result = await client.run(task);
    expect(result).toMatchObject({
      output: task.labels,
      agent: second.agent,
      attempt: 2,
      handOffs: [told(first, 1)],
    });
    expect(requests).toHaveLength(2);
    expect(requests[1]).toMatchObject({
      labels: { team: "red", ...labels },
      exclude: [first.agent],
      text: "needs an index\nslow",
    });
    await untilEmpty();
  });

  it("may follow another: each agent sees the earlier agents, and none of them gets the task again", async () => {
    const script: Script = async (attempt) => {
      const { hops = [], context = [] } = attempt.handedOff ?? {};
      const seen = [...(context as string[]), idOf(attempt)];
      return hops.length < 2 ? attempt.handOff({ context: seen }) : seen;
    };
    const { client, hosts, requests } = await setupOpen(script, script, script);
    const ids = hosts.map(({ agent }) => agent);
    const result = await client.run({ capability: "echo" });
    expect(result).toMatchObject({ output: ids, attempt: 3, agent: ids[2] });
    expect(result.handOffs?.map(({ agent }: Hop) => agent)).toEqual(ids.slice(0, 2));
    expect(requests.map(({ exclude }) => exclude)).toEqual([ids.slice(0, 1), ids.slice(0, 2)]);
  });

  it(`is refused after ${MAX_HAND_OFFS} hand-offs, also between agents that name each other`, async () => {
    const names: string[] = [];
    const script: Script = async (attempt) =>
      attempt.handOff({ to: { agent: names.find((name) => name !== idOf(attempt)) ?? "" } });
    const { client, first, second, untilEmpty } = await setupOpen(script, script);
    names.push(first.agent, second.agent);
    const result = await client.run({ capability: "echo" }, { timeoutMs: 60_000 });
    expect(result).toMatchObject({
      status: "failed",
      attempt: MAX_HAND_OFFS + 1,
      error: { code: "not_permitted", message: expect.stringContaining(`at most ${MAX_HAND_OFFS} times`) },
    });
    expect(result.handOffs).toHaveLength(MAX_HAND_OFFS);
    await untilEmpty();
  });

  it("to an agent that does not offer the capability fails the task for good", async () => {
    const script: Script = async (attempt) => attempt.handOff({ to: { agent: "painter" } });
    const { client, first, office, requests, untilEmpty } = await setupOpen(script);
    office.choose = () =>
      new SwarmError("invalid_input", "agent painter does not offer echo", { field: "route" });
    expect(await client.run({ capability: "echo" })).toMatchObject({
      status: "failed",
      attempt: 1,
      agent: first.agent,
      handOffs: [told(first, 1)],
      error: { code: "invalid_input", message: "agent painter does not offer echo", retryable: false },
    });
    expect(requests).toMatchObject([{ route: { agent: "painter" } }]);
    await untilEmpty(); // the dead letter is stored before the task goes
    expect(await client.dead.list()).toHaveLength(1);
  });

  it.each([
    ["a context over 64 KiB", { context: "x".repeat(65_535) }, "payload_too_large", "context"],
    ["a context that is no JSON", { context: 1n }, "invalid_input", "context"],
    ["a context nested too deep", { context: nested(70) }, "invalid_input", undefined],
    ["a misspelt option", { contxt: 1 }, "invalid_input", "contxt"],
    ["another way to choose", { to: "any" }, "invalid_input", "to"],
  ] as const)(
    "with %s is refused, naming the field, and the task is not passed on",
    async (_name, ask, code, field) => {
      const { client, requests } = await setupOpen(async (attempt) => attempt.handOff(ask as never), passing);
      const result = await client.run({ capability: "echo" });
      expect(result).toMatchObject({ status: "failed", attempt: 1, error: { code, retryable: false } });
      if (field !== undefined) expect(result.error?.field).toBe(field);
      expect(result).not.toHaveProperty("handOffs");
      expect(requests).toEqual([]);
    },
  );

  it("to the agent itself is refused; the agent's code may catch the error and continue", async () => {
    const refused: unknown[] = [];
    const { client } = await setupOpen(async (attempt) => {
      try {
        attempt.handOff({ to: { agent: idOf(attempt) } });
      } catch (error) {
        refused.push(error);
      }
      return "done here";
    });
    expect(await client.run({ capability: "echo" })).toMatchObject({ output: "done here", attempt: 1 });
    expect(refused).toMatchObject([{ code: "invalid_input", field: "to.agent" }]);
  });

  it("holds, even when the agent's code catches the error that ends the attempt", async () => {
    const { client, second } = await setupOpen(
      async (attempt) => {
        try {
          attempt.handOff({});
        } catch {
          return "forgotten";
        }
      },
      async () => "continued",
    );
    expect(await client.run({ capability: "echo" })).toMatchObject({
      output: "continued",
      agent: second.agent,
    });
  });

  it("waits for the office, and the first agent's part is not repeated", async () => {
    let runs = 0;
    const script: Script = (attempt) => {
      if (attempt.handedOff === undefined) runs++;
      return passing(attempt);
    };
    const { client, hosts, open } = await setup(script, script);
    const { taskId } = await client.submit({ capability: "echo" });
    const hops = [told(hosts[0]!, 1)];
    const waiting = await until(async () => {
      const status = await client.status(taskId);
      return status.handOffs === undefined || status.state === "running" ? undefined : status;
    });
    expect(waiting).toMatchObject({ state: "pending", attempt: 1, agent: null, handOffs: hops });
    await open();
    expect(await client.result(taskId, { timeoutMs: 60_000 })).toMatchObject({ attempt: 2, handOffs: hops });
    expect(runs).toBe(1);
  });

  it("waits for the office also when the task was placed", async () => {
    const { client, first, second, office, requests, untilEmpty } = await setupOpen(passing, passing);
    const { choose } = office;
    office.choose = (request) =>
      request.exclude === undefined ? choose(request) : new SwarmError("unavailable", "not now");
    const { taskId } = await client.submit({ capability: "echo", route: "best" });
    await until(() => (requests.length >= 3 ? true : undefined));
    office.choose = choose;
    expect(await client.result(taskId, { timeoutMs: 60_000 })).toMatchObject({
      agent: second.agent,
      attempt: 2,
      handOffs: [told(first, 1)],
    });
    await untilEmpty();
  });

  it("happens once: an older message that is delivered again finds the task elsewhere and is acked", async () => {
    const { client, hosts, transport, subjects, office, requests } = await setupOpen(
      passing,
      passing,
      passing,
    );
    const [first, second, third] = hosts;
    const { placedById, taskById } = subjects.filters;
    const log = transport.log("tasks");
    const placed = placedLog(transport);
    first!.workforce.paused = true;
    second!.workforce.paused = true;
    const { taskId } = await client.submit({ capability: "echo", route: "best" });
    const older = await until(async () => (await placed.last(placedById(taskId))) ?? undefined);
    first!.workforce.resume();
    await until(async () => ((await placed.get(older.seq)) === null ? true : undefined));
    office.choose = () => ({ host: third!.host, agent: third!.agent });
    // The office reclaims the task like this when the first host died before its ack.
    const at = { capability: "echo", priority: "normal", scope: "-", taskId } as const;
    const headers = { [HEADERS.attempt]: "1", [HEADERS.returned]: `default.${older.seq}` };
    await log.append(subjects.task(at), older.data, { headers });
    await until(async () =>
      (await log.last(taskById(taskId), { fresh: true })) === null ? true : undefined,
    );
    expect(requests).toHaveLength(2);
    second!.workforce.resume();
    expect(await client.result(taskId)).toMatchObject({ agent: second!.agent, attempt: 2 });
  });

  it("to an agent that still holds an older message of the task waits until that message is gone", async () => {
    const names: string[] = [];
    const script: Script = async (attempt) => {
      if (attempt.handedOff === undefined) attempt.handOff({ to: { agent: names[0]! }, context: "c" });
      return attempt.handedOff?.context;
    };
    const { client, second, transport, subjects, requests, untilEmpty } = await setupOpen(script, script);
    names.push(second.agent);
    second.workforce.paused = true;
    const placement = {
      ...{ host: second.host, agent: second.agent, capability: "echo", priority: "normal" as const },
      ...{ score: 0, reasons: [], placedAt: new Date().toISOString() },
    };
    const subject = subjects.placed({
      class: "default",
      host: second.host,
      agent: second.agent,
      scope: "-",
      taskId: "t1",
    });
    const headers = { [HEADERS.attempt]: "1", [HEADERS.placement]: encodePlacement(placement) };
    const log = transport.log("tasks");
    const at = { capability: "echo", priority: "normal", scope: "-", taskId: "t1" } as const;
    const body = encode({ capability: "echo" });
    await placedLog(transport).append(subject, body, { headers });
    await log.append(subjects.task(at), body);
    await until(() => (requests.length >= 2 ? true : undefined));
    second.workforce.resume();
    expect(await client.result("t1", { timeoutMs: 60_000 })).toMatchObject({
      output: "c",
      agent: second.agent,
      attempt: 2,
    });
    await untilEmpty();
  });

  it("that waits can be cancelled", async () => {
    const { client, untilEmpty } = await setupOpen(passing);
    const { taskId } = await client.submit({ capability: "echo" });
    await until(async () => (await client.status(taskId)).handOffs);
    await client.cancel(taskId);
    expect(await client.status(taskId)).toMatchObject({ state: "cancelled" });
    await untilEmpty();
  });

  it("counts as no failure: the next agent has all retries, each with the context", async () => {
    const seen: unknown[] = [];
    const script: Script = async (attempt) => {
      if (attempt.handedOff === undefined) attempt.handOff({ context: "c" });
      seen.push([attempt.number, attempt.handedOff?.context]);
      throw new RetryableError("again");
    };
    const { client, first } = await setupOpen(script, script);
    const retry = { max: 2, backoffMs: 5, factor: 1, jitter: 0 };
    expect(await client.run({ capability: "echo", retry })).toMatchObject({
      status: "failed",
      attempt: 4,
      handOffs: [told(first, 1)],
    });
    expect(seen).toEqual([
      [2, "c"],
      [3, "c"],
      [4, "c"],
    ]);
  });

  it("is placed again, with its context, when the next agent loses the task", async () => {
    const { client, hosts, transport, subjects, office } = await setupOpen(passing, passing, passing);
    const [first, second, third] = hosts;
    second!.workforce.paused = true;
    const { taskId } = await client.submit({ capability: "echo" });
    const placed = await until(
      async () => (await placedLog(transport).last(subjects.filters.placedById(taskId))) ?? undefined,
    );
    office.choose = () => ({ host: third!.host, agent: third!.agent });
    await bringBack(transport, placed);
    expect(await client.result(taskId)).toMatchObject({
      output: { from: first!.agent, context: { found: [1, 2] } },
      agent: third!.agent,
      handOffs: [told(first!, 1)],
    });
  });

  it("is published as an event of the task", async () => {
    const { client, transport, subjects, first } = await setupOpen(passing, passing);
    const events: unknown[] = [];
    const subject = subjects.event("task", "t1", "handed-off");
    transport.bus.subscribe(subject, ({ data }) => events.push(decode(data).value));
    await transport.bus.flush();
    await client.run({ id: "t1", capability: "echo" });
    await until(() => events[0]);
    expect(events).toEqual([{ to: "best", ...told(first, 1) }]);
  });
});

function nested(depth: number): unknown {
  return depth === 0 ? 1 : [nested(depth - 1)];
}
