import { expect, test } from "vitest";
import { setup } from "xstate";
import { z } from "zod";
import { DEFAULT_SLOTS, defineAgent, isAgentDefinition } from "../../../src/agent/index.ts";
import { RetryableError, SwarmError } from "../../../src/protocol/index.ts";
import { perform, startHost } from "../support.ts";

const facts = { name: "a", capabilities: ["echo"] };
const run = () => null;

/** Returns the error for a bad definition. */
function rejectionOf(spec: object): SwarmError {
  try {
    defineAgent(spec as never);
  } catch (error) {
    if (error instanceof SwarmError) return error;
    throw error;
  }
  throw new Error("the definition was accepted");
}

test("a name, a capability and run are enough", () => {
  const agent = defineAgent({ ...facts, run });
  expect(agent).toMatchObject({ name: "a", capabilities: ["echo"], slots: DEFAULT_SLOTS });
  expect(isAgentDefinition(agent)).toBe(true);
  expect(isAgentDefinition({ ...facts, run })).toBe(false);
});

test.each([
  ["name", { ...facts, name: "a.b", run }],
  ["capabilities", { name: "a", capabilities: [], run }],
  ["capabilities", { name: "a", capabilities: ["x", "x"], run }],
  ["capabilities", { name: "a", capabilities: ["workflow"], run }],
  ["capabilities.1", { name: "a", capabilities: ["x", "y z"], run }],
  ["expertise.0", { ...facts, expertise: ["back end"], run }],
  ["expertise", { ...facts, expertise: ["qa", "qa"], run }],
  ["expertise", { ...facts, expertise: Array.from({ length: 17 }, (_, at) => `e${at}`), run }],
  ["triggers", { ...facts, triggers: ["SQL", "sql "], run }],
  ["triggers.0", { ...facts, triggers: ["  "], run }],
  ["triggers.0", { ...facts, triggers: ["x".repeat(65)], run }],
  ["model", { ...facts, model: "", run }],
  ["slots", { ...facts, slots: 0, run }],
  ["slots", { ...facts, slots: Number.NaN, run }],
  ["slotz", { ...facts, slotz: 1, run }],
  ["input", { ...facts, input: {}, run }],
  ["limits.rate.count", { ...facts, limits: { rate: { count: 0, windowMs: 1 } }, run }],
  ["exec.allow", { ...facts, exec: { allow: [] }, run }],
  ["on.bad topic", { ...facts, on: { "bad topic": run }, run }],
  ["run", { ...facts, run: "echo" }],
  ["run", { ...facts }],
  ["run", { ...facts, run, machine: setup({}).createMachine({}) }],
])("defineAgent rejects a bad definition, naming %s", (field, spec) => {
  expect(rejectionOf(spec)).toMatchObject({ code: "invalid_input", field });
});

test("all faults of a definition are named, and an unknown option with the known one nearest to it", () => {
  const error = rejectionOf({
    name: "a b",
    capabilites: ["x"],
    slots: 0,
    exec: { allow: [], timeoutMS: 1 },
    limits: { rate: { count: 1, windowMs: 1 }, perKey: { of: run, concurency: 1 } },
    on: { "bad topic": run },
    frobnicate: 1,
    Run: run,
  });
  expect(error.field).toBe("name");
  expect(error.message.split("\n")).toEqual([
    "defineAgent: 11 options do not fit:",
    '  - name: must be 1–64 of A–Z a–z 0–9 _ -, got "a b"',
    "  - capabilities: must be a list, got nothing",
    "  - slots: must be at least 1, got 0",
    "  - limits.perKey.concurency: is not known; did you mean concurrency?",
    "  - exec.allow: must have at least 1 entry, got a list",
    "  - exec.timeoutMS: is not known; did you mean timeoutMs?",
    "  - on.bad topic: the name must be tokens of A–Z a–z 0–9 _ -, joined by dots",
    "  - capabilites: is not known; did you mean capabilities?",
    expect.stringMatching(
      /^ {2}- frobnicate: is not known; known: name, description, version, capabilities, .*machine$/,
    ),
    "  - Run: is not known; did you mean run?",
    "  - run: must have exactly one of run and machine, got neither",
  ]);
});

test("a definition that is no object is one fault, and many faults are counted", () => {
  expect(rejectionOf(null as never).message).toBe("defineAgent: must be an object, got null");
  const capabilities = Array.from({ length: 30 }, () => "no token");
  const { message } = rejectionOf({ name: "a", capabilities, run });
  expect(message).toContain("defineAgent: 31 options do not fit:\n");
  expect(message.split("\n")).toHaveLength(22);
  expect(message).toMatch(/\n {2}- and 11 more$/);
});

test("an agent's status contains its skills, with triggers in lower case, and omits undefined skills", async () => {
  const skills = { expertise: ["backend", "search"], triggers: ["SQL", " Slow Query "], model: "m-1" };
  const { host, stop } = await startHost([
    defineAgent({ ...facts, ...skills, run }),
    defineAgent({ ...facts, run }),
  ]);
  const [skilled, plain] = host.status();
  expect(skilled).toMatchObject({ ...skills, triggers: ["sql", "slow query"] });
  for (const field of Object.keys(skills)) expect(plain).not.toHaveProperty(field);
  await stop();
});

test("an input that does not match the schema fails the task, naming the field under input", async () => {
  const agent = defineAgent({ ...facts, input: z.object({ user: z.object({ age: z.int() }) }), run });
  const { host, stop } = await startHost(agent);
  await expect(perform(host, { user: { age: "old" } })).rejects.toMatchObject({
    code: "invalid_input",
    field: "input.user.age",
    retryable: false,
  });
  await stop();
});

test("run gets the parsed input, and the caller's task object is unchanged", async () => {
  const agent = defineAgent({
    ...facts,
    input: z.object({ n: z.int().default(5) }),
    run: (task) => task.input.n,
  });
  const { host, stop } = await startHost(agent);
  const input = {};
  expect(await perform(host, input)).toBe(5);
  expect(input).toEqual({});
  await stop();
});

test("an output that does not match the schema fails the attempt with internal, naming the field", async () => {
  const agent = defineAgent({ ...facts, output: z.object({ n: z.int() }), run: () => ({ n: 0.5 }) });
  const { host, stop } = await startHost(agent);
  await expect(perform(host, null)).rejects.toMatchObject({ code: "internal", field: "output.n" });
  await stop();
});

test("an author's machine that throws fails the attempt with its error", async () => {
  const machine = setup({}).createMachine({
    context: () => {
      throw new RetryableError("not yet");
    },
  });
  const { host, stop } = await startHost(defineAgent({ ...facts, machine }));
  await expect(perform(host, null)).rejects.toMatchObject({ code: "tool_failed", message: "not yet" });
  await stop();
});
