// The command line: finds the command in the table, loads only its module, makes flags out of its input schema, runs it, writes
// the answer to standard output and returns the exit code. Each command's own work is in commands/.
// Exit codes: 0 done, 1 failed, 2 usage (also a value or an agent's file that does not fit), 3 unavailable.
import type { Command as CommanderCommand, CommanderError } from "commander";
import { Argument, Command as Commander, Option } from "commander";
import type { z } from "zod";
import { EXIT } from "../exit-codes.ts";
import type { SettingName } from "../settings.ts";
import { flagName } from "../words.ts";
import type { Command, CommandEntry, FieldFacts, Ports } from "./command.ts";
import { readDurationMs } from "./duration.ts";
import type { LastLine } from "./last-line.ts";
import type { Terminal } from "./terminal.ts";
import { wrapCommand, wrapText } from "./wrap.ts";

/** The surroundings of a command line: those of the process, or of a test. */
export interface CliWorld {
  argv: readonly string[];
  stdout: { write(text: string): unknown; columns?: number };
  stderr: { write(text: string): unknown; isTTY?: boolean; columns?: number };
  /** Opens the session of one command. It is loaded only when a command runs, so that the help needs no other room. */
  openSession(input: {
    flags: Partial<Record<SettingName, unknown>>;
    /** The file of `--config`; null for no file at all. */
    file: string | null | undefined;
    json: boolean;
  }): Promise<{
    ports: Omit<Ports, "answer" | "print" | "json">;
    /** Makes an error say more, where the swarm can tell more. */
    explain?(error: unknown): Promise<unknown>;
    close(): Promise<void>;
  }>;
  version: string;
  /**
   * Makes the last log line of a command that is a process.
   */
  lastLine?: (options: { json: boolean }) => Promise<LastLine>;
  /** Names the commands of a text as the user types them (spelling.ts); default: as they are. */
  spell?: (text: string) => string;
}

/** The options of every command. */
export const GLOBAL_OPTIONS = [
  { flags: "--json", about: "print one JSON document on standard output, also for an error" },
  { flags: "--server <url>", about: "NATS server (NATS_URL)" },
  { flags: "--context <name>", about: "context of the nats command line tool (NATS_CONTEXT)" },
  { flags: "--prefix <name>", about: "the swarm's prefix (default: murmur)" },
  {
    flags: "--timeout <duration>",
    about: "how long to wait for the swarm: 500ms, 5s, 2m; a bare number is ms",
  },
  { flags: "--data <dir>", about: "directory of the local swarm (default: .murmur)" },
  { flags: "--config <file>", about: "configuration file (default: murmur.yaml, when there is one)" },
  { flags: "--log-level <level>", about: "trace, debug, info, warn, error, fatal or silent" },
] as const;

/** The width of the help where there is no terminal: it fits a page, and half of a wide screen. */
const HELP_WIDTH = 100;
/** The longest list of choices that stands in the flag itself, in characters; a longer one stands in the description. */
const MAX_CHOICES_LENGTH = 26;

export const GROUP_SUMMARIES: Readonly<Record<string, string>> = {
  agent: "run agents, see and steer living ones",
  task: "see and steer tasks",
  dead: "dead letters: tasks that failed for good",
  office: "the coordinator in office",
  schedule: "tasks at set times",
  lock: "locks with fencing tokens",
  budget: "limits on what the whole swarm may use",
  config: "values that the whole swarm shares",
  debug: "inspect Murmur itself",
  support: "files for people who help you",
  new: "write the files of a project or an agent",
};

const asItIs = (text: string) => text;

/** Runs one command line and returns its exit code. Never throws. */
export async function runCli(world: CliWorld, entries: readonly CommandEntry[]): Promise<number> {
  const json = world.argv.includes("--json");
  const lastLine = isProcess(world.argv, entries) ? await world.lastLine?.({ json }) : undefined;
  const output: Output = { json, lastLine, input: undefined };
  try {
    return await dispatch(world, entries, output);
  } catch (error) {
    return await reportError(world, output, error);
  }
}

/** True for the command line of a process that will run, and not only ask for help or for a check. */
function isProcess(argv: readonly string[], entries: readonly CommandEntry[]): boolean {
  const onlyAsks = ["help", "--help", "-h", "--check"].some((word) => argv.includes(word));
  return !onlyAsks && findEntry(argv, entries)?.isProcess === true;
}

/** How the output of this command line looks. */
interface Output {
  /** One JSON document on standard output. */
  readonly json: boolean;
  /** Tells the end of a process. */
  readonly lastLine: LastLine | undefined;
  /** The input of the command, once it is loaded: errors name its fields. */
  input: z.ZodObject | undefined;
}

/** True when a failure is a log line, in the place of a line for people. */
function isLogged({ lastLine }: Output): boolean {
  return lastLine !== undefined && !lastLine.isQuoted;
}

async function dispatch(world: CliWorld, entries: readonly CommandEntry[], output: Output): Promise<number> {
  // `help task show` becomes `task show --help`, which loads only that command.
  const argv = world.argv[0] === "help" ? [...world.argv.slice(1), "--help"] : world.argv;
  if (argv.includes("--help") || argv.includes("-h")) await refuseUnknownHelp(argv, entries);
  const entry = findEntry(argv, entries);
  const loaded = entry === undefined ? undefined : (await entry.load()).command;
  output.input = loaded?.input;
  let exitCode: number = EXIT.done;
  const program = buildProgram(world, entries, output, (chosen, leaf) => {
    if (chosen !== entry || loaded === undefined) return;
    addInput(leaf, loaded, Math.min(world.stdout.columns ?? HELP_WIDTH, HELP_WIDTH));
    leaf.action(async () => {
      exitCode = await runCommand(world, loaded, leaf, output.lastLine);
    });
  });
  await program.parseAsync([...argv], { from: "user" });
  return exitCode;
}

/** @throws SwarmError `invalid_input` for help about a command that does not exist, with the names that are near. */
async function refuseUnknownHelp(argv: readonly string[], entries: readonly CommandEntry[]): Promise<void> {
  const [first, second] = commandWords(argv);
  if (first === undefined || findEntry(argv, entries) !== undefined) return;
  const names = entries.map(({ name }) => name);
  const isGroup = names.some((name) => name.startsWith(`${first} `));
  if (isGroup && second === undefined) return;
  const [{ SwarmError }, { nearest }] = await Promise.all([
    import("../../protocol/index.ts"),
    import("../../base/index.ts"),
  ]);
  const word = isGroup ? `${first} ${second}` : first;
  const meant = nearest(word, [...names, ...names.map((name) => name.split(" ")[0]!)]);
  // `help ls`: every command whose second word it is.
  const near =
    meant === undefined ? names.filter((name) => name.split(" ")[1] === (second ?? first)) : [meant];
  const group = isGroup ? names.filter((name) => name.startsWith(`${first} `)) : [];
  const hint =
    near.length > 0
      ? `did you mean ${near.join(", ")}?`
      : group.length > 0
        ? `known: ${group.join(", ")}`
        : "murmur help lists all";
  throw new SwarmError("invalid_input", `there is no command ${word.slice(0, 80)}; ${hint}`, {
    field: "command",
  });
}

/** The entry named by the first words of a command line: `["task", "ls", "--json"]` → `task ls`. */
export function findEntry(
  argv: readonly string[],
  entries: readonly CommandEntry[],
): CommandEntry | undefined {
  const [first, second] = commandWords(argv);
  return (
    entries.find((entry) => entry.name === `${first} ${second}`) ??
    entries.find((entry) => entry.name === first)
  );
}

/** The first two words of a command line that are neither flags nor their values. */
function commandWords(argv: readonly string[]): string[] {
  const valued = GLOBAL_OPTIONS.filter((option) => option.flags.includes("<")).map(
    (option) => option.flags.split(" ")[0],
  );
  const words: string[] = [];
  for (let index = 0; index < argv.length && words.length < 2; index++) {
    const word = argv[index]!;
    if (word === "--") break;
    if (valued.includes(word)) index++;
    else if (!word.startsWith("-")) words.push(word);
  }
  return words;
}

function buildProgram(
  world: CliWorld,
  entries: readonly CommandEntry[],
  output: Output,
  onLeaf: (entry: CommandEntry, leaf: CommanderCommand) => void,
): CommanderCommand {
  const program = configure(new Commander("murmur"), world, output)
    .helpCommand("help [command]", "show a command's own options and examples")
    .description("Murmur: an actor-based swarm runtime on NATS")
    .version(world.version, "-V, --version", "print the version")
    .addHelpText(
      "after",
      "\nExamples:\n  murmur up --detach\n  murmur submit echo --input '\"hello\"' --wait\n  murmur review .\n  murmur help task ls",
    );
  addGlobals(program);
  const groups = new Map<string, CommanderCommand>();
  for (const entry of entries) {
    const [first, second] = entry.name.split(" ");
    let parent = program;
    if (second !== undefined) {
      parent = groups.get(first!) ?? configure(program.command(first!), world, output);
      if (!groups.has(first!)) parent.description(GROUP_SUMMARIES[first!] ?? "").usage("COMMAND [options]");
      groups.set(first!, parent);
    }
    const leaf = configure(parent.command(second ?? first!), world, output).description(entry.summary);
    onLeaf(entry, leaf);
    addGlobals(leaf);
  }
  return program;
}

function configure(command: CommanderCommand, world: CliWorld, output: Output): CommanderCommand {
  const { spell = asItIs } = world;
  return command
    .exitOverride()
    .showSuggestionAfterError(true)
    .helpOption("-h, --help", "print this help")
    .configureOutput({
      writeOut: (text) => void world.stdout.write(spell(text)),
      getOutHelpWidth: () => world.stdout.columns ?? HELP_WIDTH,
      getErrHelpWidth: () => world.stderr.columns ?? HELP_WIDTH,
      // With --json, the one document on standard output contains the error; of a process, its last line.
      writeErr: (text) =>
        void (output.json || output.lastLine !== undefined
          ? undefined
          : world.stderr.write(spell(text.replace(/^error: /, "murmur: ")))),
    });
}

function addGlobals(command: CommanderCommand): void {
  for (const { flags, about } of GLOBAL_OPTIONS) {
    command.addOption(new Option(flags, about).helpGroup("Options of every command:"));
  }
}

/** Makes arguments and flags out of the input schema. */
function addInput(leaf: CommanderCommand, command: Command, width: number): void {
  for (const [key, schema] of Object.entries(command.input.shape)) {
    const shape = describeField(schema as z.ZodType);
    const about = nameFlags(shape.facts.description ?? "", command.input);
    if (shape.facts.positional === true) {
      const word = `${shape.facts.value ?? key.toUpperCase()}${shape.type === "array" ? "..." : ""}`;
      leaf.addArgument(new Argument(shape.required ? `<${word}>` : `[${word}]`, about));
      continue;
    }
    const choices = shape.choices?.join("|");
    // A long list of choices in the flag would leave no room for the descriptions beside it.
    const isLong = choices !== undefined && choices.length > MAX_CHOICES_LENGTH;
    const value = shape.facts.value ?? (isLong ? flagName(key).slice(2).toUpperCase() : choices) ?? "value";
    const listed = isLong && shape.facts.value === undefined ? `: ${shape.choices?.join(", ")}` : "";
    const isShownDefault = shape.defaultValue !== undefined && typeof shape.defaultValue !== "boolean";
    const short = shape.facts.short === undefined ? "" : `${shape.facts.short}, `;
    const option = new Option(
      shape.type !== "boolean"
        ? `${short}${flagName(key)} ${shape.facts.optionalValue === true ? `[${value}]` : `<${value}>`}`
        : `${short}${flagName(shape.defaultValue === true ? `no-${key}` : key)}`,
      `${about}${listed}${isShownDefault && shape.defaultValue !== "" ? ` (default: ${String(shape.defaultValue)})` : ""}`,
    );
    if (shape.type === "array") {
      option.argParser((next: string, earlier: string[] | undefined) => [...(earlier ?? []), next]);
    }
    leaf.addOption(option);
  }
  const examples = command.examples.map((example) => wrapCommand(`  murmur ${example}`, width)).join("\n");
  if (command.details !== undefined) leaf.addHelpText("after", `\n${wrapText(command.details, width)}`);
  if (examples !== "") leaf.addHelpText("after", `\nExamples:\n${examples}`);
}

/** The field of an input as an operation's text names it. Other faces show the text as it is. */
const NAMED_FIELD = /`([a-zA-Z]+)`/g;

/** A text of an operation, with the flag or the word of each named field: "`state`" becomes `--state`, or `STATE` for an argument. */
export function nameFlags(text: string, input: z.ZodObject): string {
  return text.replace(NAMED_FIELD, (quoted, key: string) => {
    const schema = input.shape[key] as z.ZodType | undefined;
    if (schema === undefined) return quoted;
    const { facts } = describeField(schema);
    return facts.positional === true ? (facts.value ?? key.toUpperCase()) : flagName(key);
  });
}

/** A field of an input schema, with the facts that the command line needs. */
export interface Field {
  type: "string" | "number" | "boolean" | "array";
  required: boolean;
  defaultValue: unknown;
  choices: readonly string[] | undefined;
  facts: FieldFacts;
}

export function describeField(schema: z.ZodType): Field {
  const facts = (schema.meta() ?? {}) as FieldFacts;
  let required = true;
  let defaultValue: unknown;
  let inner = schema as z.ZodType & {
    def: { type: string; innerType?: z.ZodType; in?: z.ZodType; defaultValue?: unknown; entries?: object };
  };
  for (;;) {
    const { type } = inner.def;
    if (type === "optional" || type === "default" || type === "nullable") {
      required = false;
      if (type === "default") defaultValue = inner.def.defaultValue;
      inner = inner.def.innerType as typeof inner;
    } else if (type === "pipe") inner = inner.def.in as typeof inner;
    else break;
  }
  const { type, entries } = inner.def;
  return {
    type: type === "number" || type === "boolean" || type === "array" ? type : "string",
    required,
    defaultValue: Array.isArray(defaultValue) ? defaultValue.join(" ") : defaultValue,
    choices: type === "enum" ? Object.values(entries ?? {}) : undefined,
    facts: { ...(inner.meta() as FieldFacts | undefined), ...facts },
  };
}

async function runCommand(
  world: CliWorld,
  command: Command,
  leaf: CommanderCommand,
  lastLine: LastLine | undefined,
): Promise<number> {
  const [{ parse, SwarmError, toSwarmError }, { untilAborted }] = await Promise.all([
    import("../../protocol/index.ts"),
    import("../../base/index.ts"),
  ]);
  const options = leaf.optsWithGlobals() as Record<string, string | boolean | string[] | undefined>;
  const raw: Record<string, unknown> = {};
  let position = 0;
  for (const [key, schema] of Object.entries(command.input.shape)) {
    const { type, facts } = describeField(schema as z.ZodType);
    const given = facts.positional === true ? leaf.processedArgs[position++] : options[key];
    if (given === undefined || (Array.isArray(given) && given.length === 0)) continue;
    raw[key] = type === "number" && typeof given === "string" && given.trim() !== "" ? Number(given) : given;
  }
  const input = parse(command.input, raw, leaf.name());
  const json = options.json === true;
  const session = await world.openSession({
    flags: {
      prefix: options.prefix,
      server: options.server,
      context: options.context,
      data: options.data,
      logLevel: options.logLevel,
      timeoutMs:
        options.timeout === undefined ? undefined : parseDuration(String(options.timeout), SwarmError),
    },
    file: (options.config as string | undefined) ?? (command.ignoresConfigFile === true ? null : undefined),
    json,
  });
  lastLine?.begin(session.ports.log);
  const { spell = asItIs } = world;
  const terminal: Terminal = {
    ...session.ports.terminal,
    say: (line) => session.ports.terminal.say(spell(line)),
  };
  let isAnswered = command.printsLines === true;
  const print = (line: string) => {
    session.ports.terminal.status("");
    world.stdout.write(`${line}\n`);
  };
  const answer = (output: unknown) => {
    if (isAnswered) return;
    isAnswered = true;
    session.ports.terminal.status("");
    const text = json ? JSON.stringify(command.output.parse(output)) : command.render(output, terminal);
    if (text !== "") world.stdout.write(`${!json && command.namesCommands === true ? spell(text) : text}\n`);
  };
  try {
    const running = command.run({ ...session.ports, terminal, answer, print, json }, input);
    const output =
      command.handlesInterrupts === true ? await running : await untilAborted(running, session.ports.signal);
    answer(output);
    const { aborted, reason } = session.ports.signal;
    lastLine?.tellStop(aborted ? toSwarmError(reason).message : "its work is done");
    return command.exitCode?.(output) ?? EXIT.done;
  } catch (error) {
    throw session.explain === undefined ? error : await session.explain(error);
  } finally {
    session.ports.terminal.status("");
    await session.close();
  }
}

function parseDuration(
  text: string,
  SwarmError: new (code: "invalid_input", message: string, facts: { field: string }) => Error,
): number {
  const durationMs = readDurationMs(text);
  if (durationMs !== null) return durationMs;
  throw new SwarmError(
    "invalid_input",
    `--timeout must be a duration such as 500ms, 5s or 2m, got ${JSON.stringify(text.slice(0, 80))}`,
    { field: "timeout" },
  );
}

/** Reports an error: one line for people, or `{ error: { code, message, field? } }` on standard output. */
async function reportError(world: CliWorld, output: Output, error: unknown): Promise<number> {
  const { json, lastLine, input } = output;
  if (isCommanderError(error)) {
    if (error.exitCode === 0) return EXIT.done;
    // For a line without a command, commander has printed the help already.
    const message =
      error.code === "commander.help"
        ? "a command is needed; murmur --help lists them"
        : error.message.replace(/^error: /, "");
    if (json) {
      world.stdout.write(`${JSON.stringify({ error: { code: "invalid_input", message } })}\n`);
    }
    lastLine?.tellFailure({ code: "invalid_input", message }, EXIT.usage);
    return EXIT.usage;
  }
  const { toSwarmError } = await import("../../protocol/index.ts");
  const { redactText } = await import("../../base/index.ts");
  const { SetupError } = await import("../setup-error.ts");
  const { TIME_LIMIT_FIELD } = await import("../operations/time-limit.ts");
  const failure = toSwarmError(error);
  const wire = failure.toWire();
  wire.message = redactText(input === undefined ? wire.message : nameFlags(wire.message, input));
  if (wire.code === "unavailable" && wire.field === TIME_LIMIT_FIELD) {
    wire.message += "; --timeout 30s waits longer";
  }
  const isUsage = failure instanceof SetupError || wire.code === "invalid_input";
  const exitCode = isUsage ? EXIT.usage : wire.code === "unavailable" ? EXIT.unavailable : EXIT.failed;
  lastLine?.tellFailure(wire, exitCode);
  if (json) world.stdout.write(`${JSON.stringify({ error: wire })}\n`);
  else if (!isLogged(output)) {
    const { spell = asItIs } = world;
    world.stderr.write(`murmur: ${spell(wire.message)}${wire.code === "internal" ? " (internal)" : ""}\n`);
  }
  return exitCode;
}

function isCommanderError(error: unknown): error is CommanderError {
  return error instanceof Error && "code" in error && String(error.code).startsWith("commander.");
}
