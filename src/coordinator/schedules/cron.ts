// Computes the ticks of a cron expression in a time zone, for ticks.ts. The package croner knows the calendar and answers
// in local time, as if the zone were UTC; this file turns local times into moments, also where the clock changes. Pure.
//
// C1  A tick fires at the first moment at which the local clock shows its time or a later one. So a time that the clock
//     skips fires right after the change, several skipped times together fire once, and a time that the clock shows twice
//     fires the first time.
// C2  An expression whose hour field names every hour (`*`, `*/1`, `0-23`) ticks whenever the local clock shows a matching
//     time: all times that are shown twice, no time that is skipped. So `*/10 * * * *` keeps its ten minutes.
import { Cron } from "croner";
import { openZone, type Zone } from "./zone.ts";

/**
 * Longer than any change of a clock and than any offset from UTC, in ms. Of all zones since 1970, the largest change is
 * a day (Pacific/Apia, 2011-12-30) and the largest offset 14 hours.
 */
const REACH_MS = 2 * 86_400_000;
const HOUR_MS = 3_600_000;
/** The place of the hour field, counted from the end: there may be a field for seconds at the beginning. */
const HOUR_FIELD = -4;

/** The ticks of an expression in a zone. All times are in ms since 1970. */
export interface Ticks {
  /** The first tick after this moment; null when there is none. */
  next(afterMs: number): number | null;
  /** The last tick before this moment; null when there is none. */
  last(beforeMs: number): number | null;
}

/**
 * Reads an expression of 5 or 6 fields.
 * @throws Error for an expression or a time zone that cannot be read.
 */
export function readCron(cron: string, timezone: string): Ticks {
  const zone = openZone(timezone);
  const expression = parseCron(cron);
  const calendar = {
    next: (afterMs: number) => expression.nextRun(new Date(afterMs))?.getTime() ?? null,
    last: (beforeMs: number) => expression.previousRuns(1, new Date(beforeMs))[0]?.getTime() ?? null,
  };
  return namesEveryHour(expression) ? ticksAsShown(calendar, zone) : ticksOnce(calendar, zone);
}

/** With an offset of 0, local times look like UTC. A zone's name makes croner ten times slower. */
function parseCron(cron: string): Cron {
  return new Cron(cron, { utcOffset: 0, mode: "5-or-6-parts", paused: true });
}

function namesEveryHour(expression: Cron): boolean {
  const field = expression.getPattern()?.trim().split(/\s+/).at(HOUR_FIELD);
  const hours = parseCron(`0 ${field} * * *`);
  return Array.from({ length: 24 }, (_, hour) => hour).every((hour) => hours.match(new Date(hour * HOUR_MS)));
}

/** Ticks by rule C1. Both ways go through the latest local time that the clock has shown, which never falls. */
function ticksOnce(calendar: Ticks, zone: Zone): Ticks {
  const latestShown = (atMs: number) =>
    Math.max(...zone.spans(atMs - REACH_MS, atMs + 1).map(({ endMs, offsetMs }) => endMs - 1 + offsetMs));

  function firstMomentOf(localMs: number): number {
    for (const { startMs, endMs, offsetMs } of zone.spans(localMs - REACH_MS, localMs + REACH_MS)) {
      if (localMs - offsetMs < endMs) return Math.max(startMs, localMs - offsetMs);
    }
    throw new Error(`no moment has the local time ${localMs}`);
  }

  return {
    next(afterMs) {
      const localMs = calendar.next(latestShown(afterMs));
      return localMs === null ? null : firstMomentOf(localMs);
    },
    last(beforeMs) {
      const localMs = calendar.last(latestShown(beforeMs - 1) + 1);
      return localMs === null ? null : firstMomentOf(localMs);
    },
  };
}

/** Ticks by rule C2: in each span the ticks of the calendar, moved by the offset. */
function ticksAsShown(calendar: Ticks, zone: Zone): Ticks {
  return {
    next(afterMs) {
      for (let fromMs = afterMs + 1; ; ) {
        const toMs = fromMs + REACH_MS;
        let localMs: number | null = null;
        for (const { startMs, endMs, offsetMs } of zone.spans(fromMs, toMs)) {
          localMs = calendar.next(startMs + offsetMs - 1);
          if (localMs === null) return null;
          if (localMs - offsetMs < endMs) return localMs - offsetMs;
        }
        // No tick within reach, so the next local time is that of the last span, and far enough away to begin before it.
        fromMs = Math.max(toMs, (localMs as number) - REACH_MS);
      }
    },
    last(beforeMs) {
      for (let toMs = beforeMs; ; ) {
        const fromMs = toMs - REACH_MS;
        let localMs: number | null = null;
        for (const { startMs, endMs, offsetMs } of zone.spans(fromMs, toMs).toReversed()) {
          localMs = calendar.last(endMs + offsetMs);
          if (localMs === null) return null;
          if (localMs - offsetMs >= startMs) return localMs - offsetMs;
        }
        toMs = Math.min(fromMs, (localMs as number) + REACH_MS);
      }
    },
  };
}
