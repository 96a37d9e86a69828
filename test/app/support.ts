// Real swarms for tests: the program as people start it, in a directory of its own, with nothing left behind.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { identify } from "../../src/app/supervisor/identity.ts";
import type { SwarmState } from "../../src/app/supervisor/state.ts";
import { findNatsServer } from "../support/nats-server.ts";

const MAIN = join(import.meta.dirname, "../../src/app/main.ts");

/** The test machine's own settings must not reach the program. */
function cleanEnvironment(extra: Record<string, string>): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(MURMUR_|NATS_|VITEST|NODE_OPTIONS|FORCE_COLOR)/.test(name),
  );
  return { ...Object.fromEntries(kept), NO_COLOR: "1", MURMUR_NATS_SERVER: findNatsServer(), ...extra };
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
  run(args: string, options?: { input?: string | null; env?: Record<string, string> }): Promise<Ran>;
  start(args: string): ChildProcess;
  /** `swarm.json`. */
  state(): SwarmState;
  /** Starts a swarm; it ends with the test. */
  up(args?: string): Promise<Swarm>;
}

/** What `up --detach --json` answers. */
export interface Swarm {
  server: string;
  http: string;
  dataDir: string;
  processes: { role: string; name: string; pid: number; metrics: string | null }[];
  alreadyRunning?: true;
}

/** A directory to run the program in. Arguments are split at spaces; `%` stands for a space inside one. */
export function setupWorld(env: Record<string, string> = {}): World {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "murmur-app-")));
  const [directory, temp] = [join(root, "work"), join(root, "temp")];
  mkdirSync(directory);
  mkdirSync(temp);
  // One cache of compiled code for all: a process that compiles everything anew takes a second of a core.
  const cache = process.env.NODE_COMPILE_CACHE ?? join(tmpdir(), "murmur-test-compile-cache");
  const environment = cleanEnvironment({ TMPDIR: temp, NODE_COMPILE_CACHE: cache, ...env });
  const split = (args: string) => args.split(" ").map((arg) => arg.replaceAll("%", " "));
  const start = (args: string, extra: Record<string, string> = {}) =>
    spawn(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN, ...split(args)], {
      cwd: directory,
      env: { ...environment, ...extra },
      stdio: ["pipe", "pipe", "pipe"],
    });
  const run: World["run"] = async (args, options = {}) => {
    const child = start(args, options.env);
    // Nobody may read what it says any more; that is the program's business.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(options.input ?? "");
    return collect(child);
  };
  onTestFinished(async () => {
    await run("down --purge");
    rmSync(root, { recursive: true, force: true });
  }, 120_000);
  return {
    directory,
    temp,
    run,
    start,
    state: () => JSON.parse(readFileSync(join(directory, ".murmur/swarm.json"), "utf8")) as SwarmState,
    async up(args = "") {
      const ran = await run(`up --detach --json${args === "" ? "" : ` ${args}`}`);
      if (ran.exitCode !== 0) throw new Error(`up failed: ${ran.stdout}${ran.stderr}`);
      return ran.json() as unknown as Swarm;
    },
  };
}

/** Waits until the program has ended and all who hold its output have closed it. */
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

/** Waits until `look` answers something else than undefined; the test's own time limit ends it. */
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
