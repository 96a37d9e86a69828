// The view of one run for a terminal: a line about the run, and its steps as a tree.
import { printable, showDuration, type Terminal, table } from "../../cli/terminal.ts";
import type { RunReport } from "../../operations/workflow-report.ts";

type Step = RunReport["steps"][number];

/** The signs of the states of steps. */
const SIGNS: Readonly<Record<Step["state"], string>> = {
  open: "…",
  cancelling: "…",
  completed: "✔",
  failed: "✖",
  cancelled: "⊘",
  dropped: "⊘",
  undone: "↺",
  skipped: "↷",
};
/** The most lines of the items of one map. */
const MAX_ITEM_LINES = 10;
/** The longest output in a line, in characters. */
const MAX_OUTPUT_LENGTH = 60;

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
  const lines = treeOf(report, nowMs);
  const tree = lines.map((line, index) => `${index === lines.length - 1 ? "└" : "├"} ${line}`);
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

/** The lines of the tree: steps in their order, those of a map below it. */
function treeOf({ steps, maps }: RunReport, nowMs: number): string[] {
  const counts = new Map(maps.map((map) => [map.path, map]));
  const lines: string[] = [];
  const shown = new Map<string, number>();
  for (const step of steps) {
    if (step.kind === "undo" && step.state === "completed") continue; // Its step shows it.
    const enclosing = [...counts.keys()].filter((path) => step.path.startsWith(`${path}/`));
    for (const path of enclosing) {
      if (shown.has(path)) continue;
      shown.set(path, 0);
      const { ended, items } = counts.get(path)!;
      lines.push(
        `${"  ".repeat(depthOf(path, counts))}${ended === items ? "✔" : "…"} ${path} ${ended}/${items}`,
      );
    }
    const owner = enclosing.at(-1);
    if (owner !== undefined) {
      const count = (shown.get(owner) ?? 0) + 1;
      shown.set(owner, count);
      if (count === MAX_ITEM_LINES + 1) lines.push(`${"  ".repeat(enclosing.length)}…`);
      if (count > MAX_ITEM_LINES && step.state === "completed") continue;
    }
    lines.push(`${"  ".repeat(enclosing.length)}${lineOf(step, nowMs)}`);
  }
  return lines;
}

const depthOf = (path: string, counts: ReadonlyMap<string, unknown>) =>
  [...counts.keys()].filter((other) => path.startsWith(`${other}/`)).length;

function lineOf(step: Step, nowMs: number): string {
  const endMs = step.endedAt === undefined ? nowMs : Date.parse(step.endedAt);
  const facts = [
    showDuration(Math.max(0, endMs - Date.parse(step.orderedAt))),
    step.kind === "step" || step.kind === "undo"
      ? step.call
      : step.kind === "child"
        ? `workflow ${step.call}`
        : step.kind,
    step.state === "cancelling" ? "is being cancelled" : undefined,
    step.error === undefined
      ? undefined
      : `${step.error.code}: ${shorten(step.error.message, MAX_OUTPUT_LENGTH)}`,
    step.output === undefined ? undefined : shorten(JSON.stringify(step.output), MAX_OUTPUT_LENGTH),
    step.undo === undefined ? undefined : `${step.state === "undone" ? "undone by" : "undo:"} ${step.undo}`,
    step.pivot === true ? "pivot" : undefined,
  ].filter((fact) => fact !== undefined);
  return `${SIGNS[step.state]} ${step.path}  ${facts.join("  ")}`;
}

function shorten(text: string, length: number): string {
  const plain = printable(text);
  return plain.length > length ? `${plain.slice(0, length - 1)}…` : plain;
}

/** The table of a list of runs. */
export function renderRuns(
  runs: readonly (Omit<RunReport, "startedAt" | "input" | "maps" | "steps" | "more" | "absent"> & {
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
