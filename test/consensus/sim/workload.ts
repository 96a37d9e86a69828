// The interface of a workload: the commands of simulated clients and the expected answers. Both sets of commands
// implement it.

import type { Command, SealedEntry } from "./lines.ts";
import type { Stage } from "./stage.ts";

/** The next operation of a client: a command, or a read. */
export type Wish = { readonly op: "command"; readonly command: Command } | { readonly op: "read" };

/** The place in the log where a key was decided, and the expected answer. */
export interface Decision {
  readonly seq: number;
  readonly index: number;
  /** The expected answer, in the form of {@link Workload.simplify}; undefined if the model does not cover it. */
  readonly value: unknown;
}

/**
 * A second, plain implementation of the commands, written from their description alone. The simulator compares the
 * answers of the real code with it. It shares no code with src.
 */
export interface Model {
  /** The decision on the first command of each key. */
  readonly decisions: ReadonlyMap<string, Decision>;
  apply(seq: number, entry: SealedEntry): void;
  /** The expected value of a read after the entry at `seq`; undefined if all reads are commands. */
  view(seq: number): string | undefined;
  /** Adds `count` to the counters, because a lost log starts again. */
  skipAhead(count: number): void;
}

/** One set of commands with its clients. */
export interface Workload {
  /** The next operation of `client`. */
  wish(client: string): Wish;
  /** Tells a client the answer to its command. */
  learn(client: string, command: Command, value: unknown): void;
  /** The part of an answer that is compared. */
  simplify(value: unknown): unknown;
  /** True for a command that only reads. It must follow every operation that was answered before it was requested. */
  isRead(command: Command): boolean;
  createModel(): Model;
  /** The log has lost entries. Until its recovery, members that have not noticed continue with the rest. */
  loseLog(): void;
  /** The log was recovered, or (with `isSame` false) replaced by a new log. */
  recoverLog(isSame: boolean): void;
}

/** Creates the workload of one run. */
export type CreateWorkload = (stage: Stage) => Workload;
