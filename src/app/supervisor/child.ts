// One child process: starts it as the leader of its own process group, splits its output into lines, reports its death.
// I1: `onDeath` is called exactly once for each child, also when the child could not be started.
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { ProcessPlan } from "./plan.ts";
import { type ChildMessage, SUPERVISED } from "./supervisor-link.ts";

/** A longer line is split: an agent that writes without line ends must not fill the memory of the supervisor. */
const LINE_LIMIT = 64 * 1024;
/** How long the output of a dead process may take to arrive, in ms. A process outside of its group may keep the output open. */
const OUTPUT_DELAY_MS = 250;

/** Receives the output, the messages and the death of one child. The last line comes before the death. */
export interface ChildSink {
  onLine(line: string): void;
  onMessage(message: ChildMessage): void;
  onDeath(how: string): void;
}

/** Starts a process. With `speaks` it gets a channel on which it reports that it is ready and alive. */
export function startChild(plan: ProcessPlan, options: { speaks: boolean }, sink: ChildSink): ChildProcess {
  const { speaks } = options;
  const child = spawn(plan.command, [...plan.args], {
    detached: true,
    cwd: plan.directory,
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
  // `error` is emitted for an unsent message too. Only a process that was never started has no pid.
  child.on("error", (error) => {
    if (child.pid === undefined) die(`cannot start ${plan.command}: ${error.message}`);
  });
  child.once("exit", (code, signal) => {
    killGroup(child.pid);
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
    const overdue = setTimeout(() => die(how), OUTPUT_DELAY_MS);
    child.once("close", () => {
      clearTimeout(overdue);
      die(how);
    });
  });
  return child;
}

/** Kills a process and every process that it started and that is still in its group. */
export function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group is empty: the normal case.
  }
}

/**
 * Sends SIGTERM to the process alone, which ends its own children; after `graceMs` sends SIGKILL to its group. Resolves when
 * the process has ended.
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
