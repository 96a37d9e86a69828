// Makes Grafana's classic JSON from a board: the form that every Grafana from 9 to 12 imports. Pure.
import { type BoardName, uidOf } from "../../src/app/alerts/boards.ts";
import { type Board, PANEL_HEIGHT, type Panel, type Red, UNITS } from "./board.ts";

/** The columns of Grafana's grid. */
export const COLUMNS = 24;
/** The version of the classic schema: that of Grafana 10. Later ones migrate it when they load it. */
const SCHEMA_VERSION = 39;
/** The tag of all boards: by it they link to each other. */
const TAG = "murmur";
const DATASOURCE = { type: "prometheus", uid: "${datasource}" } as const;
const CHOSEN = "$" + "{__all_variables}&$" + "{__url_time_range}";

/** A board as Grafana imports it. */
export function renderBoard(board: Board): object {
  return {
    uid: uidOf(board.name),
    title: board.title,
    description: board.about,
    tags: [TAG],
    schemaVersion: SCHEMA_VERSION,
    version: 1,
    editable: true,
    graphTooltip: 1,
    timezone: "browser",
    refresh: "30s",
    time: { from: "now-3h", to: "now" },
    timepicker: {},
    fiscalYearStartMonth: 0,
    liveNow: false,
    weekStart: "",
    templating: { list: VARIABLES },
    annotations: { list: ANNOTATIONS },
    links: [
      {
        type: "dashboards",
        title: "Boards of Murmur",
        tags: [TAG],
        asDropdown: true,
        keepTime: true,
        includeVars: true,
        targetBlank: false,
        icon: "dashboard",
        tooltip: "",
        url: "",
      },
    ],
    panels: renderRows(board),
  };
}

function renderRows({ rows }: Board): object[] {
  const rendered: object[] = [];
  let y = 0;
  for (const { title, height = PANEL_HEIGHT, panels } of rows) {
    const id = () => rendered.length + 1;
    rendered.push({
      id: id(),
      type: "row",
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
      panels: [],
    });
    y += 1;
    let x = 0;
    for (const panel of panels) {
      if (x + panel.width > COLUMNS) {
        x = 0;
        y += height;
      }
      rendered.push(renderPanel(panel, { id: id(), gridPos: { x, y, w: panel.width, h: height } }));
      x += panel.width;
    }
    y += height;
  }
  return rendered;
}

const TYPES = { lines: "timeseries", stat: "stat", bars: "bargauge", table: "table" } as const;

function renderPanel(panel: Panel, place: { id: number; gridPos: object }): object {
  const { title, kind, unit, queries, red, max, more } = panel;
  return {
    ...place,
    type: TYPES[kind],
    title,
    description: describe(panel),
    datasource: DATASOURCE,
    fieldConfig: {
      defaults: {
        unit: UNITS[unit],
        min: red !== undefined && "below" in red && red.below <= 0 ? undefined : 0,
        ...(max === undefined ? {} : { max }),
        thresholds: { mode: "absolute", steps: stepsOf(red) },
        color: { mode: kind === "lines" ? "palette-classic" : "thresholds" },
        custom: kind === "lines" ? styleOf(panel) : {},
        mappings: [],
      },
      overrides: [],
    },
    options: OPTIONS[kind],
    ...(kind === "table" ? { transformations: TABLE_OF_LABELS } : {}),
    targets: queries.map(({ expr, legend }, at) => ({
      refId: String.fromCharCode(65 + at), // A, B, C …
      datasource: DATASOURCE,
      editorMode: "code",
      expr,
      legendFormat: legend,
      range: kind === "lines",
      instant: kind !== "lines",
      ...(kind === "table" ? { format: "table" } : {}),
    })),
    links: more === undefined ? [] : [linkTo(more)],
  };
}

/** The description: the thing shown, and the steps when it is red. */
function describe({ shows, red, todo, unit }: Panel): string {
  const when =
    red === undefined
      ? "no fixed limit: compare with an hour ago"
      : "above" in red
        ? `above ${showLimit(red.above, unit)}`
        : `below ${showLimit(red.below, unit)}`;
  return `${shows}\n\n**What to do when this is red** (${when}): ${todo}`;
}

function showLimit(limit: number, unit: Panel["unit"]): string {
  if (unit === "share") return `${Math.round(limit * 1_000) / 10} %`;
  return unit === "seconds" ? `${limit} s` : unit === "bytes" ? `${limit} bytes` : String(limit);
}

function stepsOf(red: Red | undefined): object[] {
  if (red === undefined) return [{ color: "green", value: null }];
  return "above" in red
    ? [
        { color: "green", value: null },
        { color: "red", value: red.above },
      ]
    : [
        { color: "red", value: null },
        { color: "green", value: red.below },
      ];
}

function styleOf({ red, stacked }: Panel): object {
  return {
    drawStyle: "line",
    lineWidth: 1,
    fillOpacity: stacked === true ? 30 : 5,
    showPoints: "never",
    spanNulls: false,
    stacking: { mode: stacked === true ? "normal" : "none", group: "A" },
    thresholdsStyle: { mode: red === undefined ? "off" : "line" },
  };
}

const REDUCED = { calcs: ["lastNotNull"], fields: "", values: false };
const OPTIONS = {
  lines: {
    legend: { displayMode: "list", placement: "bottom", showLegend: true, calcs: [] },
    tooltip: { mode: "multi", sort: "desc" },
  },
  stat: {
    reduceOptions: REDUCED,
    colorMode: "background",
    graphMode: "none",
    justifyMode: "auto",
    orientation: "auto",
    textMode: "auto",
    wideLayout: true,
  },
  bars: {
    reduceOptions: REDUCED,
    displayMode: "basic",
    orientation: "horizontal",
    showUnfilled: true,
    valueMode: "color",
    namePlacement: "auto",
    minVizHeight: 12,
    minVizWidth: 8,
    maxVizHeight: 40,
    sizing: "auto",
  },
  table: {
    showHeader: true,
    cellHeight: "sm",
    footer: { show: false, reducer: ["sum"], countRows: false, fields: "" },
  },
} as const;

/** The labels of each row, without the time and the labels that all rows share. */
const TABLE_OF_LABELS = [
  {
    id: "organize",
    options: {
      excludeByName: { Time: true, __name__: true, alertstate: true },
      indexByName: {},
      renameByName: {},
    },
  },
];

/** A link to another board, at the same time and with the same choice. */
function linkTo(name: BoardName): object {
  return { title: `Details: board ${name}`, url: `/d/${uidOf(name)}?${CHOSEN}`, targetBlank: false };
}

function variable(name: string, label: string, query: string, rest: object): object {
  return {
    name,
    label,
    type: "query",
    datasource: DATASOURCE,
    definition: query,
    query: { query, refId: `Variable-${name}` },
    refresh: 2, // when the time range changes: processes come and go
    sort: 1,
    regex: "",
    hide: 0,
    skipUrlSync: false,
    multi: true,
    includeAll: true,
    current: { selected: true, text: ["All"], value: ["$__all"] },
    options: [],
    ...rest,
  };
}

const VARIABLES = [
  {
    name: "datasource",
    label: "Data source",
    type: "datasource",
    query: "prometheus",
    refresh: 1,
    regex: "",
    hide: 0,
    skipUrlSync: false,
    multi: false,
    includeAll: false,
    options: [],
  },
  variable("swarm", "Swarm", "label_values(murmur_build_info, swarm)", {}),
  // "All" is the list of the jobs of the chosen swarms, so it has no value of its own.
  variable("job", "Job", 'label_values(murmur_build_info{swarm=~"$swarm"}, job)', {}),
  // "All" matches processes that are gone as well: their part of the graphs stays.
  variable("instance", "Process", 'label_values(murmur_build_info{job=~"$job"}, instance)', {
    allValue: ".*",
  }),
];

const annotation = (name: string, iconColor: string, expr: string, titleFormat: string) => ({
  name,
  datasource: DATASOURCE,
  enable: true,
  hide: false,
  iconColor,
  expr,
  step: "60s",
  titleFormat,
  textFormat: "{{job}}",
  useValueForTime: false,
});

/** Marks on all graphs: the changes after which something may have begun. */
const ANNOTATIONS = [
  annotation(
    "Versions",
    "blue",
    'count by (job, version) (murmur_build_info{job=~"$job"}) unless count by (job, version) (murmur_build_info{job=~"$job"} offset 2m)',
    "version {{version}} starts",
  ),
  annotation(
    "Office",
    "purple",
    'max by (job) (increase(murmur_office_changes_total{job=~"$job"}[$__rate_interval])) > 0',
    "the office changes its holder",
  ),
  annotation(
    "Audit log",
    "orange",
    // The gauge is there from the start; a counter of the entries begins with its first one.
    'max by (job) (increase(murmur_stream_last_seq{job=~"$job",stream="audit"}[$__rate_interval])) > 0',
    "operators, starts or refusals: murmur audit ls tells more",
  ),
  annotation(
    "Scaling",
    "green",
    'count by (job, role) (murmur_build_info{job=~"$job"}) != count by (job, role) (murmur_build_info{job=~"$job"} offset 2m)',
    "the number of {{role}} processes changes to {{value}}",
  ),
];
