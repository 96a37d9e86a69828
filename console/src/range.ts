// The rows of a list that are in sight. Pure.

/** The height of a row in CSS pixels; console.css has the same. */
export const ROW_HEIGHT = 40;
/** The rows above and below the visible part that are there already when the list scrolls. */
export const SPARE_ROWS = 6;

/** The rows from `from` up to, and without, `to`. */
export function visibleRange(scrollTop: number, height: number, count: number): { from: number; to: number } {
  const from = Math.max(0, Math.floor(scrollTop / ROW_HEIGHT) - SPARE_ROWS);
  const to = Math.min(count, Math.ceil((scrollTop + height) / ROW_HEIGHT) + SPARE_ROWS);
  return { from: Math.min(from, Math.max(0, count - 1)), to };
}
