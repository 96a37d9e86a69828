// A log file of bounded size: a full file is renamed to `<file>.1`, and a new file begins.
import { appendFileSync, closeSync, mkdirSync, openSync, readSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** The size at which a file is rotated. A process keeps at most twice as much: about a day of a talkative agent. */
export const LOG_FILE_BYTES = 10 * 1024 * 1024;

/** Opens a log for appending. A failed write loses the line and is ignored: a full disk must not stop the swarm. */
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
        // The log itself cannot be written, so there is no place to report it.
      }
    },
  };
}

/** The size of a file in bytes; 0 when it does not exist. */
export function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** Enough for the last lines of a log, in bytes. */
const TAIL_BYTES = 16 * 1024;

/**
 * The last whole lines of a file behind the byte `from`, within {@link TAIL_BYTES}. A file that became shorter was rotated, and
 * is read from its begin. An unreadable file has no lines.
 */
export function tailFrom(file: string, from: number): string[] {
  const size = sizeOf(file);
  const begin = Math.max(from > size ? 0 : from, size - TAIL_BYTES);
  const bytes = Buffer.alloc(size - begin);
  try {
    const open = openSync(file, "r");
    try {
      readSync(open, bytes, 0, bytes.length, begin);
    } finally {
      closeSync(open);
    }
  } catch {
    return [];
  }
  return bytes
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "");
}
