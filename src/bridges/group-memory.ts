// Reads the memory use of process groups from the operating system. exec.ts calls it and owns the memory limits.
import { execFile } from "node:child_process";
import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { promisify } from "node:util";

/**
 * Returns the resident memory of each group in `groupIds`, in bytes. A page that several processes of a group share counts
 * once for each of them, so the sum may be too high, but never too low. On Linux it reads /proc, because images often lack
 * `ps`; on other systems it runs `ps`.
 */
export function readGroupMemory(
  groupIds: ReadonlySet<number>,
  platform: NodeJS.Platform = process.platform,
): Promise<Map<number, number>> {
  return platform === "linux" ? readProc(groupIds) : readPs(groupIds);
}

/**
 * Reads /proc synchronously, through one buffer: the kernel answers from memory in a few microseconds. As promises these reads took a third of
 * the CPU time of a process whose commands ran all the time, because each of them allocates 64 KiB.
 */
async function readProc(groupIds: ReadonlySet<number>): Promise<Map<number, number>> {
  const bytes = new Map<number, number>();
  const buffer = Buffer.allocUnsafe(PROC_BYTES);
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const stat = readHead(`/proc/${pid}/stat`, buffer);
    const groupId = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2]); // proc(5): state ppid pgrp
    if (!groupIds.has(groupId)) continue;
    const kibibytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(readHead(`/proc/${pid}/status`, buffer))?.[1] ?? 0);
    bytes.set(groupId, (bytes.get(groupId) ?? 0) + kibibytes * 1_024);
  }
  return bytes;
}

/** The most bytes of a file in /proc that are read: `stat` and `status` of a process have under 2 KiB. */
const PROC_BYTES = 8 * 1024;

/** The first bytes of a file; "" when its process has ended after the listing. */
function readHead(path: string, buffer: Buffer): string {
  try {
    const opened = openSync(path, "r");
    try {
      return buffer.toString("latin1", 0, readSync(opened, buffer, 0, buffer.length, 0));
    } finally {
      closeSync(opened);
    }
  } catch {
    return "";
  }
}

async function readPs(groupIds: ReadonlySet<number>): Promise<Map<number, number>> {
  const bytes = new Map<number, number>();
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pgid=,rss="], {
    maxBuffer: 8 * 1024 * 1024,
  });
  for (const line of stdout.split("\n")) {
    const [groupId, kibibytes] = line.trim().split(/\s+/).map(Number);
    if (groupId === undefined || kibibytes === undefined || !groupIds.has(groupId)) continue;
    bytes.set(groupId, (bytes.get(groupId) ?? 0) + kibibytes * 1_024);
  }
  return bytes;
}
