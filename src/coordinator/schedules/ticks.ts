// Computes the ticks of schedules from cron expressions and intervals, for scheduler.ts. The package croner knows
// calendars and time zones. Pure.
import { Cron } from "croner";
import { z } from "zod";
import { SwarmError, showValue } from "../../protocol/index.ts";

/** The shortest interval, in ms. For work that repeats more often, a queue of tasks is the better tool. */
export const MIN_INTERVAL_MS = 1_000;
/**
 * The longest delay of a tick that still fires, in ms: an election or a rolling update takes less. Older ticks do not
 * fire and count as missed.
 */
export const CATCH_UP_MS = 60_000;
/**
 * The most missed ticks of a cron expression that the holder of the office counts after one outage; a larger number is
 * reported as this one. Each tick takes up to 0.2 ms to count, and a week of ticks would block the holder.
 */
const MAX_COUNTED = 100;

/**
 * The rule for ticks: a cron expression of 5 or 6 fields in a time zone (default UTC), or every `everyMs` ms since
 * 1970.
 */
export const whenSchema = z.union(
  [
    z.strictObject({ cron: z.string().min(1).max(200), timezone: z.string().min(1).max(64).default("UTC") }),
    z.strictObject({ everyMs: z.int().min(MIN_INTERVAL_MS).max(31_536_000_000) }),
  ],
  "must be { cron, timezone? } or { everyMs }",
);
/** The rule for the ticks of a schedule. */
export type When = z.output<typeof whenSchema>;

/**
 * The first tick after `afterMs`, in ms since 1970; null when there is none. When a zone's clocks change, a tick whose
 * local time is skipped fires right after the change, and a tick whose local time occurs twice fires once.
 * @throws SwarmError `invalid_input` for an expression or a time zone that cannot be read.
 */
export function nextTickMs(when: When, afterMs: number): number | null {
  if ("everyMs" in when) return (Math.floor(afterMs / when.everyMs) + 1) * when.everyMs;
  try {
    return readCron(when).nextRun(new Date(afterMs))?.getTime() ?? null;
  } catch (cause) {
    throw new SwarmError(
      "invalid_input",
      `when must be a cron expression of 5 or 6 fields in a known time zone, got ${showValue(when.cron)} in ${showValue(when.timezone)}: ${(cause as Error).message}`,
      { field: "when", cause },
    );
  }
}

function readCron({ cron, timezone }: Extract<When, { cron: string }>): Cron {
  return new Cron(cron, { timezone, mode: "5-or-6-parts", paused: true });
}

/**
 * The plan at `nowMs` for a schedule with a tick due at `dueMs`: the tick to fire, the tick after it, and the number of
 * missed ticks that do not fire.
 */
export function planTick(
  when: When,
  dueMs: number,
  nowMs: number,
): { tickMs: number; nextMs: number | null; missed: number } {
  const tickMs = nowMs - dueMs > CATCH_UP_MS ? skip(when, dueMs, nowMs) : dueMs;
  return { tickMs, nextMs: nextTickMs(when, tickMs), missed: countTicks(when, dueMs, tickMs) };
}

/** The first tick that is recent enough to fire. If no tick is recent enough, the newest tick, at any age. */
function skip(when: When, dueMs: number, nowMs: number): number {
  const oldMs = Math.max(dueMs, lastTickMs(when, nowMs - CATCH_UP_MS) ?? dueMs);
  const nextMs = nextTickMs(when, oldMs);
  return nextMs === null || nextMs > nowMs ? oldMs : nextMs;
}

/** The last tick before `beforeMs`; null when there was none. */
function lastTickMs(when: When, beforeMs: number): number | null {
  if ("everyMs" in when) return (Math.ceil(beforeMs / when.everyMs) - 1) * when.everyMs;
  return readCron(when).previousRuns(1, new Date(beforeMs))[0]?.getTime() ?? null;
}

/** The number of ticks from the tick `fromMs` (included) to `toMs` (not included). */
function countTicks(when: When, fromMs: number, toMs: number): number {
  if ("everyMs" in when) return (toMs - fromMs) / when.everyMs;
  const cron = readCron(when);
  let count = 0;
  let tick: Date | null = new Date(fromMs);
  while (tick !== null && tick.getTime() < toMs && count < MAX_COUNTED) {
    count++;
    tick = cron.nextRun(tick);
  }
  return count;
}
