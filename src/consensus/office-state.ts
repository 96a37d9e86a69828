// What an office remembers. Owns the shape and the two ways to begin; what happens to it is office.ts.

import { type CommandSet, emptyFold, type Fold } from "./apply.ts";
import type { Entry, Genesis } from "./entry.ts";
import { createQueue, type Queue, type Queued } from "./queue.ts";

/** What a member is told once. */
export interface OfficeConfig {
  readonly node: string;
  /** The log's identity. */
  readonly logId: string;
  readonly electionTicks: number;
  /** Where the log begins; without it genesis is taken as given at sequence 0. */
  readonly genesis?: Pick<Genesis, "epoch" | "seq"> | undefined;
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
  readonly entry: Entry<C>;
  /** Who waits for it. */
  readonly group: readonly Queued<C>[];
  readonly keys: ReadonlySet<string>;
  /** True once an answer was `unknown`: from then on a refusal proves nothing. */
  isUnknown: boolean;
}

/** The office of one member. */
export interface Office<S, C> {
  readonly config: OfficeConfig;
  readonly fold: Fold<S, C>;
  /** The term this member was elected for; null when it does not lead. */
  electedTerm: number | null;
  inOffice: boolean;
  /** The append under way. */
  open: OpenAppend<C> | null;
  /** Appends of earlier times in office that may still be stored. */
  readonly left: OpenAppend<C>[];
  /** After a refused office-taken: the sequence that must be seen before the next try. */
  behindSeq: number | null;
  /** Ticks spent elected, but kept out of office. */
  waitedTicks: number;
  readonly queue: Queue<C>;
  nextRequest: number;
  /** Ticks since the last entry was applied, or stamped where `countsTicksOfAppends`: what log time is ahead by. */
  ticksSinceApplied: number;
  /** Why this member trusts its log no more. */
  halted: string | null;
}

/** A member that has read nothing yet. */
export function createOffice<S, C>(config: OfficeConfig, commandSet: CommandSet<S, C>): Office<S, C> {
  return {
    config,
    fold: emptyFold(commandSet, config.logId, config.genesis),
    electedTerm: null,
    inOffice: false,
    open: null,
    left: [],
    behindSeq: null,
    waitedTicks: 0,
    queue: createQueue(),
    nextRequest: 1,
    ticksSinceApplied: 0,
    halted: null,
  };
}

/** The same log with nothing else remembered; request numbers go on, so that late answers cannot be mistaken. */
export function restartOffice<S, C>(before: Office<S, C>): Office<S, C> {
  const { config, fold, nextRequest, halted } = before;
  return { ...createOffice(config, fold.commandSet), fold, nextRequest, halted };
}
