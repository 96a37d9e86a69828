// The rules for Prometheus: each alert fires in its fault and only there, every expression reads metrics that exist, and every alert has
// a runbook whose commands exist.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { recordingRules } from "../../../src/app/alerts/objectives.ts";
import { RULES_FILES, rulesFile } from "../../../src/app/alerts/rules-file.ts";
import { alertTable } from "../../../src/app/alerts/table.ts";
import { drillTime, realTime } from "../../../src/app/alerts/time.ts";
import { COMMANDS } from "../../../src/app/commands/index.ts";
import { PROBLEM_NAMES, PROBLEMS, runbookOf } from "../../../src/app/problems/catalogue.ts";
import { describeMetrics } from "../../../src/base/index.ts";
import { CASES, LOOK } from "./cases.ts";
import { readsOf } from "./promql.ts";

const root = join(import.meta.dirname, "../../..");
const alerts = alertTable(realTime);
const names = [...new Set(alerts.map(({ name }) => name))];
const recordings = recordingRules(realTime);
const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;
const WITHOUT = "not checked without promtool; Debian's package prometheus has it";

/** Runs promtool on files in a folder of its own. */
function promtool(args: readonly string[], files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "murmur-rules-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const { status, stdout, stderr } = spawnSync("promtool", args, { cwd: folder, encoding: "utf8" });
    return status === 0 ? "ok" : stdout + stderr;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs unit tests of rules, which are evaluated each `evaluation_interval`; "ok", or the differences. */
function testRules(tests: readonly object[], evaluation_interval: string): string {
  // Prometheus evaluates the groups side by side; promtool takes them in a random order, unless it is told one.
  const group_eval_order = ["murmur-objectives", "murmur-alerts"];
  const file = { rule_files: ["rules.yaml"], evaluation_interval, group_eval_order, tests };
  return promtool(["test", "rules", "tests.yaml"], {
    "rules.yaml": rulesFile(),
    "tests.yaml": JSON.stringify(file),
  });
}

function withJob(series: string, job: string): string {
  const [name, labels = ""] = series.replace("}", "").split("{");
  return `${name}{${labels}${labels === "" ? "" : ","}job="${job}"}`;
}
const inputs = (job: string, series: Readonly<Record<string, string>>) =>
  Object.entries(series).map(([name, values]) => ({ series: withJob(name, job), values }));
const shown = (labels: Readonly<Record<string, string>>) =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${value}"`)
    .join(",");
const firing = (name: string, labels: Readonly<Record<string, string>>) => ({
  labels: `ALERTS{${shown({ alertname: name, alertstate: "firing", severity: alerts.find((each) => each.name === name)!.severity, ...labels })}}`,
  value: 1,
});
const WATCHDOG = firing("MurmurWatchdog", {});
const allFiring = 'ALERTS{alertstate="firing"}';

test("the files of the rules are made from the table", () => {
  for (const file of RULES_FILES) expect(readFileSync(join(root, file), "utf8")).toBe(rulesFile());
});

test("each problem of the catalogue has an alert with its severity and summary", () => {
  for (const name of PROBLEM_NAMES) {
    const { severity, summary } = PROBLEMS[name];
    expect(alerts).toContainEqual(expect.objectContaining({ name, severity, summary }));
  }
});

describe.skipIf(!hasPromtool)(`promtool (${WITHOUT})`, () => {
  test("accepts the rules in real time and in the time of a drill", () => {
    for (const span of [realTime, drillTime(60)])
      expect(promtool(["check", "rules", "rules.yaml"], { "rules.yaml": rulesFile(span) })).toBe("ok");
  });

  test("each alert fires in its fault and only there, and a quiet series fires nothing but the watchdog", () => {
    const expected = CASES.flatMap(({ job, fires }) =>
      Object.entries(fires).map(([name, labels]) => firing(name, { ...labels, job })),
    );
    const test = {
      interval: "1m",
      input_series: CASES.flatMap(({ job, series }) => inputs(job, series)),
      promql_expr_test: [{ expr: allFiring, eval_time: `${LOOK}m`, exp_samples: [...expected, WATCHDOG] }],
      alert_rule_test: [
        {
          alertname: "MurmurAgentsGivenUp",
          eval_time: `${LOOK}m`,
          exp_alerts: [
            {
              exp_labels: { job: "MurmurAgentsGivenUp", role: "echo", severity: "ticket" },
              exp_annotations: {
                summary: PROBLEMS.MurmurAgentsGivenUp.summary,
                description: "1 agents of echo in MurmurAgentsGivenUp are failed.",
                runbook_url: "docs/runbooks/MurmurAgentsGivenUp.md",
                dashboard_url: "/d/murmur-agents?var-job=MurmurAgentsGivenUp",
              },
            },
          ],
        },
      ],
    };
    expect(testRules([test], "5m")).toBe("ok");
  });

  test("a total failure after six good hours pages within 10 min, a share of a tenth pages, and few tasks page by the alert for few tasks", () => {
    const completed = 'murmur_tasks_finished_total{capability="echo",status="completed"}';
    const failed = 'murmur_task_failures_total{capability="echo",code="tool_failed"}';
    const look = (minute: number, ...samples: object[]) => ({
      expr: allFiring,
      eval_time: `${minute}m`,
      exp_samples: [...samples, WATCHDOG],
    });
    const labels = { capability: "echo", job: "swarm" };
    const slow = firing("MurmurTaskErrorBudgetBurn", { capability: "echo", job: "slow" });
    const many = {
      interval: "1m",
      input_series: [
        ...inputs("swarm", { [completed]: "0+10x360 3600x12", [failed]: "0x360 10+10x12" }),
        ...inputs("slow", { [completed]: "0+9x372", [failed]: "0+1x372" }),
      ],
      promql_expr_test: [look(360, slow), look(370, slow, firing("MurmurTaskErrorBudgetBurn", labels))],
    };
    const few = {
      interval: "1m",
      input_series: inputs("swarm", { [completed]: "0x20", [failed]: "0x5 1 2 3 3x12" }),
      promql_expr_test: [look(5), look(10, firing("MurmurTasksFailingSteadily", labels))],
    };
    expect(testRules([many], "5m")).toBe("ok");
    expect(testRules([few], "1m")).toBe("ok");
  });
});

test("each alert fires in a case, and stays silent in a case beside it", () => {
  for (const name of names.filter((each) => each !== "MurmurWatchdog")) {
    expect(
      CASES.some(({ fires }) => name in fires),
      name,
    ).toBe(true);
    expect(
      CASES.some(({ job, fires }) => job.startsWith(`${name}: `) && !(name in fires)),
      name,
    ).toBe(true);
  }
});

test("a description names labels that its alert has, and a figure", () => {
  for (const { name, description } of alerts) {
    if (name === "MurmurWatchdog") continue;
    const given = CASES.flatMap(({ fires }) =>
      name in fires ? [["job", ...Object.keys(fires[name]!)]] : [],
    );
    const used = [...description.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label!);
    for (const labels of given) expect(labels, name).toEqual(expect.arrayContaining(used));
    expect(used, name).toContain("job");
    if (name !== "MurmurTargetDown") expect(description, name).toContain("$value"); // its figure is always 0
  }
});

/** Labels that Prometheus gives to each target, and the bound of a bucket. */
const TARGET_LABELS = ["job", "instance", "le"];
/** Counters that are read without `rate` or `increase`. The capabilities that a process serves are those whose attempts it counts. */
const BARE_COUNTERS = ["murmur_task_attempts_total"];
/** Series of Prometheus itself: whether a scrape succeeded. */
const FOREIGN = ["up"];

test("every expression reads metrics of the table with their labels, and counters by their rise", () => {
  const metrics = new Map(
    describeMetrics().flatMap((metric) =>
      (metric.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""]).map(
        (end) => [`${metric.name}${end}`, metric] as const,
      ),
    ),
  );
  const own = new Set(recordings.map(({ record }) => record));
  const rules = [...recordings.map(({ record, expr }) => ({ name: record, expr })), ...alerts];
  for (const { name, expr } of rules) {
    const { selectors, grouping, faults } = readsOf(expr);
    expect(faults, name).toEqual([]);
    const known = new Set(TARGET_LABELS);
    for (const { metric, labels, isRange } of selectors) {
      const spec = metrics.get(metric);
      if (spec === undefined) {
        expect([...own, ...FOREIGN], `${name} reads ${metric}`).toContain(metric);
        for (const label of ["capability", "priority"]) if (own.has(metric)) known.add(label);
        continue;
      }
      for (const label of spec.labels) known.add(label);
      expect([...spec.labels, ...TARGET_LABELS], `${name} reads ${metric}`).toEqual(
        expect.arrayContaining([...labels]),
      );
      if (spec.type === "gauge") continue;
      expect(isRange || BARE_COUNTERS.includes(metric), `${name} reads ${metric} bare`).toBe(true);
      const isThere = spec.labels.length === 0 || spec.startsAtZero === true;
      expect(isThere, `${metric} must start at 0, or its first event does not show`).toBe(true);
    }
    expect([...known], name).toEqual(expect.arrayContaining([...grouping]));
    if (name !== "MurmurWatchdog") expect(selectors.length, name).toBeGreaterThan(0);
  }
});

test.each(names)("%s has a runbook with all its parts, and its commands of murmur exist", (name) => {
  const page = readFileSync(join(root, runbookOf(name)), "utf8");
  for (const part of [
    `# ${name}`,
    `Severity: ${alerts.find((alert) => alert.name === name)!.severity}.`,
    "**Effect for users.**",
    "**First command.**",
    "| figure | cause |",
    "**Steps, the least harmful first.**",
    "**It helped when**",
    "**Whom it may hit.**",
  ])
    expect(page).toContain(part);
  const commands = COMMANDS.map((command) => command.name);
  const used = [...page.matchAll(/(?:^|`)murmur ([^`\n]+)/gm)].map(([, command = ""]) => command);
  expect(used.length).toBeGreaterThan(0);
  for (const command of used)
    expect(
      commands.some((known) => command === known || command.startsWith(`${known} `)),
      command,
    ).toBe(true);
  const metrics = new Set(describeMetrics().map((metric) => metric.name));
  for (const [metric] of page.matchAll(/\bmurmur_[a-z_]+/g))
    expect(metrics.has(metric.replace(/_(count|sum|bucket)$/, "")) || metrics.has(metric), metric).toBe(true);
});

test("a drill shortens windows and waits, and leaves thresholds and names as they are", () => {
  const rules = parse(rulesFile(drillTime(60))) as {
    groups: { rules: { record?: string; alert?: string; expr: string; for?: string }[] }[];
  };
  const all = rules.groups.flatMap((group) => group.rules);
  const find = (name: string) => all.find(({ record, alert }) => record === name || alert === name)!;
  expect(find("murmur:tasks_failed:increase1h").expr).toContain("[1m]");
  expect(find("murmur:tasks_failed:increase5m").expr).toContain("[5s]");
  expect(find("MurmurVersionSkew").for).toBe("1m");
  expect(find("MurmurOfficeVacant").for).toBe("4s"); // the shortest window
  expect(find("MurmurDelayedTasksLate").expr).toContain("> 30");
  expect(all.map(({ record, alert }) => record ?? alert)).toEqual([
    ...recordings.map(({ record }) => record),
    ...alerts.map(({ name }) => name),
  ]);
  expect(() => drillTime(0.5)).toThrow("at least 1");
});
