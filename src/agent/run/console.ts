// The console of agents: a call of `console.log` in an agent becomes a line of the log of the work that called it, so that it
// carries the agent's and the task's id. The process that runs agents installs it; other programs keep their console.
// I1: work pays nothing for this until the first call in the process. Only from then on the context of each work is kept
//     through its awaits, which costs about 1 µs each time a work begins (measured on Node 24: 2 % of a small ask).
import { AsyncLocalStorage } from "node:async_hooks";
import { Console } from "node:console";
import { Writable } from "node:stream";
import { format } from "node:util";
import { cutMiddle, type Logger } from "../../base/index.ts";

/** The longest line, in bytes of UTF-8. Longer ones are cut from the middle, with a mark. */
const CONSOLE_LINE_BYTES = 8 * 1024;

/** The work, hook or handler that runs. Its log is made on first use. */
export interface LogOwner {
  readonly log: Logger;
}

type Level = "debug" | "info" | "warn" | "error";

/** The level of each method. All other methods (`table`, `dir`, `group` …) print through these streams at level `info`. */
const METHOD_LEVELS: Readonly<Record<string, Level>> = {
  debug: "debug",
  log: "info",
  info: "info",
  warn: "warn",
  error: "error",
  trace: "debug",
};

const owners = new AsyncLocalStorage<LogOwner>();
let isTracking = false;
/** The owner whose code runs in this turn of the event loop, up to its first await. */
let current: LogOwner | undefined;

/** Runs code of an agent, so that its console lines find the owner's log. */
export function runAs<T>(owner: LogOwner, run: () => T): T {
  const outer = current;
  current = owner;
  try {
    return isTracking ? owners.run(owner, run) : run();
  } finally {
    current = outer;
  }
}

/**
 * Replaces the process's console until the returned function is called.
 * @param parts.log the log for lines of unknown origin.
 * @param parts.findOnly the owner that runs now, when exactly one does. It is only asked for the first line (I1).
 */
export function captureConsole(parts: { log: Logger; findOnly: () => LogOwner | undefined }): () => void {
  const write = (level: Level, text: string) => {
    const owner = owners.getStore() ?? current ?? (isTracking ? undefined : parts.findOnly());
    isTracking = true;
    const line = cutMiddle(text.trimEnd(), CONSOLE_LINE_BYTES).text;
    (owner?.log ?? parts.log)[level]({ console: true }, line);
  };
  const before = globalThis.console;
  const console = new Console(toLines((text) => write("info", text)));
  for (const [method, level] of Object.entries(METHOD_LEVELS)) {
    const print = (...args: unknown[]) => write(level, format(...args));
    Object.defineProperty(console, method, { value: print, writable: true, configurable: true });
  }
  globalThis.console = console;
  return () => {
    globalThis.console = before;
    isTracking = false;
  };
}

/** A stream whose writes become lines of log. */
function toLines(write: (text: string) => void): Writable {
  return new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      write(chunk);
      done();
    },
  });
}
