// When a schedule is due: cron expressions and intervals as points in time. Pure; croner knows calendars and time zones.
import { Cron } from "croner";
import { z } from "zod";
import { SwarmError, showValue } from "../../protocol/index.ts";

/** The shortest interval, in ms: below it a queue of tasks is the better tool. */
export const MIN_INTERVAL_MS = 1_000;
/**
 * Ticks that nobody could fire are made up for this long, in ms: an election, or a rolling update. Older ones are counted as
 * missed.
 */
export const CATCH_UP_MS = 60_000;
/**
 * Missed ticks of a cron expression that are counted, for one time of nobody firing; beyond it the count is a lower bound. Each
 * takes up to 0.2 ms, and whoever holds the office must not stand still over a week of them.
 */
const MAX_COUNTED = 100;

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
 * What to fire at `nowMs` for a schedule whose next tick `dueMs` has come: the tick, the one after, and how many are
 * skipped.
 */
export function planTick(
  when: When,
  dueMs: number,
  nowMs: number,
): { tickMs: number; nextMs: number | null; missed: number } {
  const tickMs = nowMs - dueMs > CATCH_UP_MS ? skip(when, dueMs, nowMs) : dueMs;
  return { tickMs, nextMs: nextTickMs(when, tickMs), missed: countTicks(when, dueMs, tickMs) };
}

/** The first tick that is young enough to be made up; where there is none, the last one, however old. */
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

/** The ticks from `fromMs`, which is one, to before `toMs`. */
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
