// Decides about the tick of a schedule of runs while the run of an earlier tick may still go on. Pure.
//
// O1  Ticks of one schedule are decided one after the other, in their order: the run of the tick before is known.
// O2  Of ticks that wait for the end of a cancelled run, only the newest waits; the older ones are skipped. So a run that cannot be
//     cancelled holds one place of the outbox, and not all.
// O3  Past ticks that are made up run one after the other, unless the schedule allows overlaps: the person asked for all of them.
import type { Overlap } from "./schedules.ts";

/** A tick that is to be decided. */
export interface TickFacts {
  readonly overlap: Overlap;
  readonly isBackfill: boolean;
  /** True when a later tick of the schedule waits too. */
  readonly hasNewer: boolean;
  /** True while the last run of the schedule has not ended. */
  readonly isLastGoing: boolean;
}

/** The decision about a tick. `cancel`: cancel the last run, and wait for its end. */
export type TickDecision = "start" | "skip" | "cancel" | "wait";

/** Decides about one tick. */
export function decideTick({ overlap, isBackfill, hasNewer, isLastGoing }: TickFacts): TickDecision {
  if (overlap === "allow" || !isLastGoing) return "start";
  if (isBackfill) return "wait"; // O3
  if (overlap === "skip") return "skip";
  return hasNewer ? "skip" : "cancel"; // O2
}
