// Texts for figures: ages, durations, numbers, rates, sizes. Pure.

/** A duration in at most two units: `850 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`. */
export function showDuration(ms: number): string {
  if (!Number.isFinite(ms)) return "–";
  const sign = ms < 0 ? "−" : "";
  const whole = Math.abs(ms);
  if (whole < 1_000) return `${sign}${Math.round(whole)} ms`;
  const seconds = Math.floor(whole / 1_000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  const shown = parts.slice(first, first + 2).filter(([value]) => value > 0);
  return sign + shown.map(([value, unit]) => `${value} ${unit}`).join(" ");
}

/** A number with thin spaces between thousands. */
export function showCount(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A rate: `12/s`, `0.4/s`, `0/s`. */
export function showRate(perSecond: number | null | undefined): string {
  if (perSecond === null || perSecond === undefined) return "–";
  const digits = perSecond === 0 || perSecond >= 10 ? 0 : 1;
  return `${perSecond > 0 && perSecond < 0.05 ? "< 0.1" : perSecond.toFixed(digits)}/s`;
}

/** A share as per cent. */
export function showShare(share: number | null | undefined): string {
  if (share === null || share === undefined) return "–";
  return `${(share * 100).toFixed(share < 0.1 && share > 0 ? 1 : 0)} %`;
}

/** The time of day, with the date when it is another day. `null` for a text that is no time. */
export function showTime(iso: string | null | undefined, nowMs: number): string {
  if (iso === null || iso === undefined) return "–";
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  const day = (date: Date) => date.toISOString().slice(0, 10);
  const time = at.toISOString().slice(11, 19);
  return day(at) === day(new Date(nowMs)) ? `${time} UTC` : `${day(at)} ${time} UTC`;
}

/** `3 s ago`, `in 2 min`; `–` without a time. */
export function showAgo(iso: string | null | undefined, nowMs: number): string {
  if (iso === null || iso === undefined) return "–";
  const atMs = Date.parse(iso);
  if (Number.isNaN(atMs)) return iso;
  const ms = nowMs - atMs;
  if (ms < -999) return `in ${showDuration(-ms)}`;
  return ms < 1_000 ? "now" : `${showDuration(ms)} ago`;
}

/** One value as text: JSON for everything but a text, cut to a length. */
export function showValue(value: unknown, maxLength = 20_000): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? "–");
  return text.length <= maxLength ? text : `${text.slice(0, maxLength)}… (${text.length} characters)`;
}

/** `1 task`, `2 tasks`. */
export function showNumberOf(count: number, noun: string): string {
  return `${showCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}
