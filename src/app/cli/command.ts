// What a command is: one description that the command line reads today and that HTTP and MCP can read as well. Owns
// no command; they stand in `commands/`, each loaded only when it is asked for.
import type { z } from "zod";
import type { Logger } from "../../base/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { TaskClient } from "../../work/index.ts";
import type { Config, Sources } from "../config.ts";
import type { Terminal } from "./terminal.ts";

/** What a command may use. Connections are made when first asked for and closed by the face that runs the command. */
export interface Ports {
  readonly config: Config;
  /** Where each setting came from. */
  readonly sources: Sources;
  readonly log: Logger;
  /** Progress for people; silent when the output is for programs. */
  readonly terminal: Terminal;
  /** Aborts on SIGINT and SIGTERM: stop, clean up, return or throw. */
  readonly signal: AbortSignal;
  /** The swarm's connection. @throws SwarmError `unavailable` when no server answers within the timeout. */
  transport(): Promise<Transport>;
  /** The tasks of the swarm. @throws SwarmError as `transport` does. */
  tasks(): Promise<TaskClient>;
  /** The directory that relative paths start from. */
  readonly directory: string;
  /** The environment of the process. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Reads all of standard input; empty when it is closed. */
  readInput(): Promise<string>;
  /** Gives the answer now, for a command that goes on afterwards; what it returns in the end is not shown again. */
  answer(output: unknown): void;
}

/** How a field of a command's input is given on the command line; set with `.meta()`. */
export interface FieldFacts {
  description?: string;
  /** A positional argument instead of a flag; arrays take all that are left. */
  positional?: true;
  /** The word for the value in the help, for example `PORT`. */
  value?: string;
}

/** A command but for its name and summary, which the table holds so that the help needs no command's module. */
export interface Command<I extends z.ZodObject = z.ZodObject, O extends z.ZodType = z.ZodType> {
  readonly input: I;
  /** What it answers; the document of `--json`. */
  readonly output: O;
  /** Lines of the help, without `murmur`. */
  readonly examples: readonly string[];
  /** More about it, for its own help. */
  readonly details?: string;
  /** It obeys `ports.signal` itself, because it has something to clean up; others are simply left on an interrupt. */
  readonly handlesInterrupts?: true;
  run(ports: Ports, input: z.output<I>): Promise<z.output<O>>;
  /** The answer for people; an empty string prints nothing. */
  render(output: z.output<O>, terminal: Terminal): string;
  /** The exit code of an answer; 0 without it. */
  exitCode?(output: z.output<O>): number;
}

/** Gives a command its types. */
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
  load(): Promise<{ command: Command }>;
}
