// Tasks with a route, from the queue to the agent that the office chose, on both transports.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  createSubjects,
  encode,
  encodePlacement,
  type Placement,
  type PlaceRequest,
  placedKey,
  RetryableError,
  SwarmError,
} from "../../../src/protocol/index.ts";
import { MemoryServer, type Transport } from "../../../src/transport/index.ts";
import { placedConsumer } from "../../../src/work/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { bringBack, type Choice, countTasks, makePlacedConsumer, openOffice, placedLog } from "../office.ts";
import { type Script, signal, TestSwarm, until, untilState } from "../support.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());

const echo: Script = async ({ task }) => task.input;
const noAgent = new SwarmError("unavailable", "no agent can take it now", { retryAfterMs: 20 });

describe.each(["nats", "memory"])("placed tasks on %s", (kind) => {
  let swarm: TestSwarm;
  beforeEach(() => {
    swarm = new TestSwarm(kind === "nats" ? server.url : new MemoryServer());
  });
  afterEach(() => swarm.stop());

  /** Agents on hosts of their own, a client, and an office whose `choice` is the first agent unless the test changes it. */
  async function setup(...scripts: Script[]) {
    const hosts = [];
    for (const script of scripts) {
      const { workforce, hostId, ...host } = await swarm.work(script, { slots: 1 });
      hosts.push({ ...host, workforce, hostId, place: { host: hostId, agent: workforce.agentId } });
    }
    const [first, second = first] = hosts;
    if (first === undefined || second === undefined) throw new Error("setup needs a script");
    const office: { choice: (request: PlaceRequest) => Choice } = { choice: () => first.place };
    const transport = await swarm.connect();
    const { requests, close } = await openOffice(transport, (request) => office.choice(request));
    const client = await swarm.client();
    return { first, second, office, requests, close, client, transport, ...tools(transport) };
  }

  function tools(transport: Transport) {
    const { filters } = createSubjects(transport.prefix);
    const placed = placedLog(transport);
    return {
      /** Resolves to the placed message of a task as soon as it is stored. */
      untilPlaced: (taskId: string) =>
        until(async () => (await placed.last(filters.placedById(taskId))) ?? undefined),
      untilEmpty: () => until(async () => ((await countTasks(transport)) === 0 ? true : undefined)),
    };
  }

  describe("a routed task", () => {
    it("runs on the agent that the office chose, and its result has the reasons", async () => {
      const { second, office, client, requests, untilEmpty } = await setup(echo, echo);
      office.choice = () => second.place;
      const labels = { expertise: "backend" };
      const input = { story: "a slow query", more: ["in SQL"] };
      const result = await client.run({ capability: "echo", input, labels, route: "best", priority: "high" });
      expect(result).toMatchObject({
        status: "completed",
        output: input,
        attempt: 1,
        ...{ agent: second.place.agent },
      });
      const { taskId } = result;
      expect(result.placement).toMatchObject({
        ...second.place,
        capability: "echo",
        priority: "high",
        score: 1,
        reasons: [{ what: "named by the test", value: "yes" }],
      });
      expect(requests).toEqual([
        {
          taskId,
          capability: "echo",
          priority: "high",
          scope: "-",
          route: "best",
          labels,
          text: "a slow query\nin SQL",
        },
      ]);
      await untilEmpty();
      expect(await client.status(taskId)).toMatchObject({ state: "completed", placement: result.placement });
    });

    it("that names its agent does not show its input to the office", async () => {
      const { first, client, requests } = await setup(echo);
      const route = { agent: first.place.agent };
      await client.run({ capability: "echo", input: "secret", route });
      expect(requests).toMatchObject([{ route }]);
      expect(requests[0]).not.toHaveProperty("text");
    });

    it("may have a blob as its body, and has its result in the encoding of the task", async () => {
      const { client, requests, transport } = await setup(echo);
      const input = { text: "x".repeat(700 * 1024) };
      const options = { encoding: "msgpack" } as const;
      const result = await client.run({ capability: "echo", input, route: "best" }, options);
      expect(result).toMatchObject({ status: "completed", output: input });
      expect(requests[0]?.text).toBe("x".repeat(4_096));
      const filter = createSubjects(transport.prefix).filters.resultById(result.taskId);
      const stored = await transport.log("results").last(filter);
      expect(stored?.header("content-type")).toBe("application/msgpack");
    });

    it("is placed when it is due", async () => {
      await swarm.move();
      const { client, requests } = await setup(echo);
      const task = { capability: "echo", route: "best" } as const;
      const far = await client.submit({ ...task, notBefore: 600_000 });
      expect(await client.status(far.taskId)).toMatchObject({ state: "scheduled" });
      const { taskId } = await client.submit({ ...task, notBefore: 600 });
      expect(await client.result(taskId)).toMatchObject({
        status: "completed",
        placement: { capability: "echo" },
      });
      expect(requests).toMatchObject([{ taskId }]);
    });

    it("is placed again for a retry that waited longer than the ack-wait", async () => {
      await swarm.move();
      const fails: Script = async () => {
        throw new RetryableError("later", { retryAfterMs: 10_200 });
      };
      const { first, second, office, client, requests } = await setup(fails, async ({ number }) => number);
      office.choice = () => (requests.length === 1 ? first.place : second.place);
      const result = await client.run({ capability: "echo", route: "best" }, { timeoutMs: 60_000 });
      expect(result).toMatchObject({ output: 2, attempt: 2, placement: second.place });
    });

    it("stays with its agent for an early retry", async () => {
      const runs: number[] = [];
      const { client, requests } = await setup(async ({ number }) => {
        runs.push(number);
        if (number < 3) throw new RetryableError("again");
      });
      const retry = { max: 3, backoffMs: 5, factor: 1, jitter: 0 };
      expect(await client.run({ capability: "echo", route: "best", retry })).toMatchObject({ attempt: 3 });
      expect(runs).toEqual([1, 2, 3]);
      expect(requests).toHaveLength(1);
    });

    it("uses no permit of a rate while it is handed over", async () => {
      const rate = { count: 2, windowMs: 3_600_000, burst: 1 };
      const { workforce, hostId } = await swarm.work(echo, {
        capabilities: [{ name: "echo", limits: { rate } }],
      });
      await openOffice(await swarm.connect(), () => ({ host: hostId, agent: workforce.agentId }));
      const client = await swarm.client();
      for (const input of [1, 2])
        expect(await client.run({ capability: "echo", route: "best", input })).toMatchObject({
          output: input,
        });
    });
  });

  describe("the office", () => {
    it("may refuse for a while: the task waits, and no attempt is counted", async () => {
      const { first, office, client, requests } = await setup(echo);
      office.choice = () => noAgent;
      const { taskId } = await client.submit({ capability: "echo", input: 7, route: "best" });
      await until(() => (requests.length >= 3 ? true : undefined));
      expect(await client.status(taskId)).toMatchObject({ state: "pending", attempt: 0, agent: null });
      expect(first.workforce.used).toBe(0);
      office.choice = () => first.place;
      const { queuedMs, ...result } = await client.result(taskId);
      expect(result).toMatchObject({ output: 7, attempt: 1 });
      expect(queuedMs).toBeGreaterThanOrEqual(200); // the first two waits for the office, less their jitter
    });

    it("may open later than the task is submitted", async () => {
      const { workforce, hostId } = await swarm.work(echo);
      const client = await swarm.client();
      const { taskId } = await client.submit({ capability: "echo", route: "best" });
      await until(() => (workforce.maxUsed > 0 && workforce.used === 0 ? true : undefined));
      await openOffice(await swarm.connect(), () => ({ host: hostId, agent: workforce.agentId }));
      expect(await client.result(taskId)).toMatchObject({ status: "completed", attempt: 1 });
    });

    it.each(["not_found", "invalid_input"] as const)("fails the task for good with %s", async (code) => {
      const { office, client } = await setup(echo);
      office.choice = () => new SwarmError(code, "no such agent", { field: "route" });
      const result = await client.run({ capability: "echo", route: { agent: "unknown" } });
      expect(result).toMatchObject({
        status: "failed",
        attempt: 0,
        agent: "-",
        error: { code, message: "no such agent", field: "route", retryable: false },
      });
      expect(await until(() => client.dead.show(result.taskId).catch(() => undefined))).toMatchObject({
        attempts: 0,
      });
    });

    it("does not fail the task with an answer of another shape", async () => {
      const { first, office, client, requests } = await setup(echo);
      office.choice = () => (requests.length < 3 ? ({ host: "a.b", agent: 7 } as never) : first.place);
      const result = await client.run({ capability: "echo", route: "best" });
      expect(result).toMatchObject({ status: "completed", attempt: 1 });
    });

    it("is not asked again after the deadline or a cancel", async () => {
      const { office, client } = await setup(echo);
      office.choice = () => noAgent;
      const deadline = new Date(Date.now() + 300).toISOString();
      const late = client.run({ capability: "echo", route: "best", deadline });
      const { taskId } = await client.submit({ capability: "echo", route: "best" });
      await client.cancel(taskId);
      expect(await client.status(taskId)).toMatchObject({ state: "cancelled" });
      expect(await late).toMatchObject({ status: "failed", error: { code: "deadline" }, attempt: 0 });
    });
  });

  describe("the agent", () => {
    it("gets its next task when a slot becomes free, urgent tasks first, and its waiting tasks are listed", async () => {
      const gate = signal();
      const order: unknown[] = [];
      const { first, client, untilPlaced } = await setup(async ({ task }) => {
        order.push(task.input);
        await gate.promise;
      });
      const running = await client.submit({ capability: "echo", input: "running", route: "best" });
      await untilState(client, running.taskId, "running");
      const agent = { agent: first.place.agent };
      // The agent's one slot is in use, so another host hands these tasks over.
      const helper = await swarm.work(echo);
      const low = await client.submit({ capability: "echo", input: "low", route: agent, priority: "low" });
      await untilPlaced(low.taskId);
      const urgent = await client.submit({
        capability: "echo",
        input: "urgent",
        route: agent,
        priority: "urgent",
      });
      await untilPlaced(urgent.taskId);
      expect(await client.status(low.taskId)).toMatchObject({ state: "pending", ...agent, placement: agent });
      const pending = await client.list({ state: "pending", capability: "echo" });
      expect(pending.map(({ taskId }) => taskId)).toEqual([urgent.taskId, low.taskId]);
      expect(await client.list({ capability: "other" })).toEqual([]);
      gate.resolve();
      await client.result(low.taskId);
      expect(order).toEqual(["running", "urgent", "low"]);
      expect(helper.workforce.agentId).not.toBe(first.place.agent);
    });

    it("that is paused keeps its tasks until it is resumed", async () => {
      const { first, client, untilPlaced } = await setup(echo);
      await swarm.work(echo);
      first.workforce.paused = true;
      first.workforce.used = 1; // the host takes no task from the queue either
      const { taskId } = await client.submit({ capability: "echo", route: "best" });
      await untilPlaced(taskId);
      expect(await client.status(taskId)).toMatchObject({ state: "pending", agent: first.place.agent });
      first.workforce.used = 0;
      first.workforce.resume();
      expect(await client.result(taskId)).toMatchObject({ status: "completed", attempt: 1 });
    });

    it("that is gone leaves its tasks stored, and a reclaimed task runs once, on another agent", async () => {
      const runs: string[] = [];
      const { first, second, office, client, transport, untilPlaced, untilEmpty } = await setup(
        echo,
        async () => {
          runs.push("second");
        },
      );
      first.workforce.leaving = true;
      const { taskId } = await client.submit({ capability: "echo", route: "best" });
      const stored = await untilPlaced(taskId);
      office.choice = () => second.place;
      await bringBack(transport, stored);
      expect(await client.result(taskId)).toMatchObject({ status: "completed", placement: second.place });
      await untilEmpty();
      expect(runs).toEqual(["second"]);
      expect(first.workforce.used).toBe(0);
    });

    it("does not start a task that was deleted while it waited", async () => {
      const runs: unknown[] = [];
      const { first, client, transport, untilPlaced } = await setup(
        async ({ task }) => void runs.push(task.input),
      );
      await swarm.work(echo);
      first.workforce.paused = true;
      const { taskId } = await client.submit({ capability: "echo", input: "taken", route: "best" });
      const { seq, storedAtMs } = await untilPlaced(taskId);
      await placedLog(transport).delete(seq);
      await until(() => (Date.now() > storedAtMs + 1_100 ? true : undefined));
      first.workforce.resume();
      await client.run({ capability: "echo", input: "next", route: "best" });
      expect(runs).toEqual(["next"]);
    });

    it("that does not offer the capability fails the task", async () => {
      const { first, client } = await setup(echo);
      first.workforce.unable = true;
      expect(await client.run({ capability: "echo", route: "best" })).toMatchObject({
        status: "failed",
        attempt: 0,
        error: { code: "not_permitted", message: expect.stringContaining(first.place.agent) },
        placement: first.place,
      });
    });

    it("never runs more attempts than its capability's limit, from the queue and placed together", async () => {
      let running = 0;
      let most = 0;
      const script: Script = async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
      };
      const limited = { capabilities: [{ name: "echo", limits: { concurrency: 2 } }] };
      const { workforce, hostId } = await swarm.work(script, limited);
      await openOffice(await swarm.connect(), () => ({ host: hostId, agent: workforce.agentId }));
      const client = await swarm.client();
      const results = await Promise.all(
        Array.from({ length: 40 }, (_, at) =>
          client.run({ capability: "echo", route: at % 2 === 0 ? "best" : "queue" }, { timeoutMs: 60_000 }),
        ),
      );
      expect(results.every(({ status }) => status === "completed")).toBe(true);
      expect(most).toBeLessThanOrEqual(2);
    });

    it("that gets many tasks at once completes all of them", async () => {
      const { second, office, client, untilEmpty } = await setup(echo, echo);
      office.choice = () => second.place;
      const runs = Array.from({ length: 300 }, (_, at) =>
        client.run({ capability: "echo", input: at, route: "best" }, { timeoutMs: 60_000 }),
      );
      expect((await Promise.all(runs)).map(({ output }) => output)).toEqual(runs.map((_, at) => at));
      await untilEmpty();
    });
  });

  describe("a cancel", () => {
    it("ends a task that waits for its agent", async () => {
      const { first, client, untilPlaced, untilEmpty } = await setup(echo);
      await swarm.work(echo);
      first.workforce.paused = true;
      const { taskId } = await client.submit({ capability: "echo", route: "best" });
      await untilPlaced(taskId);
      await client.cancel(taskId);
      expect(await client.status(taskId)).toMatchObject({ state: "cancelled", placement: first.place });
      await untilEmpty();
      first.workforce.resume();
      expect(await client.run({ capability: "echo", route: "best" })).toMatchObject({ status: "completed" });
    });

    it("aborts a placed task that runs", async () => {
      const { client, untilEmpty } = await setup(
        (attempt) =>
          new Promise((_, reject) =>
            attempt.signal.addEventListener("abort", () => reject(attempt.signal.reason)),
          ),
      );
      const { taskId } = await client.submit({ capability: "echo", route: "best" });
      await untilState(client, taskId, "running");
      await client.cancel(taskId);
      expect(await client.status(taskId)).toMatchObject({ state: "cancelled" });
      await untilEmpty();
    });

    it("of a scope stores a result for each placed task of the scope", async () => {
      const { first, client, untilPlaced, untilEmpty } = await setup(echo);
      await swarm.work(echo);
      first.workforce.paused = true;
      const task = { capability: "echo", route: "best", scope: "nightly" } as const;
      const ids = [await client.submit(task), await client.submit(task)].map(({ taskId }) => taskId);
      for (const taskId of ids) await untilPlaced(taskId);
      await client.cancelScope("nightly");
      for (const taskId of ids) expect(await client.status(taskId)).toMatchObject({ state: "cancelled" });
      await untilEmpty();
    });
  });

  describe("a process", () => {
    it("that stops gives its waiting tasks back, and leaves them and its consumer to the office", async () => {
      const { first, client, transport, untilPlaced } = await setup(echo, echo);
      first.workforce.paused = true;
      const { taskId } = await client.submit({ capability: "echo", route: "best" });
      await untilPlaced(taskId);
      await first.worker.drain({ graceMs: 0 });
      await first.worker.stop();
      const consumers = await transport.queue(placedKey("default")).consumers();
      expect(consumers.map(({ name }) => name)).toContain(placedConsumer(first.hostId));
      expect(await client.status(taskId)).toMatchObject({ state: "pending", agent: first.place.agent });
    });

    it("serves its queue while the office has not made its consumer, and loses no task that is placed until then", async () => {
      const { first, client, transport, untilPlaced } = await setup(echo);
      const queue = transport.queue(placedKey("default"));
      expect(await queue.deleteConsumer(placedConsumer(first.hostId))).toBe(true);
      await until(() => (first.worker.takesPlaced() ? undefined : true));
      const { taskId } = await client.submit({ capability: "echo", route: "best" });
      await untilPlaced(taskId);
      expect(await client.run({ capability: "echo", input: 1 })).toMatchObject({ output: 1 });
      expect(await client.status(taskId)).toMatchObject({ state: "pending" });
      expect((await queue.consumers()).map(({ name }) => name)).not.toContain(placedConsumer(first.hostId));
      await makePlacedConsumer(transport, first.hostId);
      expect(await client.result(taskId, { timeoutMs: 20_000 })).toMatchObject({ status: "completed" });
      expect(first.worker.takesPlaced()).toBe(true);
    });

    it("buries a placed message without a readable placement, and still works", async () => {
      const { first, client, transport, untilEmpty } = await setup(echo);
      const subjects = createSubjects(transport.prefix);
      const subject = subjects.placed({ class: "default", ...first.place, scope: "-", taskId: "t1" });
      const stranger: Placement = {
        host: first.hostId,
        agent: "stranger",
        score: 0,
        reasons: [],
        capability: "echo",
        priority: "normal",
        placedAt: "2026-01-31T12:00:00.000Z",
      };
      const log = placedLog(transport);
      for (const placement of [undefined, "{", encodePlacement(stranger)]) {
        const headers = placement === undefined ? undefined : { "Murmur-Placement": placement };
        await log.append(subject, encode({ capability: "echo" }), { headers });
        await untilEmpty();
      }
      expect(await client.dead.list()).toMatchObject([
        { capability: "unreadable", reason: { code: "invalid_input", field: "Murmur-Placement" } },
      ]);
      expect(await client.run({ capability: "echo", route: "best" })).toMatchObject({ status: "completed" });
    });
  });
});
