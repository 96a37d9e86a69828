// The CPU time of another process, for the benchmark. Linux only.
import { readFileSync } from "node:fs";

/** The clock ticks of one second in /proc: USER_HZ, 100 on every architecture that Node supports (man 5 proc). */
const TICKS_PER_SECOND = 100;

/** The CPU seconds that process `pid` has used so far, in user and kernel; null where /proc does not tell them. */
export function cpuSecondsOf(pid: number): number | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return null; // not Linux, or the process has ended
  }
  // The program's name comes second, in parentheses, and may contain blanks. utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
