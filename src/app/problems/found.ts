// The finding of one rule, and the words that several rules share. Pure.
import type { ProblemName } from "./catalogue.ts";

/** The finding of one rule; the catalogue has the rest. */
export interface Found {
  readonly name: ProblemName;
  readonly sinceMs: number | null;
  readonly capabilities?: readonly string[];
  readonly workflows?: readonly string[];
  readonly tasks?: number | null;
  readonly oldestMs?: number | null;
  readonly cause: string;
  readonly commands: readonly string[];
}

/** When a part was last looked at, Unix ms. */
export function lookedAtMs(
  { nowMs, ages }: { readonly nowMs: number; readonly ages: Readonly<Record<string, number | null>> },
  part: string,
): number {
  return nowMs - (ages[part] ?? 0);
}

export function showSeconds(ms: number): string {
  return ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`;
}
