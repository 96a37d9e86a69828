// The last log line of a process that runs until it is stopped: agents, api, coordinator. It says why the process ends.
// I1: each such process writes exactly one last line, whatever ends it: a signal, a failure, a bug, or code that calls `process.exit`.
//     Only SIGKILL and the end of the heap leave none: the kernel, and V8 itself, end the process.
import { createLogger, type Logger } from "../../base/index.ts";
import { EXIT } from "../exit-codes.ts";
import { SUPERVISED } from "../supervisor/supervisor-link.ts";

/** The part of Node's `process` that this file listens to. */
export interface EndingProcess {
  once(event: "exit", onExit: (code: number) => void): unknown;
  once(event: "uncaughtException" | "unhandledRejection", onBug: (error: unknown) => void): unknown;
  exit(code: number): void;
}

/** The exit codes that name their reason. */
const REASONS: Readonly<Record<number, string>> = {
  13: "a command waited for something that cannot happen any more (exit code 13)",
  130: "a second signal ended it at once (SIGINT)",
  143: "a second signal ended it at once (SIGTERM or SIGHUP)",
};

/** The last line of this process. */
export function createLastLine(
  process: EndingProcess & { env: NodeJS.ProcessEnv; stderr: { isTTY?: boolean } },
  { json }: { json: boolean },
): LastLine {
  const format = process.env.MURMUR_LOG_FORMAT;
  const isPretty = format === "pretty" || (format !== "json" && process.stderr.isTTY === true);
  return new LastLine(process, { isQuoted: json || isPretty || process.env[SUPERVISED] !== undefined });
}

/** Writes the last line of one process. */
export class LastLine {
  readonly #process: EndingProcess;
  /**
   * True when the command line itself tells a failure: to people on a terminal, to a supervisor that quotes it, or in the document of
   * `--json`. Then only bugs and ends without a reason are log lines.
   */
  readonly isQuoted: boolean;
  #log: Logger | undefined;
  #isTold = false;

  constructor(process: EndingProcess, { isQuoted }: { isQuoted: boolean }) {
    this.#process = process;
    this.isQuoted = isQuoted;
  }

  /** From now on every end is told with this log. After a bug, whose effect on the state is unknown, the process ends. */
  begin(log: Logger): void {
    this.#log = log;
    const onBug = (kind: string) => (error: unknown) => {
      this.#fatal(
        { err: error instanceof Error ? error : new Error(String(error)) },
        `${kind}; the process ends`,
      );
      this.#process.exit(EXIT.failed);
    };
    this.#process.once("uncaughtException", onBug("uncaught exception"));
    this.#process.once("unhandledRejection", onBug("unhandled rejection"));
    this.#process.once("exit", (exitCode) => {
      const reason = REASONS[exitCode] ?? `code in it called process.exit(${exitCode})`;
      this.#fatal({ exitCode }, `the process ends: ${reason}`);
    });
  }

  /** The process did its work and ends as it was told to. `reason` is the message of the signal's reason. */
  tellStop(reason: string): void {
    if (this.#isTold) return;
    this.#isTold = true;
    if (!this.isQuoted) this.#log?.info({ exitCode: EXIT.done }, `the process ends: ${reason}`);
  }

  /** The process ends with an error. Before {@link begin} the line has a log of its own, because there are no settings yet. */
  tellFailure(error: { code: string; message: string; field?: string | undefined }, exitCode: number): void {
    const { code, message, field } = error;
    if (this.isQuoted) {
      this.#isTold = true;
      return;
    }
    this.#log ??= createLogger({ name: "murmur" });
    this.#fatal(
      { code, ...(field === undefined ? {} : { field }), exitCode },
      `the process ends: ${message}`,
    );
  }

  #fatal(facts: Record<string, unknown>, message: string): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#log?.fatal(facts, message);
  }
}
