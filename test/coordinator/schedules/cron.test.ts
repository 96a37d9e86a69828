// Compares the ticks of cron expressions with a slow and obvious enumeration, which reads the local clock of a zone minute by
// minute. The enumeration uses neither croner nor the search for changes.
import { expect, it } from "vitest";
import { integerBetween, seededChance } from "../../../src/base/index.ts";
import { readCron } from "../../../src/coordinator/schedules/cron.ts";
import { scaled } from "../../support/scale.ts";

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;
const DAY_MS = DAY_MINUTES * MINUTE_MS;
/** Above this number of ticks a year, only the days around changes and at the ends of the year are compared. */
const MAX_TICKS = scaled(200, 800);
/** Above this number of ticks a year, only the hours around them: a comparison costs some 30 µs, and there are 10,000 cases. */
const MAX_DENSE_TICKS = scaled(Number.POSITIVE_INFINITY, 4_000);

/** A zone and the first of its five years. The first ones have the odd changes, and the short run takes only those. */
const ZONES: readonly (readonly [zone: string, firstYear: number, shortYear: number])[] = [
  ["Europe/Berlin", 2024, 2026],
  ["Australia/Lord_Howe", 2024, 2026], // half an hour
  ["America/Sao_Paulo", 2014, 2016], // no midnight
  ["Pacific/Apia", 2009, 2011], // no 2011-12-30, and no midnight before
  ["Africa/Cairo", 2022, 2024], // no midnight; changes began again in 2023
  ["Asia/Beirut", 2024, 2026], // no midnight
  ["America/Santiago", 2022, 2024], // no midnight
  ["Antarctica/Troll", 2024, 2026], // two hours
  ["Asia/Pyongyang", 2014, 2018], // half an hour, at 23:30
  ["America/Caracas", 2014, 2016], // half an hour, once
  ["Africa/Casablanca", 2024, 2026], // back in Ramadan
  ["America/Havana", 2024, 2026],
  ["America/Asuncion", 2021, 2024],
  ["America/St_Johns", 2006, 2008], // at 00:01
  ["Asia/Gaza", 2024, 2026],
  ["Asia/Tehran", 2018, 2020],
  ["Asia/Amman", 2018, 2020],
  ["Asia/Damascus", 2018, 2020],
  ["Pacific/Kwajalein", 1991, 1993], // no 1993-08-21
  ["Pacific/Kiritimati", 1992, 1995], // no 1995-01-01
  ["Antarctica/Casey", 2016, 2018],
  ["Asia/Kathmandu", 1984, 1986],
  ["Asia/Ulaanbaatar", 2013, 2016],
  ["America/Godthab", 2022, 2024],
  ["Atlantic/Azores", 2024, 2026],
  ["Europe/Lisbon", 1991, 1992],
  ["Europe/Moscow", 2010, 2011],
  ["Europe/Istanbul", 2013, 2016],
  ["Europe/Dublin", 2024, 2026],
  ["America/New_York", 2005, 2007],
  ["America/Los_Angeles", 2024, 2026],
  ["America/Mexico_City", 2019, 2022],
  ["America/Argentina/San_Luis", 2006, 2008],
  ["Australia/Sydney", 2024, 2026],
  ["Australia/Eucla", 2006, 2007],
  ["Pacific/Auckland", 2024, 2026],
  ["Pacific/Chatham", 2024, 2026],
  ["Pacific/Norfolk", 2018, 2019],
  ["Asia/Kolkata", 2024, 2026],
  ["UTC", 2024, 2026],
];

/** The sets of an expression: null takes every value. */
interface Pattern {
  readonly cron: string;
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly days?: readonly number[];
  readonly months?: readonly number[];
  readonly weekdays?: readonly number[];
}

const range = (from: number, to: number, step = 1) =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step);
const HOURS = range(0, 23);

const PATTERNS: readonly Pattern[] = [
  { cron: "0,30 2 * * *", minutes: [0, 30], hours: [2] },
  { cron: "*/10 2 * * *", minutes: range(0, 50, 10), hours: [2] },
  { cron: "15-20 2 * * *", minutes: range(15, 20), hours: [2] },
  { cron: "0 2,14 * * *", minutes: [0], hours: [2, 14] },
  { cron: "30 2 * * *", minutes: [30], hours: [2] },
  { cron: "0 0 * * *", minutes: [0], hours: [0] },
  { cron: "*/15 0 * * *", minutes: range(0, 45, 15), hours: [0] },
  { cron: "5,35 0-3 * * *", minutes: [5, 35], hours: range(0, 3) },
  { cron: "0 */2 * * *", minutes: [0], hours: range(0, 22, 2) },
  { cron: "*/10 * * * *", minutes: range(0, 50, 10), hours: HOURS },
  { cron: "45 0-23 * * *", minutes: [45], hours: HOURS },
  { cron: "* * * * *", minutes: range(0, 59), hours: HOURS },
  { cron: "30 12 30 * *", minutes: [30], hours: [12], days: [30] },
  { cron: "0 1 * * sun", minutes: [0], hours: [1], weekdays: [0] },
  { cron: "30 * 1,21,30 1,8,12 *", minutes: [30], hours: HOURS, days: [1, 21, 30], months: [1, 8, 12] },
  { cron: "0 3 29 2 *", minutes: [0], hours: [3], days: [29], months: [2] },
  { cron: "* 2-3 * 3,10 *", minutes: range(0, 59), hours: [2, 3], months: [3, 10] },
  { cron: "59 23 * * *", minutes: [59], hours: [23] },
  { cron: "1 0 1 * *", minutes: [1], hours: [0], days: [1] },
  { cron: "0 0-22 * * *", minutes: [0], hours: range(0, 22) },
];

/** Patterns drawn at random: each field is a value, a list, a range, a step or a star. */
function drawPatterns(count: number, seed: number): Pattern[] {
  const chance = seededChance(seed);
  const draw = (from: number, to: number) => integerBetween(chance, from, to);
  function field(from: number, to: number): [text: string, values: number[]] {
    const low = draw(from, to);
    const high = draw(low, to);
    const step = draw(2, Math.min(20, to)); // croner refuses a step above the field's largest value
    const list = [...new Set([low, high, draw(from, to)])];
    const choices: [string, number[]][] = [
      [`${low}`, [low]],
      [list.join(","), list],
      [`${low}-${high}`, range(low, high)],
      [`${low}-${high}/${step}`, range(low, high, step)],
      [`*/${step}`, range(from, to, step)],
      ["*", range(from, to)],
    ];
    return choices[draw(0, choices.length - 1)] as [string, number[]];
  }
  return Array.from({ length: count }, () => {
    const [[minute, minutes], [hour, hours], [month, months]] = [field(0, 59), field(0, 23), field(1, 12)];
    return { cron: `${minute} ${hour} * ${month} *`, minutes, hours, months };
  });
}

/** The minute of the local clock at each minute of time, counted from 1970, from two days before the year to its end. */
function readClock(zone: string, year: number): { first: number; shown: Int32Array; changes: number[] } {
  const format = new Intl.DateTimeFormat("en-US", {
    ...{ timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric" },
    ...{ hour: "numeric", minute: "numeric" },
  });
  const localMinute = (minute: number) => {
    const [month, day, shownYear, hour, min] = format
      .format(minute * MINUTE_MS)
      .match(/\d+/g)!
      .map(Number) as [number, number, number, number, number];
    return Date.UTC(shownYear, month - 1, day, hour, min) / MINUTE_MS;
  };
  const first = Date.UTC(year, 0, -1) / MINUTE_MS;
  const end = Date.UTC(year + 1, 0, 1) / MINUTE_MS;
  const shown = new Int32Array(end - first);
  const changes: number[] = [];
  // An hour that begins and ends with one offset has it throughout; of every other hour, each minute is read.
  let offset = localMinute(first) - first;
  for (let hour = first; hour < end; hour += 60) {
    const next = localMinute(hour + 60) - (hour + 60);
    for (let minute = hour; minute < hour + 60; minute++)
      shown[minute - first] = next === offset ? minute + offset : localMinute(minute);
    if (next !== offset) changes.push(hour);
    offset = next;
  }
  return { first, shown, changes };
}

/** The minutes of the year that are ticks, and their number; `isTick[0]` is the first minute of the clock. */
function enumerate(
  pattern: Pattern,
  { first, shown }: { first: number; shown: Int32Array },
): { isTick: Uint8Array; count: number } {
  // First the local minutes that match, day by day; the clock may show a local time up to a day away from UTC.
  const firstDay = Math.floor(first / DAY_MINUTES) - 2;
  const lastDay = Math.floor((first + shown.length) / DAY_MINUTES) + 2;
  const matches = new Uint8Array((lastDay - firstDay + 1) * DAY_MINUTES);
  for (let day = firstDay; day <= lastDay; day++) {
    const date = new Date(day * DAY_MS);
    const isDay =
      (pattern.days?.includes(date.getUTCDate()) ?? true) &&
      (pattern.months?.includes(date.getUTCMonth() + 1) ?? true) &&
      (pattern.weekdays?.includes(date.getUTCDay()) ?? true);
    if (!isDay) continue;
    for (const hour of pattern.hours)
      for (const minute of pattern.minutes) matches[(day - firstDay) * DAY_MINUTES + hour * 60 + minute] = 1;
  }

  const isTick = new Uint8Array(shown.length);
  const zero = firstDay * DAY_MINUTES;
  const everyHour = pattern.hours.length === 24;
  let latest = (shown[0] as number) - 1;
  let count = 0;
  for (let index = 0; index < shown.length; index++) {
    const local = shown[index] as number;
    let isDue = false;
    if (everyHour) {
      isDue = matches[local - zero] === 1;
    } else {
      // Every local minute that the clock has now reached for the first time, or has just skipped, is due.
      for (let due = latest + 1; due <= local; due++) isDue ||= matches[due - zero] === 1;
      latest = Math.max(latest, local);
    }
    if (!isDue || index < 2 * DAY_MINUTES) continue;
    isTick[index] = 1;
    count++;
  }
  return { isTick, count };
}

const show = (minute: number | null) =>
  minute === null ? "none" : new Date(minute * MINUTE_MS).toISOString();

/** Compares `next` from tick to tick, and `last` back, over the year or its interesting days; returns the differences. */
function compare(zone: string, pattern: Pattern, clock: ReturnType<typeof readClock>): string[] {
  const { isTick, count } = enumerate(pattern, clock);
  const ticks = readCron(pattern.cron, zone);
  const begin = clock.first + 2 * DAY_MINUTES;
  const end = clock.first + clock.shown.length;
  // No change repeats more than two hours, and the time after a longer one is the first minute that follows it.
  const isDense = count > MAX_DENSE_TICKS;
  const [before, after] = isDense ? [180, 240] : [DAY_MINUTES / 2, 1.2 * DAY_MINUTES];
  const middles = [begin, ...clock.changes, end].map((at) => [at - before, at + after] as const);
  const windows = count > MAX_TICKS ? middles : [[begin, end] as const];
  const differences: string[] = [];
  for (const window of windows) {
    const [from, to] = [Math.max(begin, Math.ceil(window[0])), Math.min(end, Math.ceil(window[1]))];
    let previous: number | null = null;
    let at = ticks.next(from * MINUTE_MS - 1);
    const expected: (number | null)[] = [];
    for (let minute = from; minute < to; minute++)
      if (isTick[minute - clock.first] === 1) expected.push(minute);
    for (const tick of [...expected, null]) {
      const got: number | null = at !== null && at < to * MINUTE_MS ? at / MINUTE_MS : null;
      if (got !== tick) {
        differences.push(`${pattern.cron} in ${zone}: expected ${show(tick)}, got ${show(got)}`);
        break;
      }
      if (tick === null || at === null) break;
      const last = previous === null ? null : ticks.last(at);
      if (previous !== last)
        differences.push(`${pattern.cron} in ${zone}: before ${show(tick)} came ${last}`);
      previous = at;
      at = ticks.next(at);
    }
  }
  return differences;
}

it.each(ZONES.slice(0, scaled(7, ZONES.length)))(
  "ticks in %s equal an enumeration of the local clock, minute by minute",
  (zone, firstYear, shortYear) => {
    const years = scaled(1, 0) === 1 ? [shortYear] : range(firstYear, firstYear + 4);
    const patterns = [...PATTERNS.slice(0, scaled(16, PATTERNS.length)), ...drawPatterns(scaled(2, 30), 7)];
    const differences = years.flatMap((year) => {
      const clock = readClock(zone, year);
      return patterns.flatMap((pattern) => compare(zone, pattern, clock));
    });
    expect(differences).toEqual([]);
  },
  300_000,
);

it("the full run compares at least 10,000 cases of zone, pattern and year", () => {
  expect(ZONES.length * 5 * (PATTERNS.length + 30)).toBeGreaterThanOrEqual(10_000);
});
