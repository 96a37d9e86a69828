// The types of an office's effects: appends to request from the log, and answers to give to clients. office.ts fills in
// the effects of one input, member.ts returns them, and the driver performs them. Pure.

import type { Json } from "../../protocol/index.ts";
import type { LogEntry, SnapshotNote } from "../log/entry.ts";

/** An append to request from the log. */
export interface AppendRequest<C> {
  /** The number of the request; the log's reply repeats it. A member never uses a number twice until it restarts. */
  readonly request: number;
  /** The log must store the entry only if this is the log's last sequence. */
  readonly expectedLastSeq: number;
  readonly entry: LogEntry<C>;
}

/**
 * The reason why the member has no decision on a command. `unknown`: the command may have been decided, or may still be
 * decided. The other reasons: this member did not decide the command and never will.
 */
export type AnswerError = "not_leader" | "unknown" | "overloaded" | "unavailable";

/** The answer to a command. `leader` is set if this member knows the leader. */
export type Answer =
  | { readonly key: string; readonly ok: true; readonly value: Json }
  | { readonly key: string; readonly ok: false; readonly error: AnswerError; readonly leader?: string };

/** The answer to a read. On `ok` the driver reads the fold now. */
export interface ReadAnswer {
  readonly ticket: string;
  readonly ok: boolean;
  readonly error?: AnswerError;
}

/** The effects of one input. */
export interface OfficeEffects<C> {
  readonly appends: AppendRequest<C>[];
  readonly answers: Answer[];
  readonly reads: ReadAnswer[];
  /** The office-taken entries that this input applied; the member passes them to the election. */
  readonly taken: { readonly term: number; readonly leader: string }[];
  /**
   * The checkpoint that this input applied. The driver first hashes the fold, before another input changes it; the
   * member that requested the checkpoint also saves the fold.
   */
  checkpoint: CheckpointNews | null;
  /** The snapshot entry that this input applied. */
  snapshot: SnapshotNews | null;
  /** True when this member must step down as leader. */
  yields: boolean;
}

/** A checkpoint that was applied. */
export interface CheckpointNews {
  readonly seq: number;
  /** True when this member requested the checkpoint. Then the driver saves the fold as a snapshot. */
  readonly isOwn: boolean;
}

/** A snapshot entry that was applied, with its own sequence. */
export interface SnapshotNews extends SnapshotNote {
  readonly entrySeq: number;
}

/** No effects yet. */
export function noEffects<C>(): OfficeEffects<C> {
  return { appends: [], answers: [], reads: [], taken: [], checkpoint: null, snapshot: null, yields: false };
}
