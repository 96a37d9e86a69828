import { describe, expect, test } from "vitest";
import { createHost, defineAgent, HEARTBEAT_INTERVAL_MS } from "../../../src/agent/index.ts";
import { createMeter, ManualClock, silentLogger } from "../../../src/base/index.ts";
import { connectMemory } from "../../../src/transport/index.ts";
import {
  collectHeartbeats,
  defineEcho,
  makeAttempt,
  makeGate,
  perform,
  sendVerb,
  startHost,
  subjects,
  until,
} from "../support.ts";

test("an ask on its way to a host whose last agent pauses is answered at once, and does not time out", async () => {
  const transport = connectMemory({ prefix: "murmur" });
  const { host, stop } = await startHost(defineEcho(), { transport });
  const [{ id } = { id: "" }] = host.status();
  const asked = transport.bus.request(subjects.ask("echo"), new Uint8Array(), { timeoutMs: 2_000 });
  host.pause(id);
  expect(new TextDecoder().decode((await asked).data)).toContain("takes asks for echo at the moment");
  await stop();
});

describe("heartbeats and metrics", () => {
  test("the host sends a heartbeat at start, one each interval, and one as a goodbye", async () => {
    const clock = new ManualClock();
    const transport = connectMemory({ prefix: "murmur" });
    const beats = collectHeartbeats(transport);
    const { host, stop } = await startHost(defineEcho(), { clock, transport });
    const subject = subjects.heartbeat({ class: "default", host: "host-1" });
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

  test("the host sends a heartbeat for one agent at once when that agent is paused, resumed or draining", async () => {
    const clock = new ManualClock();
    const transport = connectMemory({ prefix: "murmur" });
    const gate = makeGate();
    const { host, stop } = await startHost([defineEcho(gate.pass), defineEcho()], { clock, transport });
    const beats = collectHeartbeats(transport);
    const [{ id } = { id: "" }] = host.status();
    const showsState = (state: string) =>
      until(() => beats.at(-1)?.agents[0]?.id === id && beats.at(-1)?.agents[0]?.state === state);
    await sendVerb(transport, id, "pause");
    await showsState("paused");
    await sendVerb(transport, id, "resume");
    await showsState("idle");
    const slot = host.workforce.takeAgent(id, "echo");
    if (typeof slot === "string") throw new Error(slot);
    const performing = slot.perform(makeAttempt().attempt);
    await until(() => gate.arrived === 1);
    await sendVerb(transport, id, "drain");
    await showsState("draining");
    expect(beats.filter(({ goodbye }) => goodbye === true)).toEqual([]);
    gate.open();
    await performing;
    slot.release();
    await until(() => beats.at(-1)?.goodbye === true);
    expect(beats.flatMap(({ agents }) => agents.map((agent) => agent.id))).toEqual(beats.map(() => id));
    expect(beats).toHaveLength(4);
    await stop();
  });

  test("heartbeats and gauges show why an agent waits; its loop counter does not rise", async () => {
    const clock = new ManualClock();
    const { host, meter, transport, stop } = await startHost(
      defineEcho((_input, ctx) => ctx.waitFor("model", new Promise(() => {}))),
      { clock },
    );
    const beats = collectHeartbeats(transport);
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
    expect(text).toContain('murmur_agent_waiting{role="echo",reason="model"} 1');
    expect(text).toContain('murmur_agent_slots{role="echo",state="used"} 1');
    expect(text).toContain('murmur_agent_slots{role="echo",state="free"} 7');
    expect(text).toContain('murmur_agent_loop_total{role="echo"} 3');
    await stop();
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
    ["hostId", { hostId: "a.b", roles: [{ definition: defineEcho() }] }],
    ["roles", { roles: [] }],
    ["roles", { roles: [{ definition: defineEcho(), count: 20_001 }] }],
    ["roles", { roles: [{ definition: defineEcho(), count: 0.5 }] }],
  ])("createHost rejects bad options, naming %s", (field, options) => {
    expect(() => createHost({ ...base(), ...options })).toThrow(
      expect.objectContaining({ code: "invalid_input", field }),
    );
  });

  test("a host lists each capability with its limits, and rejects two different limits for one capability", () => {
    const limits = { concurrency: 2 };
    const make = (name: string, own: typeof limits) =>
      defineAgent({ name, capabilities: ["a"], limits: own, run: () => null });
    const roles = [{ definition: make("x", limits) }, { definition: make("y", limits) }];
    expect(createHost({ ...base(), roles }).capabilities).toEqual([{ name: "a", limits }]);
    const conflicting = [...roles, { definition: make("z", { concurrency: 2 }) }];
    expect(() => createHost({ ...base(), roles: conflicting })).toThrow(
      expect.objectContaining({ code: "invalid_input", field: "limits" }),
    );
  });
});
