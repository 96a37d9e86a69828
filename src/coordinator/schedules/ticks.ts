// Computes the ticks of schedules from cron expressions (cron.ts) and intervals, for scheduler.ts: the next tick, and the
// ticks to fire and to skip after an outage. Pure.
import { z } from "zod";
import { toIsoTime } from "../../base/index.ts";
import { SwarmError, showValue } from "../../protocol/index.ts";
import { readCron, type Ticks } from "./cron.ts";

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
 * The first tick after `afterMs`, in ms since 1970; null when there is none. The rule for changes of a zone's clock:
 *
 * - A tick whose local time is skipped fires right after the change; several skipped ticks fire together, as one tick.
 *   A tick whose local time occurs twice fires once, the first time. So `0,30 2 * * *` in Europe/Berlin fires once on
 *   2026-03-29 (at 03:00 of the new time), and twice on 2026-10-25.
 * - An expression whose hour field names every hour (`*`, `*\/1`, `0-23`) follows the elapsed time: it fires whenever
 *   the local clock shows a matching time. So `*\/10 * * * *` fires every ten minutes through each change.
 * @throws SwarmError `invalid_input` for an expression or a time zone that cannot be read.
 */
export function nextTickMs(when: When, afterMs: number): number | null {
  return readWhen(when).next(afterMs);
}

/**
 * The first tick of a new schedule, after `nowMs`.
 * @throws SwarmError `invalid_input` for an expression or a time zone that cannot be read, and for an expression that
 * never fires, such as `0 0 30 2 *`.
 */
export function firstTickMs(when: When, nowMs: number): number {
  const tickMs = nextTickMs(when, nowMs);
  if (tickMs !== null) return tickMs;
  throw new SwarmError(
    "invalid_input",
    `when must be a cron expression that matches a date, got ${showValue("cron" in when ? when.cron : when)}, which never fires; check its day and its month`,
    { field: "when" },
  );
}

/**
 * The ticks from `fromMs` to `toMs`, both included, in ms since 1970, the earliest first.
 * @throws SwarmError `invalid_input` for more than `max` ticks, and for an expression or a time zone that cannot be read.
 */
export function ticksBetween(
  when: When,
  { fromMs, toMs, max }: { fromMs: number; toMs: number; max: number },
): number[] {
  const ticks = readWhen(when);
  const found: number[] = [];
  for (let at = ticks.next(fromMs - 1); at !== null && at <= toMs; at = ticks.next(at)) {
    if (found.length === max)
      throw new SwarmError(
        "invalid_input",
        `the time from ${toIsoTime(fromMs)} to ${toIsoTime(toMs)} has more than ${max} ticks; give it in parts`,
        { field: "to" },
      );
    found.push(at);
  }
  return found;
}

function readWhen(when: When): Ticks {
  if ("everyMs" in when) {
    const { everyMs } = when;
    return {
      next: (afterMs) => (Math.floor(afterMs / everyMs) + 1) * everyMs,
      last: (beforeMs) => (Math.ceil(beforeMs / everyMs) - 1) * everyMs,
    };
  }
  try {
    return readCron(when.cron, when.timezone);
  } catch (cause) {
    throw new SwarmError(
      "invalid_input",
      `when must be a cron expression of 5 or 6 fields in a known time zone, got ${showValue(when.cron)} in ${showValue(when.timezone)}: ${(cause as Error).message}`,
      { field: "when", cause },
    );
  }
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
  const ticks = readWhen(when);
  const tickMs = nowMs - dueMs > CATCH_UP_MS ? skip(ticks, dueMs, nowMs) : dueMs;
  const missed = "everyMs" in when ? (tickMs - dueMs) / when.everyMs : countTicks(ticks, dueMs, tickMs);
  return { tickMs, nextMs: ticks.next(tickMs), missed };
}

/** The first tick that is recent enough to fire. If no tick is recent enough, the newest tick, at any age. */
function skip(ticks: Ticks, dueMs: number, nowMs: number): number {
  const oldMs = Math.max(dueMs, ticks.last(nowMs - CATCH_UP_MS) ?? dueMs);
  const nextMs = ticks.next(oldMs);
  return nextMs === null || nextMs > nowMs ? oldMs : nextMs;
}

/** The number of ticks from the tick `fromMs` (included) to `toMs` (not included), up to MAX_COUNTED. */
function countTicks(ticks: Ticks, fromMs: number, toMs: number): number {
  let count = 0;
  let tickMs: number | null = fromMs;
  while (tickMs !== null && tickMs < toMs && count < MAX_COUNTED) {
    count++;
    tickMs = ticks.next(tickMs);
  }
  return count;
}
