// What an office wants done: appends to ask of the log, and answers to give. Types, and how a turn begins.

import type { Json } from "../../protocol/index.ts";
import type { LogEntry, SnapshotNote } from "../log/entry.ts";

/** An append to ask of the log. */
export interface AppendRequest<C> {
  /** Names this request in its answer; never used twice in an incarnation. */
  readonly request: number;
  /** The log must refuse the entry unless this is its last sequence. */
  readonly expectedLastSeq: number;
  readonly entry: LogEntry<C>;
}

/** Why a command was not decided. Only after `unknown` may it still be. */
export type AnswerError = "not_leader" | "unknown" | "overloaded" | "unavailable";

/** The answer to a command. `leader` is added where it is known. */
export type Answer =
  | { readonly key: string; readonly ok: true; readonly value: Json }
  | { readonly key: string; readonly ok: false; readonly error: AnswerError; readonly leader?: string };

/** The answer to a read: on `ok` the fold may be read for it now. */
export interface ReadAnswer {
  readonly ticket: string;
  readonly ok: boolean;
  readonly error?: AnswerError;
}

/** What an office wants done, in this order. */
export interface OfficeEffects<C> {
  readonly appends: AppendRequest<C>[];
  readonly answers: Answer[];
  readonly reads: ReadAnswer[];
  /** Applied office-taken entries that the election must see. */
  readonly taken: { readonly term: number; readonly leader: string }[];
  /** A checkpoint was applied: the fold, as it is now, is to be hashed, and saved where the office is held. */
  checkpoint: CheckpointNews | null;
  /** A snapshot entry was applied. */
  snapshot: SnapshotNews | null;
  /** True when this member must give up leading. */
  yields: boolean;
}

/** A checkpoint that was applied. */
export interface CheckpointNews {
  readonly seq: number;
  /** True when this member asked for it: the one that saves its fold. */
  readonly isOwn: boolean;
}

/** A snapshot entry that was applied, and its own sequence. */
export interface SnapshotNews extends SnapshotNote {
  readonly entrySeq: number;
}

/** No effects yet. */
export function noEffects<C>(): OfficeEffects<C> {
  return { appends: [], answers: [], reads: [], taken: [], checkpoint: null, snapshot: null, yields: false };
}
