// ctx.lock over a fake port: the test decides which locks are granted and lost.
import { expect, test, vi } from "vitest";
import { type AgentContext, defineAgent, type LockPort, type LockRequest } from "../../../src/agent/index.ts";
import { CancelledError, SwarmError } from "../../../src/protocol/index.ts";
import { makeAttempt, startHost, takeSlot } from "../support.ts";

/** A fake port. It grants all locks, or none, and records requests, releases and the end of renewals. */
function createFakePort(options: { grants?: boolean } = {}) {
  const requests: LockRequest[] = [];
  const ends: string[] = [];
  const lost = new AbortController();
  const port: LockPort = {
    acquire(request) {
      requests.push(request);
      if (options.grants === false) {
        return new Promise((_resolve, reject) => {
          request.signal.addEventListener("abort", () => reject(request.signal.reason));
        });
      }
      return Promise.resolve({
        token: 40 + requests.length,
        signal: lost.signal,
        release: async () => void ends.push(`released ${request.name}`),
        stopRenewing: () => void ends.push(`stopped ${request.name}`),
      });
    },
  };
  return {
    port,
    requests,
    ends,
    lose: () => lost.abort(new SwarmError("conflict", "lost", { retryable: true })),
  };
}

async function setup(work: (ctx: AgentContext) => unknown, options: { grants?: boolean; port?: false } = {}) {
  const fake = createFakePort(options);
  const agent = defineAgent({ name: "a", capabilities: ["echo"], run: (_task, ctx) => work(ctx) });
  const running = await startHost(agent, options.port === false ? {} : { locks: fake.port });
  const { attempt, abort } = makeAttempt();
  const slot = takeSlot(running.host, "echo");
  return {
    ...fake,
    ...running,
    slot,
    abort,
    status: () => running.host.status()[0]!,
    done: slot.perform(attempt),
  };
}

const forever = () => new Promise<never>(() => {});

test("a lock has its token, and is released when the attempt ends", async () => {
  const { done, requests, ends, status } = await setup(async (ctx) => (await ctx.lock("crane")).token);
  expect(await done).toBe(41);
  expect(requests).toMatchObject([{ name: "crane", ttlMs: 30_000, patienceMs: 30_000 }]);
  expect(requests[0]?.owner.startsWith(`${status().id}-`)).toBe(true);
  await vi.waitFor(() => expect(ends).toContain("released crane"), { timeout: 60_000 });
});

test("a released lock is not released a second time, and another owner can take it", async () => {
  const { done, requests, ends } = await setup(async (ctx) => {
    await (await ctx.lock("crane")).release();
    await (await ctx.lock("crane")).release();
  });
  await done;
  expect(ends).toEqual(["released crane", "released crane"]);
  expect(requests[0]?.owner).not.toBe(requests[1]?.owner);
});

test("an agent that waits for a lock shows it, and stops waiting when the task is cancelled", async () => {
  const { done, abort, status } = await setup((ctx) => ctx.lock("crane"), { grants: false });
  await vi.waitFor(() => expect(status()).toMatchObject({ state: "waiting", waiting: "lock" }), {
    timeout: 60_000,
  });
  abort(new CancelledError());
  await expect(done).rejects.toMatchObject({ code: "cancelled" });
});

test("a lost lock aborts its signal and the attempt, even if the code ignores it", async () => {
  const seen: unknown[] = [];
  const { done, lose } = await setup(async (ctx) => {
    const lock = await ctx.lock("crane");
    lock.signal.addEventListener("abort", () => seen.push(lock.signal.reason.code, ctx.signal.aborted));
    setImmediate(lose);
    await forever();
  });
  const lost = { code: "conflict", retryable: true };
  await expect(done).rejects.toMatchObject(lost);
  expect(seen).toEqual(["conflict", expect.any(Boolean)]);
});

test("a lock that is lost after its release does not abort the attempt", async () => {
  const { done, lose } = await setup(async (ctx) => {
    const lock = await ctx.lock("crane");
    await lock.release();
    lose();
    await new Promise(setImmediate);
    return ctx.signal.aborted ? "aborted" : "fine";
  });
  expect(await done).toBe("fine");
});

test("abandoned code keeps its locks until it ends, without renewals", async () => {
  const gate = Promise.withResolvers<void>();
  const { slot, ends, status } = await setup(async (ctx) => {
    await ctx.lock("crane");
    ctx.progress(1);
    await gate.promise;
  });
  await vi.waitFor(() => expect(status().state).toBe("working"), { timeout: 60_000 });
  await new Promise(setImmediate);
  slot.release();
  await new Promise(setImmediate);
  expect(ends).toEqual(["stopped crane"]);
  gate.resolve();
  await vi.waitFor(() => expect(ends).toEqual(["stopped crane", "released crane"]), { timeout: 60_000 });
});

test.each([
  [
    "a name that is not a token",
    (ctx: AgentContext) => ctx.lock("a.b"),
    { code: "invalid_input", field: "name" },
  ],
  ["too short a lease", (ctx: AgentContext) => ctx.lock("a", { ttlMs: 10 }), { field: "ttlMs" }],
  [
    "a patience below zero",
    (ctx: AgentContext) => ctx.lock("a", { patienceMs: -1 }),
    { field: "patienceMs" },
  ],
  [
    "a lock that the attempt holds",
    async (ctx: AgentContext) => {
      await ctx.lock("a");
      await ctx.lock("a");
    },
    { code: "internal", retryable: false },
  ],
])("ctx.lock rejects %s", async (_case, work, error) => {
  const { done } = await setup(work);
  await expect(done).rejects.toMatchObject(error);
});

test("ctx.lock throws unavailable in a process without a connection to a coordinator", async () => {
  const { done } = await setup((ctx) => ctx.lock("crane"), { port: false });
  await expect(done).rejects.toMatchObject({ code: "unavailable" });
});
