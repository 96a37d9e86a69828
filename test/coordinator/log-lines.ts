// A logger for tests that check log lines.
import type { Logger } from "../../src/base/index.ts";

/** One logged line. */
export interface Line {
  readonly level: string;
  readonly message: string;
  readonly [fact: string]: unknown;
}

/** A logger that collects its lines. */
export function collectLines(): { log: Logger; lines: Line[]; find: (message: RegExp) => Line[] } {
  const lines: Line[] = [];
  const write = (level: string) => (facts: object, message?: string) => {
    lines.push({ ...facts, level, message: message ?? "" });
  };
  const log = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: () => log,
  } as unknown as Logger;
  return { log, lines, find: (message) => lines.filter((line) => message.test(line.message)) };
}
