// How a list of the office looks to people when it may be stale. Pure.
import { showDuration } from "../../cli/terminal.ts";

/** Adds a line below `shown` that says how old the answer may be; nothing for a confirmed read. */
export function showAge(
  shown: string,
  { seq, ageMs }: { seq?: number | undefined; ageMs?: number | undefined },
): string {
  return ageMs === undefined ? shown : `${shown}\nas of entry ${seq}, at most ${showDuration(ageMs)} old`;
}
