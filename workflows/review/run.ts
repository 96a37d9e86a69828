// Runs a review: lists, plans, hands the tasks in, merges the answers. Owns how long it waits for whom; tasks travel through
// the caller's port, so a test can answer them by hand.
// I1: a task that fails, is lost or hangs costs its own findings only. I2: the review ends by itself: at the latest after
// `timeoutMs`, and already when nothing was answered for one attempt's time.
import { createHash } from "node:crypto";
import { realpath, stat } from "node:fs/promises";
import {
  MAX_FILE_BYTES,
  MAX_FILES,
  type ReviewCapability,
  reviewOutputSchema,
} from "../../agents/review/index.ts";
import { type Result, SwarmError, toSwarmError } from "../../src/protocol/index.ts";
import { type Answer, type Finding, mergeFindings } from "./merge.ts";
import { type PlannedTask, planReview } from "./plan.ts";
import type { FailedTask, ReviewReport } from "./report.ts";
import { type Scan, scan } from "./scan.ts";

/** A whole review; about thirty times what a repository of 1,000 files takes on two cores. */
export const DEFAULT_REVIEW_TIMEOUT_MS = 10 * 60_000;
/** One attempt at a task: an analyser's longest tool run (90 s) and its own work. */
export const DEFAULT_REVIEW_TASK_TIMEOUT_MS = 120_000;

/** A task as the port takes it. */
export interface ReviewTask {
  capability: ReviewCapability;
  input: { directory: string; files: string[]; repoConfig: boolean };
  timeoutMs: number;
  /** One retry: a crash may have been the machine's; a second one is the file's. */
  retry: { max: number };
}

/** What a review needs of the swarm. */
export interface ReviewPorts {
  /** Hands in a task and waits for its result; rejects when it cannot be handed in. Gives up when `signal` aborts. */
  submit(task: ReviewTask, signal: AbortSignal): Promise<Result>;
  onProgress?(progress: ReviewProgress): void;
}

/** How far a review is. */
export interface ReviewProgress {
  files: number;
  tasks: number;
  finished: number;
  failed: number;
  /** The capability that was answered last. */
  capability?: ReviewCapability;
}

export interface ReviewOptions {
  /** The directory to review. */
  directory: string;
  /** Default {@link DEFAULT_REVIEW_TIMEOUT_MS}. */
  timeoutMs?: number | undefined;
  /** One attempt at one task, and how long nothing may be answered; default {@link DEFAULT_REVIEW_TASK_TIMEOUT_MS}. */
  taskTimeoutMs?: number | undefined;
  /** Whether linters load the repository's own configuration (an ESLint configuration is code); default true. */
  repoConfig?: boolean | undefined;
  /** Just these analysers; default all. */
  only?: readonly ReviewCapability[] | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Reviews a directory.
 * @throws SwarmError `not_found` when the directory is not there; the signal's reason when it aborts.
 */
export async function runReview(ports: ReviewPorts, options: ReviewOptions): Promise<ReviewReport> {
  const startedMs = performance.now();
  const directory = await directoryOf(options.directory);
  const scanned = await scan(directory, options.signal);
  const planned = planReview(scanned.files, options.only);
  const taskTimeoutMs = options.taskTimeoutMs ?? DEFAULT_REVIEW_TASK_TIMEOUT_MS;
  const outcomes = await submitAll(ports, planned, {
    files: scanned.files.length,
    timeoutMs: options.timeoutMs ?? DEFAULT_REVIEW_TIMEOUT_MS,
    taskTimeoutMs,
    signal: options.signal,
    toTask: ({ capability, files }) => ({
      capability,
      input: { directory, files, repoConfig: options.repoConfig ?? true },
      timeoutMs: taskTimeoutMs,
      retry: { max: 1 },
    }),
  });
  return toReport(directory, scanned, outcomes, performance.now() - startedMs);
}

interface Outcome {
  task: PlannedTask;
  agent: string | null;
  answer: Answer | null;
  error: { code: string; message: string } | null;
}

async function directoryOf(named: string): Promise<string> {
  const facts = await stat(named).catch(() => null);
  if (facts?.isDirectory() === true) return await realpath(named);
  throw new SwarmError(
    "not_found",
    `expected a directory to review, but ${named} is ${facts === null ? "not there" : "none"}`,
    {
      field: "directory",
    },
  );
}

interface SubmitOptions {
  files: number;
  timeoutMs: number;
  taskTimeoutMs: number;
  signal: AbortSignal | undefined;
  toTask: (planned: PlannedTask) => ReviewTask;
}

async function submitAll(
  ports: ReviewPorts,
  planned: readonly PlannedTask[],
  options: SubmitOptions,
): Promise<Outcome[]> {
  const patience = new Patience(options);
  const progress: ReviewProgress = { files: options.files, tasks: planned.length, finished: 0, failed: 0 };
  ports.onProgress?.({ ...progress });
  try {
    return await Promise.all(
      planned.map(async (task) => {
        const outcome = await submitOne(ports, task, options.toTask(task), patience);
        options.signal?.throwIfAborted();
        patience.renew();
        progress.finished += 1;
        if (outcome.error !== null) progress.failed += 1;
        ports.onProgress?.({ ...progress, capability: task.capability });
        return outcome;
      }),
    );
  } finally {
    patience.end();
  }
}

async function submitOne(
  ports: ReviewPorts,
  planned: PlannedTask,
  task: ReviewTask,
  patience: Patience,
): Promise<Outcome> {
  try {
    const result = await Promise.race([ports.submit(task, patience.signal), patience.over]);
    if (result.status !== "completed") {
      const error = result.error ?? { code: "internal", message: `the task ended as ${result.status}` };
      return { task: planned, agent: result.agent, answer: null, error };
    }
    const output = reviewOutputSchema.safeParse(result.output);
    if (!output.success) {
      const message = `the answer of ${result.agent} is no review answer: ${output.error.issues[0]?.message ?? "it differs"}`;
      return { task: planned, agent: result.agent, answer: null, error: { code: "invalid_input", message } };
    }
    const { findings, ownRules } = output.data;
    const answer = { capability: planned.capability, files: planned.files, findings, ownRules };
    return { task: planned, agent: result.agent, answer, error: null };
  } catch (thrown) {
    const { code, message } = toSwarmError(thrown);
    return { task: planned, agent: null, answer: null, error: { code, message } };
  }
}

/** How long a review waits: for all, and for the next answer. */
class Patience {
  readonly #controller = new AbortController();
  readonly #whole: NodeJS.Timeout;
  readonly #taskTimeoutMs: number;
  #next: NodeJS.Timeout | undefined;
  /** Rejects when the wait is over. */
  readonly over: Promise<never>;
  readonly signal: AbortSignal;

  constructor({ timeoutMs, taskTimeoutMs, signal }: SubmitOptions) {
    this.#taskTimeoutMs = taskTimeoutMs;
    this.signal =
      signal === undefined ? this.#controller.signal : AbortSignal.any([signal, this.#controller.signal]);
    this.over = new Promise((_, reject) => {
      const stop = () => reject(this.signal.reason);
      if (this.signal.aborted) stop();
      else this.signal.addEventListener("abort", stop, { once: true });
    });
    this.over.catch(() => undefined);
    this.#whole = setTimeout(
      () => this.#giveUp(`the review's ${timeoutMs} ms are over (raise --timeout)`),
      timeoutMs,
    );
    this.renew();
  }

  /** Something was answered: wait anew. A retry of a lost attempt needs a second attempt's time. */
  renew(): void {
    clearTimeout(this.#next);
    if (this.signal.aborted) return;
    const silentMs = 2 * this.#taskTimeoutMs;
    this.#next = setTimeout(
      () => this.#giveUp(`no answer for ${silentMs} ms: no agent of this capability is running, or it hangs`),
      silentMs,
    );
  }

  end(): void {
    clearTimeout(this.#whole);
    clearTimeout(this.#next);
  }

  #giveUp(message: string): void {
    this.#controller.abort(new SwarmError("timeout", message));
  }
}

function toReport(
  directory: string,
  scanned: Scan,
  outcomes: readonly Outcome[],
  tookMs: number,
): ReviewReport {
  const answers = outcomes.flatMap(({ answer }) => (answer === null ? [] : [answer]));
  const failedTasks: FailedTask[] = outcomes.flatMap(({ task, error }) =>
    error === null
      ? []
      : [{ capability: task.capability, error: `${error.code}: ${error.message}`, files: task.files.length }],
  );
  const failed = outcomes.length > 0 && answers.length === 0;
  return {
    status: failed ? "failed" : failedTasks.length > 0 ? "partial" : "completed",
    directory,
    files: scanned.files.length,
    durationMs: Math.round(tookMs),
    agents: new Set(outcomes.flatMap(({ agent }) => (agent === null ? [] : [agent]))).size,
    tasks: outcomes.length,
    findings: [...mergeFindings(answers), ...leftOut(scanned)],
    failedTasks,
  };
}

/** What a person might have expected to be reviewed, and was not. */
function leftOut({ skipped }: Scan): Finding[] {
  const tooMany = skipped["over the file limit"] ?? 0;
  const tooLarge = skipped["too large"] ?? 0;
  const messages = [
    ...(tooMany === 0
      ? []
      : [`${tooMany} files over the limit of ${MAX_FILES} were not looked at; review a part of it.`]),
    ...(tooLarge === 0 ? [] : [`${tooLarge} files over ${MAX_FILE_BYTES / 1024} KiB were not looked at.`]),
  ];
  return messages.map((message, at) => ({
    fingerprint: createHash("sha256").update(`left-out ${at}`).digest("hex").slice(0, 16),
    kind: "review-note",
    rule: "left-out",
    severity: "info",
    file: ".",
    line: 1,
    message,
    agreedBy: [],
    confidence: 1,
  }));
}
