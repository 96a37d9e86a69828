// A stand-in for the swarm: performs review tasks in this process, one after the other, through the analyses themselves.
// What travels is cloned as JSON, as on the wire.
import { type ExecaError, execa } from "execa";
import {
  type Analysis,
  type AnalysisTools,
  type ReviewCapability,
  reviewInputSchema,
} from "../../agents/review/index.ts";
import { type Result, toSwarmError } from "../../src/protocol/index.ts";
import type { ReviewPorts, ReviewTask } from "../../workflows/review/index.ts";

/** Tools that run real commands. */
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

/** Answers review tasks with the given analyses; a capability without one is refused. */
export function localSwarm(
  analyses: Partial<Record<ReviewCapability, Analysis>>,
): Pick<ReviewPorts, "submit"> {
  let last: Promise<unknown> = Promise.resolve();
  return {
    submit(task, signal) {
      const mine = last.then(() => perform(analyses[task.capability], task, signal));
      last = mine;
      return mine;
    },
  };
}

async function perform(
  analysis: Analysis | undefined,
  task: ReviewTask,
  signal: AbortSignal,
): Promise<Result> {
  const times = {
    startedAt: new Date(0).toISOString(),
    finishedAt: new Date(0).toISOString(),
    queuedMs: 0,
    ranMs: 0,
  };
  const about = { taskId: task.capability, attempt: 1, agent: `${task.capability}-1`, ...times };
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
