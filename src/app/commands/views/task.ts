// How tasks and results look to people. Pure.
import type {
  AttemptLine,
  Hop,
  Placement,
  Result,
  SubmitReply,
  TaskHistory,
  TaskStatus,
} from "../../../protocol/index.ts";
import { printable, showDuration, type Terminal, table } from "../../cli/terminal.ts";
import { renderVerdict } from "./verdict.ts";

/** A result: the output of a completed task as JSON, else its error. */
export function renderResult(result: Result, { colors }: Terminal): string {
  const verdict = result.verdict === undefined ? "" : `\n\n${renderVerdict(result.verdict)}`;
  if (result.status === "completed") return `${JSON.stringify(result.output ?? null, null, 2)}${verdict}`;
  const reason = result.error === undefined ? "" : `${result.error.code}: ${printable(result.error.message)}`;
  const times = `after ${result.attempt} ${result.attempt === 1 ? "attempt" : "attempts"}`;
  const head = `${colors.red(result.status)} ${times}  ${reason}`;
  // The verdict of a ballot contains its error too.
  if (result.verdict !== undefined) return `${colors.red(result.status)}  task ${result.taskId}${verdict}`;
  return `${head}\ntask ${result.taskId}`;
}

/** The id of a replayed task. A task that was replayed before is told on standard error. */
export function renderReplay({ taskId, duplicate }: SubmitReply, terminal: Terminal): string {
  if (duplicate) {
    terminal.say(`replayed before as ${taskId}; when that task has failed too: murmur task retry ${taskId}`);
  }
  return taskId;
}

/** One task with all known facts. */
export function renderStatus(status: TaskStatus, terminal: Terminal): string {
  const facts: Record<string, string | null> = {
    task: status.taskId,
    capability: status.capability,
    state: `${paint(status.state, terminal)}${showVotes(status)}`,
    attempt: String(status.attempt),
    progress: status.progress === null ? null : `${status.progress} %`,
    agent: status.agent,
    "due at": status.dueAt,
    waiting: status.waiting === undefined ? null : showWait(status.waiting),
    stray: status.stray ?? null,
    paused: status.paused === undefined ? null : showPause(status.paused),
    queued: status.queuedMs === null ? null : showDuration(status.queuedMs),
    ran: status.result === undefined ? null : showDuration(status.result.ranMs),
    finished: status.result?.finishedAt ?? null,
    trace: status.traceUrl ?? status.traceId ?? null,
  };
  const lines = Object.entries(facts)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key.padEnd(12)}${printable(value ?? "")}`);
  if (status.waiting !== undefined) {
    const [step = ""] = status.waiting.steps;
    lines.push(
      `${"".padEnd(12)}(murmur task settle ${status.taskId} ${printable(JSON.stringify(step))} --result JSON, or --not-done)`,
    );
  }
  lines.push(...(status.handOffs ?? []).map(renderHop));
  if (status.placement !== undefined) lines.push(...renderPlacement(status.placement));
  if (status.history !== undefined) lines.push(...renderHistory(status.history));
  return status.result === undefined
    ? lines.join("\n")
    : `${lines.join("\n")}\n\n${renderResult(status.result, terminal)}`;
}

/** The most steps that people see; --json has all. */
const MAX_STEPS_SHOWN = 30;

function showWait({ reason, steps, since }: NonNullable<TaskStatus["waiting"]>): string {
  return `for ${reason}: ${steps.map(printable).join(", ")}, since ${since}`;
}

/** The attempts, one on each line. A single attempt without an error has no line: the other facts say all about it. */
function renderHistory(history: TaskHistory): string[] {
  return [...renderAttempts(history), ...renderSteps(history)];
}

/** The recorded steps, one on each line; the newest of them when there are many. */
function renderSteps({ steps = [], droppedSteps = 0 }: TaskHistory): string[] {
  const shown = steps.slice(-MAX_STEPS_SHOWN);
  const lines = shown.map(({ step, state, attempt, ms, at, error, settledBy }, index) => {
    const ran = ms === undefined ? "" : `, ran ${showDuration(ms)}`;
    const by = settledBy === undefined ? "" : `, settled by ${printable(settledBy)}`;
    const reason = error === undefined ? "" : `  ${error.code}: ${printable(error.message)}`;
    const label = index === 0 ? "steps" : "";
    return `${label.padEnd(12)}${printable(step)}  ${state} in attempt ${attempt}${ran}${by} at ${at}${reason}`;
  });
  const hidden = steps.length - shown.length;
  if (hidden > 0) lines.push(`${"".padEnd(12)}(${hidden} earlier steps: --json)`);
  if (droppedSteps > 0) lines.push(`${"".padEnd(12)}(${droppedSteps} earlier steps are no longer stored)`);
  return lines;
}

function renderAttempts({ attempts, droppedAttempts, droppedTraces }: TaskHistory): string[] {
  const isPlain = attempts.length <= 1 && attempts.every(({ error }) => error === undefined);
  if (isPlain && droppedAttempts === 0) return [];
  const lines = attempts.map(renderAttempt);
  const hidden = [
    droppedAttempts > 0 ? `${droppedAttempts} earlier attempts are no longer stored` : null,
    attempts.some(({ trace }) => trace !== undefined) ? "stacks: --json" : null,
    droppedTraces > 0 ? `${droppedTraces} older stacks are no longer stored` : null,
  ].filter((note) => note !== null);
  return hidden.length === 0 ? lines : [...lines, `${"".padEnd(12)}(${hidden.join("; ")})`];
}

function renderAttempt({ attempt, agent, outcome, startedAt, endedAt, error }: AttemptLine): string {
  const ran =
    startedAt === undefined || endedAt === undefined
      ? ""
      : `, ran ${showDuration(Date.parse(endedAt) - Date.parse(startedAt))}`;
  const at = endedAt ?? startedAt;
  const reason = error === undefined ? "" : `  ${error.code}: ${printable(error.message)}`;
  const head = `${`attempt ${attempt}`.padEnd(12)}${outcome}, ${printable(agent)}`;
  return `${head}${at === undefined ? "" : `, ${at}`}${ran}${reason}`;
}

/** The pause of the task's capability. */
function showPause({ since, by }: NonNullable<TaskStatus["paused"]>): string {
  return since === null || by === null ? "yes; murmur capability ls tells more" : `since ${since} by ${by}`;
}

/** One hand-off: the agent that had the task before, and the time of the hand-off. */
function renderHop({ agent, attempt, at }: Hop): string {
  return `${"handed off".padEnd(12)}by ${printable(agent)}, ${at}, attempt ${attempt}`;
}

/** The agent on which the office placed a task, and each reason with its part of the score. */
function renderPlacement({ agent, host, score, placedAt, reasons }: Placement): string[] {
  const head = `${"placed".padEnd(12)}on ${agent} of ${host}, ${placedAt}, score ${score.toFixed(2)}`;
  return [
    head,
    ...reasons.map(({ what, value, weight }) => {
      const gain = weight === undefined ? "" : `${weight < 0 ? "" : "+"}${weight.toFixed(2)}`;
      return `${"".padEnd(12)}${gain.padStart(6)}  ${printable(`${what}: ${value}`)}`;
    }),
  ];
}

/** Many tasks, one on each line. */
export function renderTasks(tasks: readonly TaskStatus[], terminal: Terminal): string {
  return table(
    ["TASK", "CAPABILITY", "STATE", "ATTEMPT", "PROGRESS", "AGENT"],
    tasks.map((task) => [
      task.taskId,
      task.capability ?? "-",
      `${paint(task.state, terminal)}${showVotes(task)}${task.stray === undefined ? "" : ", stray"}`,
      String(task.attempt),
      task.progress === null ? "-" : `${task.progress} %`,
      task.agent ?? "-",
    ]),
    "no tasks",
  );
}

/** The end of a page: the entries that it does not show, and the next page. Nothing when the list is whole. */
export function renderPageEnd({
  seen,
  next,
  hidden,
  missesBallots = false,
}: {
  seen: number;
  next: string | null;
  hidden: readonly { count: number; reason: string }[];
  missesBallots?: boolean;
}): string[] {
  const notes = hidden.map(({ count, reason }) => `  ${count} ${reason}`);
  return [
    ...(missesBallots ? ["open ballots are missing: no coordinator answered"] : []),
    ...(notes.length === 0 ? [] : [`not shown, of ${seen} looked at:`, ...notes]),
    ...(next === null ? [] : [`more: --after ${next}`]),
  ];
}

/** For a ballot: how many of its seats have answered. */
function showVotes({ ballot }: TaskStatus): string {
  return ballot === undefined ? "" : `, ballot ${ballot.answered}/${ballot.seats}`;
}

function paint(state: TaskStatus["state"], { colors }: Terminal): string {
  if (state === "failed") return colors.red(state);
  if (state === "completed") return colors.green(state);
  return state === "running" ? colors.cyan(state) : colors.yellow(state);
}
