// Placed tasks from end to end: a real nats-server, with coordinators, hosts and workers in this process.
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type AgentDefinition, createHost, defineAgent } from "../../../src/agent/index.ts";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import {
  createSubjects,
  encode,
  type HandOffRequest,
  HEADERS,
  type HostAddress,
  placedKey,
  type TaskInput,
} from "../../../src/protocol/index.ts";
import { createTaskClient, createWorker, placedConsumer } from "../../../src/work/index.ts";
import { between, Wires } from "../../support/wires.ts";
import { SOON, setupOffice } from "../support.ts";

const subjects = createSubjects("murmur");

async function setup() {
  const swarm = await setupOffice({ nats: true });
  const meter = createMeter();
  const log = silentLogger;
  const tasks = createTaskClient({ transport: swarm.transport, meter, log });
  onTestFinished(() => tasks.close());

  const wires = new Wires();
  onTestFinished(() => wires.close());

  /** A host inside this process; `die` breaks its connection and sends its agents' goodbye. */
  const host = (hostId: string, ...definitions: AgentDefinition[]) =>
    hostOf({ class: "default", host: hostId }, ...definitions);

  async function hostOf({ class: agentClass, host: hostId }: HostAddress, ...definitions: AgentDefinition[]) {
    const gate = await wires.openGate({ from: hostId, to: "nats" }, () => swarm.server?.port ?? 0);
    const transport = await swarm.connect(`nats://127.0.0.1:${gate.port}`);
    const made = createHost({
      transport,
      meter: createMeter(),
      log,
      hostId,
      agentClass,
      role: "test",
      version: "1.0.0",
      roles: definitions.map((definition) => ({ definition })),
    });
    const { service, workforce, capabilities } = made;
    const worker = createWorker({
      transport,
      meter: createMeter(),
      log,
      hostId,
      agentClass,
      workforce,
      capabilities,
    });
    await service.start();
    await worker.start();
    transport.bus.subscribe(subjects.everyAgent, (request) =>
      request.respond(encode({ agents: made.status() })),
    );
    const stop = async () => {
      await worker.drain({ graceMs: 0 });
      await worker.stop();
      await service.stop();
    };
    onTestFinished(() => stop().catch(() => undefined));
    const ids = made.status().map(({ id }) => id);
    const die = () => {
      const agents = made.status();
      wires.cut(between([hostId], ["nats"]), "break");
      const beat = { host: hostId, pid: process.pid, role: "test", at: new Date().toISOString() };
      swarm.transport.bus.publish(
        subjects.heartbeat({ class: agentClass, host: hostId }),
        encode({ ...beat, goodbye: true, agents }),
      );
    };
    return { id: ids[0] as string, die, stop, drain: (id: string) => made.drainAgent(id) };
  }

  const run = async (task: TaskInput) => {
    const { taskId } = await tasks.submit(task);
    return tasks.result(taskId, { timeoutMs: 60_000 });
  };
  const placed = async () => [
    ...(await swarm.transport.log("placed-default").subjects(subjects.filters.allPlaced)).keys(),
  ];
  const lives = async (coordinator: Awaited<ReturnType<typeof swarm.start>>, ...ids: string[]) =>
    vi.waitFor(
      () => expect([...coordinator.office.state.registry.members.keys()].sort()).toEqual(ids.sort()),
      SOON,
    );
  /** A placed message as a host stores it, for an agent that may be gone already. */
  const place = async (taskId: string, at: { host: string; agent: string }) => {
    const placement = {
      ...at,
      score: 0,
      reasons: [],
      capability: "work",
      priority: "normal",
      placedAt: new Date().toISOString(),
    };
    const headers = { [HEADERS.placement]: JSON.stringify(placement) };
    const subject = subjects.placed({ class: "default", ...at, scope: "-", taskId });
    return swarm.transport.log("placed-default").append(subject, ROUTED, { headers });
  };
  return { ...swarm, tasks, host, hostOf, run, placed, place, lives };
}

const ROUTED = encode({ capability: "work", route: "best" });

/** An agent whose tasks end when the test opens its gate. */
function gated(name: string, options: { slots?: number; expertise?: string[] } = {}) {
  const started: string[] = [];
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const definition = defineAgent({
    name,
    capabilities: ["work"],
    ...options,
    run: async (task, ctx) => {
      started.push(task.id);
      await ctx.waitFor("timer", gate);
      return name;
    },
  });
  return { definition, started, open };
}

const plain = (name: string, expertise: string[] = []) =>
  defineAgent({ name, capabilities: ["work"], expertise, run: () => name });

describe("a task with a route", () => {
  it("goes to the agent that knows the subject, and its result gives the reason", async () => {
    const { start, host, run, lives, client } = await setup();
    const coordinator = await start("c1", ["c1"]);
    const [backend, search] = [
      await host("h1", plain("backend")),
      await host("h2", plain("search", ["lucene"])),
    ];
    await lives(coordinator, backend.id, search.id);
    for (let n = 0; n < 5; n++) {
      const result = await run({ capability: "work", route: "best", labels: { expertise: "lucene" } });
      expect(result).toMatchObject({ status: "completed", output: "search", agent: search.id });
      expect(result.placement?.reasons[0]).toEqual({ what: "expertise", value: 1, weight: 4 });
    }
    await vi.waitFor(async () => {
      const shown = (await client.readNow("agent", { agent: search.id })) as { record: unknown };
      expect(shown.record).toMatchObject([{ capability: "work", count: 5, failures: 0, successRate: 1 }]);
    }, SOON);
  });

  it("goes to a named agent; with an unknown name it fails and says so", async () => {
    const { start, host, run, lives } = await setup();
    const coordinator = await start("c1", ["c1"]);
    const hosts = [await host("h1", plain("one")), await host("h2", plain("two"))];
    await lives(coordinator, ...hosts.map(({ id }) => id));
    for (const { id } of hosts) {
      expect(await run({ capability: "work", route: { agent: id } })).toMatchObject({ agent: id });
    }
    const stranger = await run({ capability: "work", route: { agent: "stranger" } });
    expect(stranger).toMatchObject({ status: "failed", error: { code: "not_found", retryable: false } });
  });

  it("waits while no coordinator is in office, and while its agent is full", async () => {
    const { start, host, tasks } = await setup();
    const { definition, open } = gated("slow", { slots: 1 });
    await host("h1", definition);
    const first = await tasks.submit({ capability: "work", route: "best" });
    await start("c1", ["c1"]);
    const more = await Promise.all([1, 2, 3].map(() => tasks.submit({ capability: "work", route: "best" })));
    open();
    for (const { taskId } of [first, ...more]) {
      expect(await tasks.result(taskId, { timeoutMs: 60_000 })).toMatchObject({ status: "completed" });
    }
  });

  it("gets the same agent when the office is asked again, and another when that agent has left", async () => {
    const { start, host, lives, client } = await setup();
    const coordinator = await start("c1", ["c1"]);
    const hosts = await Promise.all([1, 2, 3, 4].map((n) => host(`h${n}`, plain(`a${n}`))));
    await lives(coordinator, ...hosts.map(({ id }) => id));
    const ask = () =>
      vi.waitFor(async () => {
        const place = await client.readNow("place", {
          ...{ taskId: "t1", capability: "work", scope: "-" },
          priority: "normal",
          route: "best",
        });
        expect(place).not.toBeNull(); // `readNow` waits only half a second
        return place;
      }, SOON);
    const place = await ask();
    for (let n = 0; n < 5; n++) expect(await ask()).toEqual(place);
    const chosen = hosts.find(({ id }) => id === place?.agent);
    await chosen?.stop();
    await lives(coordinator, ...hosts.filter((each) => each !== chosen).map(({ id }) => id));
    expect((await ask())?.agent).not.toBe(place?.agent);
  });
});

describe("a placed task whose agent leaves", () => {
  it("runs on another agent, and the consumer of the lost host is removed", async () => {
    const { start, host, tasks, lives, transport } = await setup();
    const coordinator = await start("c1", ["c1"]);
    const dying = gated("dying", { slots: 4 });
    const first = await host("h1", dying.definition);
    await lives(coordinator, first.id);
    const submitted = await Promise.all(
      [1, 2, 3, 4].map(() => tasks.submit({ capability: "work", route: "best" })),
    );
    await vi.waitFor(() => expect(dying.started).toHaveLength(4), SOON);
    const second = await host("h2", plain("living"));
    first.die();
    for (const { taskId } of submitted) {
      const result = await tasks.result(taskId, { timeoutMs: 60_000 });
      expect(result).toMatchObject({ status: "completed", output: "living", agent: second.id });
    }
    const names = async () =>
      (await transport.queue(placedKey("default")).consumers()).map(({ name }) => name);
    await vi.waitFor(async () => expect(await names()).not.toContain("placed-h1"), SOON);
    expect(await names()).toContain("placed-h2");
  });

  it("finishes if it runs, and returns if it waits, when its agent is drained", async () => {
    const { start, host, tasks, lives, place } = await setup();
    const coordinator = await start("c1", ["c1"]);
    const draining = gated("draining", { slots: 2 });
    const first = await host("h1", draining.definition);
    await lives(coordinator, first.id);
    for (const taskId of ["t1", "t2"]) await place(taskId, { host: "h1", agent: first.id });
    await vi.waitFor(() => expect(draining.started).toEqual(["t1", "t2"]), SOON);
    for (const taskId of ["t3", "t4"]) await place(taskId, { host: "h1", agent: first.id });
    await host("h2", plain("living"));
    first.drain(first.id);
    for (const taskId of ["t3", "t4"]) {
      expect(await tasks.result(taskId, { timeoutMs: 60_000 })).toMatchObject({ output: "living" });
    }
    draining.open();
    for (const taskId of ["t1", "t2"]) {
      expect(await tasks.result(taskId, { timeoutMs: 60_000 })).toMatchObject({ output: "draining" });
    }
    expect(draining.started).toEqual(["t1", "t2"]);
  });

  it("fails when it named that agent, and the agent is gone for good", async () => {
    const { start, host, tasks } = await setup();
    const coordinator = await start("c1", ["c1"]);
    const dying = gated("dying");
    const [first] = [await host("h1", dying.definition), await host("h2", plain("other"))];
    await vi.waitFor(() => expect(coordinator.office.state.registry.members.size).toBe(2), SOON);
    const { taskId } = await tasks.submit({ capability: "work", route: { agent: first.id } });
    await vi.waitFor(() => expect(dying.started).toEqual([taskId]), SOON);
    first.die();
    const result = await tasks.result(taskId, { timeoutMs: 60_000 });
    expect(result).toMatchObject({ status: "failed", error: { code: "not_found" } });
  });

  it.each([
    ["before any step", false],
    ["between publishing and deleting", true],
  ])(
    "has one result when the leader dies %s",
    async (_when, published) => {
      const { start, host, transport, tasks, lives, place, placed } = await setup();
      const log = transport.log("tasks");
      const { seq } = await place("t1", { host: "gone", agent: "gone-1" }); // left by a former leader
      if (published) {
        const at = { capability: "work", priority: "normal", scope: "-", taskId: "t1" } as const;
        const headers = { [HEADERS.attempt]: "1", [HEADERS.returned]: `default.${seq}` };
        await log.append(subjects.task(at), ROUTED, { headers });
      }
      let runs = 0;
      const counting = defineAgent({ name: "living", capabilities: ["work"], run: () => ++runs });
      const living = await host("h1", counting);
      const coordinator = await start("c1", ["c1"]);
      await lives(coordinator, living.id);
      expect(await tasks.result("t1", { timeoutMs: 60_000 })).toMatchObject({
        status: "completed",
        agent: living.id,
      });
      await vi.waitFor(async () => expect(await placed()).toEqual([]), SOON);
      await vi.waitFor(async () => expect((await log.info()).messages).toBe(0), SOON);
      expect(runs).toBe(1);
    },
    40_000,
  );

  it("goes to the dead letters when it is unreadable and its host is gone", async () => {
    const { start, transport, tasks, placed } = await setup();
    const log = transport.log("tasks");
    const bad = ["murmur.placed.default.gone.gone-1.-.t1", "murmur.placed.default.gone.no%agent.-.t2"];
    await log.append(bad[0]!, ROUTED, { headers: { [HEADERS.placement]: "{" } });
    await log.append(bad[1]!, ROUTED);
    await start("c1", ["c1"]);
    await vi.waitFor(async () => expect(await placed()).toEqual([]), SOON);
    const letters = await tasks.dead.list();
    expect(letters.map(({ subject }) => subject).sort()).toEqual(bad.sort());
    expect(letters[0]).toMatchObject({ reason: { code: "invalid_input", field: "Murmur-Placement" } });
  });

  it("returns also when it was placed at the moment when its agent left", async () => {
    const { start, host, tasks, lives, place } = await setup();
    const coordinator = await start("c1", ["c1"]);
    const living = await host("h1", plain("living"));
    await lives(coordinator, living.id);
    await place("t1", { host: "left", agent: "left-1" });
    expect(await tasks.result("t1", { timeoutMs: 60_000 })).toMatchObject({ output: "living" });
  });
});

describe("the classes", () => {
  it("of two hosts with one name do not mix: each gets the tasks of its own agents from its own stream", async () => {
    const { start, hostOf, run, lives, transport, placed } = await setup();
    await transport.init({ classes: ["gpu"] });
    const coordinator = await start("c1", ["c1"]);
    const one = await hostOf({ class: "default", host: "h1" }, plain("one"));
    const other = await hostOf({ class: "gpu", host: "h1" }, plain("other"));
    await lives(coordinator, one.id, other.id);
    const named = (agent: string) => run({ capability: "work", route: { agent } });
    for (let turn = 0; turn < 3; turn++) {
      expect(await named(one.id)).toMatchObject({ output: "one" });
      const result = await named(other.id);
      expect(result).toMatchObject({ output: "other", placement: { class: "gpu", host: "h1" } });
    }
    const consumers = async (of: string) =>
      (await transport.queue(placedKey(of)).consumers()).map(({ name, filter }) => [name, filter]);
    expect(await consumers("default")).toEqual([["placed-h1", "murmur.placed.default.h1.>"]]);
    expect(await consumers("gpu")).toEqual([["placed-h1", "murmur.placed.gpu.h1.>"]]);
    await other.stop();
    await vi.waitFor(async () => expect(await consumers("gpu")).toEqual([]), SOON);
    expect(await consumers("default")).toHaveLength(1);
    expect(await named(one.id)).toMatchObject({ output: "one" });
    expect(await placed()).toEqual([]);
  });

  it("have consumers that the office makes again, and a task that is placed in between waits", async () => {
    const { start, host, run, lives, transport } = await setup();
    const coordinator = await start("c1", ["c1"]);
    const living = await host("h1", plain("living"));
    await lives(coordinator, living.id);
    const queue = transport.queue(placedKey("default"));
    await vi.waitFor(async () => expect(await queue.consumers()).toHaveLength(1), SOON);
    expect(await queue.deleteConsumer(placedConsumer("h1"))).toBe(true);
    const running = run({ capability: "work", route: "best" });
    await host("h2", defineAgent({ name: "idle", capabilities: ["other"], run: () => null }));
    expect(await running).toMatchObject({ output: "living" });
  });

  it("of an earlier version are read: a placed task in the task stream returns to its queue", async () => {
    const { start, host, tasks, lives, transport, server } = await setup();
    const admin = await connect({ servers: server!.url });
    onTestFinished(() => admin.close());
    const manager = await jetstreamManager(admin);
    const { config } = await manager.streams.info("MURMUR_TASKS");
    await manager.streams.update("MURMUR_TASKS", {
      subjects: [...config.subjects, "murmur.placed.*.*.*.*"],
    });
    const placement = { host: "h0", agent: "a0", capability: "work", priority: "normal" };
    const facts = { ...placement, score: 0, reasons: [], placedAt: new Date().toISOString() };
    const headers = { [HEADERS.placement]: JSON.stringify(facts) };
    await transport.log("tasks").append("murmur.placed.h0.a0.-.t1", ROUTED, { headers });
    await transport.log("tasks").append("murmur.placed.h0.a0.-.t2", ROUTED);
    const living = await host("h1", plain("living"));
    const coordinator = await start("c1", ["c1"]);
    await lives(coordinator, living.id);
    expect(await tasks.result("t1", { timeoutMs: 60_000 })).toMatchObject({ output: "living" });
    await vi.waitFor(async () => expect(await tasks.dead.list()).toHaveLength(1), SOON);
    await vi.waitFor(async () => expect((await transport.log("tasks").info()).messages).toBe(0), SOON);
  });
});

describe("a hand-off", () => {
  /** Hands off as its input says, or returns its input. */
  const passing = (name: string, capabilities: string[], expertise: string[] = []) =>
    defineAgent({
      name,
      capabilities,
      expertise,
      run: (task, ctx) =>
        ctx.handedOff === undefined
          ? ctx.handOff(task.input as HandOffRequest)
          : { by: name, from: ctx.handedOff.from, context: ctx.handedOff.context },
    });

  it("goes to the best of the other agents, and to a named agent only when it offers the capability", async () => {
    const { start, host, run, lives } = await setup();
    const coordinator = await start("c1", ["c1"]);
    const first = await host("h1", passing("first", ["work"], ["lucene"]));
    const second = await host("h2", passing("second", ["work", "other"]));
    const third = await host("h3", passing("third", ["other"]));
    await lives(coordinator, first.id, second.id, third.id);
    const labels = { expertise: "lucene" };
    const best = await run({ capability: "work", route: "best", labels, input: { context: [1] } });
    expect(best).toMatchObject({
      output: { by: "second", from: first.id, context: [1] },
      agent: second.id,
      attempt: 2,
      handOffs: [{ agent: first.id, attempt: 1 }],
    });
    const named = await run({
      capability: "work",
      route: { agent: first.id },
      input: { to: { agent: third.id } },
    });
    expect(named).toMatchObject({
      status: "failed",
      error: { code: "invalid_input", message: expect.stringContaining("does not offer work") },
    });
  });
});
