// The limits of one log, and the warnings on the way to them. Pure.
import type { Fold } from "./fold.ts";

/** The most entries of a log. A fold of as many takes about a second to read. */
export const MAX_LOG_ENTRIES = 50_000;
/** The most bytes of a log, so that an engine holds many. */
export const MAX_LOG_BYTES = 64 * 1024 * 1024;
/** The part of a limit at which the first warning comes, and the distance of the next ones. */
export const WARN_STEP = 0.2;

/** How long the log of an ended run is kept without a word of the definition, in ms: as long as results are by default. */
const DEFAULT_KEEP_MS = 7 * 86_400_000;

/** How long the log of a run is kept after its end, in ms. */
export function keepMsOf({ begun }: Fold): number {
  return begun?.keepMs ?? DEFAULT_KEEP_MS;
}

/** The used part of the limits, 0 to 1 and above. */
export function usedShare(fold: Fold): number {
  return Math.max(fold.entries / MAX_LOG_ENTRIES, fold.bytes / MAX_LOG_BYTES);
}

/** The part to warn of now, such as 0.2 or 0.4; undefined when that was done or is not due. */
export function dueWarning(fold: Fold): number | undefined {
  const step = Math.floor(Math.min(1, usedShare(fold)) / WARN_STEP + 1e-9);
  const share = Math.round(step * WARN_STEP * 100) / 100;
  return share > fold.warnedShare ? share : undefined;
}
