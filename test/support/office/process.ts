// Starts, stops, kills and pauses Murmur processes for a test or a measurement. Owns the processes, and kills them when the
// process that started them ends.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { guardProcess } from "../nats-server.ts";
import { PROGRAM, programEnvironment } from "../program.ts";

/** A Murmur process. The caller can start it again after it has ended. */
export interface MurmurProcess {
  readonly id: string;
  /** The process id of the last start; 0 before the first. */
  readonly pid: number;
  /** True while the process runs and is not paused. */
  readonly isUp: boolean;
  /** Sends SIGKILL and resolves when the process has ended. */
  kill(): Promise<void>;
  /** Starts the process, unless it runs already. */
  start(): void;
  /** Pauses the process with SIGSTOP. */
  pause(): void;
  /** Resumes the process with SIGCONT. */
  resume(): void;
  /** Sends SIGTERM and resolves with the exit code; null when a signal ended the process. */
  stop(): Promise<number | null>;
}

/** Creates a coordinator process without starting it. */
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

/** Creates the process `murmur <args>` without starting it. The process appends its log to `logFile`. */
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
      const started = spawn(process.execPath, [...PROGRAM, ...options.args], {
        stdio: ["ignore", "ignore", log],
        env: { ...programEnvironment(), ...own },
      });
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
