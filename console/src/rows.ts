// A list that holds only the rows in sight, so that 100,000 rows are as smooth as ten. Rows have one height. The keys j and k and the
// arrows move through the rows, and Enter opens the present one.
import { type ComponentChildren, h, type JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ROW_HEIGHT, SPARE_ROWS, visibleRange } from "./range.ts";

/** A column. Columns with a lower `keep` leave a narrow page first. */
export interface Column<T> {
  readonly title: string;
  /** Its share of the width. */
  readonly width: number;
  /** `always`, or from this width of the page on. */
  readonly from?: "tablet" | "desktop";
  cell(row: T): ComponentChildren;
}

/** See the opening comment. */
export function Rows<T>(props: {
  label: string;
  rows: readonly T[];
  columns: readonly Column<T>[];
  keyOf: (row: T) => string;
  /** Opens a row; the first cell has the link. */
  linkOf?: (row: T) => string;
  /** Hears when the end of the list comes into sight. */
  onEnd?: () => void;
  /** Hears of the rows that are shown. */
  onShown?: (rows: readonly T[]) => void;
}): JSX.Element {
  const { label, rows, columns, keyOf, linkOf, onEnd, onShown } = props;
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const [active, setActive] = useState(-1);
  const measure = () => {
    const { scrollTop = 0, clientHeight = 600 } = box.current ?? {};
    setView((before) =>
      before.top === scrollTop && before.height === clientHeight
        ? before
        : { top: scrollTop, height: clientHeight },
    );
  };
  useEffect(() => {
    const watcher = new ResizeObserver(measure);
    if (box.current !== null) watcher.observe(box.current);
    return () => watcher.disconnect();
  }, []);
  const { from, to } = visibleRange(view.top, view.height, rows.length);
  const shown = rows.slice(from, to);
  useEffect(() => {
    if (to >= rows.length - SPARE_ROWS) onEnd?.();
    onShown?.(shown);
  }, [from, to, rows]);
  const move = (by: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, active + by));
    setActive(next);
    const element = box.current;
    if (element === null) return;
    const top = next * ROW_HEIGHT;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + ROW_HEIGHT > element.scrollTop + element.clientHeight - ROW_HEIGHT)
      element.scrollTop = top + 2 * ROW_HEIGHT - element.clientHeight;
    requestAnimationFrame(() => {
      element.querySelector<HTMLElement>(`[data-row="${next}"] :is(a, button, select)`)?.focus();
    });
  };
  const press = (event: KeyboardEvent) => {
    if (event.target instanceof HTMLSelectElement || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(view.height / ROW_HEIGHT) - 2);
    const steps: Readonly<Record<string, number>> = {
      ...{ j: 1, ArrowDown: 1, k: -1, ArrowUp: -1, PageDown: page, PageUp: -page },
      ...{ Home: -rows.length, End: rows.length },
    };
    const by = steps[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    move(by);
  };
  const template = (row: T | undefined, at: number) =>
    columns.map(({ title, cell, from: least, width }, place) =>
      h(
        "div",
        {
          ...{ key: title, role: row === undefined ? "columnheader" : "cell" },
          ...{ class: `cell w${width} ${least ?? ""}` },
        },
        row === undefined
          ? title
          : place === 0 && linkOf !== undefined
            ? h("a", { href: linkOf(row), tabIndex: at === Math.max(0, active) ? 0 : -1 }, cell(row))
            : cell(row),
      ),
    );
  return h(
    "div",
    {
      ...{ class: "rows", role: "table", "aria-label": label, "aria-rowcount": rows.length + 1 },
      ...{ ref: box, tabIndex: 0, onScroll: measure, onKeyDown: press },
    },
    h("div", { class: "row head", role: "row", "aria-rowindex": 1 }, template(undefined, -1)),
    h(
      "div",
      { class: "space", role: "rowgroup", style: { height: `${rows.length * ROW_HEIGHT}px` } },
      shown.map((row, index) => {
        const at = from + index;
        return h(
          "div",
          {
            ...{ key: keyOf(row), class: at === active ? "row active" : "row", role: "row" },
            ...{ "aria-rowindex": at + 2, "data-row": at, style: { top: `${at * ROW_HEIGHT}px` } },
            onFocusCapture: () => setActive(at),
          },
          template(row, at),
        );
      }),
    ),
  );
}
