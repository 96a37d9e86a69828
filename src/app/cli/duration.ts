// Durations as people type them: `500ms`, `5s`, `2m`, `1h`; a bare number is ms. Pure.

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/;
const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** A duration in ms; null for any other text. */
export function readDurationMs(text: string): number | null {
  const [, amount, unit] = DURATION.exec(text) ?? [];
  if (amount === undefined) return null;
  return Math.round(Number(amount) * UNIT_MS[(unit ?? "ms") as keyof typeof UNIT_MS]);
}
