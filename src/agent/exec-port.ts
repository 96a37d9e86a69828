// What an agent needs of whoever runs commands for it. The exec bridge fits; the app wires it in.

/** Runs one command. What an agent may run is decided by who made this, and narrowed by the agent's definition. */
export type Exec = (command: ExecRequest, options: { signal: AbortSignal }) => Promise<ExecResult>;

/** A command: always a list of arguments, never a line for a shell. */
export interface ExecRequest {
  /** The program, by the name or path that the allow-list holds, and its arguments. */
  argv: readonly [program: string, ...args: string[]];
  /** The working directory; default: the first allowed directory. Must lie inside an allowed one. */
  cwd?: string | undefined;
  /** Text for the program's standard input; default: none. */
  input?: string | undefined;
  /** Variables to set on top of the allowed ones. */
  env?: Readonly<Record<string, string>> | undefined;
  /** The longest run, in ms; lowers the host's limit, never raises it. */
  timeoutMs?: number | undefined;
  /** The most bytes on each of stdout and stderr; lowers the host's limit, never raises it. */
  maxOutputBytes?: number | undefined;
  /** The most memory of the program and its children, in bytes; lowers the host's limit, never raises it. */
  maxMemoryBytes?: number | undefined;
}

/** How a command ended. An exit code other than 0 is a result, not an error: what it means is the agent's business. */
export interface ExecResult {
  exitCode: number;
  stdout: string;
  stderr: string;
  durationMs: number;
}
