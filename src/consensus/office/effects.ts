// The effects of an office: appends to request from the log, and answers to give to clients. Owns only these types and
// the empty effects; the driver performs them. Pure.

import type { Json } from "../../protocol/index.ts";
import type { LogEntry, SnapshotNote } from "../log/entry.ts";

/** An append to request from the log. */
export interface AppendRequest<C> {
  /** The number that the answer repeats. An incarnation never uses a number twice. */
  readonly request: number;
  /** The log must refuse the entry unless this is its last sequence. */
  readonly expectedLastSeq: number;
  readonly entry: LogEntry<C>;
}

/** The reason why a command was not decided. Only after `unknown` may it still be decided. */
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

/** The effects of one input, to be performed in this order. */
export interface OfficeEffects<C> {
  readonly appends: AppendRequest<C>[];
  readonly answers: Answer[];
  readonly reads: ReadAnswer[];
  /** Applied office-taken entries, for the election. */
  readonly taken: { readonly term: number; readonly leader: string }[];
  /** A checkpoint was applied. The driver hashes the fold as it is now; the holder of the office also saves it. */
  checkpoint: CheckpointNews | null;
  /** A snapshot entry was applied. */
  snapshot: SnapshotNews | null;
  /** True when this member must stop leading. */
  yields: boolean;
}

/** A checkpoint that was applied. */
export interface CheckpointNews {
  readonly seq: number;
  /** True when this member requested the checkpoint. It then saves its fold. */
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
