// Reads a moment in the past that an operation gets: an age or a time.
import { SwarmError, timeSchema } from "../../protocol/index.ts";

const AGE = /^(\d+)(s|m|h|d)$/;
const AGE_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** An age or a time as ms since 1970. @throws SwarmError `invalid_input`. */
export function readSince(text: string, nowMs: number, field = "since"): number {
  const [, amount, unit] = AGE.exec(text) ?? [];
  if (amount !== undefined) return nowMs - Number(amount) * AGE_MS[unit as keyof typeof AGE_MS];
  if (timeSchema.safeParse(text).success) return Date.parse(text);
  throw new SwarmError(
    "invalid_input",
    `\`${field}\` must be an age such as 90m, 12h or 7d, or an ISO 8601 time, got ${JSON.stringify(text.slice(0, 80))}`,
    { field },
  );
}
