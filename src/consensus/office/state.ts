// The state of an office. Owns its shape and the two ways to start; office.ts changes it.

import type { LogEntry, SnapshotNote } from "../log/entry.ts";
import type { Fold } from "../log/fold.ts";
import { createQueue, type Queue, type Queued } from "./queue.ts";

/** The fixed settings of an office. */
export interface OfficeConfig {
  readonly node: string;
  /** The log's identity. */
  readonly logId: string;
  readonly electionTicks: number;
  /**
   * Whether ticks that pass while an own append is in flight count as log time. Without them log time does not advance
   * under a load that leaves no tick between an entry and the next append. Default false.
   */
  readonly countsTicksOfAppends?: boolean | undefined;
}

/** An append whose fate is not yet known. */
export interface OpenAppend<C> {
  /** The number of the request in flight; null while only a later entry of the log can settle the append. */
  request: number | null;
  readonly expectedLastSeq: number;
  readonly entry: LogEntry<C>;
  /** The commands and reads that wait for it. */
  readonly group: readonly Queued<C>[];
  readonly keys: ReadonlySet<string>;
  /** True after an answer was `unknown`. From then on a refusal proves nothing. */
  isUnknown: boolean;
}

/** A checkpoint or a snapshot entry to append. */
export type Note = { readonly type: "checkpoint" } | ({ readonly type: "snapshot" } & SnapshotNote);

/** The office of one member. */
export interface OfficeSession<S, C> {
  readonly config: OfficeConfig;
  readonly fold: Fold<S, C>;
  /** The term of this member's election; null when it does not lead. */
  electedTerm: number | null;
  inOffice: boolean;
  /** The current append. */
  open: OpenAppend<C> | null;
  /** Appends from earlier periods in office that may still be stored. */
  readonly orphans: OpenAppend<C>[];
  /** The sequence to read up to before the next try, after a refused office-taken. */
  catchUpSeq: number | null;
  /** Ticks that this member has waited for the office since its election. */
  waitedTicks: number;
  readonly queue: Queue<C>;
  /** Entries to append before the next group. */
  readonly notes: Note[];
  /** Known hashes of the own fold at the last checkpoints, by sequence. */
  readonly ownHashes: Map<number, string>;
  /** Hashes from snapshot entries that wait for the own hash, by sequence. */
  readonly loggedHashes: Map<number, string>;
  nextRequest: number;
  /**
   * The lead of log time over the last entry, in ticks. With `countsTicksOfAppends` the count starts when the
   * own entry gets its time, otherwise when an entry is applied. A negative value: that many further ticks are skipped.
   */
  ticksSinceApplied: number;
  /** True when an entry with its log time was read or requested since the last tick that was not late. */
  hasStampSinceTick: boolean;
  /** The reason why this member does not trust its log any more; null while it does. */
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

/**
 * A fresh session over the same log. Request numbers continue, so that a late answer is never matched to a new request.
 */
export function restartOffice<S, C>(before: OfficeSession<S, C>): OfficeSession<S, C> {
  const { config, fold, nextRequest, ownHashes, loggedHashes, halted } = before;
  return { ...createOfficeSession(config, fold), nextRequest, ownHashes, loggedHashes, halted };
}
