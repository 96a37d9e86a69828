// ctx.shared over a fake port: the port belongs to the run of the task, and updates go on after another writer.
import { expect, test } from "vitest";
import { type AgentContext, defineAgent, type SharedPort } from "../../../src/agent/index.ts";
import { type Json, SwarmError } from "../../../src/protocol/index.ts";
import { makeAttempt, startHost, takeSlot } from "../support.ts";

/** A port with one value. `rivals` change it between a read and the next change, as often as they are. */
function createFakePort(rivals: Json[] = []) {
  let now: { value: Json; revision: number } | null = null;
  const places: unknown[] = [];
  const change = (value: Json) => {
    now = { value, revision: (now?.revision ?? 0) + 1 };
    return now;
  };
  const port: SharedPort = {
    async get(at) {
      places.push(at);
      const found = now;
      const rival = rivals.shift();
      if (rival !== undefined) change(rival);
      return found;
    },
    async set({ value, revision }) {
      if (revision !== undefined && revision !== (now?.revision ?? 0))
        throw new SwarmError("conflict", "another writer", { retryable: true });
      return { revision: change(value).revision };
    },
  };
  return { port, places, value: () => now?.value };
}

async function perform(
  work: (ctx: AgentContext) => unknown,
  options: { scope?: string; port?: SharedPort } = {},
): Promise<unknown> {
  const agent = defineAgent({ name: "a", capabilities: ["echo"], run: (_task, ctx) => work(ctx) });
  const { host } = await startHost(agent, options.port === undefined ? {} : { shared: options.port });
  const { attempt } = makeAttempt();
  const task = { ...attempt.task, scope: options.scope ?? "w1" };
  return takeSlot(host, "echo").perform({ ...attempt, task });
}

test("values belong to the run that the task is a step of", async () => {
  const { port, places } = createFakePort();
  await perform((ctx) => ctx.shared.get("limits"), { port });
  expect(places).toMatchObject([{ workflowId: "w1", name: "limits", task: expect.any(String) }]);
});

test("an update that another writer outran reads again, so no change is lost", async () => {
  const { port, value } = createFakePort([10, 20]);
  const add = (ctx: AgentContext) => ctx.shared.update<number>("sum", (sum = 0) => sum + 1);
  expect(await perform(add, { port })).toEqual({ value: 21, revision: 3 });
  expect(value()).toBe(21);
});

test("an update that is always outrun fails with the conflict", async () => {
  const { port } = createFakePort(Array.from({ length: 40 }, (_, index) => index));
  const add = (ctx: AgentContext) => ctx.shared.update<number>("sum", (sum = 0) => sum + 1);
  await expect(perform(add, { port })).rejects.toMatchObject({ code: "conflict" });
});

test("a task outside a workflow has no shared values, and no value that is no plain data is sent", async () => {
  const { port, value } = createFakePort();
  await expect(perform((ctx) => ctx.shared.get("x"), { port, scope: "-" })).rejects.toMatchObject({
    code: "invalid_input",
    field: "scope",
  });
  await expect(perform((ctx) => ctx.shared.set("x", () => 1), { port })).rejects.toThrow(/shared value x/);
  expect(value()).toBeUndefined();
  await expect(perform((ctx) => ctx.shared.get("x"))).rejects.toMatchObject({ code: "unavailable" });
});
