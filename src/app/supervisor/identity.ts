// Which process a pid meant. A pid alone is recycled; a pid with its start time is one process for ever, also across a
// reboot, because the boot's own id is part of it.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** A process that can be recognised later. */
export interface ProcessIdentity {
  readonly pid: number;
  /** What no later process with this pid will have: boot id and start time. */
  readonly started: string;
}

/** The identity of a living process; null when there is none, or only its zombie. */
export function identify(pid: number): ProcessIdentity | null {
  const started = process.platform === "linux" ? startedOnLinux(pid) : startedByPs(pid);
  return started === null ? null : { pid, started };
}

/** True while this very process lives. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.started === identity.started;
}

/**
 * Signals a process and, when it leads a group, the whole group. Does nothing when it is gone or its pid was recycled.
 */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals, group: boolean): void {
  if (!isAlive(identity)) return;
  for (const target of group ? [-identity.pid, identity.pid] : [identity.pid]) {
    try {
      process.kill(target, signal);
      return;
    } catch (error) {
      // ESRCH: gone meanwhile, or not the leader of a group.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
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
    const told = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      env: { LC_ALL: "C", PATH: process.env.PATH ?? "/bin:/usr/bin" },
    }).trim();
    return told === "" || told.startsWith("Z") ? null : told.slice(told.indexOf(" ")).trim();
  } catch {
    return null;
  }
}
