// Identifies a process beyond its pid. The system reuses pids; a pid with its start time and boot id names one process for
// ever, also across a reboot.
import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";

/** A process that can be recognised later. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Boot id and start time: no later process with this pid has the same. */
  readonly started: string;
}

/** The identity of a living process; null when no process has the pid, or only a zombie. */
export function identify(pid: number): ProcessIdentity | null {
  const started = process.platform === "linux" ? startedOnLinux(pid) : startedByPs(pid);
  return started === null ? null : { pid, started };
}

/** True while exactly this process lives. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.started === identity.started;
}

/**
 * Signals a process, or with `group` its whole group when it leads one. Does nothing when the process is gone, also when
 * another process has its pid now.
 */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals, group: boolean): void {
  if (!isAlive(identity)) return;
  for (const target of group ? [-identity.pid, identity.pid] : [identity.pid]) {
    try {
      process.kill(target, signal);
      return;
    } catch (error) {
      // ESRCH: the process has ended, or it does not lead a group.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

/** The user of a living process; null when it is gone. */
export function ownerOf(pid: number): number | null {
  try {
    if (process.platform === "linux") return statSync(`/proc/${pid}`).uid;
    return Number(runPs(["-o", "uid=", "-p", String(pid)]).trim());
  } catch {
    return null;
  }
}

let bootId: string | undefined;

/** proc(5): field 3 is the state, field 22 the start time in clock ticks after boot; field 2 may hold anything in parentheses. */
function startedOnLinux(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return null;
    bootId ??= readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${bootId}:${fields[19]}`;
  } catch {
    return null;
  }
}

function startedByPs(pid: number): string | null {
  try {
    const line = runPs(["-o", "stat=,lstart=", "-p", String(pid)]).trim();
    return line === "" || line.startsWith("Z") ? null : line.slice(line.indexOf(" ")).trim();
  } catch {
    return null;
  }
}

function runPs(args: readonly string[]): string {
  return execFileSync("ps", [...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    env: { LC_ALL: "C", PATH: process.env.PATH ?? "/bin:/usr/bin" },
  });
}
