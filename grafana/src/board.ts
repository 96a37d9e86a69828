// A board as data: its rows and panels, as the files of boards/ write them. Pure: types.
import type { BoardName } from "../../src/app/alerts/boards.ts";

/** The units of panels, with their names in Grafana. */
export const UNITS = {
  seconds: "s",
  share: "percentunit",
  bytes: "bytes",
  USD: "currencyUSD",
  "per second": "ops",
  count: "short",
  times: "none",
} as const;
/** One of {@link UNITS}. */
export type Unit = keyof typeof UNITS;

/** One query of a panel. */
export interface Query {
  readonly expr: string;
  /** The name of each line, as Grafana's template: `{{capability}}`. */
  readonly legend: string;
}

/** The limit of a panel: beyond it the panel is red. */
export type Red = { readonly above: number } | { readonly below: number };

/** One panel. */
export interface Panel {
  readonly title: string;
  /** `lines`: over time. `stat`: one number now. `bars`: a bar for each row now. `table`: the rows now. */
  readonly kind: "lines" | "stat" | "bars" | "table";
  readonly unit: Unit;
  /** The thing that it shows, in one or two sentences. */
  readonly shows: string;
  /** Its limit; without one, the reader compares it with an hour ago. */
  readonly red?: Red;
  /** The steps to take when it is red. */
  readonly todo: string;
  /** Its width, of 24 columns. */
  readonly width: number;
  readonly queries: readonly Query[];
  /** The board with the details. */
  readonly more?: BoardName;
  /** The lines are parts of a whole. */
  readonly stacked?: true;
  /** The greatest possible value. */
  readonly max?: number;
}

/** A headline, and the panels below it. They fill lines of 24 columns from the left. */
export interface Row {
  readonly title: string;
  /** The height of its panels; default {@link PANEL_HEIGHT}. */
  readonly height?: number;
  readonly panels: readonly Panel[];
}

/** One board. */
export interface Board {
  readonly name: BoardName;
  readonly title: string;
  readonly about: string;
  readonly rows: readonly Row[];
}

/** The height of a panel in units of Grafana's grid (38 px on a screen). */
export const PANEL_HEIGHT = 7;
