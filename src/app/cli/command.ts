// The shape of a command of the command line. The commands themselves are in commands/, and each one is loaded only when a
// command line names it. A command of the swarm is made from an operation (operations/, commands/face.ts).
import type { z } from "zod";
import type { Logger } from "../../base/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { TaskClient } from "../../work/index.ts";
import type { Sources } from "../config.ts";
import type { Config } from "../settings.ts";
import type { LocalRole } from "../target.ts";
import type { Terminal } from "./terminal.ts";

/** Everything that a command may use. A connection is made at the first call for it; the session closes it. */
export interface Ports {
  readonly config: Config;
  /** The source of each setting. */
  readonly sources: Sources;
  readonly log: Logger;
  /** Shows progress to people; silent when the output is for programs. */
  readonly terminal: Terminal;
  /** Aborts on SIGINT, SIGTERM and SIGHUP: the command must stop, clean up, and return or throw. */
  readonly signal: AbortSignal;
  /**
   * The swarm's connection. In the data directory of a swarm with permissions it has the user of `role`, by default `api`; the role of the
   * first call counts, because there is one connection. @throws SwarmError `unavailable` when no server answers within the timeout.
   */
  transport(role?: LocalRole): Promise<Transport>;
  /**
   * The tasks of the swarm. `isTraced`: its submits are traced where the environment asks for traces, which loads a library; default
   * false. @throws SwarmError as `transport` does.
   */
  tasks(options?: { isTraced: boolean }): Promise<TaskClient>;
  /** The directory that relative paths start from. */
  readonly directory: string;
  /** The environment of the process. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Reads all of standard input; empty when it is closed. */
  readInput(): Promise<string>;
  /** Shows the answer now, for a command that runs on. Its return value is then not shown again. */
  answer(output: unknown): void;
  /** Writes one line to standard output, for a command with `printsLines`. */
  print(line: string): void;
  /** True with --json. Only a command with `printsLines` needs it. */
  readonly json: boolean;
}

/** How the command line takes a field of a command's input; set with `.meta()`. */
export interface FieldFacts {
  description?: string;
  /** A positional argument instead of a flag; an array takes all remaining arguments. */
  positional?: true;
  /** A second, short form of the flag, for example `-f`. */
  short?: string;
  /** The word for the value in the help, for example `PORT`. */
  value?: string;
  /** True: the flag may stand alone; its value is then `true`. */
  optionalValue?: true;
}

/** A command without its name and summary: those are in the table, so that the help loads no command. */
export interface Command<I extends z.ZodObject = z.ZodObject, O extends z.ZodType = z.ZodType> {
  readonly input: I;
  /** The answer; the document of `--json`. */
  readonly output: O;
  /** Example lines of the help, without `murmur`. */
  readonly examples: readonly string[];
  /** Further text of its own help. */
  readonly details?: string;
  /** True: the command obeys `ports.signal` itself, because it must clean up. Other commands are abandoned on an interrupt. */
  readonly handlesInterrupts?: true;
  /** True: the command works in a directory that is not trusted, so it reads only a configuration file that `--config` names. */
  readonly ignoresConfigFile?: true;
  /** True: the command writes lines as they come, with `ports.print`, and its answer is not shown. */
  readonly printsLines?: true;
  /** True: the answer for people names commands to type, not foreign text, so it may be spelled as the user types them. */
  readonly namesCommands?: true;
  run(ports: Ports, input: z.output<I>): Promise<z.output<O>>;
  /** The answer for people; an empty string prints nothing. */
  render(output: z.output<O>, terminal: Terminal): string;
  /** The exit code of an answer; 0 without it. */
  exitCode?(output: z.output<O>): number;
}

/** Checks the types of a command. */
export function defineCommand<I extends z.ZodObject, O extends z.ZodType>(
  command: Command<I, O>,
): Command<I, O> {
  return command;
}

/** One line of the table of commands. */
export interface CommandEntry {
  /** One or two words: `up`, `task ls`. */
  readonly name: string;
  readonly summary: string;
  /** True: it is a process that runs until it is stopped, as pods run it; its last log line says why it ends. */
  readonly isProcess?: true;
  load(): Promise<{ command: Command }>;
}
