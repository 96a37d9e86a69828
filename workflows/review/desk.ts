// The two ends of the review as a workflow (workflow.ts): which tasks are next, and the report of their outcomes. Both run the same review as the
// CLI, whose tasks are answered from the recorded outcomes, so that the report is the same.
// D1  A task is known by its capability and its files, so its outcome is found again in every run of the review over an unchanged directory.
// D2  The linters' ballot is one step for each seat; its verdict is made here from the recorded answers.
import { createHash } from "node:crypto";
import type { Result, Verdict } from "murmur-swarm";
import {
  type LintOutput,
  lintOutputSchema,
  type Place,
  type ReviewCapability,
} from "../../agents/lib/review/index.ts";
import type { ReviewReport } from "./report/index.ts";
import { runReview } from "./run.ts";
import { probeSandbox } from "./safety/index.ts";
import type { ReviewPorts, ReviewTask } from "./tasks/index.ts";

/** The options of a review as a workflow: a part of the options of `murmur review`. */
export interface DeskOptions {
  readonly directory: string;
  readonly only?: readonly ReviewCapability[] | undefined;
  readonly changed?: string | true | undefined;
}

/** One step of the review. */
export interface DeskTask {
  /** Names the task among those of the review (D1). */
  readonly key: string;
  readonly capability: ReviewCapability;
  readonly input: ReviewTask["input"];
  readonly timeoutMs: number;
  readonly retry: { readonly max: number };
}

/** The end of a step, as the workflow recorded it. */
export interface DeskOutcome {
  readonly key: string;
  readonly output?: unknown;
  readonly error?: { readonly code: string; readonly message: string } | undefined;
}

/** Ends the replay of a review at the tasks that have no outcome yet. */
class Unanswered extends Error {
  override readonly name = "Unanswered";
  readonly tasks: readonly DeskTask[];

  constructor(tasks: readonly DeskTask[]) {
    super("these tasks have no outcome yet");
    this.tasks = tasks;
  }
}

/** The tasks that come next: first those of the analysers, then those of the referee; none when all have their outcome. */
export async function nextTasks(
  options: DeskOptions,
  outcomes: readonly DeskOutcome[],
  signal?: AbortSignal,
): Promise<readonly DeskTask[]> {
  try {
    await replay(options, outcomes, signal);
    return [];
  } catch (error) {
    if (error instanceof Unanswered) return error.tasks;
    throw error;
  }
}

/** The report of the review. @throws Error when a task has no outcome. */
export function reportOf(
  options: DeskOptions,
  outcomes: readonly DeskOutcome[],
  signal?: AbortSignal,
): Promise<ReviewReport> {
  return replay(options, outcomes, signal);
}

function replay(
  { directory, only, changed }: DeskOptions,
  outcomes: readonly DeskOutcome[],
  signal: AbortSignal | undefined,
): Promise<ReviewReport> {
  const known = new Map(outcomes.map((outcome) => [outcome.key, outcome]));
  return runReview(portsOf(known), {
    directory,
    only,
    changed,
    signal,
    protection: probeSandbox({ directory, signal }),
  });
}

/** Answers the tasks of a review from the known outcomes. */
function portsOf(known: ReadonlyMap<string, DeskOutcome>): ReviewPorts {
  return {
    async ready(tasks) {
      const open = tasks.flatMap(partsOf).filter(({ key }) => !known.has(key));
      if (open.length > 0) throw new Unanswered(open);
    },
    async submit(task) {
      const parts = partsOf(task).map((part) => ({ part, outcome: known.get(part.key) }));
      const results = parts.map(({ part, outcome }) => resultOf(part, outcome));
      return task.ballot === undefined ? (results[0] as Result) : verdictOf(task, results);
    },
    async resultOf(key) {
      return resultOf({ key, capability: "review-oxlint" }, known.get(key));
    },
  };
}

/** A task as steps: one, or one for each seat of its ballot (D2). */
function partsOf(task: ReviewTask): DeskTask[] {
  const { input, timeoutMs, retry } = task;
  const capabilities = (task.ballot?.panel as ReviewCapability[] | undefined) ?? [task.capability];
  return capabilities.map((capability) => {
    const digest = createHash("sha256").update(input.files.join("\n")).digest("hex").slice(0, 32);
    return { key: `${capability}-${digest}`, capability, input, timeoutMs, retry };
  });
}

const NO_TIME = new Date(0).toISOString();

function resultOf(
  { key, capability }: Pick<DeskTask, "key" | "capability">,
  outcome: DeskOutcome | undefined,
): Result {
  const about = {
    ...{ taskId: key, attempt: 1, agent: capability, startedAt: NO_TIME, finishedAt: NO_TIME },
    ...{ queuedMs: 0, ranMs: 0 },
  };
  if (outcome?.error === undefined && outcome !== undefined)
    return { ...about, status: "completed", output: outcome.output };
  const { code, message } = outcome?.error ?? { code: "internal", message: "the step has no outcome" };
  return { ...about, status: "failed", error: { code: code as "internal", message, retryable: false } };
}

/** The result of a ballot of strategy `merge` over the answers of its seats. */
function verdictOf(task: ReviewTask, results: readonly Result[]): Result {
  const seats: Verdict["seats"] = [];
  const merged = new Map<string, { finding: Place; seats: number[] }>();
  for (const [index, result] of results.entries()) {
    const seat = index + 1;
    const answer = result.status === "completed" ? lintOutputSchema.safeParse(result.output) : null;
    const about = { seat, agent: result.agent, weight: 1 };
    if (answer?.success !== true) {
      const { code, message } = result.error ?? { code: "invalid_input", message: "the answer is no answer" };
      seats.push({ ...about, abstained: `${code}: ${message}` });
      continue;
    }
    const { places }: LintOutput = answer.data;
    seats.push({ ...about, taskId: result.taskId, value: places });
    for (const finding of places) {
      const key = JSON.stringify([finding.file, finding.line, finding.kind]);
      const entry = merged.get(key) ?? { finding, seats: [] };
      if (entry.seats.at(-1) !== seat) entry.seats.push(seat);
      merged.set(key, entry);
    }
  }
  const abstained = seats.filter((seat) => seat.abstained !== undefined).length;
  const isDecided = abstained < seats.length;
  const verdict: Verdict = {
    outcome: isDecided ? "decided" : "no_quorum",
    strategy: "merge",
    topology: "star",
    ...(isDecided ? { value: [...merged.values()] } : {}),
    agreement: 1,
    decidedBy: "all",
    abstained,
    seats,
    rounds: 1,
    messages: seats.length,
    hops: 1,
    effectiveVoters: null,
    usage: { inputTokens: 0, outputTokens: 0, costUsd: null },
  };
  const [first] = results as [Result, ...Result[]];
  const { output: _output, error: _error, ...about } = first;
  return { ...about, taskId: `${task.capability}-ballot`, status: "completed", verdict };
}
