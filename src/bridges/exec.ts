// Runs commands for agents: programs from an allow-list, in allowed directories, with limits for time, output and memory,
// and with an environment without secrets. It implements the `Exec` port of the agent room; the app passes it to that
// room.
// I1: a command is never a shell line; arguments reach the program unchanged.
// I2: when a command ends, for any reason, its whole process group ends. So no process of the command survives.
// I3: the program gets only the listed variables of this process's environment, and the variables in the request.
// The memory limit is enforced by a check of the process group's resident memory every 250 ms. A program that grows fast
// exceeds the limit until the next check; in a pod the container's own limit also applies. The reason why the kernel
// does not enforce the limit: docs/decisions/0010-memory-of-commands-is-watched.md.
import { realpath } from "node:fs/promises";
import { sep } from "node:path";
import { execa } from "execa";
import { cutHead, OUTPUT_TAIL_BYTES, sleep } from "../base/index.ts";
import {
  type CommandLimits,
  type ExecRequest,
  type ExecResult,
  SwarmError,
  showValue,
  TerminalError,
} from "../protocol/index.ts";
import { readGroupMemory } from "./group-memory.ts";

/** The default time limit of a command, in ms: the same as the default limit of one attempt. */
export const DEFAULT_EXEC_TIMEOUT_MS = 300_000;
/**
 * The default limit for stdout, and for stderr, in bytes: the size of the largest blob, because a larger output fits no
 * result.
 */
export const DEFAULT_MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
/**
 * The default limit for the resident memory of a command and its children, in bytes: twice the need of a linter of a
 * large repository.
 */
export const DEFAULT_MAX_MEMORY_BYTES = 2 * 1024 * 1024 * 1024;
/**
 * The default list of environment variables that commands get from this process. The system needs them to find
 * programs, and programs need them to print text.
 */
export const DEFAULT_ENVIRONMENT = ["PATH", "LANG", "LC_ALL", "TZ", "TMPDIR"] as const;
/** The time between SIGTERM and SIGKILL, in ms: a command may use it to clean up. */
const KILL_GRACE_MS = 2_000;
/** The time between two checks of the memory of all running commands, in ms. One check takes a few ms. */
const MEMORY_CHECK_INTERVAL_MS = 250;

/**
 * The allowed programs and directories, and the limits of a command. The default limits are
 * {@link DEFAULT_EXEC_TIMEOUT_MS}, {@link DEFAULT_MAX_OUTPUT_BYTES} and {@link DEFAULT_MAX_MEMORY_BYTES}.
 */
export interface ExecOptions extends CommandLimits {
  /** Allowed programs, by the exact name or path that commands use. A bare name is looked up in PATH. */
  allow: readonly string[];
  /** Commands may run in and below these directories; the first is the default. Symbolic links are resolved first. */
  directories: readonly [string, ...string[]];
  /** The names of environment variables that commands get from this process; default {@link DEFAULT_ENVIRONMENT}. */
  environment?: readonly string[] | undefined;
}

/**
 * Makes the function that runs commands. The function throws SwarmError: `invalid_input` for a malformed command;
 * `not_permitted` for a program or directory that is not allowed; `timeout`; `tool_failed` when the program cannot be
 * started, was killed, or exceeded its output or memory limit; the signal's reason when the signal aborts.
 */
export function createExec(
  options: ExecOptions,
): (command: ExecRequest, run: { signal: AbortSignal }) => Promise<ExecResult> {
  const memory = createMemoryWatch();
  const environment = pickEnvironment(options.environment ?? DEFAULT_ENVIRONMENT);
  return async (command, { signal }) => {
    const [program, ...args] = checkArgv(command.argv, options.allow);
    const cwd = await checkDirectory(command.cwd ?? options.directories[0], options.directories);
    const timeoutMs = chooseLower(command.timeoutMs, options.timeoutMs ?? DEFAULT_EXEC_TIMEOUT_MS);
    const maxBytes = chooseLower(command.maxOutputBytes, options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES);
    const maxMemoryBytes = chooseLower(
      command.maxMemoryBytes,
      options.maxMemoryBytes ?? DEFAULT_MAX_MEMORY_BYTES,
    );
    signal.throwIfAborted();
    const child = execa(program, args, {
      cwd,
      env: { ...environment, ...command.env },
      extendEnv: false, // I3
      killDescendants: true, // A separate process group. All of it is killed (I2), also when this process exits.
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
    // The children of the program must neither outlive the program nor keep its output open (I2).
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
      if (outcome.isCanceled && endedBy === undefined) throw signal.reason;
      try {
        if (endedBy !== undefined) throw endedBy;
        if (outcome.timedOut) throw createTimeoutError(program, timeoutMs);
        return readOutcome(program, outcome, maxBytes);
      } catch (error) {
        if (error instanceof SwarmError) error.outputTail = outputTail(outcome);
        throw error;
      }
    } finally {
      memory.remove(watched);
    }
  };
}

/** The part of execa's result that this file reads. */
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

/**
 * The result of a command that ended by itself.
 * @throws SwarmError `tool_failed` when the program was killed, did not start, or printed too much.
 */
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
      `${program} was killed by ${outcome.signal}; Murmur did not send this signal`,
    );
  }
  const code = (outcome.cause as NodeJS.ErrnoException | undefined)?.code;
  if (code === "ENOENT") {
    throw new TerminalError(`${program} was not found; install it, or add its directory to PATH`);
  }
  throw new TerminalError(`${program} could not be started: ${outcome.shortMessage ?? code}`);
}

/** The end of a failed command's stderr, or of its stdout when it printed nothing to stderr, for the trace of the attempt. */
function outputTail({ stdout, stderr }: Outcome): string | undefined {
  const bytes = stderr !== undefined && stderr.length > 0 ? stderr : stdout;
  if (bytes === undefined || bytes.length === 0) return undefined;
  return cutHead(toText(bytes.subarray(-OUTPUT_TAIL_BYTES)), OUTPUT_TAIL_BYTES).trimEnd();
}

const decoder = new TextDecoder();
const toText = (bytes: Uint8Array | undefined) => (bytes === undefined ? "" : decoder.decode(bytes));

function createTimeoutError(program: string, timeoutMs: number): SwarmError {
  return new SwarmError("timeout", `${program} ran longer than its limit of ${timeoutMs} ms and was stopped`);
}

function checkArgv(argv: ExecRequest["argv"], allow: readonly string[]): ExecRequest["argv"] {
  const at = argv.findIndex((part) => typeof part !== "string" || part.includes("\0"));
  if (argv.length === 0 || at >= 0) {
    throw new SwarmError(
      "invalid_input",
      "argv must be a program and its arguments, all strings without NUL",
      {
        field: `argv.${Math.max(0, at)}`,
      },
    );
  }
  if (allow.includes(argv[0])) return argv;
  throw new SwarmError(
    "not_permitted",
    `the program ${showValue(argv[0])} is not allowed in this process; allowed: ${allow.join(", ") || "none"} (the setting MURMUR_EXEC_ALLOW)`,
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
    `cwd must be an existing directory in or below ${directories.join(" or ")} (the setting MURMUR_EXEC_DIRECTORIES), got ${showValue(cwd)}`,
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

const chooseLower = (limit: number | undefined, maximum: number) =>
  limit === undefined ? maximum : Math.min(limit, maximum);

/** A process group whose memory is watched. `groupId` is undefined when the program did not start. */
interface WatchedGroup {
  groupId: number | undefined;
  maxBytes: number;
  end(reason: SwarmError): void;
}

/** Checks the memory of all commands together, while any command runs. */
function createMemoryWatch() {
  const watched = new Set<WatchedGroup>();
  let isRunning = false;

  async function runChecks(): Promise<void> {
    isRunning = true;
    for (await sleep(MEMORY_CHECK_INTERVAL_MS); watched.size > 0; await sleep(MEMORY_CHECK_INTERVAL_MS))
      await checkAll();
    isRunning = false;
  }

  async function checkAll(): Promise<void> {
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
      // Without a check there is no limit. So the commands end, because they must not run without a memory limit.
      const message = "the memory of commands cannot be measured on this system";
      for (const { end } of watched) end(new TerminalError(message, { cause }));
    }
  }

  return {
    add(group: WatchedGroup): void {
      watched.add(group);
      if (!isRunning) void runChecks();
    },
    remove(group: WatchedGroup): void {
      watched.delete(group);
    },
  };
}
