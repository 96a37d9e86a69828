// The types of a command that an agent runs. The agent room requests the command, and the exec bridge runs it.

/** Limits of a command. The bridge that runs it has limits of its own; the lower limit applies. */
export interface CommandLimits {
  /** The longest run, in ms. */
  timeoutMs?: number | undefined;
  /** The most bytes on each of stdout and stderr. */
  maxOutputBytes?: number | undefined;
  /** The most resident memory of the program and all its child processes, in bytes. */
  maxMemoryBytes?: number | undefined;
}

/** A command. It is always a list of arguments, never a line for a shell. */
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

/** The result of a command. An exit code other than 0 is a result, not an error; the agent decides its meaning. */
export interface ExecResult {
  exitCode: number;
  stdout: string;
  stderr: string;
  durationMs: number;
}
