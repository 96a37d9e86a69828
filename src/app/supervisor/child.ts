// One child process: started as the leader of its own group, its output cut into lines, its end told once.
// I1: `onDeath` is called exactly once for each started child, also for one that could not be started.
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { ProcessPlan } from "./plan.ts";
import { type ChildMessage, SUPERVISED } from "./supervisor-link.ts";

/** A line that is longer is cut into several: an agent that writes without end must not fill the supervisor. */
const LINE_LIMIT = 64 * 1024;

/** What a child tells. */
export interface ChildSink {
  onLine(line: string): void;
  onMessage(message: ChildMessage): void;
  onDeath(how: string): void;
}

/** Starts a process; `speaks`: with a channel over which it says that it is ready and alive. */
export function startChild(plan: ProcessPlan, options: { speaks: boolean }, sink: ChildSink): ChildProcess {
  const { speaks } = options;
  const child = spawn(plan.command, [...plan.args], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe", ...(speaks ? (["ipc"] as const) : [])],
    env: { ...plan.environment, ...(speaks ? { [SUPERVISED]: "1" } : {}) },
  });
  for (const stream of [child.stdout, child.stderr]) if (stream !== null) splitLines(stream, sink.onLine);
  child.on("message", (message: ChildMessage) => sink.onMessage(message));
  let isDead = false;
  const die = (how: string) => {
    if (isDead) return; // I1
    isDead = true;
    killGroup(child.pid);
    sink.onDeath(how);
  };
  // `error` also tells of a message that could not be sent: only one that was never started has no pid.
  child.on("error", (error) => {
    if (child.pid === undefined) die(`cannot start ${plan.command}: ${error.message}`);
  });
  child.once("exit", (code, signal) => die(signal === null ? `exit code ${code}` : `signal ${signal}`));
  return child;
}

/** Kills a process with everything that it started and that stayed in its group. */
export function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group is empty, as it should be.
  }
}

/**
 * SIGTERM to the process alone, which looks after what it started; after `graceMs` SIGKILL to its group. Resolves when
 * it has ended.
 */
export async function endChild(
  child: ChildProcess,
  options: { graceMs: number; onOverdue: () => void },
): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const timer = setTimeout(() => {
    options.onOverdue();
    killGroup(child.pid);
  }, options.graceMs);
  if (options.graceMs === 0) killGroup(child.pid);
  else child.kill("SIGTERM");
  await exited;
  clearTimeout(timer);
}

function splitLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
    if (rest.length > LINE_LIMIT) {
      onLine(rest);
      rest = "";
    }
  });
  stream.on("end", () => {
    if (rest !== "") onLine(rest);
  });
}
