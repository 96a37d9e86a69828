import { expect, test } from "vitest";
import { z } from "zod";
import { type CliWorld, findEntry, runCli } from "../../../src/app/cli/cli.ts";
import { type Command, type CommandEntry, defineCommand, type Ports } from "../../../src/app/cli/command.ts";
import { createTerminal } from "../../../src/app/cli/terminal.ts";
import { COMMANDS } from "../../../src/app/commands/index.ts";
import { SwarmError } from "../../../src/protocol/index.ts";

const greet = defineCommand({
  input: z.strictObject({
    name: z.string().meta({ positional: true, value: "NAME" }),
    times: z.int().min(1).default(1).meta({ description: "how often" }),
    loudLevel: z.enum(["low", "high"]).optional(),
    tag: z.array(z.string()).default([]),
    polite: z.boolean().default(true),
    dry: z.boolean().default(false),
  }),
  output: z.object({ input: z.unknown() }),
  examples: ["greet Ada"],
  run: async (_ports, input) => ({ input }),
  render: () => "greeted",
  exitCode: ({ input }) => ((input as { dry: boolean }).dry ? 1 : 0),
});

function failing(error: unknown): Command {
  return defineCommand({
    input: z.strictObject({}),
    output: z.object({}),
    examples: [],
    run: async () => {
      throw error;
    },
    render: () => "",
  }) as unknown as Command;
}

const entry = (name: string, command: unknown): CommandEntry => ({
  name,
  summary: `does ${name}`,
  load: async () => ({ command: command as Command }),
});

async function run(argv: string[], error: unknown = new Error("boom")) {
  const out: string[] = [];
  const err: string[] = [];
  let flags: unknown;
  const world: CliWorld = {
    argv,
    version: "1.2.3",
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
    async openSession(input) {
      flags = input.flags;
      const ports = { terminal: createTerminal({ quiet: true }), signal: new AbortController().signal };
      return { ports: ports as unknown as Ports, close: async () => undefined };
    },
  };
  const entries = [entry("greet", greet), entry("pet cat", failing(error)), entry("pet dog", failing(error))];
  const exitCode = await runCli(world, entries);
  return { exitCode, out: out.join(""), err: err.join(""), flags };
}

test("arguments and flags become the command's input", async () => {
  const argv = [
    "greet",
    "Ada",
    "--times",
    "3",
    "--loud-level",
    "high",
    "--tag",
    "a",
    "--tag",
    "b",
    "--no-polite",
    "--json",
  ];
  const { exitCode, out } = await run(argv);
  expect(exitCode).toBe(0);
  expect(JSON.parse(out)).toEqual({
    input: { name: "Ada", times: 3, loudLevel: "high", tag: ["a", "b"], polite: false, dry: false },
  });
});

test("without --json the answer is for people, and the exit code is the command's", async () => {
  expect(await run(["greet", "Ada", "--dry"])).toMatchObject({ exitCode: 1, out: "greeted\n", err: "" });
});

test("global options may stand before and after the command", async () => {
  for (const argv of [
    ["--prefix", "x", "greet", "Ada"],
    ["greet", "Ada", "--prefix", "x"],
  ]) {
    expect((await run(argv)).flags).toMatchObject({ prefix: "x" });
  }
});

test.each([
  ["500ms", 500],
  ["5s", 5_000],
  ["2m", 120_000],
  ["250", 250],
])("--timeout %s is %d ms", async (text, timeoutMs) => {
  expect((await run(["greet", "Ada", "--timeout", text])).flags).toMatchObject({ timeoutMs });
});

test.each([
  [["gret", "Ada"], "Did you mean greet?"],
  [["pet", "cow"], "unknown command 'cow'"],
  [["greet", "Ada", "--tims", "3"], "Did you mean --times?"],
  [["greet"], "missing required argument 'NAME'"],
  [["greet", "Ada", "Bea"], "too many arguments"],
  [["greet", "Ada", "--times", "many"], "times"],
  [["greet", "Ada", "--times", "0"], "times"],
  [["greet", "Ada", "--loud-level", "middle"], "loudLevel"],
  [["greet", "Ada", "--timeout", "soon"], "--timeout must be a duration"],
  [["pet"], "Usage: murmur pet"],
  [[], "Usage: murmur"],
])("%j is a usage error: %s", async (argv, message) => {
  const { exitCode, out, err } = await run(argv);
  expect(exitCode).toBe(2);
  expect(err).toContain(message);
  expect(out).toBe("");
});

test.each([
  [["help", "gret"], "there is no command gret; did you mean greet?"],
  [["gret", "--help"], "there is no command gret; did you mean greet?"],
  [["help", "cat"], "there is no command cat; did you mean pet cat?"],
  [["help", "pet", "cta"], "there is no command pet cta; did you mean pet cat?"],
  [["help", "pet", "hamster"], "there is no command pet hamster; known: pet cat, pet dog"],
  [["help", "frobnicate"], "there is no command frobnicate; murmur help lists all"],
])("%j is a usage error that names near commands: %s", async (argv, message) => {
  expect(await run(argv)).toMatchObject({ exitCode: 2, out: "", err: `murmur: ${message}\n` });
  const json = await run([...argv, "--json"]);
  expect(json).toMatchObject({ exitCode: 2, err: "" });
  expect(JSON.parse(json.out)).toMatchObject({ error: { code: "invalid_input", message } });
});

test("help about a command, a group and the program is no error", async () => {
  for (const argv of [["help"], ["--help"], ["help", "pet"], ["pet", "--help"], ["help", "pet", "cat"]]) {
    expect(await run(argv), argv.join(" ")).toMatchObject({ exitCode: 0, err: "" });
  }
});

/** The words of an example, as a shell would split them. */
function splitExample(example: string): string[] {
  const line = example.replace(/ (?:[<>|]|&&) .*$/, "").replace(/\$\([^)]*\)/g, "substituted");
  return [...line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"]+)+/g)].map(([word]) => word.replaceAll(/['"]/g, ""));
}

/** Runs a line of the real table until it would connect. */
async function callTable(argv: readonly string[], columns?: number) {
  const out: string[] = [];
  const err: string[] = [];
  const exitCode = await runCli(
    {
      argv,
      version: "1.2.3",
      stdout: { write: (text) => out.push(text), ...(columns === undefined ? {} : { columns }) },
      stderr: { write: (text) => err.push(text) },
      openSession: async () => {
        throw new SwarmError("unavailable", "the line fits");
      },
    },
    COMMANDS,
  );
  return { exitCode, out: out.join(""), err: err.join("") };
}

test("the help of every command fits 100 columns", async () => {
  for (const name of ["", ...COMMANDS.map((command) => command.name)]) {
    const { exitCode, out } = await callTable(["help", ...name.split(" ").filter((word) => word !== "")]);
    expect(exitCode, name).toBe(0);
    expect(
      out.split("\n").filter((line) => line.length > 100),
      name,
    ).toEqual([]);
  }
});

test("every command's help has examples, and each example is a line that the command takes", async () => {
  for (const { name, load } of COMMANDS) {
    const { examples } = (await load()).command;
    const { out } = await callTable(["help", ...name.split(" ")]);
    expect(out, name).toContain(`Examples:\n  murmur ${name}`);
    for (const example of examples) {
      const argv = splitExample(example);
      expect(findEntry(argv, COMMANDS)?.name, example).toBe(name);
      const { exitCode, err, out: document } = await callTable(argv);
      expect({ exitCode, answer: err + document }, example).toMatchObject({
        exitCode: 3,
        answer: expect.stringContaining("the line fits"),
      });
    }
  }
});

test.each([
  [["gret", "--json"]],
  [["greet", "--json"]],
  [["--json"]],
  [["greet", "a", "--times", "x", "--json"]],
])("%j answers one JSON document with the error", async (argv) => {
  const { exitCode, out, err } = await run(argv);
  expect(exitCode).toBe(2);
  expect(JSON.parse(out)).toMatchObject({ error: { code: "invalid_input", message: expect.any(String) } });
  expect(err).toBe("");
});

test.each([
  [new SwarmError("unavailable", "no server"), 3, "unavailable"],
  [new SwarmError("not_found", "no task"), 1, "not_found"],
  [new SwarmError("invalid_input", "bad", { field: "id" }), 2, "invalid_input"],
  [new Error("boom"), 1, "internal"],
])("%s ends with its exit code and never with a stack", async (error, exitCode, code) => {
  const plain = await run(["pet", "cat"], error);
  expect(plain.exitCode).toBe(exitCode);
  expect(plain.err).toMatch(/^murmur: .*\n$/);
  const json = await run(["pet", "cat", "--json"], error);
  expect(JSON.parse(json.out).error).toMatchObject({ code, message: error.message });
});

test("credentials inside an error's message are not shown", async () => {
  const { err } = await run(["pet", "cat"], new SwarmError("unavailable", "nats://me:secret@host is down"));
  expect(err).not.toContain("secret");
});

test.each([[["--help"]], [["help"]], [["greet", "--help"]], [["help", "greet"]], [["--version"]]])(
  "%j goes to standard output with exit code 0",
  async (argv) => {
    const { exitCode, out, err } = await run(argv);
    expect(exitCode).toBe(0);
    expect(out).toMatch(/Usage: murmur|1\.2\.3/);
    expect(err).toBe("");
  },
);

test("help of a command of a group is that command's own", async () => {
  expect((await run(["help", "pet", "cat"])).out).toContain("Usage: murmur pet cat");
});

test("a command's help shows its flags and examples", async () => {
  const { out } = await run(["greet", "--help"]);
  expect(out).toContain("--times <value>");
  expect(out).toContain("how often (default: 1)");
  expect(out).toContain("--no-polite");
  expect(out).toContain("murmur greet Ada");
});

test.each([
  [["task", "ls"], "task ls"],
  [["--prefix", "task", "dead", "ls"], "dead ls"],
  [["--server=x", "task", "show", "id"], "task show"],
  [["task", "shw"], undefined],
  [["--", "up"], undefined],
])("%j names %s", (argv, name) => {
  expect(findEntry(argv, COMMANDS)?.name).toBe(name);
});

test("every command of the table loads, has an example, and describes its JSON", async () => {
  for (const { name, summary, load } of COMMANDS) {
    const { command } = await load();
    expect(summary, name).not.toBe("");
    expect(command.examples.length, name).toBeGreaterThan(0);
    for (const example of command.examples) expect(example.startsWith(name), example).toBe(true);
    expect(command.output, name).toBeDefined();
  }
});
