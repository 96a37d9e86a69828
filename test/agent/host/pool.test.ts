import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createHost, defineAgent } from "../../../src/agent/index.ts";
import { assert, createMeter, silentLogger } from "../../../src/base/index.ts";
import { connectMemory } from "../../../src/transport/index.ts";
import { defineEcho, makeAttempt, makeGate, startHost, takeSlot, until } from "../support.ts";

describe("slots", () => {
  test("a host offers no slots before its start, nor after its stop", async () => {
    const transport = connectMemory({ prefix: "murmur" });
    const host = createHost({
      transport,
      meter: createMeter(),
      log: silentLogger,
      hostId: "h",
      role: "r",
      version: "1",
      roles: [{ definition: defineEcho() }],
    });
    expect(host.workforce.take("echo")).toBeNull();
    await host.service.start();
    expect(host.workforce.free("echo")).toBe(8);
    await host.service.stop();
    expect(host.workforce.take("echo")).toBeNull();
    expect(host.workforce.freeTotal()).toBe(0);
  });

  test("agents take tasks in turn, until all their slots are in use", async () => {
    const definition = defineEcho(undefined, { slots: 2 });
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

  test("a slot that is released twice is freed once", async () => {
    const { host, stop } = await startHost(defineEcho(undefined, { slots: 2 }));
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
    const offered: string[] = [];
    host.workforce.onFree((capability) => offered.push(capability));
    const slot = takeSlot(host, "a");
    expect(host.workforce.take("b")).toBeNull();
    slot.release();
    await until(() => offered.includes("b"));
    expect(offered).not.toContain("a"); // the worker itself released the slot of this capability
    await stop();
  });

  test("the host always reports exactly the free slots of the agents that take work", async () => {
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
        for (const [action, n] of steps) {
          const id = host.status()[n % 3]?.id ?? "";
          const capability = n % 2 === 0 ? "a" : "b";
          if (action === "take") {
            const slot = host.workforce.take(capability);
            if (slot !== null) slots.push(slot);
            expect(drained).not.toContain(slot?.agentId);
          } else if (action === "crash") {
            await host.workforce
              .take("b")
              ?.perform(makeAttempt().attempt)
              .catch(() => undefined);
          } else if (action === "release") slots.splice(n % Math.max(1, slots.length), 1)[0]?.release();
          else if (action === "drain") drained.add(host.drainAgent(id).id);
          else if (!drained.has(id)) host[action](id);
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
    const { host, stop } = await startHost(defineEcho());
    expect(host.workforce.free("nope")).toBe(0);
    expect(host.workforce.take("nope")).toBeNull();
    await stop();
  });

  test("the state follows a task: preparing, working, reporting, idle", async () => {
    const gate = makeGate();
    const { host, stop } = await startHost(defineEcho(gate.pass));
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

describe("a slot of one agent", () => {
  test("takeAgent takes a slot of that agent, and returns busy when it has none free or is paused", async () => {
    const { host, stop } = await startHost([
      defineEcho(undefined, { slots: 1 }),
      defineEcho(undefined, { slots: 1 }),
    ]);
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

  test("takeAgent returns gone for an agent that drains or is unknown, and unable for a capability that it does not offer", async () => {
    const { host, stop } = await startHost([defineEcho(), defineEcho()]);
    const [first, second] = host.status().map(({ id }) => id);
    host.workforce.takeAgent(first ?? "", "echo");
    host.drainAgent(first ?? "");
    expect(host.workforce.takeAgent(first ?? "", "echo")).toBe("gone");
    expect(host.workforce.takeAgent("unknown-agent", "echo")).toBe("gone");
    expect(host.workforce.takeAgent(second ?? "", "sing")).toBe("unable");
    await stop();
    expect(host.workforce.takeAgent(second ?? "", "echo")).toBe("gone");
  });
});
