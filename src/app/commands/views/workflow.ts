// The view of one run for a terminal: a line about the run, and its steps as a tree.
import { printable, showDuration, type Terminal, table } from "../../cli/terminal.ts";
import type { RunReport } from "../../operations/workflow-report.ts";
import { renderTree, shorten } from "./workflow-tree.ts";

/** The view of one run. `nowMs` counts the times of open steps. */
export function renderRun(report: RunReport, { colors }: Pick<Terminal, "colors">, nowMs: number): string {
  const paint = {
    failed: colors.red,
    blocked: colors.red,
    compensation_failed: colors.red,
    completed: colors.green,
  };
  const color = paint[report.state as keyof typeof paint] ?? ((text: string) => text);
  const progress = report.progress === undefined ? "" : ` ${Math.round(report.progress * 100)} %`;
  const isOver = report.waiting === undefined && report.blocked === undefined;
  const ageMs = (isOver ? Date.parse(report.at) : nowMs) - Date.parse(report.startedAt);
  const head = [
    report.id,
    `${report.name} v${report.version}`,
    color(`${report.state}${progress}`),
    showDuration(Math.max(0, ageMs)),
    ...describeWaiting(report, nowMs),
  ].join("  ");
  const tree = renderTree(report, nowMs);
  return [
    head,
    ...(report.note === undefined ? [] : [`  ${printable(report.note)}`]),
    ...tree,
    ...(report.more === 0
      ? []
      : [`  ${report.more} completed steps are not shown; --json has the first ${report.steps.length}`]),
    ...report.absent.map((reason) => `  ${printable(reason)}`),
    ...(report.blocked === undefined ? [] : describeBlocked(report.blocked)),
    ...(report.error === undefined
      ? []
      : [`error   ${report.error.code}: ${printable(report.error.message)}`]),
    ...(report.output === undefined ? [] : [`output  ${shorten(JSON.stringify(report.output), 200)}`]),
  ].join("\n");
}

function describeWaiting({ id, waiting, state }: RunReport, nowMs: number): string[] {
  if (waiting === undefined) return [];
  const { reason, path, dueMs, by } = waiting;
  const facts = [
    ...(dueMs === undefined ? [] : [`${showDuration(Math.max(0, dueMs - nowMs))} left`]),
    ...(by ?? []),
  ];
  const detail = facts.length === 0 ? "" : ` (${facts.join(", ")})`;
  const what = path === undefined ? reason : `${reason}: ${path}`;
  const next = nextCommand(id, state, waiting);
  return [`waits for ${what}${detail}`, ...(next === null ? [] : ["→", next])];
}

/** The command that lets the run go on. */
function nextCommand(
  id: string,
  state: RunReport["state"],
  { reason, path }: NonNullable<RunReport["waiting"]>,
) {
  if (state === "paused") return `murmur workflow resume ${id}`;
  if (state === "compensation_failed")
    return `murmur workflow resume ${id}, or with --skip ${path} --note TEXT`;
  if (state === "blocked") return null;
  if (reason === "human") return `murmur workflow approve ${id} ${path}`;
  return reason === "signal" ? `murmur workflow signal ${id} NAME --value JSON` : null;
}

function describeBlocked({ message, log, code }: NonNullable<RunReport["blocked"]>): string[] {
  return [
    `blocked ${printable(message)}`,
    ...(log === undefined ? [] : [`        the log:  ${printable(log)}`]),
    ...(code === undefined ? [] : [`        the code: ${printable(code)}`]),
  ];
}

/** The table of a list of runs. */
export function renderRuns(
  runs: readonly (Omit<
    RunReport,
    "startedAt" | "input" | "maps" | "outline" | "steps" | "more" | "absent"
  > & {
    at: string;
  })[],
  nowMs: number,
): string {
  return table(
    ["ID", "WORKFLOW", "STATE", "PROGRESS", "WAITS FOR", "LAST ENTRY"],
    runs.map(({ id, name, version, state, progress, waiting, at }) => [
      id,
      `${name} v${version}`,
      state,
      progress === undefined ? "-" : `${Math.round(progress * 100)} %`,
      waiting === undefined
        ? "-"
        : `${waiting.reason}${waiting.path === undefined ? "" : `: ${waiting.path}`}`,
      `${showDuration(Math.max(0, nowMs - Date.parse(at)))} ago`,
    ]),
    "no run",
  );
}
