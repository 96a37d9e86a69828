// The last output lines of one run of a process, for the error about its end. Lines of an earlier run are never in it.

/** Lines kept: the longest message of a process that cannot start names a few faults, each with an excerpt of the file. */
const KEPT_LINES = 60;
/** Characters of a kept line: a log line with a stack would hide the others. */
const KEPT_CHARACTERS = 500;
/** Lines quoted when the process left no message of its own. */
const QUOTED_LINES = 8;
/** The begin of the message with which the command line ends. */
const MESSAGE = "murmur: ";

/** The last lines of one run; `clear` begins the next run. */
export class LastLines {
  #lines: string[] = [];

  clear(): void {
    this.#lines = [];
  }

  push(line: string): void {
    this.#lines.push(line.slice(0, KEPT_CHARACTERS));
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
  }

  /** The message with which the program ended, from its first line to its last; undefined when it left none. */
  message(): string | undefined {
    const from = this.#lines.findLastIndex((line) => line.startsWith(MESSAGE));
    if (from < 0) return undefined;
    return this.#lines.slice(from).join("\n").slice(MESSAGE.length);
  }

  /** The last lines, indented. */
  excerpt(): string {
    return this.#lines
      .slice(-QUOTED_LINES)
      .map((line) => `  ${line}`)
      .join("\n");
  }
}
