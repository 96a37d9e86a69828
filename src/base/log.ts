// The process's logger: pino, JSON on stderr, secrets redacted. Standard output belongs to the output of commands.
import { createRequire } from "node:module";
import type { LogFn } from "pino";
import { redactText } from "./trace/redact.ts";

/** Loads the log library at the first use (20–40 ms of CPU time), so that programs without a log start without it. */
const loadLibrary = (): typeof import("pino") => createRequire(import.meta.url)("pino");

/** Writes log lines, each with fields and a text. */
export interface Logger {
  readonly trace: LogFn;
  readonly debug: LogFn;
  readonly info: LogFn;
  readonly warn: LogFn;
  readonly error: LogFn;
  readonly fatal: LogFn;
  /** A logger whose lines also have these fields. */
  child(fields: Record<string, unknown>): Logger;
}

/** Keys whose values never appear in a log line, at any place in an object up to three levels deep. */
export const REDACTED_KEYS = [
  "password",
  "pass",
  "token",
  "authToken",
  "secret",
  "apiKey",
  "api_key",
  "authorization",
  "creds",
  "nkey",
  "seed",
  "jwt",
] as const;

const redactedPaths = REDACTED_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);

/**
 * Creates the process's logger.
 * @param options.name the name of the process in each line, for example `agent` or `api`.
 * @param options.level pino level; default `info`.
 */
export function createLogger(options: {
  name: string;
  level?: string;
  stream?: { write(line: string): void };
}): Logger {
  const { destination, pino, stdSerializers } = loadLibrary();
  return pino(
    {
      name: options.name,
      level: options.level ?? "info",
      redact: { paths: redactedPaths, censor: "[redacted]" },
      serializers: {
        err: (error: Error) => {
          const plain = stdSerializers.err(error);
          return { ...plain, message: redactText(plain.message), stack: redactText(plain.stack) };
        },
      },
      hooks: {
        logMethod(args, method) {
          method.apply(
            this,
            args.map((arg) => (typeof arg === "string" ? redactText(arg) : arg)) as Parameters<typeof method>,
          );
        },
      },
    },
    options.stream ?? destination({ dest: 2, sync: true }),
  );
}

/** A logger that is made at its first line, so that a program that logs nothing does not load the log library. */
export function createLazyLogger(make: () => Logger): Logger {
  let made: Logger | undefined;
  const loggerOf = () => {
    made ??= make();
    return made;
  };
  const method =
    (level: "trace" | "debug" | "info" | "warn" | "error" | "fatal"): LogFn =>
    (...args: unknown[]) =>
      (loggerOf()[level] as (...all: unknown[]) => void)(...args);
  return {
    trace: method("trace"),
    debug: method("debug"),
    info: method("info"),
    warn: method("warn"),
    error: method("error"),
    fatal: method("fatal"),
    child: (fields) => createLazyLogger(() => loggerOf().child(fields)),
  };
}

/**
 * A logger that adds live fields to each line, such as the ids of the active span. `fields` returns undefined when there are none.
 */
export function withLiveFields(log: Logger, fields: () => object | undefined): Logger {
  const method =
    (level: "trace" | "debug" | "info" | "warn" | "error" | "fatal"): LogFn =>
    (...args: unknown[]) => {
      const write = log[level] as (...all: unknown[]) => void;
      const live = fields();
      if (live === undefined) return write.apply(log, args);
      const [first, ...rest] = args;
      if (first instanceof Error) return write.call(log, { ...live, err: first }, ...rest);
      if (typeof first === "object" && first !== null) return write.call(log, { ...live, ...first }, ...rest);
      return write.call(log, live, ...args);
    };
  return {
    trace: method("trace"),
    debug: method("debug"),
    info: method("info"),
    warn: method("warn"),
    error: method("error"),
    fatal: method("fatal"),
    child: (child) => withLiveFields(log.child(child), fields),
  };
}

/** A logger that writes nothing. The default if a caller passes no logger. */
export const silentLogger: Logger = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  fatal: () => undefined,
  child: () => silentLogger,
};
