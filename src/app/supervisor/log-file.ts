// One log file of a bounded size: when it is full, it becomes `<file>.1` and a new one begins.
import { appendFileSync, mkdirSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** A file is turned over at this size, so a process keeps at most twice as much: a day of a chatty agent. */
export const LOG_FILE_BYTES = 10 * 1024 * 1024;

/** Opens a log for appending. A full disk costs log lines, never the swarm: failures to write are swallowed. */
export function openLogFile(file: string, limitBytes = LOG_FILE_BYTES): { write(text: string): void } {
  mkdirSync(dirname(file), { recursive: true });
  let bytes = sizeOf(file);
  return {
    write(text) {
      try {
        if (bytes > limitBytes) {
          renameSync(file, `${file}.1`);
          bytes = 0;
        }
        appendFileSync(file, text, { mode: 0o600 });
        bytes += Buffer.byteLength(text);
      } catch {
        // Nowhere left to say it.
      }
    },
  };
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
