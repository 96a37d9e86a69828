// What a process inherited by accident: descriptors of whoever started its starter. Holding one keeps a pipe open that
// somebody reads to its end.
import { closeSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

/** O_CLOEXEC in `/proc/<pid>/fdinfo`, octal (open(2), asm-generic). */
const CLOSE_ON_EXEC = 0o2000000;
/** 0–2 are given on purpose, 3 is the channel to the starter. */
const FIRST_FOREIGN = 4;

/** What somebody may wait at the other end of. Files are left alone: a thread of Node's own may have one open just now. */
const HAS_OTHER_END = /^(pipe:|socket:|\/dev\/(pts|tty))/;

/**
 * Closes every pipe, socket and terminal that came from outside. Node opens its own with close-on-exec, and sets it on
 * the lowest inherited ones (`uv_disable_stdio_inheritance` stops at the first gap above 15): what lacks it was inherited
 * past that gap. Linux tells the flag in /proc; elsewhere nothing is closed.
 */
export function closeInheritedDescriptors(): void {
  if (process.platform !== "linux") return;
  for (const name of readdirSync("/proc/self/fd")) {
    const descriptor = Number(name);
    if (descriptor < FIRST_FOREIGN) continue;
    try {
      if (!HAS_OTHER_END.test(readlinkSync(`/proc/self/fd/${name}`))) continue;
      const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, "utf8"))?.[1];
      if (flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0) closeSync(descriptor);
    } catch {
      // Closed meanwhile: the listing's own descriptor is.
    }
  }
}
