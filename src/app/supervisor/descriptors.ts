// Closes descriptors that a process inherited by accident from the program that started its parent. Such a descriptor can keep
// a pipe open whose reader waits for its end.
import { closeSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

/** O_CLOEXEC in `/proc/<pid>/fdinfo`, octal (open(2), asm-generic). */
const CLOSE_ON_EXEC = 0o2000000;
/** 0–2 are inherited on purpose; 3 is the channel to the parent. */
const FIRST_FOREIGN = 4;

/** Descriptors with another end, where a reader may wait. Files stay open: a thread of Node may use one at this moment. */
const HAS_OTHER_END = /^(pipe:|socket:|\/dev\/(pts|tty))/;

/**
 * Closes every inherited pipe, socket and terminal. Node opens its own descriptors with close-on-exec, and sets the flag on
 * the lowest inherited descriptors (`uv_disable_stdio_inheritance` stops at the first gap above 15). So a descriptor without
 * the flag was inherited above that gap. Linux shows the flag in /proc; on other systems the function closes nothing.
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
      // Already closed, for example the descriptor of the directory listing itself.
    }
  }
}
