import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { setup } from "xstate";
import {
  AGENT_VERBS,
  type AgentContext,
  askAgent,
  askCapability,
  createHost,
  defineAgent,
  HEARTBEAT_INTERVAL_MS,
  MAILBOX_LIMIT,
} from "../../../src/agent/index.ts";
import { AssertionError, assert, createMeter, ManualClock, silentLogger } from "../../../src/base/index.ts";
import { decode, encode, HEADERS, type Heartbeat, SwarmError } from "../../../src/protocol/index.ts";
import { connectMemory, type Transport } from "../../../src/transport/index.ts";
import { makeAttempt, perform, startHost, subjects, takeSlot, until } from "../support.ts";

type Run = (input: unknown, ctx: AgentContext) => unknown;

/** An agent of capability `echo`. */
const echo = (run: Run = (input) => input, facts: { slots?: number; name?: string } = {}) =>
  defineAgent({ name: "echo", capabilities: ["echo"], run: (task, ctx) => run(task.input, ctx), ...facts });

/** A gate that attempts wait at: `arrived` counts them, `open` lets all through. */
function makeGate() {
  const opened = Promise.withResolvers<void>();
  const gate = {
    arrived: 0,
    open: () => opened.resolve(),
    pass: async (input: unknown) => {
      gate.arrived++;
      await opened.promise;
      return input;
    },
  };
  return gate;
}

const linkOf = (transport: Transport) => ({ bus: transport.bus, subjects });

/** Sends a verb to an agent's mailbox. */
async function send(transport: Transport, agentId: string, verb: string) {
  const reply = await transport.bus.request(subjects.agent(agentId, verb), new Uint8Array(), {
    timeoutMs: 60_000,
  });
  return decode(reply.data).value as Record<string, unknown>;
}

/** Collects the heartbeats of a bus. */
function listen(transport: Transport) {
  const beats: (Heartbeat & { subject: string })[] = [];
  transport.bus.subscribe(subjects.filters.allHeartbeats, ({ subject, data }) => {
    beats.push({ subject, ...(decode(data).value as Heartbeat) });
  });
  return beats;
}

describe("slots", () => {
  test("nothing can be taken before start nor after stop", async () => {
    const transport = connectMemory({ prefix: "murmur" });
    const host = createHost({
      transport,
      meter: createMeter(),
      log: silentLogger,
      hostId: "h",
      role: "r",
      version: "1",
      roles: [{ definition: echo() }],
    });
    expect(host.workforce.take("echo")).toBeNull();
    await host.service.start();
    expect(host.workforce.free("echo")).toBe(8);
    await host.service.stop();
    expect(host.workforce.take("echo")).toBeNull();
    expect(host.workforce.freeTotal()).toBe(0);
  });

  test("agents take tasks in turn, up to all their slots", async () => {
    const definition = echo(undefined, { slots: 2 });
    const { host, stop } = await startHost([], { roles: [{ definition, count: 2 }] });
    const slots = Array.from({ length: 4 }, () => takeSlot(host, "echo"));
    expect(slots[0]?.agentId).not.toBe(slots[1]?.agentId);
    expect(slots.map(({ agentId }) => agentId).slice(2)).toEqual(
      slots.map(({ agentId }) => agentId).slice(0, 2),
    );
    expect(host.workforce.take("echo")).toBeNull();
    slots[0]?.release();
    expect(host.workforce.free("echo")).toBe(1);
    await stop();
  });

  test("a slot released twice frees one slot", async () => {
    const { host, stop } = await startHost(echo(undefined, { slots: 2 }));
    const slot = takeSlot(host, "echo");
    slot.release();
    slot.release();
    expect(host.workforce.free("echo")).toBe(2);
    await stop();
  });

  test("an agent of two capabilities shares its slots between them", async () => {
    const agent = defineAgent({ name: "two", capabilities: ["a", "b"], slots: 1, run: () => null });
    const { host, stop } = await startHost(agent);
    expect([host.workforce.free("a"), host.workforce.free("b"), host.workforce.freeTotal()]).toEqual([
      1, 1, 1,
    ]);
    const freed: string[] = [];
    host.workforce.onFree((capability) => freed.push(capability));
    const slot = takeSlot(host, "a");
    expect(host.workforce.take("b")).toBeNull();
    slot.release();
    await until(() => freed.includes("b"));
    expect(freed).not.toContain("a"); // the worker freed that one itself
    await stop();
  });

  test("whatever happens to agents, the free slots told are those of the agents that take work", async () => {
    const definitions = [
      defineAgent({ name: "one", capabilities: ["a"], slots: 2, run: () => null }),
      defineAgent({ name: "two", capabilities: ["a", "b"], slots: 3, run: () => null }),
      defineAgent({ name: "bad", capabilities: ["b"], run: () => assert(false, "broken") }),
    ];
    const accepting = ["idle", "preparing", "working", "waiting", "reporting"];
    const step = fc.tuple(fc.constantFrom("take", "release", "crash", "pause", "resume", "drain"), fc.nat(9));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { host, stop } = await startHost(definitions);
        const slots: ReturnType<typeof takeSlot>[] = [];
        const drained = new Set<string>();
        for (const [what, n] of steps) {
          const id = host.status()[n % 3]?.id ?? "";
          const capability = n % 2 === 0 ? "a" : "b";
          if (what === "take") {
            const slot = host.workforce.take(capability);
            if (slot !== null) slots.push(slot);
            expect(drained).not.toContain(slot?.agentId);
          } else if (what === "crash") {
            await host.workforce
              .take("b")
              ?.perform(makeAttempt().attempt)
              .catch(() => undefined);
          } else if (what === "release") slots.splice(n % Math.max(1, slots.length), 1)[0]?.release();
          else if (what === "drain") drained.add(host.drainAgent(id).id);
          else if (!drained.has(id)) host[what](id);
          for (const name of ["a", "b"]) {
            const sum = host
              .status()
              .filter(({ capabilities, state }) => capabilities.includes(name) && accepting.includes(state))
              .reduce((free, { slots }) => free + slots.total - slots.used, 0);
            expect(host.workforce.free(name)).toBe(sum);
          }
        }
        await stop();
      }),
      { numRuns: 100 },
    );
  });

  test("an unknown capability has no slots", async () => {
    const { host, stop } = await startHost(echo());
    expect(host.workforce.free("nope")).toBe(0);
    expect(host.workforce.take("nope")).toBeNull();
    await stop();
  });

  test("the state follows a task: preparing, working, reporting, idle", async () => {
    const gate = makeGate();
    const { host, stop } = await startHost(echo(gate.pass));
    const state = () => host.status()[0]?.state;
    const slot = takeSlot(host, "echo");
    expect(state()).toBe("preparing");
    const working = slot.perform(makeAttempt().attempt);
    expect(state()).toBe("working");
    gate.open();
    await working;
    expect(state()).toBe("reporting");
    slot.release();
    expect(state()).toBe("idle");
    await stop();
  });
});

describe("asks", () => {
  test("an ask by capability is answered with the output", async () => {
    const { transport, stop } = await startHost(echo());
    for (const value of [{ a: 1 }, [1, "x"], "text", 5, null]) {
      expect(await askCapability(linkOf(transport), "echo", value)).toEqual(value);
    }
    await stop();
  });

  test("an ask in MessagePack is answered in MessagePack", async () => {
    const { transport, stop } = await startHost(echo());
    const headers = { [HEADERS.contentType]: "application/msgpack" };
    const reply = await transport.bus.request(subjects.ask("echo"), encode({ a: 1 }, "msgpack"), {
      timeoutMs: 60_000,
      headers,
    });
    expect(decode(reply.data, reply.header(HEADERS.contentType))).toEqual({
      value: { a: 1 },
      encoding: "msgpack",
    });
    await stop();
  });

  test("an agent's error travels back with its code, field and retry-after", async () => {
    const failing = echo(() => {
      throw new SwarmError("rate_limited", "slow down", { field: "input.n", retryAfterMs: 70 });
    });
    const { transport, stop } = await startHost(failing);
    await expect(askCapability(linkOf(transport), "echo", {})).rejects.toMatchObject({
      code: "rate_limited",
      message: "slow down",
      field: "input.n",
      retryAfterMs: 70,
    });
    await stop();
  });

  test("a body that is no JSON or MessagePack is refused by the catalogue", async () => {
    const { transport, host, stop } = await startHost(echo());
    const reply = await transport.bus.request(subjects.ask("echo"), new TextEncoder().encode("{nope"), {
      timeoutMs: 60_000,
    });
    expect(reply.header(HEADERS.serviceErrorCode)).toBe("400");
    expect(decode(reply.data).value).toMatchObject({ error: { code: "invalid_input", field: "body" } });
    expect(host.status()[0]?.slots.used).toBe(0);
    await stop();
  });

  test("asks wait for a slot, and never hold the last slot from queued tasks", async () => {
    const gate = makeGate();
    const { host, transport, stop } = await startHost(echo(gate.pass, { slots: 4 }));
    const asks = Array.from({ length: 6 }, (_, n) => askCapability(linkOf(transport), "echo", { n }));
    await until(() => gate.arrived === 3);
    expect(host.workforce.free("echo")).toBe(1);
    gate.open();
    expect(await Promise.all(asks)).toEqual(asks.map((_, n) => ({ n })));
    expect(host.status()[0]?.slots.used).toBe(0);
    await stop();
  });

  test("a full mailbox answers rate_limited with a time to wait", async () => {
    const gate = makeGate();
    const { transport, stop } = await startHost(echo(gate.pass, { slots: 1 }));
    const asks = Array.from({ length: MAILBOX_LIMIT + 1 }, () => askCapability(linkOf(transport), "echo", 1));
    await expect(askCapability(linkOf(transport), "echo", 1)).rejects.toMatchObject({
      code: "rate_limited",
      retryAfterMs: expect.any(Number),
    });
    gate.open();
    await Promise.all(asks);
    await stop();
  });

  test("an ask that is not answered in its time frees its slot, even when the agent hangs", async () => {
    const clock = new ManualClock();
    const { host, transport, stop } = await startHost(
      echo(() => new Promise(() => {}), { slots: 1 }),
      { clock },
    );
    const errors: unknown[] = [];
    for (const waitMs of ["400", "500"]) {
      const headers = { [HEADERS.wait]: waitMs };
      transport.bus
        .request(subjects.ask("echo"), encode({}), { timeoutMs: 60_000, headers })
        .then((reply) => errors.push(decode(reply.data).value));
    }
    await until(() => host.status()[0]?.slots.used === 1);
    clock.advance(400);
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(400);
    await until(() => errors.length === 2);
    expect(errors).toMatchObject([{ error: { code: "timeout" } }, { error: { code: "timeout" } }]);
    await stop();
  });

  test("a certain agent can be asked, and says so when it takes none", async () => {
    const { host, transport, stop } = await startHost(echo());
    const id = host.status()[0]?.id ?? "";
    expect(await askAgent(linkOf(transport), id, { a: 1 })).toEqual({ a: 1 });
    host.pause(id);
    await expect(askAgent(linkOf(transport), id, {})).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("paused"),
    });
    await stop();
  });

  test("a capability none of whose agents takes work is asked elsewhere or answers unavailable at once", async () => {
    const transport = connectMemory({ prefix: "murmur" });
    const one = await startHost(
      echo(() => "one"),
      { transport, hostId: "h1" },
    );
    const two = await startHost(
      echo(() => "two"),
      { transport, hostId: "h2" },
    );
    one.host.pause(one.host.status()[0]?.id ?? "");
    for (let n = 0; n < 5; n++) expect(await askCapability(linkOf(transport), "echo", null)).toBe("two");
    two.host.pause(two.host.status()[0]?.id ?? "");
    await expect(askCapability(linkOf(transport), "echo", null)).rejects.toMatchObject({
      code: "unavailable",
    });
    await one.host.service.stop();
    await two.stop();
  });

  test("a message over 512 KiB is refused before it is sent", async () => {
    const { transport, stop } = await startHost(echo());
    await expect(askCapability(linkOf(transport), "echo", "x".repeat(600_000))).rejects.toMatchObject({
      code: "payload_too_large",
    });
    await stop();
  });
});

describe("the mailbox", () => {
  test("answers ping and status", async () => {
    const { host, transport, stop } = await startHost(echo());
    const status = host.status()[0];
    expect(await send(transport, status?.id ?? "", "ping")).toMatchObject({ id: status?.id });
    expect(await send(transport, status?.id ?? "", "status")).toEqual(status);
    expect(status).toMatchObject({ role: "echo", host: "host-1", version: "1.2.3", state: "idle" });
    await stop();
  });

  test("pauses, resumes and drains", async () => {
    const { host, transport, stop } = await startHost(echo());
    const id = host.status()[0]?.id ?? "";
    expect(await send(transport, id, "pause")).toMatchObject({ state: "paused" });
    expect(host.workforce.take("echo")).toBeNull();
    expect(await send(transport, id, "resume")).toMatchObject({ state: "idle" });
    expect(host.workforce.free("echo")).toBe(8);
    expect(await send(transport, id, "drain")).toMatchObject({ state: "stopped" });
    await stop();
  });

  test("refuses an unknown verb and lists the known ones", async () => {
    const { host, transport, stop } = await startHost(echo());
    expect(await send(transport, host.status()[0]?.id ?? "", "dance")).toMatchObject({
      error: {
        code: "invalid_input",
        field: "verb",
        message: expect.stringContaining(AGENT_VERBS.join(", ")),
      },
    });
    await stop();
  });
});

describe("pause and drain", () => {
  test("a paused agent finishes what runs, takes nothing, and tells when it is back", async () => {
    const gate = makeGate();
    const { host, stop } = await startHost(echo(gate.pass));
    const id = host.status()[0]?.id ?? "";
    const working = perform(host, 1);
    expect(host.pause(id)).toMatchObject({ state: "paused", slots: { used: 1 } });
    expect(host.workforce.take("echo")).toBeNull();
    const freed: string[] = [];
    host.workforce.onFree((capability) => freed.push(capability));
    expect(host.resume(id)).toMatchObject({ state: "working" });
    await until(() => freed.includes("echo"));
    gate.open();
    expect(await working).toBe(1);
    await stop();
  });

  test("a drain waits for what runs, takes nothing, and ends with every agent stopped", async () => {
    const gate = makeGate();
    const { host, transport, stop } = await startHost(echo(gate.pass));
    const beats = listen(transport);
    const working = perform(host, 1);
    const drained = host.drain({ graceMs: 60_000 });
    expect(host.status()[0]?.state).toBe("draining");
    expect(host.workforce.take("echo")).toBeNull();
    gate.open();
    expect([await working, await drained]).toEqual([1, { unfinished: 0 }]);
    expect(host.status()[0]?.state).toBe("stopped");
    await until(() => beats.some(({ goodbye }) => goodbye === true));
    await stop();
  });

  test("a drain ends with its grace and says what is unfinished", async () => {
    const clock = new ManualClock();
    const { host, stop } = await startHost(
      echo(() => new Promise(() => {})),
      { clock },
    );
    void perform(host, 1).catch(() => undefined);
    const drained = host.drain({ graceMs: 1_000 });
    clock.advance(1_000);
    expect(await drained).toEqual({ unfinished: 1 });
    expect(host.status()[0]?.state).toBe("draining");
    await stop();
  });

  test("an agent that is still starting is drained at once, and its late start changes nothing", async () => {
    const gate = makeGate();
    const agent = defineAgent({
      name: "slow",
      capabilities: ["echo"],
      run: () => null,
      start: () => gate.pass(null) as Promise<void>,
    });
    const transport = connectMemory({ prefix: "murmur" });
    const options = { meter: createMeter(), log: silentLogger, hostId: "h", role: "r", version: "1" };
    const host = createHost({ ...options, transport, roles: [{ definition: agent }] });
    const starting = host.service.start();
    await until(() => gate.arrived === 1);
    expect(await host.drain({ graceMs: 1_000 })).toEqual({ unfinished: 0 });
    expect(host.status()[0]?.state).toBe("stopped");
    gate.open();
    await starting;
    expect(host.status()[0]?.state).toBe("stopped");
    await host.service.stop();
  });

  test("an agent that drains or stopped cannot be paused or resumed, an unknown one not found", async () => {
    const { host, stop } = await startHost(echo());
    const id = host.status()[0]?.id ?? "";
    host.drainAgent(id);
    expect(host.drainAgent(id).state).toBe("stopped");
    expect(() => host.pause(id)).toThrow(expect.objectContaining({ code: "conflict" }));
    expect(() => host.resume(id)).toThrow(expect.objectContaining({ code: "conflict" }));
    expect(() => host.pause("nobody")).toThrow(expect.objectContaining({ code: "not_found" }));
    await stop();
  });

  test("a stop breaks off what runs", async () => {
    const { host, stop } = await startHost(echo(() => new Promise(() => {})));
    const brokenOff = expect(perform(host, 1)).rejects.toMatchObject({ code: "unavailable" });
    await stop();
    await brokenOff;
  });
});

describe("supervision", () => {
  const breaking = (runs: { count: number }) =>
    echo((input) => {
      runs.count++;
      assert(input !== "break", "the world is upside down");
      return input;
    });

  test("a plain exception fails the attempt and nothing else", async () => {
    const { host, stop } = await startHost(
      echo(() => {
        throw new Error("oops");
      }),
    );
    await expect(perform(host, 1)).rejects.toMatchObject({
      code: "internal",
      retryable: true,
      message: "oops",
    });
    expect(host.status()[0]?.state).toBe("idle");
    await stop();
  });

  test("a broken assertion restarts that one agent; what else ran in it fails, its neighbour goes on", async () => {
    const gate = makeGate();
    const fragile = echo(async (input) => {
      assert(input !== "break", "the world is upside down");
      return gate.pass(input);
    });
    const steady = defineAgent({
      name: "steady",
      capabilities: ["steady"],
      run: (task) => gate.pass(task.input),
    });
    const { host, stop } = await startHost([fragile, steady]);
    const bystander = perform(host, 1);
    const neighbour = perform(host, 2, "steady");
    await expect(perform(host, "break")).rejects.toMatchObject({ code: "internal" });
    await expect(bystander).rejects.toMatchObject({ code: "internal", retryable: true });
    gate.open();
    expect(await neighbour).toBe(2);
    await until(() => host.workforce.free("echo") === 8);
    expect(await perform(host, 3)).toBe(3);
    await stop();
  });

  test("an author's machine that breaks an assertion restarts its agent too", async () => {
    const machine = setup({}).createMachine({
      context: () => {
        throw new AssertionError("a machine upside down");
      },
    });
    const { host, stop } = await startHost(defineAgent({ name: "m", capabilities: ["echo"], machine }));
    await expect(perform(host, 1)).rejects.toMatchObject({ code: "internal" });
    expect(host.status()[0]?.state).toBe("starting");
    await until(() => host.status()[0]?.state === "idle");
    await stop();
  });

  test("an agent that breaks beyond its budget has failed, and its neighbours go on", async () => {
    const runs = { count: 0 };
    const restart = { budget: 2, windowMs: 60_000, backoffMs: 1, maxBackoffMs: 1 };
    const steady = defineAgent({ name: "steady", capabilities: ["steady"], run: () => "fine" });
    const { host, stop } = await startHost([breaking(runs), steady], { restart });
    for (let time = 0; time < 3; time++) {
      await until(() => host.workforce.free("echo") === 8);
      await perform(host, "break").catch(() => undefined);
    }
    expect(host.status().map(({ role, state }) => [role, state])).toEqual([
      ["echo", "failed"],
      ["steady", "idle"],
    ]);
    expect(host.workforce.take("echo")).toBeNull();
    expect(await perform(host, null, "steady")).toBe("fine");
    await stop();
    expect(host.status()[0]?.state).toBe("failed");
  });

  test("a start that throws is tried again; stop runs in between", async () => {
    const calls: string[] = [];
    const agent = defineAgent({
      name: "echo",
      capabilities: ["echo"],
      run: () => null,
      start: () => {
        calls.push("start");
        if (calls.length === 1) throw new Error("not yet");
      },
      stop: () => {
        calls.push("stop");
      },
    });
    const { host, stop } = await startHost(agent);
    await until(() => host.status()[0]?.state === "idle");
    await stop();
    expect(calls).toEqual(["start", "stop", "start", "stop"]);
  });

  test("a start that hangs counts as thrown after its time", async () => {
    const clock = new ManualClock();
    const agent = defineAgent({
      name: "slow",
      capabilities: ["echo"],
      run: () => null,
      start: () => new Promise(() => {}),
    });
    const restart = { budget: 0, windowMs: 1, backoffMs: 1, maxBackoffMs: 1 };
    const starting = startHost(agent, { clock, restart });
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(30_000);
    const { host, stop } = await starting;
    expect(host.status()[0]?.state).toBe("failed");
    await stop();
  });

  test("a slot taken before a crash cannot be performed in after it", async () => {
    const { host, stop } = await startHost(breaking({ count: 0 }));
    const slot = takeSlot(host, "echo");
    await perform(host, "break").catch(() => undefined);
    await expect(slot.perform(makeAttempt().attempt)).rejects.toMatchObject({ code: "internal" });
    slot.release();
    await until(() => host.workforce.free("echo") === 8);
    await stop();
  });
});

describe("broadcasts", () => {
  test("reach every agent that listens on the topic, in order, one at a time", async () => {
    const heard: unknown[] = [];
    let inside = 0;
    const listener = defineAgent({
      name: "ear",
      capabilities: ["ear"],
      run: () => null,
      on: {
        "news.local": async (value, agent) => {
          expect(++inside).toBe(1);
          await Promise.resolve();
          heard.push([agent.agentId.split("-")[0], value]);
          inside--;
        },
      },
    });
    const speaker = echo((input, ctx) => ctx.broadcast("news.local", input));
    const { host, stop } = await startHost([listener, speaker]);
    for (const n of [1, 2, 3]) await perform(host, { n });
    await until(() => heard.length === 3);
    expect(heard).toEqual([1, 2, 3].map((n) => ["ear", { n }]));
    await stop();
  });

  test("a handler that throws is logged and the next broadcast is heard; one that breaks restarts the agent", async () => {
    const heard: unknown[] = [];
    const listener = defineAgent({
      name: "ear",
      capabilities: ["ear"],
      run: () => null,
      on: {
        news: (value) => {
          if (value === "bad") throw new Error("cannot read that");
          assert(value !== "worse", "broken");
          heard.push(value);
        },
      },
    });
    const { host, transport, stop } = await startHost(listener);
    const since = host.status()[0]?.since;
    const say = (value: unknown) => transport.bus.publish(subjects.topic("news"), encode({ value }));
    for (const text of ["bad", "good"]) {
      transport.bus.publish(subjects.topic("news"), encode(text, "msgpack"));
    }
    await until(() => heard.length === 1);
    expect(host.status()[0]).toMatchObject({ state: "idle", since });
    transport.bus.publish(subjects.topic("news"), encode("worse", "msgpack"));
    await until(() => host.status()[0]?.state === "starting");
    await until(() => host.status()[0]?.state === "idle");
    say("after");
    await until(() => heard.length === 2);
    await stop();
  });
});

describe("heartbeats and metrics", () => {
  test("go out at start, every interval, and as a goodbye", async () => {
    const clock = new ManualClock();
    const transport = connectMemory({ prefix: "murmur" });
    const beats = listen(transport);
    const { host, stop } = await startHost(echo(), { clock, transport });
    const subject = subjects.heartbeat(host.status()[0]?.id ?? "");
    await until(() => beats.length === 1);
    clock.advance(2 * HEARTBEAT_INTERVAL_MS);
    await until(() => beats.length === 3);
    expect(beats[2]).toMatchObject({ subject, host: "host-1", role: "test", agents: [{ state: "idle" }] });
    await host.service.stop();
    await until(() => beats.length === 4);
    expect(beats[3]).toMatchObject({ goodbye: true, agents: [{ state: "stopped" }] });
    clock.advance(2 * HEARTBEAT_INTERVAL_MS);
    expect(beats).toHaveLength(4);
    await stop();
  });

  test("go out at once when an agent is paused, resumed, draining or broken, for that agent alone", async () => {
    const clock = new ManualClock();
    const transport = connectMemory({ prefix: "murmur" });
    const gate = makeGate();
    const { host, stop } = await startHost([echo(gate.pass), echo()], { clock, transport });
    const beats = listen(transport);
    const [{ id } = { id: "" }] = host.status();
    const told = (state: string) =>
      until(() => beats.at(-1)?.agents[0]?.id === id && beats.at(-1)?.agents[0]?.state === state);
    await send(transport, id, "pause");
    await told("paused");
    await send(transport, id, "resume");
    await told("idle");
    const slot = host.workforce.takeAgent(id, "echo");
    if (typeof slot === "string") throw new Error(slot);
    const performing = slot.perform(makeAttempt().attempt);
    await until(() => gate.arrived === 1);
    await send(transport, id, "drain");
    await told("draining");
    expect(beats.filter(({ goodbye }) => goodbye === true)).toEqual([]);
    gate.open();
    await performing;
    slot.release();
    await until(() => beats.at(-1)?.goodbye === true);
    expect(beats.flatMap(({ agents }) => agents.map((agent) => agent.id))).toEqual(beats.map(() => id));
    expect(beats).toHaveLength(4);
    await stop();
  });

  test("show what a waiting agent waits for, and that its loop stands still", async () => {
    const clock = new ManualClock();
    const { host, meter, transport, stop } = await startHost(
      echo((_input, ctx) => ctx.waitFor("model", new Promise(() => {}))),
      { clock },
    );
    const beats = listen(transport);
    void perform(host, 1).catch(() => undefined);
    clock.advance(2 * HEARTBEAT_INTERVAL_MS);
    await until(() => beats.length === 2);
    expect(beats.map(({ agents }) => agents[0])).toMatchObject([
      { state: "waiting", waiting: "model", loop: 3, slots: { used: 1, total: 8 } },
      { state: "waiting", waiting: "model", loop: 3 },
    ]);
    const text = await meter.registry.metrics();
    expect(text).toContain('murmur_agents{role="echo",state="waiting"} 1');
    expect(text).toContain('murmur_agents{role="echo",state="idle"} 0');
    expect(text).toContain('murmur_agent_waiting{reason="model"} 1');
    expect(text).toContain('murmur_agent_slots{state="used"} 1');
    expect(text).toContain('murmur_agent_slots{state="free"} 7');
    expect(text).toContain("murmur_agent_loop_total 3");
    await stop();
  });
});

describe("a slot of one agent", () => {
  test("is that agent's, and refused as busy while it has none or is paused", async () => {
    const { host, stop } = await startHost([echo(undefined, { slots: 1 }), echo(undefined, { slots: 1 })]);
    const [first, second] = host.status().map(({ id }) => id);
    const slot = host.workforce.takeAgent(second ?? "", "echo");
    expect(slot).toMatchObject({ agentId: second });
    expect(host.workforce.takeAgent(second ?? "", "echo")).toBe("busy");
    expect(host.workforce.take("echo")?.agentId).toBe(first);
    host.pause(second ?? "");
    if (typeof slot !== "string") slot.release();
    expect(host.workforce.takeAgent(second ?? "", "echo")).toBe("busy");
    host.resume(second ?? "");
    expect(host.workforce.takeAgent(second ?? "", "echo")).toMatchObject({ agentId: second });
    await stop();
  });

  test("is refused for good by an agent that leaves, is not here, or cannot do it", async () => {
    const { host, stop } = await startHost([echo(), echo()]);
    const [first, second] = host.status().map(({ id }) => id);
    host.workforce.takeAgent(first ?? "", "echo");
    host.drainAgent(first ?? "");
    expect(host.workforce.takeAgent(first ?? "", "echo")).toBe("gone");
    expect(host.workforce.takeAgent("nobody", "echo")).toBe("gone");
    expect(host.workforce.takeAgent(second ?? "", "sing")).toBe("unable");
    await stop();
    expect(host.workforce.takeAgent(second ?? "", "echo")).toBe("gone");
  });
});

describe("a host", () => {
  const base = () => ({
    transport: connectMemory({ prefix: "murmur" }),
    meter: createMeter(),
    log: silentLogger,
    hostId: "h",
    role: "r",
    version: "1",
  });

  test.each([
    ["hostId", { hostId: "a.b", roles: [{ definition: echo() }] }],
    ["roles", { roles: [] }],
    ["roles", { roles: [{ definition: echo(), count: 20_001 }] }],
    ["roles", { roles: [{ definition: echo(), count: 0.5 }] }],
  ])("refuses bad options, naming %s", (field, options) => {
    expect(() => createHost({ ...base(), ...options })).toThrow(
      expect.objectContaining({ code: "invalid_input", field }),
    );
  });

  test("tells each capability with its limits, and refuses two opinions about one", () => {
    const limits = { concurrency: 2 };
    const make = (name: string, own: typeof limits) =>
      defineAgent({ name, capabilities: ["a"], limits: own, run: () => null });
    const roles = [{ definition: make("x", limits) }, { definition: make("y", limits) }];
    expect(createHost({ ...base(), roles }).capabilities).toEqual([{ name: "a", limits }]);
    const disagreeing = [...roles, { definition: make("z", { concurrency: 2 }) }];
    expect(() => createHost({ ...base(), roles: disagreeing })).toThrow(
      expect.objectContaining({ code: "invalid_input", field: "limits" }),
    );
  });
});
