// How tasks and results look to people.
import type { Placement, Result, TaskStatus, Verdict } from "../../protocol/index.ts";
import { printable, showDuration, type Terminal, table } from "../terminal.ts";

/** A result: the output of a completed task as JSON, else why there is none. */
export function renderResult(result: Result, { colors }: Terminal): string {
  const verdict = result.verdict === undefined ? "" : `\n\n${renderVerdict(result.verdict)}`;
  if (result.status === "completed") return `${JSON.stringify(result.output ?? null, null, 2)}${verdict}`;
  const reason = result.error === undefined ? "" : `${result.error.code}: ${printable(result.error.message)}`;
  const head = `${colors.red(result.status)} after ${result.attempt} attempts  ${reason}`;
  return `${head}\ntask ${result.taskId}${verdict}`;
}

/** The longest value of a seat that is shown whole. */
const MAX_SHOWN_VALUE = 60;

/** Why a verdict is what it is: how it was decided, and what each seat said. */
export function renderVerdict(verdict: Verdict): string {
  const { strategy, outcome, decidedBy, agreement, seats, rounds, topology, single, effectiveVoters, usage } =
    verdict;
  const share = `${Math.round(agreement * 100)} % agree`;
  const shape = `${strategy} of ${seats.length} seats${topology === "star" ? "" : ` in a ${topology}`}`;
  const head = `${shape}: ${outcome} (${DECIDED_BY_WORDS[decidedBy]}), ${share}${rounds > 1 ? `, ${rounds} rounds` : ""}`;
  const lines = seats.map(({ seat, agent, model, value, abstained, weight }) => [
    String(seat),
    `${agent}${model === undefined ? "" : ` (${model})`}`,
    abstained !== undefined
      ? `abstained: ${printable(abstained)}`
      : value === undefined
        ? "was not waited for"
        : shorten(JSON.stringify(value)),
    strategy === "weighted" ? weight.toFixed(2) : "",
  ]);
  const notes = [
    verdict.reason,
    single === undefined
      ? undefined
      : `seat ${single.seat} alone would have said ${single.agrees ? "the same" : "something else"}${showPrice(usage, single.usage)}`,
    effectiveVoters === null ? undefined : `worth ${effectiveVoters.toFixed(1)} independent voters`,
    verdict.evidence === undefined
      ? undefined
      : `${verdict.evidence.length} refused votes are kept as evidence`,
  ];
  return [
    head,
    table(["SEAT", "AGENT", "SAID", strategy === "weighted" ? "WEIGHT" : ""], lines, "no seats"),
    ...notes.flatMap((note) => (note === undefined ? [] : [printable(note)])),
  ].join("\n");
}

/** What the ballot took beside its control arm, each as far as it is known. */
function showPrice(all: Verdict["usage"], one: Verdict["usage"]): string {
  const tokensOf = ({ inputTokens, outputTokens }: Verdict["usage"]) => inputTokens + outputTokens;
  const costs = [
    tokensOf(all) === 0 ? [] : [`${tokensOf(one)} of ${tokensOf(all)} tokens`],
    all.costUsd === null || one.costUsd === null || all.costUsd === 0
      ? []
      : [`$${one.costUsd.toPrecision(3)} of $${all.costUsd.toPrecision(3)}`],
  ].flat();
  return costs.length === 0 ? "" : `, for ${costs.join(" and ")}`;
}

const DECIDED_BY_WORDS: Record<Verdict["decidedBy"], string> = {
  quorum: "enough agreed, the others were not waited for",
  early: "the others could not change it",
  all: "everybody had answered or abstained",
  timeout: "the time was over",
  plurality: "the most common answer was accepted",
  judge: "a judge chose",
  verifier: "a verifier chose",
  human: "a person decided",
};

function shorten(text: string): string {
  return text.length <= MAX_SHOWN_VALUE ? text : `${text.slice(0, MAX_SHOWN_VALUE - 1)}…`;
}

/** One task with all that is known of it. */
export function renderStatus(status: TaskStatus, terminal: Terminal): string {
  const facts: Record<string, string | null> = {
    task: status.taskId,
    capability: status.capability,
    state: paint(status.state, terminal),
    attempt: String(status.attempt),
    progress: status.progress === null ? null : `${status.progress} %`,
    agent: status.agent,
    "due at": status.dueAt,
    queued: status.queuedMs === null ? null : showDuration(status.queuedMs),
    ran: status.result === undefined ? null : showDuration(status.result.ranMs),
    finished: status.result?.finishedAt ?? null,
  };
  const lines = Object.entries(facts)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key.padEnd(12)}${printable(value ?? "")}`);
  if (status.placement !== undefined) lines.push(...renderPlacement(status.placement));
  return status.result === undefined
    ? lines.join("\n")
    : `${lines.join("\n")}\n\n${renderResult(status.result, terminal)}`;
}

/** Where the office placed a task, and why: each reason with what it added to the score. */
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

/** Many tasks, one a line. */
export function renderTasks(tasks: readonly TaskStatus[], terminal: Terminal): string {
  return table(
    ["TASK", "CAPABILITY", "STATE", "ATTEMPT", "PROGRESS", "AGENT"],
    tasks.map((task) => [
      task.taskId,
      task.capability ?? "-",
      paint(task.state, terminal),
      String(task.attempt),
      task.progress === null ? "-" : `${task.progress} %`,
      task.agent ?? "-",
    ]),
    "no tasks",
  );
}

function paint(state: TaskStatus["state"], { colors }: Terminal): string {
  if (state === "failed") return colors.red(state);
  if (state === "completed") return colors.green(state);
  return state === "running" ? colors.cyan(state) : colors.yellow(state);
}
