// Runs commands for agents: argv from an allow-list, inside allowed directories, within time, output and memory, with
// an environment that carries no secrets. Fits the agent room's `Exec` port; the app wires it.
// I1: a command is never a shell line; arguments reach the program as they are.
// I2: when a command ends, for whatever reason, its whole process group ends: nothing it started is left behind.
// I3: of the environment only listed variables pass, and what the command itself sets.
// The memory limit is held by looking, every 250 ms, at the resident memory of the process group; a program that grows
// fast overshoots until the next look. In a pod the container's limit stands behind. Why not a limit of the kernel:
// docs/decisions/0010-memory-of-commands-is-watched.md.
import { realpath } from "node:fs/promises";
import { sep } from "node:path";
import { execa } from "execa";
import { sleep } from "../base/index.ts";
import {
  type CommandLimits,
  type ExecRequest,
  type ExecResult,
  SwarmError,
  showValue,
  TerminalError,
} from "../protocol/index.ts";
import { readGroupMemory } from "./group-memory.ts";

/** The longest run when nothing is said: as long as one attempt of a task may take by default. */
export const DEFAULT_EXEC_TIMEOUT_MS = 300_000;
/** The most bytes on stdout, and on stderr: as much as the largest blob; what is larger fits no result. */
export const DEFAULT_MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
/** The most resident memory of a command and its children: what a linter of a large repository needs, doubled. */
export const DEFAULT_MAX_MEMORY_BYTES = 2 * 1024 * 1024 * 1024;
/** Variables that pass from this process to commands: what programs need to be found and to print text. */
export const DEFAULT_ENVIRONMENT = ["PATH", "LANG", "LC_ALL", "TZ", "TMPDIR"] as const;
/** How long a command may clean up after SIGTERM before it is killed. */
const KILL_GRACE_MS = 2_000;
/** The time between two looks at the memory of all commands that run: one look takes a few ms. */
const MEMORY_LOOK_MS = 250;

/**
 * What commands may be run, and within what. Limits that are not given are {@link DEFAULT_EXEC_TIMEOUT_MS},
 * {@link DEFAULT_MAX_OUTPUT_BYTES} and {@link DEFAULT_MAX_MEMORY_BYTES}.
 */
export interface ExecOptions extends CommandLimits {
  /** Programs, by the very name or path that commands use. A bare name is looked up in PATH. */
  allow: readonly string[];
  /** Directories below which commands may run; the first is the default. Links are resolved before comparing. */
  directories: readonly [string, ...string[]];
  /** Names of variables that pass; default {@link DEFAULT_ENVIRONMENT}. */
  environment?: readonly string[] | undefined;
}

/**
 * Makes the function that runs commands. It throws SwarmError: `invalid_input` for a malformed command;
 * `not_permitted` for a program or directory that is not allowed; `timeout`; `tool_failed` when the program cannot be
 * started, was killed, or went over its output or memory limit; the signal's reason when that aborts.
 */
export function createExec(
  options: ExecOptions,
): (command: ExecRequest, run: { signal: AbortSignal }) => Promise<ExecResult> {
  const memory = createMemoryWatch();
  const environment = pickEnvironment(options.environment ?? DEFAULT_ENVIRONMENT);
  return async (command, { signal }) => {
    const [program, ...args] = checkArgv(command.argv, options.allow);
    const cwd = await checkDirectory(command.cwd ?? options.directories[0], options.directories);
    const timeoutMs = lower(command.timeoutMs, options.timeoutMs ?? DEFAULT_EXEC_TIMEOUT_MS);
    const maxBytes = lower(command.maxOutputBytes, options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES);
    const maxMemoryBytes = lower(command.maxMemoryBytes, options.maxMemoryBytes ?? DEFAULT_MAX_MEMORY_BYTES);
    signal.throwIfAborted();
    const child = execa(program, args, {
      cwd,
      env: { ...environment, ...command.env },
      extendEnv: false, // I3
      killDescendants: true, // A process group of its own, killed whole (I2), also when this process exits.
      cleanup: true,
      forceKillAfterDelay: KILL_GRACE_MS,
      timeout: timeoutMs,
      cancelSignal: signal,
      maxBuffer: maxBytes,
      encoding: "buffer",
      stripFinalNewline: false,
      reject: false,
      stdin: command.input === undefined ? "ignore" : "pipe",
      ...(command.input === undefined ? {} : { input: command.input }),
    });
    // What the program started must neither outlive it nor hold its output open (I2).
    child.nodeChildProcess.once("exit", () => child.kill("SIGKILL"));
    let endedBy: SwarmError | undefined;
    const watched: WatchedGroup = {
      groupId: child.pid,
      maxBytes: maxMemoryBytes,
      end: (reason) => {
        endedBy ??= reason;
        child.kill("SIGKILL");
      },
    };
    memory.add(watched);
    try {
      const outcome = await child;
      if (endedBy !== undefined) throw endedBy;
      if (outcome.isCanceled) throw signal.reason;
      if (outcome.timedOut) throw createTimeoutError(program, timeoutMs);
      return readOutcome(program, outcome, maxBytes);
    } finally {
      memory.remove(watched);
    }
  };
}

/** What is read of execa's result. */
interface Outcome {
  exitCode?: number | undefined;
  signal?: string | undefined;
  isMaxBuffer: boolean;
  durationMs: number;
  stdout?: Uint8Array | undefined;
  stderr?: Uint8Array | undefined;
  shortMessage?: string | undefined;
  cause?: unknown;
}

/** What a command that ended by itself, or never began, gives. */
function readOutcome(program: string, outcome: Outcome, maxBytes: number): ExecResult {
  const { exitCode, stdout, stderr, durationMs } = outcome;
  if (outcome.isMaxBuffer) {
    throw new TerminalError(
      `${program} printed more than its limit of ${maxBytes} bytes; ask it for less, or raise maxOutputBytes`,
    );
  }
  if (exitCode !== undefined) {
    return {
      exitCode,
      stdout: toText(stdout),
      stderr: toText(stderr),
      durationMs: Math.round(durationMs),
    };
  }
  if (outcome.signal !== undefined) {
    throw new SwarmError(
      "tool_failed",
      `${program} was killed by ${outcome.signal}, which nothing here sent`,
    );
  }
  const code = (outcome.cause as NodeJS.ErrnoException | undefined)?.code;
  if (code === "ENOENT") {
    throw new TerminalError(`${program} was not found; install it, or add its directory to PATH`);
  }
  throw new TerminalError(`${program} could not be started: ${outcome.shortMessage ?? code}`);
}

const decoder = new TextDecoder();
const toText = (bytes: Uint8Array | undefined) => (bytes === undefined ? "" : decoder.decode(bytes));

function createTimeoutError(program: string, timeoutMs: number): SwarmError {
  return new SwarmError("timeout", `${program} ran longer than its limit of ${timeoutMs} ms and was stopped`);
}

function checkArgv(argv: ExecRequest["argv"], allow: readonly string[]): ExecRequest["argv"] {
  const at = argv.findIndex((part) => typeof part !== "string" || part.includes("\0"));
  if (argv.length === 0 || at >= 0) {
    throw new SwarmError("invalid_input", "argv must be a program and its arguments, all text without NUL", {
      field: `argv.${Math.max(0, at)}`,
    });
  }
  if (allow.includes(argv[0])) return argv;
  throw new SwarmError(
    "not_permitted",
    `the program ${showValue(argv[0])} is not allowed here; allowed: ${allow.join(", ") || "none"}`,
    { field: "argv.0" },
  );
}

async function checkDirectory(cwd: string, directories: readonly string[]): Promise<string> {
  const real = await realpath(cwd).catch(() => undefined);
  if (real !== undefined) {
    for (const directory of directories) {
      const root = await realpath(directory).catch(() => undefined);
      if (root !== undefined && `${real}${sep}`.startsWith(root.endsWith(sep) ? root : `${root}${sep}`))
        return real;
    }
  }
  throw new SwarmError(
    "not_permitted",
    `commands run in an existing directory below ${directories.join(" or ")}, got ${showValue(cwd)}`,
    { field: "cwd" },
  );
}

function pickEnvironment(names: readonly string[]): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const name of names) {
    const value = process.env[name];
    if (value !== undefined) picked[name] = value;
  }
  return picked;
}

const lower = (a: number | undefined, b: number) => (a === undefined ? b : Math.min(a, b));

/** A process group whose memory is watched; without an id when nothing was started. */
interface WatchedGroup {
  groupId: number | undefined;
  maxBytes: number;
  end(reason: SwarmError): void;
}

/** Looks at the memory of all commands, one look for all, while there are any. */
function createMemoryWatch() {
  const watched = new Set<WatchedGroup>();
  let isLooking = false;

  async function keepLooking(): Promise<void> {
    isLooking = true;
    for (await sleep(MEMORY_LOOK_MS); watched.size > 0; await sleep(MEMORY_LOOK_MS)) await look();
    isLooking = false;
  }

  async function look(): Promise<void> {
    const ids = new Set([...watched].flatMap(({ groupId }) => (groupId === undefined ? [] : [groupId])));
    try {
      const bytes = await readGroupMemory(ids);
      for (const { groupId, maxBytes, end } of watched) {
        const used = bytes.get(groupId ?? 0) ?? 0;
        if (used > maxBytes) {
          end(new TerminalError(`the command used ${used} bytes of memory; its limit is ${maxBytes}`));
        }
      }
    } catch (cause) {
      // A limit that cannot be watched is not held: better no command than one without its limit.
      const blind = new TerminalError("the memory of commands cannot be measured on this system", { cause });
      for (const { end } of watched) end(blind);
    }
  }

  return {
    add(one: WatchedGroup): void {
      watched.add(one);
      if (!isLooking) void keepLooking();
    },
    remove(one: WatchedGroup): void {
      watched.delete(one);
    },
  };
}
