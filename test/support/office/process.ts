// Murmur processes that a test or a measurement starts, stops, kills and pauses. Owns the processes, and kills them with
// the process that started them.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { guardProcess } from "../nats-server.ts";

const MAIN = join(import.meta.dirname, "../../../src/app/main.ts");

/** One process, which may be started again. */
export interface MurmurProcess {
  readonly id: string;
  /** The process of the last start. */
  readonly pid: number;
  /** True while it runs and is not paused. */
  readonly isUp: boolean;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts it, if it does not run. */
  start(): void;
  /** SIGSTOP. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
}

/** A coordinator, not started yet. */
export function createCoordinator(options: {
  id: string;
  members: readonly string[];
  server: string;
  logFile: string;
}): MurmurProcess {
  const { id, members, server, logFile } = options;
  const environment = {
    MURMUR_SERVER: server,
    MURMUR_COORDINATOR_ID: id,
    MURMUR_COORDINATORS: members.join(","),
  };
  return createMurmurProcess({ id, args: ["coordinator"], environment, logFile });
}

/** `murmur <args>`, not started yet; its log is appended to `logFile`. */
export function createMurmurProcess(options: {
  id: string;
  args: readonly string[];
  environment: Readonly<Record<string, string>>;
  logFile: string;
}): MurmurProcess {
  let child: ChildProcess | undefined;
  let exited: Promise<number | null> = Promise.resolve(null);
  let isPaused = false;
  const isRunning = () => child !== undefined && child.exitCode === null && child.signalCode === null;
  const end = async (signal: NodeJS.Signals) => {
    if (isRunning()) child?.kill(signal);
    const code = await exited;
    isPaused = false;
    return code;
  };
  return {
    id: options.id,
    get pid() {
      return child?.pid ?? 0;
    },
    get isUp() {
      return isRunning() && !isPaused;
    },
    start() {
      if (isRunning()) return;
      const log = openSync(options.logFile, "a");
      const own = { MURMUR_METRICS_PORT: "0", MURMUR_LOG_LEVEL: "info", ...options.environment };
      const started = spawn(
        process.execPath,
        ["--disable-warning=ExperimentalWarning", MAIN, ...options.args],
        {
          stdio: ["ignore", "ignore", log],
          env: { ...cleanEnvironment(), ...own },
        },
      );
      closeSync(log);
      const guard = guardProcess(started.pid ?? 0);
      child = started;
      exited = new Promise((resolve) =>
        started.once("exit", (code) => {
          guard.dismiss();
          resolve(code);
        }),
      );
    },
    kill: async () => void (await end("SIGKILL")),
    stop: () => end("SIGTERM"),
    pause() {
      isPaused = true;
      child?.kill("SIGSTOP");
    },
    resume() {
      if (isPaused) child?.kill("SIGCONT");
      isPaused = false;
    },
  };
}

/** The environment without the caller's own settings, which must not reach the processes. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(MURMUR_|NATS_|VITEST|NODE_OPTIONS|FORCE_COLOR)/.test(name),
  );
  // One cache of compiled code for all processes: without it, the compilation takes a second of a core in each.
  const cache = process.env.NODE_COMPILE_CACHE ?? join(tmpdir(), "murmur-test-compile-cache");
  return { ...Object.fromEntries(kept), NODE_COMPILE_CACHE: cache };
}
