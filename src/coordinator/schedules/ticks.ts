// When a schedule is due: cron expressions and intervals as points in time. Pure; croner knows calendars and time zones.
import { Cron } from "croner";
import { z } from "zod";
import { SwarmError, showValue } from "../../protocol/index.ts";

/** The shortest interval, in ms: below it a queue of tasks is the better tool. */
export const MIN_INTERVAL_MS = 1_000;
/** Ticks that nobody could fire are made up for this long, in ms: an election, or a rolling update. Older ones are counted as missed. */
export const CATCH_UP_MS = 60_000;
/** Missed ticks that are counted one by one: a week of seconds; beyond it the count is a lower bound. */
const MAX_MISSED = 604_800;

/** When to fire: a cron expression of 5 or 6 fields in a time zone (default UTC), or every so many ms since 1970. */
export const whenSchema = z.union(
  [
    z.strictObject({ cron: z.string().min(1).max(200), timezone: z.string().min(1).max(64).default("UTC") }),
    z.strictObject({ everyMs: z.int().min(MIN_INTERVAL_MS).max(31_536_000_000) }),
  ],
  "must be { cron, timezone? } or { everyMs }",
);
/** When a schedule fires. */
export type When = z.output<typeof whenSchema>;

/**
 * The first tick after `afterMs`; null when there is none any more. During a change of clocks, a tick that does not
 * exist fires right after the change, and one that exists twice fires once.
 * @throws SwarmError `invalid_input` for an expression or a time zone that cannot be read.
 */
export function nextTickMs(when: When, afterMs: number): number | null {
  if ("everyMs" in when) return (Math.floor(afterMs / when.everyMs) + 1) * when.everyMs;
  try {
    const cron = new Cron(when.cron, { timezone: when.timezone, mode: "5-or-6-parts", paused: true });
    return cron.nextRun(new Date(afterMs))?.getTime() ?? null;
  } catch (cause) {
    throw new SwarmError(
      "invalid_input",
      `when must be a cron expression of 5 or 6 fields in a known time zone, got ${showValue(when.cron)} in ${showValue(when.timezone)}: ${(cause as Error).message}`,
      { field: "when", cause },
    );
  }
}

/** What to fire at `nowMs` for a schedule whose next tick `dueMs` has come: the tick, the one after, and how many are skipped. */
export function planTick(
  when: When,
  dueMs: number,
  nowMs: number,
): { tickMs: number; nextMs: number | null; missed: number } {
  let tickMs = dueMs;
  let missed = 0;
  while (nowMs - tickMs > CATCH_UP_MS && missed < MAX_MISSED) {
    const next = nextTickMs(when, tickMs);
    if (next === null || next > nowMs) break; // the last tick that was missed is made up, however old
    tickMs = next;
    missed++;
  }
  return { tickMs, nextMs: nextTickMs(when, tickMs), missed };
}
