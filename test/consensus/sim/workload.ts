// What a simulated client may ask, and what the answers ought to be: the shape that the two sets of commands share.

import type { Command, SealedEntry } from "./lines.ts";
import type { Stage } from "./stage.ts";

/** Something a client wants: a command to be decided, or a look at what was decided. */
export type Wish = { readonly op: "command"; readonly command: Command } | { readonly op: "read" };

/** Where in the log a key was decided, and how. */
export interface Decision {
  readonly seq: number;
  readonly index: number;
  /** What the answer ought to be, in the form of {@link Workload.simplify}; undefined where that is not modelled. */
  readonly value: unknown;
}

/**
 * What commands ought to mean, written a second time and as plainly as possible, from the description alone; the answers
 * of the product are compared with it. Shares no code with src.
 */
export interface Model {
  /** The result of each key's first command. */
  readonly decisions: ReadonlyMap<string, Decision>;
  apply(seq: number, entry: SealedEntry): void;
  /** What a read shows after the entry at `seq`; undefined where nothing is read but by commands. */
  view(seq: number): string | undefined;
  /** A log that was lost begins again: counters go on `count` further. */
  skipAhead(count: number): void;
}

/** One set of commands. */
export interface Workload {
  /** What `client` wants next. */
  wish(client: string): Wish;
  /** A client learns the answer to a command of its own. */
  learn(client: string, command: Command, value: unknown): void;
  /** The part of an answer that is compared. */
  simplify(value: unknown): unknown;
  /** True for a command that only reads: it must be decided behind what was answered before it was asked. */
  isRead(command: Command): boolean;
  createModel(): Model;
  /** The log has lost entries: until it is recovered, members that cannot know go on with what is left. */
  loseLog(): void;
  /** The log was recovered, or begun anew. */
  recoverLog(isSame: boolean): void;
}

/** Makes the workload of one run. */
export type CreateWorkload = (stage: Stage) => Workload;
