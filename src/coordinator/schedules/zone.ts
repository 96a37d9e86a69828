// Reads the local clock of a time zone from the zone data of Node (Intl): its offset from UTC, span by span, for cron.ts.
// It owns the search for the moments at which the clock changes. Pure.

const DAY_MS = 86_400_000;
/**
 * The search looks at the offset once a day and halves a day whose two ends differ, so it finds one change a day. The
 * zone data of 1970–2040 (tz 2026c) have no two changes of one zone within 7 days.
 */
const CELL_MS = DAY_MS;
/** The form of `timeZoneName: "longOffset"` in English: `GMT`, `GMT+02:00`, and with seconds before 1972. */
const LONG_OFFSET = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/;

/** A span of time with one offset: from `startMs` (included) to `endMs` (not included), in ms since 1970. */
export interface Span {
  readonly startMs: number;
  readonly endMs: number;
  /** Local time minus UTC, in ms. */
  readonly offsetMs: number;
}

/** The local clock of a time zone. */
export interface Zone {
  /** The spans from `fromMs` to `toMs`, without gaps, the earliest first. */
  spans(fromMs: number, toMs: number): readonly Span[];
}

/**
 * Opens a time zone by its name, such as `Europe/Berlin`. The zone keeps what it has read, so it is for the work of a
 * moment, such as one tick.
 * @throws RangeError for an unknown zone.
 */
export function openZone(name: string): Zone {
  const format = new Intl.DateTimeFormat("en-US", { timeZone: name, timeZoneName: "longOffset" });
  const readOffset = (atMs: number) => toOffsetMs(format.format(atMs));
  const offsetOfDay = remember((day: number) => readOffset(day * CELL_MS));
  const changeOfDay = remember((day: number) =>
    offsetOfDay(day) === offsetOfDay(day + 1) ? null : findChange(day),
  );

  /** The first ms of the new offset, in a day whose ends differ. */
  function findChange(day: number): number {
    let beforeMs = day * CELL_MS;
    let afterMs = beforeMs + CELL_MS;
    const oldOffsetMs = offsetOfDay(day);
    while (afterMs - beforeMs > 1) {
      const middleMs = Math.floor((beforeMs + afterMs) / 2);
      if (readOffset(middleMs) === oldOffsetMs) beforeMs = middleMs;
      else afterMs = middleMs;
    }
    return afterMs;
  }

  function offsetAt(atMs: number): number {
    const day = Math.floor(atMs / CELL_MS);
    const changeMs = changeOfDay(day);
    return offsetOfDay(changeMs !== null && atMs >= changeMs ? day + 1 : day);
  }

  return {
    spans(fromMs, toMs) {
      const spans: Span[] = [];
      const lastDay = Math.floor(toMs / CELL_MS);
      let startMs = fromMs;
      for (let day = Math.floor(fromMs / CELL_MS); day <= lastDay; day++) {
        const changeMs = changeOfDay(day);
        if (changeMs === null || changeMs <= startMs || changeMs >= toMs) continue;
        spans.push({ startMs, endMs: changeMs, offsetMs: offsetOfDay(day) });
        startMs = changeMs;
      }
      if (startMs < toMs) spans.push({ startMs, endMs: toMs, offsetMs: offsetAt(startMs) });
      return spans;
    },
  };
}

/** Neighbours ask again for the same day, and Node takes 7 µs to tell an offset. */
function remember<T>(read: (day: number) => T): (day: number) => T {
  const known = new Map<number, T>();
  return (day) => {
    if (!known.has(day)) known.set(day, read(day));
    return known.get(day) as T;
  };
}

function toOffsetMs(text: string): number {
  const [, sign, hours, minutes, seconds] = LONG_OFFSET.exec(text) ?? [];
  if (sign === undefined) return 0;
  const offsetMs = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds ?? 0)) * 1000;
  return sign === "-" ? -offsetMs : offsetMs;
}
