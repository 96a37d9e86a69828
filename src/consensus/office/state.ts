// What an office remembers. Owns the shape and the two ways to begin; what happens to it is office.ts.

import type { LogEntry, SnapshotNote } from "../log/entry.ts";
import type { Fold } from "../log/fold.ts";
import { createQueue, type Queue, type Queued } from "./queue.ts";

/** What a member is told once. */
export interface OfficeConfig {
  readonly node: string;
  /** The log's identity. */
  readonly logId: string;
  readonly electionTicks: number;
  /**
   * Whether ticks that pass while an own append is under way count as log time. Without it log time stands still under
   * a load that leaves no tick between one entry and the next append. False unless said otherwise.
   */
  readonly countsTicksOfAppends?: boolean | undefined;
}

/** An append whose fate is not known yet. */
export interface OpenAppend<C> {
  /** The request that is under way; null while only the log can tell. */
  request: number | null;
  readonly expectedLastSeq: number;
  readonly entry: LogEntry<C>;
  /** Who waits for it. */
  readonly group: readonly Queued<C>[];
  readonly keys: ReadonlySet<string>;
  /** True once an answer was `unknown`: from then on a refusal proves nothing. */
  isUnknown: boolean;
}

/** A checkpoint or a snapshot entry to append. */
export type Note = { readonly type: "checkpoint" } | ({ readonly type: "snapshot" } & SnapshotNote);

/** The office of one member. */
export interface OfficeSession<S, C> {
  readonly config: OfficeConfig;
  readonly fold: Fold<S, C>;
  /** The term this member was elected for; null when it does not lead. */
  electedTerm: number | null;
  inOffice: boolean;
  /** The append under way. */
  open: OpenAppend<C> | null;
  /** Appends of earlier times in office that may still be stored. */
  readonly orphans: OpenAppend<C>[];
  /** After a refused office-taken: the sequence that must be seen before the next try. */
  catchUpSeq: number | null;
  /** Ticks spent elected, but kept out of office. */
  waitedTicks: number;
  readonly queue: Queue<C>;
  /** What is to be appended before the next group. */
  readonly notes: Note[];
  /** Hashes of the own fold at the last checkpoints, by sequence, as far as they are known. */
  readonly ownHashes: Map<number, string>;
  /** Hashes that snapshot entries gave, whose own ones are not known. */
  readonly loggedHashes: Map<number, string>;
  nextRequest: number;
  /**
   * Ticks since the last entry was applied, or stamped where `countsTicksOfAppends`: what log time is ahead by. Below 0:
   * so many are not counted.
   */
  ticksSinceApplied: number;
  /** True when an entry was read or asked for, and so log time was told, since the last tick that was on time. */
  hasStampSinceTick: boolean;
  /** Why this member trusts its log no more. */
  halted: string | null;
}

/** A member that has read as far as `fold`. */
export function createOfficeSession<S, C>(config: OfficeConfig, fold: Fold<S, C>): OfficeSession<S, C> {
  return {
    config,
    fold,
    electedTerm: null,
    inOffice: false,
    open: null,
    orphans: [],
    catchUpSeq: null,
    waitedTicks: 0,
    queue: createQueue(),
    notes: [],
    ownHashes: new Map(),
    loggedHashes: new Map(),
    nextRequest: 1,
    ticksSinceApplied: 0,
    hasStampSinceTick: false,
    halted: null,
  };
}

/** The same log with nothing else remembered; request numbers go on, so that late answers cannot be mistaken. */
export function restartOffice<S, C>(before: OfficeSession<S, C>): OfficeSession<S, C> {
  const { config, fold, nextRequest, ownHashes, loggedHashes, halted } = before;
  return { ...createOfficeSession(config, fold), nextRequest, ownHashes, loggedHashes, halted };
}
