// Runs git in a repository that is not trusted. Owns the guards that keep git from running a program that the repository
// names. Leaves the questions to the callers.
// I1: git runs no program of the repository: no hook, filter, monitor, diff driver, textconv, pager, signature check, transport.
// I2: git writes nothing, and does not refresh its index.
// I3: git reads no configuration but the repository's own, and only variables of this file.
// The sources of the guards: git-config(1), git(1) "Environment variables", gitattributes(5), githooks(5).
import { type ChildProcess, spawn } from "node:child_process";
import { SwarmError } from "murmur-swarm";
import { findTrustedProgram } from "./trusted-path.ts";

/**
 * The commands of git that a review uses. They read, and with the guards none of them starts a program. Porcelain such as `log`,
 * `show` and `status` is left out on purpose: it checks signatures with `gpg.program`, and looks into submodules.
 */
export type GitCommand =
  | "cat-file"
  | "check-attr"
  | "config --get"
  | "diff"
  | "diff-index"
  | "diff-tree"
  | "ls-files"
  | "ls-tree"
  | "merge-base"
  | "rev-list"
  | "rev-parse"
  | "symbolic-ref";

/** The end of a git command. */
export interface GitRun {
  exitCode: number;
  /** UTF-8; other bytes become U+FFFD. */
  stdout: string;
  stderr: string;
}

export interface GitOptions {
  /** The working directory of git; it is not trusted. */
  directory: string;
  /** Standard input; default none. */
  input?: string | undefined;
  /** Default {@link GIT_TIMEOUT_MS}. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Default `process.env`; only its PATH is used, to find git. */
  environment?: NodeJS.ProcessEnv | undefined;
}

/** The time limit of one command, in ms. A listing of 100,000 files takes 1 s; a FIFO in place of a file of git blocks for ever. */
export const GIT_TIMEOUT_MS = 30_000;
/** The limit of git's output, in bytes: 20 times the paths of a review with the most files. */
const GIT_OUTPUT_BYTES = 64 * 1024 * 1024;
/** The limit of git's error output, in bytes; one line of it is shown. */
const GIT_ERROR_BYTES = 64 * 1024;
/** The oldest git that knows GIT_CONFIG_GLOBAL, which is one of the guards; GIT_CONFIG_COUNT came one release earlier. */
const OLDEST_GIT = [2, 32] as const;
/** The most settings of a repository that name a program. Each takes two variables, and the system limits their sum. */
const MAX_NAMED_PROGRAMS = 500;

/** The settings that name programs or files, and their harmless values. They win over the repository's configuration. */
const GUARDS: readonly (readonly [key: string, value: string])[] = [
  ["core.fsmonitor", "false"],
  ["core.hooksPath", "/dev/null"],
  ["core.attributesFile", "/dev/null"],
  ["core.excludesFile", "/dev/null"],
  ["core.pager", "cat"],
  ["core.sshCommand", "false"],
  ["core.gitProxy", "false"],
  ["core.askPass", "false"],
  ["core.editor", "false"],
  ["core.alternateRefsCommand", "false"],
  ["credential.helper", ""],
  ["gpg.program", "false"],
  ["log.showSignature", "false"],
  ["diff.external", ""],
  // `diff` writes the index unless this is off; the switch for optional locks does not hold it back.
  ["diff.autoRefreshIndex", "false"],
  ["diff.ignoreSubmodules", "all"],
  ["submodule.recurse", "false"],
  ["protocol.allow", "never"],
  // A bare repository below the reviewed directory is content, not the repository of the review.
  ["safe.bareRepository", "explicit"],
  // The owner check of git protects from the configuration of a stranger. The guards do that here, for every owner.
  ["safe.directory", "*"],
];

/** The settings `<section>.<name>.<key>` that name a program, and the value that switches each off. */
const NAMED_PROGRAMS: readonly { pattern: RegExp; value: string }[] = [
  { pattern: /^filter\..*\.(?:clean|smudge|process)$/s, value: "" },
  { pattern: /^filter\..*\.required$/s, value: "false" },
  { pattern: /^diff\..*\.(?:command|textconv)$/s, value: "" },
  { pattern: /^diff\..*\.cachetextconv$/s, value: "false" },
  { pattern: /^merge\..*\.driver$/s, value: "" },
  { pattern: /^hook\..*\.(?:command|event)$/s, value: "" },
  { pattern: /^hook\..*\.enabled$/s, value: "false" },
];

/** Options that the commands of the diff family need: no external program, and no look into a submodule, which has its own configuration. */
const DIFF_GUARDS = ["--no-ext-diff", "--no-textconv", "--ignore-submodules=all"];

/**
 * Runs a git command in a directory that is not trusted. Resolves for every exit code. Names of files are relative to the
 * directory where the command says so (`--relative` of `diff`).
 * @throws SwarmError `unavailable` without a git of 2.32 or newer; `timeout`; `tool_failed` when git prints too much or is
 * killed; the signal's reason when it aborts.
 */
export async function runGit(
  command: GitCommand,
  args: readonly string[],
  options: GitOptions,
): Promise<GitRun> {
  options.signal?.throwIfAborted();
  const program = await findGit(options);
  // The repository's own filters and drivers have names that only its configuration tells.
  const named = await namedPrograms(program, options);
  const guards = command.startsWith("diff") ? DIFF_GUARDS : [];
  return await run(program, [...command.split(" "), ...guards, ...args], {
    ...options,
    settings: [...GUARDS, ...named],
  });
}

/** Returns the settings that switch off the programs which the configuration of the repository names. */
async function namedPrograms(
  program: string,
  options: GitOptions,
): Promise<readonly (readonly [string, string])[]> {
  const { input: _, ...quiet } = options;
  // It fails where no repository is; the command itself then tells why.
  const listed = await run(program, ["config", "--list", "--name-only", "-z"], {
    ...quiet,
    settings: GUARDS,
  });
  const keys = [...new Set(listed.stdout.split("\0"))];
  const found = keys.flatMap((key) => {
    const named = NAMED_PROGRAMS.find(({ pattern }) => pattern.test(key));
    return named === undefined ? [] : [[key, named.value] as const];
  });
  if (found.length <= MAX_NAMED_PROGRAMS) return found;
  throw new SwarmError(
    "tool_failed",
    `expected at most ${MAX_NAMED_PROGRAMS} filters and drivers in the configuration of git in ${options.directory}, got ${found.length}; git is not used`,
  );
}

/** The gits whose version is known to be new enough. */
const known = new Set<string>();

async function findGit(options: GitOptions): Promise<string> {
  const { directory, environment = process.env } = options;
  const program = findTrustedProgram("git", environment.PATH, directory);
  if (program === null) throw new SwarmError("unavailable", "git is not on the PATH; install git");
  if (known.has(program)) return program;
  const { stdout } = await run(program, ["version"], { ...options, directory: "/", settings: [] });
  const [, major = "0", minor = "0"] = /(\d+)\.(\d+)/.exec(stdout) ?? [];
  const isNew =
    Number(major) > OLDEST_GIT[0] || (Number(major) === OLDEST_GIT[0] && Number(minor) >= OLDEST_GIT[1]);
  if (!isNew) {
    throw new SwarmError(
      "unavailable",
      `expected git ${OLDEST_GIT.join(".")} or newer, whose settings can be guarded, got ${stdout.trim() || "no version"}; update git`,
    );
  }
  known.add(program);
  return program;
}

/** The whole environment of git. GIT_DIR, GIT_TRACE and the like of the caller do not reach it. */
function environmentOf(settings: readonly (readonly [string, string])[]): Record<string, string> {
  return {
    // git finds its own parts without it.
    PATH: "/usr/bin:/bin",
    HOME: "/nonexistent",
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_TERMINAL_PROMPT: "0",
    GIT_PAGER: "cat",
    // An object that a partial clone lacks would be fetched by a program of the repository's choice. The second variable
    // guards a git before 2.44, which does not know the first.
    GIT_NO_LAZY_FETCH: "1",
    GIT_ALLOW_PROTOCOL: "none",
    // Settings by variables, not by `-c`: the name of a filter may contain `=`.
    GIT_CONFIG_COUNT: String(settings.length),
    ...Object.fromEntries(
      settings.flatMap(([key, value], at) => [
        [`GIT_CONFIG_KEY_${at}`, key],
        [`GIT_CONFIG_VALUE_${at}`, value],
      ]),
    ),
  };
}

interface RunOptions extends GitOptions {
  settings: readonly (readonly [string, string])[];
}

function run(program: string, args: readonly string[], options: RunOptions): Promise<GitRun> {
  const { directory, input, signal, settings, timeoutMs = GIT_TIMEOUT_MS } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, ["--no-pager", ...args], {
      cwd: directory,
      env: environmentOf(settings),
      stdio: ["pipe", "pipe", "pipe"],
    });
    let error: unknown;
    const end = (reason: unknown) => {
      error ??= reason;
      child.kill("SIGKILL");
    };
    const stop = () => end(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    const what = `git ${args[0]}`;
    const timer = setTimeout(
      () => end(new SwarmError("timeout", `${what} took longer than ${timeoutMs} ms and was stopped`)),
      timeoutMs,
    );
    const output = collect(child, () =>
      end(
        new SwarmError("tool_failed", `${what} printed more than ${GIT_OUTPUT_BYTES} bytes and was stopped`),
      ),
    );
    child.once("error", (cause) => {
      error ??= new SwarmError("unavailable", `${what} could not be started: ${cause.message}`, { cause });
    });
    child.once("close", (exitCode, killedBy) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      if (error !== undefined) reject(error);
      else if (exitCode === null) reject(new SwarmError("tool_failed", `${what} was killed by ${killedBy}`));
      else resolve({ exitCode, ...output() });
    });
    // git may end before it has read its input.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input ?? "");
  });
}

/** Collects the output of a process within its limits. */
function collect(child: ChildProcess, tooMuch: () => void): () => { stdout: string; stderr: string } {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  let bytes = 0;
  let errorBytes = 0;
  child.stdout?.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > GIT_OUTPUT_BYTES) tooMuch();
    else stdout.push(chunk);
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    errorBytes += chunk.length;
    if (errorBytes <= GIT_ERROR_BYTES) stderr.push(chunk);
  });
  return () => ({
    stdout: Buffer.concat(stdout).toString("utf8"),
    stderr: Buffer.concat(stderr).toString("utf8"),
  });
}
