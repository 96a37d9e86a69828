import { expect, test } from "vitest";
import { setup } from "xstate";
import type { AgentContext } from "../../../src/agent/index.ts";
import { runMachine, showState } from "../../../src/agent/internal.ts";
import { CancelledError, HandOff } from "../../../src/protocol/index.ts";
import { makeTask } from "../support.ts";

function setupRun(machine: Parameters<typeof runMachine>[0]) {
  const controller = new AbortController();
  const states: string[] = [];
  const ctx = { signal: controller.signal } as AgentContext;
  const done = runMachine(machine, { task: { ...makeTask(), input: null }, ctx }, (state) =>
    states.push(state),
  );
  return { controller, states, done };
}

const endless = setup({}).createMachine({ initial: "here", states: { here: {} } });

test("a machine that is done at once returns its output", async () => {
  const machine = setup({}).createMachine({
    initial: "done",
    states: { done: { type: "final" } },
    output: () => 42,
  });
  expect(await setupRun(machine).done).toBe(42);
});

test("a cancelled task stops the machine and fails with the signal's reason", async () => {
  const { controller, states, done } = setupRun(endless);
  expect(states).toEqual(["here"]);
  controller.abort(new CancelledError());
  await expect(done).rejects.toMatchObject({ code: "cancelled" });
});

test("a hand-off in an action of a machine ends its attempt", async () => {
  const machine = setup({ types: {} as { input: { ctx: AgentContext } } }).createMachine({
    context: ({ input }) => input,
    entry: ({ context }) => (context as { ctx: AgentContext }).ctx.handOff({ context: "c" }),
  });
  const handOff = () => {
    throw new HandOff({ to: "best", context: "c" });
  };
  const ctx = { signal: new AbortController().signal, handOff } as unknown as AgentContext;
  const done = runMachine(machine, { task: { ...makeTask(), input: null }, ctx }, () => undefined);
  await expect(done).rejects.toMatchObject({ name: "HandOff", request: { context: "c" } });
});

test("a state is shown as one short line", () => {
  expect(showState("a")).toBe("a");
  expect(showState({ a: { b: "c" } })).toBe("a.b.c");
  expect(showState({ a: { b: "x", c: "y" } })).toBe('{"a":{"b":"x","c":"y"}}');
  expect(showState({ a: "b".repeat(300) })).toHaveLength(200);
});
