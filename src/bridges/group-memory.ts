// Reads the memory use of process groups from the operating system. exec.ts calls it and owns the memory limits.
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
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

async function readProc(groupIds: ReadonlySet<number>): Promise<Map<number, number>> {
  const bytes = new Map<number, number>();
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  await Promise.all(
    pids.map(async (pid) => {
      // A process may end after the listing and before this read.
      const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
      const groupId = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2]); // proc(5): state ppid pgrp
      if (!groupIds.has(groupId)) return;
      const status = await readFile(`/proc/${pid}/status`, "latin1").catch(() => "");
      const kibibytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
      bytes.set(groupId, (bytes.get(groupId) ?? 0) + kibibytes * 1_024);
    }),
  );
  return bytes;
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
