import { describe, expect, test } from "vitest";
import { type AgentContext, askCapability, defineAgent, type Exec } from "../../../src/agent/index.ts";
import { CancelledError, type ExecRequest, SwarmError } from "../../../src/protocol/index.ts";
import { makeAttempt, startHost, subjects, takeSlot, until } from "../support.ts";

/** Runs `work` as an agent's attempt, which the test can abort. */
async function setup(
  work: (ctx: AgentContext) => unknown,
  options: { exec?: Exec; allow?: string[]; timeoutMs?: number } = {},
) {
  const { exec, allow, timeoutMs } = options;
  const agent = defineAgent({
    name: "a",
    capabilities: ["echo"],
    ...(allow === undefined ? {} : { exec: { allow, timeoutMs } }),
    run: (_task, ctx) => work(ctx),
  });
  const running = await startHost(agent, exec === undefined ? {} : { exec });
  const { attempt, reports, abort } = makeAttempt({ number: 2, task: { id: "t7" } });
  const slot = takeSlot(running.host, "echo");
  const status = () => running.host.status()[0];
  return { ...running, status, reports, abort, attempt, done: slot.perform(attempt), slot };
}

/** A promise that never settles. */
const forever = () => new Promise<never>(() => {});

test("the context has the agent's id, the attempt's number and the deadline", async () => {
  const { attempt, done, status, stop } = await setup((ctx) => [ctx.agentId, ctx.attempt, ctx.deadline]);
  expect(await done).toEqual([status()?.id, 2, new Date(attempt.deadlineMs)]);
  await stop();
});

describe("steps", () => {
  test("a step returns the value of its work", async () => {
    const { done, stop } = await setup(async (ctx) => [
      await ctx.step("one", () => 1),
      await ctx.step("two", async () => 2),
    ]);
    expect(await done).toEqual([1, 2]);
    await stop();
  });

  test("a step name used twice fails the task, naming the step", async () => {
    const { done, stop } = await setup(async (ctx) => {
      await ctx.step("pay", () => 1);
      await ctx.step("pay", () => 1);
    });
    await expect(done).rejects.toMatchObject({
      code: "internal",
      field: "step",
      retryable: false,
      message: expect.stringContaining('"pay"'),
    });
    await stop();
  });
});

test("the error of an attempt has the end of its last failed command's stderr", async () => {
  const exec: Exec = async () => ({ exitCode: 2, stdout: "", stderr: "9 problems\n", durationMs: 1 });
  const { done, stop } = await setup(
    async (ctx) => {
      await ctx.exec({ argv: ["eslint"] });
      throw new Error("the linter failed");
    },
    { exec, allow: ["eslint"] },
  );
  await expect(done).rejects.toMatchObject({ outputTail: "eslint ended with exit code 2\n9 problems" });
  await stop();
});

describe("waiting", () => {
  test("the agent shows the reason of a wait, and reports after it", async () => {
    const gate = Promise.withResolvers<string>();
    const { done, status, stop } = await setup((ctx) => ctx.waitFor("human", gate.promise));
    expect(status()).toMatchObject({ state: "waiting", waiting: "human" });
    gate.resolve("yes");
    expect(await done).toBe("yes");
    expect(status()).toMatchObject({ state: "reporting", waiting: null });
    await stop();
  });

  test("when waits overlap, the first reason is shown until the last wait has ended", async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    const { done, status, stop } = await setup((ctx) =>
      Promise.all([ctx.waitFor("model", gates[0].promise), ctx.waitFor("tool", gates[1].promise)]),
    );
    gates[0].resolve();
    await until(() => status()?.waiting === "model");
    gates[1].resolve();
    await done;
    await stop();
  });

  test.each([
    ["sleep", (ctx: AgentContext) => ctx.sleep(60_000)],
    ["waitFor", (ctx: AgentContext) => ctx.waitFor("lock", forever())],
    ["ask", (ctx: AgentContext) => ctx.ask("silent", null)],
    ["exec", (ctx: AgentContext) => ctx.exec({ argv: ["tool"] })],
  ])("a cancel ends %s", async (_name, work) => {
    const { abort, done, status, stop, transport } = await setup(work, { exec: forever, allow: ["tool"] });
    transport.bus.subscribe(subjects.ask("silent"), () => {});
    await until(() => status()?.state === "waiting");
    abort(new CancelledError());
    await expect(done).rejects.toMatchObject({ code: "cancelled" });
    await stop();
  });

  test("a wait that begins after a cancel fails at once", async () => {
    const { abort, done, stop } = await setup(async (ctx) => {
      await ctx.sleep(60_000).catch(() => undefined);
      await ctx.sleep(60_000);
    });
    abort(new CancelledError());
    await expect(done).rejects.toMatchObject({ code: "cancelled" });
    await stop();
  });
});

describe("commands", () => {
  const echoed: Exec = async (command) => ({
    exitCode: 0,
    stdout: JSON.stringify(command),
    stderr: "",
    durationMs: 1,
  });
  const run = (command: ExecRequest) => (ctx: AgentContext) => ctx.exec(command);

  test("an agent whose definition has no exec may run no commands", async () => {
    const { done, stop } = await setup(run({ argv: ["git"] }), { exec: echoed });
    await expect(done).rejects.toMatchObject({ code: "not_permitted", field: "exec" });
    await stop();
  });

  test("a program that the definition does not list is rejected", async () => {
    const { done, stop } = await setup(run({ argv: ["rm"] }), { exec: echoed, allow: ["git"] });
    await expect(done).rejects.toMatchObject({ code: "not_permitted", field: "argv.0" });
    await stop();
  });

  test("the definition's limits lower the limits of a command", async () => {
    const options = { exec: echoed, allow: ["git"], timeoutMs: 1_000 };
    const { done, stop } = await setup(run({ argv: ["git"], timeoutMs: 9_000 }), options);
    expect(JSON.parse(((await done) as { stdout: string }).stdout)).toEqual({
      argv: ["git"],
      timeoutMs: 1_000,
    });
    await stop();
  });

  test("a host without exec rejects an agent that runs commands, before the host starts", async () => {
    await expect(setup(run({ argv: ["git"] }), { allow: ["git"] })).rejects.toMatchObject({
      code: "not_permitted",
      field: "exec",
    });
  });
});

test("progress is reported to the attempt and counts as a turn of the loop", async () => {
  const { done, reports, status, stop } = await setup((ctx) => ctx.progress(40, "half way"));
  await done;
  expect(reports).toEqual([[40, "half way"]]);
  expect(status()?.loop).toBe(4); // taken, begun, progress, ended
  await stop();
});

test("abandoned code cannot change the state of its slot, nor count a turn", async () => {
  const gate = Promise.withResolvers<void>();
  const { done, slot, status, stop } = await setup(async (ctx) => {
    await gate.promise;
    await ctx.waitFor("model", Promise.resolve());
    ctx.progress(99);
  });
  slot.release();
  const { loop } = status() ?? {};
  gate.resolve();
  await done;
  expect(status()).toMatchObject({ loop, state: "idle", slots: { used: 0 } });
  await stop();
});

test("a foreign error in an aborted attempt is reported as the abort's reason", async () => {
  const { abort, done, stop } = await setup(async (ctx) => {
    await new Promise((_resolve, reject) =>
      ctx.signal.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError"))),
    );
  });
  abort(new SwarmError("timeout", "over its time"));
  await expect(done).rejects.toMatchObject({ code: "timeout" });
  await stop();
});

describe("hand-offs", () => {
  test("a hand-off ends the attempt with the checked request, including its defaults", async () => {
    const { done, stop } = await setup((ctx) => ctx.handOff({ context: { facts: [1] } }));
    await expect(done).rejects.toMatchObject({
      name: "HandOff",
      request: { to: "best", context: { facts: [1] } },
    });
    await stop();
  });

  test("a hand-off in an ask throws not_permitted", async () => {
    const { transport, stop, done } = await setup((ctx) => ctx.handOff());
    await expect(done).rejects.toMatchObject({ name: "HandOff" });
    await expect(askCapability({ bus: transport.bus, subjects }, "echo", null)).rejects.toMatchObject({
      code: "not_permitted",
    });
    await stop();
  });
});
