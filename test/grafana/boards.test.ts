// The boards of Grafana by their rules, without Grafana: the form of their JSON, the words of each panel, and each query by the parser of
// Prometheus against the table of metrics.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { BOARD_FOLDERS, BOARDS, boardFiles, COLUMNS, UNITS, UNSEEN } from "../../grafana/src/index.ts";
import { BOARD_NAMES, uidOf } from "../../src/app/alerts/boards.ts";
import { recordingRules } from "../../src/app/alerts/objectives.ts";
import { alertTable } from "../../src/app/alerts/table.ts";
import { realTime } from "../../src/app/alerts/time.ts";
import { createMeter, describeMetrics } from "../../src/base/index.ts";
import { readsOf } from "../app/alerts/promql.ts";
import { findCommandFault } from "../support/commands.ts";

const root = join(import.meta.dirname, "../..");
/** The limits of a board: a reader looks over it in a minute, and a refresh asks Prometheus for less than it scrapes. */
const MAX_PANELS = 24;
const MAX_QUERIES = 40;
/** The height of a screen, in units of the grid (38 px): the overview fits it. */
const SCREEN_HEIGHT = 32;
/** The variables of Grafana in queries, as durations that no query writes itself. */
const RATE_INTERVAL = "7m";
const RANGE = "11m";
/** Series of Prometheus itself. */
const ALERTS = "ALERTS";

interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat: string;
  readonly instant: boolean;
  readonly range: boolean;
  readonly datasource: object;
}
interface RenderedPanel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { x: number; y: number; w: number; h: number };
  readonly datasource?: object;
  readonly fieldConfig: { defaults: { unit: string; thresholds: { steps: { color: string }[] } } };
  readonly targets: Target[];
  readonly links: { url: string }[];
}
interface Rendered {
  readonly uid: string;
  readonly panels: RenderedPanel[];
  readonly templating: { list: { name: string; type: string; definition?: string; datasource?: object }[] };
  readonly annotations: { list: { name: string; expr: string; datasource: object }[] };
  readonly links: { keepTime: boolean; includeVars: boolean }[];
}

const boards = BOARDS.map((board) => {
  const text = boardFiles().get(`${BOARD_FOLDERS[0]}/${uidOf(board.name)}.json`)!;
  const json = JSON.parse(text) as Rendered;
  const panels = json.panels.filter(({ type }) => type !== "row");
  return { name: board.name, text, json, panels };
});
const panels = boards.flatMap(({ name, panels }) =>
  panels.map((panel) => ({ at: `${name}: ${panel.title}`, panel })),
);
const queries = panels.flatMap(({ at, panel }) =>
  panel.targets.map((target) => ({ at, panel, target, expr: target.expr })),
);
const marks = boards.flatMap(({ name, json }) =>
  json.annotations.list.map(({ name: mark, expr }) => ({ at: `${name}: mark ${mark}`, expr })),
);

const withoutVariables = (expr: string) =>
  expr.replaceAll("$__rate_interval", RATE_INTERVAL).replaceAll("$__range", RANGE);

const metrics = new Map(
  describeMetrics().flatMap((metric) =>
    (metric.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""]).map(
      (end) => [`${metric.name}${end}`, metric] as const,
    ),
  ),
);
/** The labels of recorded series. */
const RECORDED_LABELS = ["capability", "priority"];
const recordings = new Map(recordingRules(realTime).map(({ record }) => [record, RECORDED_LABELS]));
const nodeMetrics = new Set(
  createMeter({ defaults: true })
    .registry.getMetricsAsArray()
    .map(({ name }) => name)
    .filter((name) => !name.startsWith("murmur_")),
);

describe.each(boards)("the board $name", ({ name, text, json, panels }) => {
  test("is small, has a fixed uid, and no panel covers another", () => {
    expect(json.uid).toBe(`murmur-${name}`);
    expect(panels.length).toBeLessThanOrEqual(MAX_PANELS);
    expect(panels.flatMap(({ targets }) => targets).length).toBeLessThanOrEqual(MAX_QUERIES);
    expect(new Set(json.panels.map(({ id }) => id)).size).toBe(json.panels.length);
    const cells = new Set<string>();
    for (const { title, gridPos } of json.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(COLUMNS);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(cells.has(`${x} ${y}`), `${title} at ${x} ${y}`).toBe(false);
          cells.add(`${x} ${y}`);
        }
    }
  });

  test("takes its data source from a variable, and has the variables swarm, job and instance", () => {
    expect(json.templating.list.map(({ name }) => name)).toEqual(["datasource", "swarm", "job", "instance"]);
    const sources = [...text.matchAll(/"uid": "([^"]*)"/g)].map(([, uid]) => uid);
    expect(new Set(sources)).toEqual(new Set([json.uid, "${datasource}"]));
    for (const { name, type, definition = "" } of json.templating.list.slice(1)) {
      expect(type).toBe("query");
      expect(definition).toMatch(new RegExp(`^label_values\\(murmur_build_info.*, ${name}\\)$`));
    }
  });

  test("links to other boards with the time and the variables", () => {
    for (const link of json.links) expect(link).toMatchObject({ keepTime: true, includeVars: true });
    for (const { url } of panels.flatMap(({ links }) => links)) {
      const [, uid, query] = /^\/d\/([^?]+)\?(.+)$/.exec(url) ?? [];
      expect(BOARD_NAMES.map(uidOf)).toContain(uid);
      expect(query).toBe("${__all_variables}&${__url_time_range}");
    }
  });
});

test("the overview fits one screen, with a row for each of the five questions", () => {
  const { json } = boards[0]!;
  const rows = json.panels.filter(({ type }) => type === "row");
  expect(rows.map(({ title }) => title.slice(0, 1))).toEqual(["1", "2", "3", "4", "5"]);
  expect(Math.max(...json.panels.map(({ gridPos }) => gridPos.y + gridPos.h))).toBeLessThanOrEqual(
    SCREEN_HEIGHT,
  );
});

test("every board marks versions and changes of the office", () => {
  for (const { json } of boards)
    expect(json.annotations.list.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["Versions", "Office"]),
    );
});

test("every panel has a unit, a description, and the steps for when it is red", () => {
  for (const { at, panel } of panels) {
    const { unit, thresholds } = panel.fieldConfig.defaults;
    expect(Object.values(UNITS), at).toContain(unit);
    const [, shows = "", limit, todo = ""] =
      /^(.+)\n\n\*\*What to do when this is red\*\* \(([^)]+)\): (.+)$/s.exec(panel.description ?? "") ?? [];
    expect(shows.length, at).toBeGreaterThan(20);
    expect(todo.length, at).toBeGreaterThan(20);
    const canBeRed = thresholds.steps.some(({ color }) => color === "red");
    expect(limit, at).toMatch(canBeRed ? /^(above|below) / : /^no fixed limit/);
  }
});

test("the commands, alerts and pages that panels name exist", () => {
  const alerts = new Set<string>(alertTable(realTime).map(({ name }) => name));
  let found = 0;
  for (const { at, panel } of panels) {
    const text = panel.description ?? "";
    for (const [name] of text.matchAll(/\bMurmur[A-Z]\w+/g))
      expect(alerts.has(name), `${at}: ${name}`).toBe(true);
    for (const [path] of text.matchAll(/docs\/[\w/-]+\.md/g))
      expect(() => readFileSync(join(root, path)), at).not.toThrow();
    for (const [, line = ""] of text.matchAll(/`murmur ([^`]+)`/g)) {
      found++;
      expect(findCommandFault(line), `${at}: murmur ${line}`).toBe(null);
    }
  }
  expect(found).toBeGreaterThan(20);
});

test("every query reads series that exist, by their labels, from the chosen jobs", () => {
  for (const { at, expr } of [...queries, ...marks]) {
    const { selectors, grouping, faults } = readsOf(withoutVariables(expr));
    expect(faults, `${at}: ${expr}`).toEqual([]);
    const known = new Set(["job", "instance", "le"]);
    for (const { metric, labels } of selectors) {
      const own =
        metrics.get(metric)?.labels ?? recordings.get(metric) ?? (nodeMetrics.has(metric) ? [] : null);
      const isAlerts = metric === ALERTS;
      expect(own !== null || isAlerts, `${at} reads ${metric}`).toBe(true);
      if (isAlerts)
        for (const label of ["alertname", "alertstate", "severity", "capability", "role", "stream"])
          known.add(label);
      for (const label of own ?? []) known.add(label);
      expect(labels, `${at}: ${metric} of the chosen jobs`).toContain("job");
      expect([...known], `${at}: ${metric}`).toEqual(expect.arrayContaining([...labels]));
    }
    expect([...known], at).toEqual(expect.arrayContaining([...grouping]));
  }
});

test("queries read metrics of processes from the chosen instances", () => {
  for (const { at, expr } of queries)
    for (const { metric, labels } of readsOf(withoutVariables(expr)).selectors)
      if (metrics.has(metric) || nodeMetrics.has(metric))
        expect(labels, `${at}: ${metric}`).toContain("instance");
});

test("counters and buckets stand in rate or increase, with a window of Grafana that fits the panel", () => {
  const all = [
    ...queries.map(({ at, expr, target }) => ({ at, expr, isInstant: target.instant })),
    ...marks.map((mark) => ({ ...mark, isInstant: false })),
  ];
  for (const { at, expr, isInstant } of all) {
    for (const { metric, isRange, window, around } of readsOf(withoutVariables(expr)).selectors) {
      const type = metrics.get(metric)?.type ?? (metric.endsWith("_total") ? "counter" : "gauge");
      if (type !== "gauge") {
        expect(isRange, `${at}: ${metric}`).toBe(true);
        expect(["rate", "increase"], `${at}: ${metric}`).toContain(around[0]);
      }
      if (!isRange) continue;
      expect(isInstant ? [RATE_INTERVAL, RANGE] : [RATE_INTERVAL], `${at}: ${metric}`).toContain(window);
    }
  }
});

test("an expression of one metric is shown in the unit of the metric", () => {
  const fitting: Readonly<Record<string, string>> = {
    seconds: UNITS.seconds,
    bytes: UNITS.bytes,
    USD: UNITS.USD,
  };
  let checked = 0;
  for (const { at, panel, expr } of queries) {
    const { selectors } = readsOf(withoutVariables(expr));
    const isDivided = / \/ /.test(expr);
    const read = selectors.filter(({ metric }) => metrics.has(metric) && metric !== "murmur_build_info");
    for (const { metric, around } of read) {
      const { unit = "", type } = metrics.get(metric)!;
      const isRate = around.includes("rate") && !around.includes("histogram_quantile");
      const wanted = isRate ? UNITS["per second"] : fitting[unit];
      if (isDivided || wanted === undefined || (type === "histogram" && isRate)) continue;
      checked++;
      expect(panel.fieldConfig.defaults.unit, `${at}: ${metric}`).toBe(wanted);
    }
  }
  expect(checked).toBeGreaterThan(50);
});

test("a legend names labels that its query keeps, and no label is an id", () => {
  for (const { at, target } of queries) {
    const { grouping } = readsOf(withoutVariables(target.expr));
    const named = [...target.legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
    expect(grouping, at).toEqual(expect.arrayContaining(named));
    for (const label of grouping) expect(label, at).not.toMatch(/^id$|Id$|_id$|user|subject/);
  }
});

test("every metric has a panel or an alert, or stands in the list with its reason", () => {
  const rules = [...recordingRules(realTime), ...alertTable(realTime)].map(({ expr }) => expr);
  const read = new Set(
    [...rules, ...queries.map(({ expr }) => withoutVariables(expr))].flatMap((expr) =>
      readsOf(expr).selectors.map(({ metric }) => metrics.get(metric)?.name ?? metric),
    ),
  );
  const unseen = describeMetrics()
    .map(({ name }) => name)
    .filter((name) => !read.has(name));
  expect(unseen, "draw it in grafana/src/boards, or give the reason in grafana/src/unseen.ts").toEqual(
    Object.keys(UNSEEN),
  );
  for (const reason of Object.values(UNSEEN)) expect(reason.length).toBeGreaterThan(20);
});

test("the board of each alert reads a metric of the alert", () => {
  const byName = new Map(
    boards.map(({ name, panels }) => [
      name,
      new Set(
        panels
          .flatMap(({ targets }) => targets)
          .flatMap(({ expr }) => readsOf(withoutVariables(expr)).selectors.map(({ metric }) => metric)),
      ),
    ]),
  );
  for (const { name, board, expr } of alertTable(realTime)) {
    if (name === "MurmurWatchdog") continue;
    const read = readsOf(expr).selectors.map(({ metric }) => metric);
    expect(
      read.some(
        (metric) =>
          byName.get(board)!.has(metric) ||
          (recordings.has(metric) && [...byName.get(board)!].some((each) => recordings.has(each))),
      ),
      `${name} → ${board}`,
    ).toBe(true);
  }
});

test("a target has no label that a metric has, in the chart and in the plain scrape", () => {
  const own = new Set(describeMetrics().flatMap(({ labels }) => labels));
  const { scrape_configs: jobs } = parse(
    readFileSync(join(root, "deploy/prometheus/prometheus.yml"), "utf8"),
  ) as {
    scrape_configs: { job_name: string; static_configs: { labels?: Record<string, string> }[] }[];
  };
  const plain = jobs.flatMap(({ static_configs }) =>
    static_configs.flatMap(({ labels = {} }) => Object.keys(labels)),
  );
  const monitor = readFileSync(join(root, "k8s/chart/templates/pod-monitor.yaml"), "utf8");
  const taken = /podTargetLabels: \[([^\]]*)\]/.exec(monitor)?.[1]?.split(", ") ?? [];
  expect(taken).toEqual(["app.kubernetes.io/component", "murmur/group"]);
  // The operator of Prometheus gives each pod these, and the labels of the pod with `_` for other characters.
  const ofPod = [
    "namespace",
    "container",
    "pod",
    "endpoint",
    ...taken.map((label) => label.replaceAll(/[^\w]/g, "_")),
  ];
  for (const label of [...plain, ...ofPod, "job", "instance"]) expect(own.has(label), label).toBe(false);
});

test("compose gives Grafana the boards and Prometheus the alerts of the repository", () => {
  const { services } = parse(readFileSync(join(root, "deploy/compose.yaml"), "utf8")) as {
    services: Record<string, { volumes: string[]; environment?: Record<string, string> }>;
  };
  const mounted = (service: string) =>
    new Map(
      services[service]!.volumes.map((volume) => volume.split(":").slice(0, 2).reverse() as [string, string]),
    );
  const provider = parse(readFileSync(join(root, "deploy/grafana/dashboards/murmur.yaml"), "utf8")) as {
    providers: { options: { path: string } }[];
  };
  const [{ options } = { options: { path: "" } }] = provider.providers;
  expect(mounted("grafana").get(options.path)).toBe("../grafana/dashboards");
  expect(mounted("grafana").get("/etc/grafana/provisioning")).toBe("./grafana");
  expect(services.grafana?.environment?.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH).toBe(
    `${options.path}/${uidOf("overview")}.json`,
  );
  const { rule_files: files } = parse(
    readFileSync(join(root, "deploy/prometheus/prometheus.yml"), "utf8"),
  ) as {
    rule_files: string[];
  };
  expect(mounted("prometheus").get("/etc/murmur-alerts")).toBe("../grafana/alerts");
  expect(files).toEqual(["/etc/murmur-alerts/*.yaml"]);
});
