// A command that an agent runs, as the agent room asks for it and the exec bridge runs it.

/** Limits of a command. Whoever runs it has limits of its own; of each the lower one holds. */
export interface CommandLimits {
  /** The longest run, in ms. */
  timeoutMs?: number | undefined;
  /** The most bytes on each of stdout and stderr. */
  maxOutputBytes?: number | undefined;
  /** The most resident memory of the program and everything it started, in bytes. */
  maxMemoryBytes?: number | undefined;
}

/** A command: always a list of arguments, never a line for a shell. */
export interface ExecRequest extends CommandLimits {
  /** The program, by the name or path that the allow-list holds, and its arguments. */
  argv: readonly [program: string, ...args: string[]];
  /** The working directory; default: the first allowed directory. Must lie inside an allowed one. */
  cwd?: string | undefined;
  /** Text for the program's standard input; default: none. */
  input?: string | undefined;
  /** Variables to set on top of the allowed ones. */
  env?: Readonly<Record<string, string>> | undefined;
}

/** How a command ended. An exit code other than 0 is a result, not an error: what it means is the agent's business. */
export interface ExecResult {
  exitCode: number;
  stdout: string;
  stderr: string;
  durationMs: number;
}
