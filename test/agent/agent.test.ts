import { describe, expect, test } from "vitest";
import { setup } from "xstate";
import { createHost, defineAgent } from "../../src/agent/index.ts";
import { AssertionError, assert, createMeter, ManualClock, silentLogger } from "../../src/base/index.ts";
import { connectMemory } from "../../src/transport/index.ts";
import {
  collectHeartbeats,
  defineEcho,
  makeAttempt,
  makeGate,
  perform,
  startHost,
  takeSlot,
  until,
} from "./support.ts";

describe("pause and drain", () => {
  test("a paused agent finishes its running work and takes no new work; after a resume its slots are offered again", async () => {
    const gate = makeGate();
    const { host, stop } = await startHost(defineEcho(gate.pass));
    const id = host.status()[0]?.id ?? "";
    const working = perform(host, 1);
    expect(host.pause(id)).toMatchObject({ state: "paused", slots: { used: 1 } });
    expect(host.workforce.take("echo")).toBeNull();
    const offered: string[] = [];
    host.workforce.onFree((capability) => offered.push(capability));
    expect(host.resume(id)).toMatchObject({ state: "working" });
    await until(() => offered.includes("echo"));
    gate.open();
    expect(await working).toBe(1);
    await stop();
  });

  test("a drain waits for the running work, takes no new work, and stops every agent", async () => {
    const gate = makeGate();
    const { host, transport, stop } = await startHost(defineEcho(gate.pass));
    const beats = collectHeartbeats(transport);
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

  test("a drain ends after its grace and returns the number of unfinished attempts", async () => {
    const clock = new ManualClock();
    const { host, stop } = await startHost(
      defineEcho(() => new Promise(() => {})),
      { clock },
    );
    void perform(host, 1).catch(() => undefined);
    const drained = host.drain({ graceMs: 1_000 });
    clock.advance(1_000);
    expect(await drained).toEqual({ unfinished: 1 });
    expect(host.status()[0]?.state).toBe("draining");
    await stop();
  });

  test("a drain stops an agent that is still starting, and the end of its start hook changes nothing", async () => {
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

  test("pause and resume throw conflict for a stopped agent, and not_found for an unknown agent", async () => {
    const { host, stop } = await startHost(defineEcho());
    const id = host.status()[0]?.id ?? "";
    host.drainAgent(id);
    expect(host.drainAgent(id).state).toBe("stopped");
    expect(() => host.pause(id)).toThrow(expect.objectContaining({ code: "conflict" }));
    expect(() => host.resume(id)).toThrow(expect.objectContaining({ code: "conflict" }));
    expect(() => host.pause("unknown-agent")).toThrow(expect.objectContaining({ code: "not_found" }));
    await stop();
  });

  test("a stop aborts the running work", async () => {
    const { host, stop } = await startHost(defineEcho(() => new Promise(() => {})));
    const aborted = expect(perform(host, 1)).rejects.toMatchObject({ code: "unavailable" });
    await stop();
    await aborted;
  });
});

describe("supervision", () => {
  const defineFragile = (runs: { count: number }) =>
    defineEcho((input) => {
      runs.count++;
      assert(input !== "break", "an assumption is false");
      return input;
    });

  test("a plain exception fails the attempt only", async () => {
    const { host, stop } = await startHost(
      defineEcho(() => {
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

  test("a failed assertion restarts its agent and fails the agent's other work; other agents continue", async () => {
    const gate = makeGate();
    const fragile = defineEcho(async (input) => {
      assert(input !== "break", "an assumption is false");
      return gate.pass(input);
    });
    const steady = defineAgent({
      name: "steady",
      capabilities: ["steady"],
      run: (task) => gate.pass(task.input),
    });
    const { host, stop } = await startHost([fragile, steady]);
    const otherWork = perform(host, 1);
    const neighbour = perform(host, 2, "steady");
    await expect(perform(host, "break")).rejects.toMatchObject({ code: "internal" });
    await expect(otherWork).rejects.toMatchObject({ code: "internal", retryable: true });
    gate.open();
    expect(await neighbour).toBe(2);
    await until(() => host.workforce.free("echo") === 8);
    expect(await perform(host, 3)).toBe(3);
    await stop();
  });

  test("a failed assertion in an author's machine restarts the agent", async () => {
    const machine = setup({}).createMachine({
      context: () => {
        throw new AssertionError("an assumption is false");
      },
    });
    const { host, stop } = await startHost(defineAgent({ name: "m", capabilities: ["echo"], machine }));
    await expect(perform(host, 1)).rejects.toMatchObject({ code: "internal" });
    expect(host.status()[0]?.state).toBe("starting");
    await until(() => host.status()[0]?.state === "idle");
    await stop();
  });

  test("an agent that uses up its restart budget is failed, and other agents continue", async () => {
    const runs = { count: 0 };
    const restart = { budget: 2, windowMs: 60_000, backoffMs: 1, maxBackoffMs: 1 };
    const steady = defineAgent({ name: "steady", capabilities: ["steady"], run: () => "fine" });
    const { host, stop } = await startHost([defineFragile(runs), steady], { restart });
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

  test("a start hook that throws is retried, after the stop hook", async () => {
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

  test("a start hook that hangs counts as failed after its time limit", async () => {
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

  test("a slot that was taken before a crash performs no work after it", async () => {
    const { host, stop } = await startHost(defineFragile({ count: 0 }));
    const slot = takeSlot(host, "echo");
    await perform(host, "break").catch(() => undefined);
    await expect(slot.perform(makeAttempt().attempt)).rejects.toMatchObject({ code: "internal" });
    slot.release();
    await until(() => host.workforce.free("echo") === 8);
    await stop();
  });
});
