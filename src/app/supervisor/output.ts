// The output of one process: writes it to the log file, and keeps the last lines of the current run for the error about its end.
// I1: lines of an earlier run are in no error.
import { join } from "node:path";
import { openLogFile, sizeOf, tailFrom } from "./log-file.ts";

/** Lines kept: the longest message of a process that cannot start names a few faults, each with an excerpt of the file. */
const KEPT_LINES = 60;
/** Characters of a kept line: a log line with a stack would hide the others. */
const KEPT_CHARACTERS = 500;
/** Lines quoted when the process left no message of its own. */
const QUOTED_LINES = 8;
/** The first word of the message that the command line writes last. */
const MESSAGE = "murmur: ";

/** The output of a process; {@link beginRun} comes before each of its starts. */
export class ProcessOutput {
  readonly #log: { write(text: string): void };
  /** nats-server writes this file itself; undefined for the other processes. */
  readonly #ownLog: string | undefined;
  #ownLogFrom = 0;
  #lines: string[] = [];

  /** @param options.writesOwnLog true for nats-server; its output before it opened its log goes to a second file. */
  constructor(options: { logs: string; name: string; writesOwnLog: boolean }) {
    const { logs, name, writesOwnLog } = options;
    this.#log = openLogFile(join(logs, writesOwnLog ? `${name}.out.log` : `${name}.log`));
    this.#ownLog = writesOwnLog ? join(logs, `${name}.log`) : undefined;
  }

  beginRun(): void {
    this.#lines = [];
    if (this.#ownLog !== undefined) this.#ownLogFrom = sizeOf(this.#ownLog);
  }

  write(line: string): void {
    this.#log.write(`${line}\n`);
    this.#lines.push(line.slice(0, KEPT_CHARACTERS));
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
  }

  /** The message that the program wrote last, with all of its lines; undefined when the run left none. */
  message(): string | undefined {
    const from = this.#lines.findLastIndex((line) => line.startsWith(MESSAGE));
    if (from < 0) return undefined;
    return this.#lines.slice(from).join("\n").slice(MESSAGE.length);
  }

  /** The last lines of the run, indented. */
  excerpt(): string {
    const own = this.#ownLog === undefined ? [] : tailFrom(this.#ownLog, this.#ownLogFrom);
    return [...this.#lines, ...own]
      .slice(-QUOTED_LINES)
      .map((line) => `  ${line.slice(0, KEPT_CHARACTERS)}`)
      .join("\n");
  }
}
