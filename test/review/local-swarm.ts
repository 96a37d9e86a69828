// A fake swarm: performs review tasks in this process, one after the other, with the real analyses. Inputs and outputs are
// copied as JSON, as on the wire.
import { type ExecaError, execa } from "execa";
import {
  type Analysis,
  type AnalysisTools,
  biome,
  castVote,
  eslint,
  oxlint,
  type ReviewCapability,
  reviewInputSchema,
} from "../../agents/lib/review/index.ts";
import { type BallotResult, openBallot, stepBallot } from "../../src/consensus/index.ts";
import { type BallotInput, ballotSchema, type Result, toSwarmError } from "../../src/protocol/index.ts";
import type { ReviewPorts, ReviewTask } from "../../workflows/review/index.ts";

/** The linters' analyses, with the answers that their agents give. */
export const LINTER_ANALYSES: Partial<Record<ReviewCapability, Analysis>> = {
  "review-oxlint": voting(oxlint),
  "review-biome": voting(biome),
  "review-eslint": voting(eslint),
};

function voting(analysis: Analysis): Analysis {
  return async (input, tools) => castVote(await analysis(input, tools));
}

/** Makes tools that run real commands. */
export function localTools(signal: AbortSignal = new AbortController().signal): AnalysisTools {
  return {
    signal,
    progress: () => undefined,
    async exec({ argv, cwd, input, timeoutMs, maxOutputBytes }) {
      const [program, ...rest] = argv;
      const ran = await execa(program, rest, {
        cwd,
        input: input ?? "",
        timeout: timeoutMs,
        maxBuffer: maxOutputBytes,
        cancelSignal: signal,
        reject: false,
        stripFinalNewline: false,
      });
      if (ran.exitCode === undefined) throw ran as ExecaError;
      return { exitCode: ran.exitCode, stdout: ran.stdout, stderr: ran.stderr };
    },
  };
}

/** Answers review tasks with the given analyses; a task without an analysis fails. Ballots go through the pure decider. */
export function localSwarm(
  analyses: Partial<Record<ReviewCapability, Analysis>>,
): Pick<ReviewPorts, "submit" | "resultOf"> {
  let last: Promise<unknown> = Promise.resolve();
  const results = new Map<string, Result>();
  return {
    submit(task, signal) {
      const mine = last.then(() =>
        task.ballot === undefined
          ? perform(analyses[task.capability], task, signal)
          : vote(analyses, task, signal, results),
      );
      last = mine;
      return mine;
    },
    async resultOf(taskId) {
      const result = results.get(taskId);
      if (result === undefined) throw new Error(`no seat has the task ${taskId}`);
      return result;
    },
  };
}

/** Asks every seat of the task's ballot, one after the other, and returns the verdict as the task's result. */
async function vote(
  analyses: Partial<Record<ReviewCapability, Analysis>>,
  task: ReviewTask,
  signal: AbortSignal,
  results: Map<string, Result>,
): Promise<Result> {
  const panel = (task.ballot?.panel ?? []) as ReviewCapability[];
  const answers: Result[] = [];
  for (const capability of panel) {
    answers.push(await perform(analyses[capability], { ...task, capability }, signal));
  }
  const { verdict, error } = countVotes(task.ballot as BallotInput, answers);
  const seats = verdict.seats.map((seat, index) => {
    if (seat.value === undefined) return seat;
    const taskId = `seat-${results.size}`;
    results.set(taskId, answers[index] as Result);
    return { ...seat, taskId };
  });
  const about = { taskId: "ballot", attempt: 1, agent: "-", ...TIMES, verdict: { ...verdict, seats } };
  if (error === undefined) return { ...about, status: "completed" };
  return { ...about, status: "failed", error: { ...error, retryable: false } };
}

/** Runs a ballot's decider over the results of its seats, and returns the ballot's result. */
export function countVotes(
  input: BallotInput,
  results: readonly Pick<Result, "status" | "output" | "error">[],
): BallotResult {
  const spec = ballotSchema.parse(input);
  const seats = (spec.panel ?? []).map((name, index) => ({ seat: index + 1, agent: `${name}-1`, weight: 1 }));
  let [ballot] = openBallot({ id: "ballot", spec, seats, nonce: "0".repeat(32), atMs: 0 });
  for (const [index, { status, output, error }] of results.entries()) {
    const about = { seat: index + 1, round: 1, atMs: index };
    const reason = `${error?.code}: ${error?.message}`;
    [ballot] = stepBallot(
      ballot,
      status === "completed" ? { type: "answer", output, ...about } : { type: "abstain", reason, ...about },
    );
  }
  if (ballot.result === undefined) throw new Error("the ballot has not ended");
  return ballot.result;
}

const TIMES = {
  startedAt: new Date(0).toISOString(),
  finishedAt: new Date(0).toISOString(),
  queuedMs: 0,
  ranMs: 0,
};

async function perform(
  analysis: Analysis | undefined,
  task: ReviewTask,
  signal: AbortSignal,
): Promise<Result> {
  const about = { taskId: task.capability, attempt: 1, agent: `${task.capability}-1`, ...TIMES };
  try {
    if (analysis === undefined) throw new Error(`no agent offers ${task.capability}`);
    const input = reviewInputSchema.parse(JSON.parse(JSON.stringify(task.input)));
    const output = JSON.parse(JSON.stringify(await analysis(input, localTools(signal)))) as unknown;
    return { ...about, status: "completed", output };
  } catch (thrown) {
    const { code, message, retryable } = toSwarmError(thrown);
    return { ...about, status: "failed", error: { code, message, retryable } };
  }
}
