// The slow look at the logs of a lane finds runs whose messages were lost, and runs whose engine died at a bad moment. Pure.
//
// K1  A run without an entry for a long time decides once more: a new decider repeats the effects of the last entry, and fires deadlines.
// K2  The log of an ended run that has several messages is rolled up into a single message, which expires.
// K3  A blocked run is tried by an engine that has loaded its version, because its code may have been mended.
import type { RunSummary } from "../../workflow/index.ts";

/** The time without an entry after which a run is looked at, in ms. */
export const QUIET_RUN_MS = 600_000;

/** A run as its last message tells it. */
export interface SeenRun {
  readonly summary: RunSummary | null;
  readonly storedAtMs: number;
  /** The number of messages of its log. */
  readonly messages: number;
}

/** The next step for a run. */
export type NextLook = "nothing" | "decide" | "roll-up";

/** The states of a run that has its result. */
export const ENDED: ReadonlySet<string> = new Set(["completed", "failed", "cancelled", "compensated"]);

/** True for the state of a run that has its result. */
export const isEnded = (state: string) => ENDED.has(state);

/** Decides what to do for a run. `isNew`: this engine has not looked at the run yet since it began to serve its lane. */
export function decideLook(
  { summary, storedAtMs, messages }: SeenRun,
  nowMs: number,
  isNew: boolean,
): NextLook {
  if (summary === null) return "nothing";
  if (ENDED.has(summary.state)) return messages > 1 ? "roll-up" : "nothing";
  if (summary.state === "blocked") return isNew ? "decide" : "nothing"; // K3
  if (summary.state === "paused" || summary.state === "compensation_failed") return "nothing";
  return nowMs - storedAtMs >= QUIET_RUN_MS ? "decide" : "nothing"; // K1
}
