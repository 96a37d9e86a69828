// Real swarms for tests: the program as people start it, or a supervisor in the test's own process, each in a directory of its
// own, with nothing left behind.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, onTestFinished } from "vitest";
import { runCli } from "../../src/app/cli/cli.ts";
import { openSession } from "../../src/app/cli/session.ts";
import { COMMANDS } from "../../src/app/commands/index.ts";
import { loadConfig } from "../../src/app/config.ts";
import { agentUser, seedFile } from "../../src/app/permissions/index.ts";
import { identify } from "../../src/app/supervisor/identity.ts";
import type { SwarmState } from "../../src/app/supervisor/state.ts";
import { type Supervisor, startSupervisor } from "../../src/app/supervisor/supervisor.ts";
import { localUser } from "../../src/app/target.ts";
import { createMeter, type Logger, silentLogger } from "../../src/base/index.ts";
import { createOfficeClient, foundOffice, type OfficeClient } from "../../src/coordinator/index.ts";
import { connectNats, type Transport } from "../../src/transport/index.ts";
import { createTaskClient, type TaskClient } from "../../src/work/index.ts";
import { findNatsServer, type NatsServer, startNatsServer } from "../support/nats-server.ts";
import { PROGRAM, programEnvironment } from "../support/program.ts";
import { scaled } from "../support/scale.ts";

/** Registers the clean-up of a thing that a test, or with {@link atFileEnd} a file, has started. */
export type AtEnd = (cleanUp: () => Promise<void> | void, timeoutMs?: number) => void;

/** Cleans up after all tests of a file, the newest thing first. Call it at the top of the file, outside of tests and hooks. */
export function atFileEnd(): AtEnd {
  const cleanUps: (() => Promise<void> | void)[] = [];
  afterAll(async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
  }, 120_000);
  return (cleanUp) => cleanUps.push(cleanUp);
}

/** How a run of the program ended. */
export interface Ran {
  exitCode: number | null;
  stdout: string;
  stderr: string;
  /** The one document of `--json`. */
  json(): Record<string, unknown>;
}

export interface World {
  directory: string;
  /** Where the program puts what is temporary. */
  temp: string;
  /** Runs the program as a process of its own: about one second of CPU time. */
  run(args: string, options?: { input?: string | null; env?: Record<string, string> }): Promise<Ran>;
  /** Runs a command line inside this process: a few ms. For every command that starts no processes and reads no input. */
  call(args: string): Promise<Ran>;
  start(args: string): ChildProcess;
  /** `swarm.json`. */
  state(): SwarmState;
  /** Starts a swarm with `up --detach`; it ends with the world. */
  up(args?: string): Promise<Swarm>;
  /** Starts a swarm with a supervisor in this process; it ends with the world. With permissions it has an api process. */
  host(options: HostedSwarm): Promise<SwarmState>;
  /** The folder of the keys of a swarm with permissions; null without permissions. */
  keys(): string | null;
  /** The settings that let an agent process of the test connect to the swarm. */
  agentEnvironment(): Record<string, string>;
}

/** A swarm of a supervisor in the test's process. */
export interface HostedSwarm {
  /** The role of each agent process. */
  roles?: readonly string[];
  /** How many coordinators; default none. */
  coordinators?: number;
  /** Whether an api process runs; default false. */
  withApi?: boolean;
  /** The log of the supervisor; default none. */
  log?: Logger;
}

/** The answer of `up --detach --json`. */
export interface Swarm {
  server: string;
  http: string;
  dataDir: string;
  processes: { role: string; name: string; pid: number; metrics: string | null }[];
  alreadyRunning?: true;
}

/** The permissions of a test's swarm: all roles of agents in one class, and three coordinators. */
export interface WorldPermissions {
  /** The roles of agents; each offers the capability of the same name. */
  readonly roles: readonly string[];
  /** The capabilities, where they have other names than the roles. */
  readonly capabilities?: readonly string[];
  /** True: the short run has permissions here too. Every such swarm costs the CPU time of an `init` process. */
  readonly isEveryday?: boolean;
}

/**
 * Whether a swarm of the tests runs with permissions, each process with its own user. `npm run test:permissions` gives them to every
 * scenario that can have them, the short run to some, and the nightly run to none, so that both are tested.
 */
function isGuarded({ isEveryday = false }: WorldPermissions): boolean {
  const asked = process.env.MURMUR_TEST_PERMISSIONS;
  if (asked === "all" || asked === "none") return asked === "all";
  if (asked !== undefined) throw new Error(`MURMUR_TEST_PERMISSIONS must be "all" or "none", got ${asked}`);
  return isEveryday && scaled(1, 0) === 1;
}

/** True: everyday swarms of the tests have permissions in this run, for tests that write a permissions file of their own. */
export const USES_PERMISSIONS = isGuarded({ roles: [], isEveryday: true });

function writePermissions(file: string, { roles, capabilities = roles }: WorldPermissions): void {
  const groups = roles.map((role) => `{ name: ${role}, slots: 4 }`).join(", ");
  const coordinators = "[coordinator-1, coordinator-2, coordinator-3]";
  writeFileSync(
    file,
    `version: 1\ncoordinators: ${coordinators}\nclasses:\n  - { name: default, capabilities: [${capabilities.join(", ")}], groups: [${groups}] }\n`,
  );
}

/**
 * A directory to run the program in. Arguments are split at spaces; `%` stands for a space inside one. `permissions`: its swarms can
 * run with these.
 */
export function setupWorld(
  env: Record<string, string> = {},
  atEnd: AtEnd = onTestFinished,
  permissions?: WorldPermissions,
): World {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "murmur-app-")));
  const [directory, temp] = [join(root, "work"), join(root, "temp")];
  mkdirSync(directory);
  mkdirSync(temp);
  const permissionsFile = join(root, "permissions.yaml");
  const guard = permissions !== undefined && isGuarded(permissions) ? permissionsFile : undefined;
  if (guard !== undefined) writePermissions(guard, permissions!);
  const environment: Record<string, string> = {
    ...programEnvironment(),
    NO_COLOR: "1",
    MURMUR_NATS_SERVER: findNatsServer(),
    TMPDIR: temp,
    // Not the cache of the person who runs the tests.
    XDG_CACHE_HOME: join(root, "cache"),
    ...(guard === undefined ? {} : { MURMUR_PERMISSIONS_FILE: guard }),
    ...env,
  };
  // Paths that a process takes relative to its working directory, which this process does not share.
  const paths = {
    MURMUR_DATA: join(directory, ".murmur"),
    MURMUR_AGENTS_DIR: join(directory, "agents"),
    MURMUR_WORKFLOWS_DIR: join(directory, "workflows"),
  };
  const split = (args: string) => args.split(" ").map((arg) => arg.replaceAll("%", " "));
  const start = (args: string, extra: Record<string, string> = {}) =>
    spawn(process.execPath, [...PROGRAM, ...split(args)], {
      cwd: directory,
      env: { ...environment, ...extra },
      stdio: ["pipe", "pipe", "pipe"],
    });
  const run: World["run"] = async (args, options = {}) => {
    const child = start(args, options.env);
    // The program may end before it has read its input.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(options.input ?? "");
    return collect(child);
  };
  const call: World["call"] = (args) =>
    callCli(split(args), { environment: { ...environment, ...paths }, directory });
  const hosted: { supervisor: Supervisor; server: NatsServer | undefined }[] = [];
  let mayRun = false;
  atEnd(async () => {
    for (const { supervisor, server } of hosted) {
      await supervisor.stop({ now: true });
      await server?.stop();
    }
    if (mayRun) await call("down --purge");
    rmSync(root, { recursive: true, force: true });
  }, 120_000);
  return {
    directory,
    temp,
    run(args, options) {
      mayRun ||= !NO_SWARM.test(args);
      return run(args, options);
    },
    call,
    start(args) {
      mayRun = true;
      return start(args);
    },
    state: () => JSON.parse(readFileSync(join(directory, ".murmur/swarm.json"), "utf8")) as SwarmState,
    async up(args = "") {
      mayRun = true;
      const ran = await run(`up --detach --json${args === "" ? "" : ` ${args}`}`);
      if (ran.exitCode !== 0) throw new Error(`up failed: ${ran.stdout}${ran.stderr}`);
      return ran.json() as unknown as Swarm;
    },
    async host(options) {
      // Agents with permissions read the journals of redelivered tasks through an api process.
      const { roles = [], coordinators = 0, withApi = guard !== undefined } = options;
      // Without an api process, which creates the streams, they must be there before the others start.
      const server = withApi ? undefined : await startNatsServer();
      if (server !== undefined) await initStreams(server.url);
      const own = { ...environment, ...paths };
      const { config } = await loadConfig({ flags: {}, environment: own, directory });
      const supervisor = await startSupervisor({
        config,
        roles,
        coordinators,
        withApi,
        joinServer: server?.url,
        permissionsFile: guard,
        environment: own,
        log: options.log ?? silentLogger,
        signal: new AbortController().signal,
      }).catch(async (error: unknown) => {
        await server?.stop();
        throw error;
      });
      hosted.push({ supervisor, server });
      return supervisor.state;
    },
    keys: () => (guard === undefined ? null : join(directory, ".murmur/keys")),
    agentEnvironment(): Record<string, string> {
      if (guard === undefined) return { MURMUR_CREATE_CONSUMERS: "true" };
      const user = agentUser("default");
      return {
        MURMUR_NKEY_FILE: seedFile(join(directory, ".murmur/keys"), user),
        MURMUR_INBOX_PREFIX: `_INBOX.${user}`,
      };
    },
  };
}

/** Command lines after which no swarm can run. */
const NO_SWARM = /^(down|task|dead|submit|office|agent (ls|show))\b/;

/** The program's own entry, but for the process: a command line, its output and its exit code. */
export async function callCli(
  argv: readonly string[],
  world: { environment: NodeJS.ProcessEnv; directory: string },
): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const stderr = { write: (text: string) => err.push(text) };
  const exitCode = await runCli(
    {
      argv,
      version: "test",
      stdout: { write: (text) => out.push(text) },
      stderr,
      openSession: (input) => openSession(input, { ...world, stderr }),
    },
    COMMANDS,
  );
  const stdout = out.join("");
  return {
    exitCode,
    stdout,
    stderr: err.join(""),
    json: () => JSON.parse(stdout) as Record<string, unknown>,
  };
}

async function initStreams(url: string): Promise<void> {
  const transport = await connectNats(connectionTo(url));
  await transport.init();
  await foundOffice(transport);
  await transport.close();
}

function connectionTo(servers: string, keys: string | null = null, name = "api") {
  const user = keys === null ? {} : localUser(keys, name);
  return { servers, ...user, name: "test", prefix: "murmur", log: silentLogger, meter: createMeter() };
}

/**
 * Clients of a swarm, from the test's own process. With the keys of a swarm with permissions, they have the rights of `user`, by default
 * those of an api process.
 */
export async function connectTo(
  server: string,
  atEnd: AtEnd = onTestFinished,
  keys: string | null = null,
  user?: string,
): Promise<{ transport: Transport; tasks: TaskClient; office: OfficeClient }> {
  const transport = await connectNats(connectionTo(server, keys, user));
  const tasks = createTaskClient({ transport, meter: createMeter() });
  atEnd(async () => {
    tasks.close();
    await transport.close();
  });
  return { transport, tasks, office: createOfficeClient({ transport }) };
}

/** Waits until the program has ended and every process that holds its output has closed it. */
export function collect(child: ChildProcess): Promise<Ran> {
  return new Promise((resolve, reject) => {
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.once("error", reject);
    child.once("close", (exitCode) =>
      resolve({ exitCode, stdout, stderr, json: () => JSON.parse(stdout) as Record<string, unknown> }),
    );
  });
}

/** Waits until `look` answers a value other than undefined; the test's own time limit ends it. */
export async function eventually<T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Fails unless all these processes are gone. */
export function expectGone(pids: readonly number[]): void {
  expect(pids.filter((pid) => identify(pid) !== null)).toEqual([]);
}

/** Waits for a process to be gone. */
export function untilGone(pid: number): Promise<true> {
  return eventually(() => (identify(pid) === null ? true : undefined));
}
