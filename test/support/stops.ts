// Runs one process of Murmur against one peer that misbehaves, tells it to stop, and measures its end. tools/rigs/stops.ts
// runs all pairs; test/app/scenarios/stops.test.ts runs a few.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PeerKind, startFakePeer } from "./fake-peer.ts";
import { findNatsServer, guardProcess, startNatsServer } from "./nats-server.ts";
import { PROGRAM, programEnvironment } from "./program.ts";

/** The peers: the kinds of test/support/fake-peer.ts, and a real nats-server that is stopped (SIGSTOP). */
export const STOP_PEERS = [
  "silent",
  "half",
  "mute",
  "http",
  "tls",
  "reset",
  "reset-later",
  "flood",
  "garbage",
  "stopped-before",
  "stopped-after",
] as const;
export type StopPeer = (typeof STOP_PEERS)[number];

/** The processes: daemons get SIGTERM, commands end by their `--timeout`. */
export const STOP_PROCESSES = [
  "agent",
  "coordinator",
  "api",
  "up",
  "task-ls",
  "agent-ls",
  "submit",
  "wait",
] as const;
export type StopProcess = (typeof STOP_PROCESSES)[number];

const COMMANDS: Readonly<Partial<Record<StopProcess, readonly string[]>>> = {
  "task-ls": ["task", "ls"],
  "agent-ls": ["agent", "ls"],
  submit: ["submit", "echo", "--input", "1"],
  wait: ["submit", "echo", "--input", "1", "--wait"],
};

const DAEMONS: Readonly<Partial<Record<StopProcess, readonly string[]>>> = {
  agent: ["agent", "run", "echo"],
  coordinator: ["coordinator"],
  api: ["api", "--init"],
  up: ["up", "--agents", "echo"],
};

/** A process that is told to stop must end within its grace and this time, in ms. */
export const STOP_MARGIN_MS = 2_000;
/** A command must end within its timeout and this time, in ms, from its first connection on: the start of the program is not counted. */
export const COMMAND_MARGIN_MS = 1_000;
/** The longest wait for an end before the harness kills the process, in ms. */
const KILL_AFTER_MS = 60_000;
/** The time between two looks for the first connection, in ms. */
const LOOK_MS = 5;

/** One measured end. */
export interface Stop {
  readonly peer: StopPeer;
  readonly process: StopProcess;
  /** From the signal for a daemon; from the first connection for a command. */
  readonly elapsedMs: number;
  readonly limitMs: number;
  readonly exitCode: number | null;
  readonly isCommand: boolean;
  /** Ended within the limit, and a daemon with exit code 0. */
  readonly isGood: boolean;
  readonly stderr: string;
}

/** Runs one pair. */
export async function runStop(options: {
  peer: StopPeer;
  process: StopProcess;
  graceMs: number;
  timeoutMs: number;
}): Promise<Stop> {
  const cleanUps: (() => Promise<void> | void)[] = [];
  try {
    const command = COMMANDS[options.process];
    return command === undefined
      ? await stopDaemon(options, cleanUps)
      : await endCommand(options, command, cleanUps);
  } finally {
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
  }
}

type Options = Parameters<typeof runStop>[0];
type CleanUps = (() => Promise<void> | void)[];

async function stopDaemon(options: Options, cleanUps: CleanUps): Promise<Stop> {
  const { peer, graceMs } = options;
  const directory = makeDirectory(cleanUps);
  const isOwnServer = options.process === "up" && peer.startsWith("stopped");
  const target = isOwnServer ? undefined : await startPeer(peer, cleanUps);
  const args = [...DAEMONS[options.process]!, ...(target === undefined ? [] : ["--server", target.url])];
  const env = {
    MURMUR_DRAIN_GRACE_MS: String(graceMs),
    MURMUR_DATA: join(directory, "data"),
    MURMUR_CREATE_CONSUMERS: "true",
  };
  const ports = { MURMUR_METRICS_PORT: "0", MURMUR_HTTP_PORT: "0" };
  const run = startProgram(args, { ...env, ...ports }, cleanUps, directory);
  if (target === undefined) {
    await run.seen(/up after/);
    stopOwnServer(directory);
  } else if (target.stop !== undefined) {
    await run.seen(/(agents are|coordinator is|api is) ready/);
    target.stop();
  } else await Promise.race([run.ended, untilDialed(target)]);
  const fromMs = performance.now();
  run.child.kill("SIGTERM");
  const exitCode = await run.ended;
  const elapsedMs = performance.now() - fromMs;
  const limitMs = graceMs + STOP_MARGIN_MS;
  const isGood = exitCode === 0 && elapsedMs <= limitMs;
  return { ...pairOf(options), elapsedMs, limitMs, exitCode, isGood, stderr: run.stderr() };
}

async function endCommand(options: Options, command: readonly string[], cleanUps: CleanUps): Promise<Stop> {
  const { peer, timeoutMs } = options;
  const target = await startPeer(peer, cleanUps);
  const args = [...command, "--timeout", `${timeoutMs}ms`, "--server", target.url];
  const run = startProgram(args, {}, cleanUps, makeDirectory(cleanUps));
  await Promise.race([run.ended, untilDialed(target)]);
  const fromMs = performance.now();
  target.stop?.(); // a server that is stopped while the command connects or works
  const exitCode = await run.ended;
  const elapsedMs = performance.now() - fromMs;
  const limitMs = timeoutMs + COMMAND_MARGIN_MS;
  const isGood = exitCode !== null && elapsedMs <= limitMs;
  return { ...pairOf(options), elapsedMs, limitMs, exitCode, isGood, stderr: run.stderr() };
}

function pairOf({ peer, process: kind }: Options): Pick<Stop, "peer" | "process" | "isCommand"> {
  return { peer, process: kind, isCommand: kind in COMMANDS };
}

interface Target {
  readonly url: string;
  /** There when the process must first be ready on a healthy server, which then stops. */
  readonly stop?: () => void;
  /** The connections so far; a stopped server cannot count them. */
  readonly accepted?: number;
}

/** Resolves when a process has connected to the target. */
async function untilDialed(target: Target): Promise<void> {
  const port = Number(new URL(target.url).port);
  while ((target.accepted ?? countConnections(port)) === 0)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}

/** The open TCP connections of this machine to a port, out of the table of the kernel (proc(5), /proc/net/tcp). */
function countConnections(port: number): number {
  const remote = new RegExp(
    `^\\s*\\d+: \\S+ [0-9A-F]+:${port.toString(16).toUpperCase().padStart(4, "0")} 01 `,
  );
  return readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .filter((line) => remote.test(line)).length;
}

async function startPeer(peer: StopPeer, cleanUps: CleanUps): Promise<Target> {
  if (peer !== "stopped-before" && peer !== "stopped-after") {
    const fake = await startFakePeer(peer satisfies PeerKind);
    cleanUps.push(() => fake.close());
    return fake;
  }
  const server = await startNatsServer();
  const stop = () => void process.kill(server.pid, "SIGSTOP");
  cleanUps.push(async () => {
    process.kill(server.pid, "SIGCONT");
    await server.stop();
  });
  if (peer === "stopped-before") {
    stop();
    return { url: server.url };
  }
  const init = startProgram(["init", "--server", server.url], {}, cleanUps);
  await init.ended;
  return { url: server.url, stop };
}

function stopOwnServer(directory: string): void {
  const state = JSON.parse(readFileSync(join(directory, "data", "swarm.json"), "utf8")) as {
    processes: { role: string; pid: number }[];
  };
  const server = state.processes.find(({ role }) => role === "nats");
  if (server === undefined) throw new Error("expected a nats-server in swarm.json");
  process.kill(server.pid, "SIGSTOP");
}

function makeDirectory(cleanUps: CleanUps): string {
  const directory = mkdtempSync(join(tmpdir(), "murmur-stops-"));
  cleanUps.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

interface Run {
  readonly child: ChildProcess;
  /** The exit code; null when the harness had to kill it. */
  readonly ended: Promise<number | null>;
  stderr(): string;
  /** Resolves when the output matches. @throws Error when the process ends first. */
  seen(pattern: RegExp): Promise<void>;
}

function startProgram(
  args: readonly string[],
  env: Record<string, string>,
  cleanUps: CleanUps,
  directory?: string,
): Run {
  const child = spawn(process.execPath, [...PROGRAM, ...args], {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...programEnvironment(), NO_COLOR: "1", MURMUR_NATS_SERVER: findNatsServer(), ...env },
  });
  const guard = guardProcess(child.pid ?? 0);
  const output = { stdout: "", stderr: "" };
  const listeners = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
      for (const listener of listeners) listener();
    });
  }
  const overdue = setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MS);
  const ended = new Promise<number | null>((resolve) => {
    child.once("exit", (code) => {
      clearTimeout(overdue);
      guard.dismiss();
      resolve(code);
    });
  });
  cleanUps.push(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return {
    child,
    ended,
    stderr: () => output.stderr,
    seen: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (pattern.test(output.stdout + output.stderr)) resolve();
        };
        listeners.add(look);
        look();
        void ended.then((code) =>
          reject(new Error(`ended with ${code} before ${pattern}:\n${output.stderr}`)),
        );
      }),
  };
}
