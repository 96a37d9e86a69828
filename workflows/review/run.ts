// Runs a review: lists, plans, hands the tasks in, merges the answers. Owns how long it waits for whom; tasks travel through
// the caller's port, so a test can answer them by hand.
// I1: a task that fails, is lost or hangs costs its own findings only. I2: the review ends by itself: at the latest after
// `timeoutMs`, and already when nothing was answered for one attempt's time.
import { createHash } from "node:crypto";
import { realpath, stat } from "node:fs/promises";
import { type BallotInput, type Result, SwarmError, toSwarmError } from "murmur";
import {
  LINTERS,
  type Linter,
  lintOutputSchema,
  MAX_FILE_BYTES,
  MAX_FILES,
  MAX_FINDINGS_PER_TASK,
  REVIEW_CAPABILITIES,
  type ReviewCapability,
  reviewOutputSchema,
} from "../../agents/lib/review/index.ts";
import { type AgreedPlace, agreementLevels, lintBallot, readVerdict } from "./ballot.ts";
import { type Answer, type Finding, mergeFindings } from "./merge.ts";
import { capabilitiesOf, type PlannedTask, planReview } from "./plan.ts";
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
  /** The linters' ballot; the task goes by the capability of its first seat. */
  ballot?: BallotInput;
}

/** What a review needs of the swarm. */
export interface ReviewPorts {
  /** Hands in a task and waits for its result; rejects when it cannot be handed in. Gives up when `signal` aborts. */
  submit(task: ReviewTask, signal: AbortSignal): Promise<Result>;
  /** The result of a ballot's seat, which is there once its verdict is. */
  resultOf(taskId: string, signal: AbortSignal): Promise<Result>;
  onProgress?(progress: ReviewProgress): void;
}

/** How far a review is. */
export interface ReviewProgress {
  files: number;
  tasks: number;
  finished: number;
  failed: number;
  /** The capability that was answered last. */
  capability?: ReviewCapability | undefined;
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
  /** Analysers that no agent performs here, and why: their findings are told to be missing, and nobody waits for them. */
  absent?: ReadonlyMap<ReviewCapability, string> | undefined;
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
  const { only = REVIEW_CAPABILITIES, absent = new Map() } = options;
  const planned = planReview(scanned.files, only);
  const present = planReview(
    scanned.files,
    only.filter((capability) => !absent.has(capability)),
  );
  const taskTimeoutMs = options.taskTimeoutMs ?? DEFAULT_REVIEW_TASK_TIMEOUT_MS;
  const timeoutMs = options.timeoutMs ?? DEFAULT_REVIEW_TIMEOUT_MS;
  const outcomes = await submitAll(ports, present, {
    files: scanned.files.length,
    timeoutMs,
    taskTimeoutMs,
    signal: options.signal,
    toTask: (task) => ({
      capability: capabilitiesOf(task)[0] as ReviewCapability,
      input: { directory, files: task.files, repoConfig: options.repoConfig ?? true },
      timeoutMs: taskTimeoutMs,
      retry: { max: 1 },
      ...("linters" in task.by ? { ballot: lintBallot(task.by.linters, timeoutMs) } : {}),
    }),
  });
  const missing = planned.flatMap((task) => ofAbsent(task, absent));
  const tookMs = performance.now() - startedMs;
  return toReport(directory, scanned, { outcomes: [...outcomes, ...missing], present, tookMs });
}

/** What became of one analyser's part of a task. */
interface Outcome {
  capability: ReviewCapability;
  files: readonly string[];
  agent: string | null;
  answer: Answer | null;
  /** `code: message`, or why a seat abstained. */
  error: string | null;
  /** With the first outcome of a ballot: what its seats agree on, and how many places its verdict has no room for. */
  agreed?: { places: AgreedPlace[]; omitted: number };
}

function ofAbsent(task: PlannedTask, absent: ReadonlyMap<ReviewCapability, string>): Outcome[] {
  return capabilitiesOf(task).flatMap((capability) => {
    const message = absent.get(capability);
    if (message === undefined) return [];
    return [{ capability, files: task.files, agent: null, answer: null, error: `unavailable: ${message}` }];
  });
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
  const tasks = planned.reduce((sum, task) => sum + capabilitiesOf(task).length, 0);
  const progress: ReviewProgress = { files: options.files, tasks, finished: 0, failed: 0 };
  ports.onProgress?.({ ...progress });
  try {
    const ended = await Promise.all(
      planned.map(async (task) => {
        const outcomes = await submitOne(ports, task, options.toTask(task), patience);
        options.signal?.throwIfAborted();
        patience.renew();
        progress.finished += outcomes.length;
        progress.failed += outcomes.filter(({ error }) => error !== null).length;
        ports.onProgress?.({ ...progress, capability: outcomes[0]?.capability });
        return outcomes;
      }),
    );
    return ended.flat();
  } finally {
    patience.end();
  }
}

/** One outcome for each capability of the task. */
async function submitOne(
  ports: ReviewPorts,
  planned: PlannedTask,
  task: ReviewTask,
  patience: Patience,
): Promise<Outcome[]> {
  const capabilities = capabilitiesOf(planned);
  const { files } = planned;
  try {
    const result = await Promise.race([ports.submit(task, patience.signal), patience.over]);
    if ("linters" in planned.by) return await readBallot(ports, planned.by.linters, files, result, patience);
    return capabilities.map((capability) => toOutcome(capability, files, result));
  } catch (thrown) {
    const { code, message } = toSwarmError(thrown);
    return capabilities.map((capability) => failed({ capability, files }, { code, message }));
  }
}

/** What the verdict says, and the words of each seat, which stand in its own result. */
async function readBallot(
  ports: ReviewPorts,
  linters: readonly Linter[],
  files: readonly string[],
  { verdict, error, status }: Result,
  patience: Patience,
): Promise<Outcome[]> {
  if (verdict === undefined) {
    const why = error ?? { code: "internal", message: `the ballot ended as ${status}` };
    return linters.map((capability) => failed({ capability, files }, why));
  }
  const outcomes = await Promise.all(
    linters.map(async (capability, index): Promise<Outcome> => {
      const seat = verdict.seats[index];
      const about = { capability, files, agent: seat?.agent ?? null };
      if (seat?.taskId === undefined) {
        const why = seat?.abstained ?? `${error?.code ?? "internal"}: ${error?.message ?? "no answer"}`;
        return { ...about, answer: null, error: why };
      }
      const result = await Promise.race([ports.resultOf(seat.taskId, patience.signal), patience.over]);
      return toOutcome(capability, files, result);
    }),
  );
  const [first, ...others] = outcomes as [Outcome, ...Outcome[]];
  const agreed = { places: readVerdict(verdict, linters), omitted: verdict.omitted ?? 0 };
  return [{ ...first, agreed }, ...others];
}

function toOutcome(capability: ReviewCapability, files: readonly string[], result: Result): Outcome {
  const about = { capability, files, agent: result.agent };
  if (result.status !== "completed") {
    return failed(about, result.error ?? { code: "internal", message: `the task ended as ${result.status}` });
  }
  const schema = isLinter(capability) ? lintOutputSchema : reviewOutputSchema;
  const output = schema.safeParse(result.output);
  if (!output.success) {
    const message = `the answer of ${result.agent} is no review answer: ${output.error.issues[0]?.message ?? "it differs"}`;
    return failed(about, { code: "invalid_input", message });
  }
  const { findings, unsure } = output.data;
  return { ...about, answer: { capability, files, findings, unsure }, error: null };
}

function failed(
  about: Pick<Outcome, "capability" | "files"> & { agent?: string | null },
  { code, message }: { code: string; message: string },
): Outcome {
  return { agent: null, ...about, answer: null, error: `${code}: ${message}` };
}

function isLinter(capability: ReviewCapability): capability is Linter {
  return (LINTERS as readonly string[]).includes(capability);
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
  {
    outcomes,
    present,
    tookMs,
  }: { outcomes: readonly Outcome[]; present: readonly PlannedTask[]; tookMs: number },
): ReviewReport {
  const answers = outcomes.flatMap(({ answer }) => (answer === null ? [] : [answer]));
  const agreed = outcomes.flatMap(({ agreed: told }) => told?.places ?? []);
  const omitted = outcomes.reduce((sum, { agreed: told }) => sum + (told?.omitted ?? 0), 0);
  const linters = present.flatMap(({ by }) => ("linters" in by ? [by.linters.length] : []));
  const failedTasks: FailedTask[] = outcomes.flatMap(({ capability, files, error }) =>
    error === null ? [] : [{ capability, error, files: files.length }],
  );
  const isFailed = outcomes.length > 0 && answers.length === 0;
  return {
    status: isFailed ? "failed" : failedTasks.length > 0 ? "partial" : "completed",
    directory,
    files: scanned.files.length,
    durationMs: Math.round(tookMs),
    agents: new Set(outcomes.flatMap(({ agent }) => (agent === null ? [] : [agent]))).size,
    tasks: outcomes.length,
    agreement: agreementLevels(Math.max(0, ...linters)),
    findings: [...mergeFindings(answers, agreed), ...leftOut(scanned, omitted)],
    failedTasks,
  };
}

/** What a person might have expected to be reviewed, and was not. */
function leftOut({ skipped }: Scan, omitted: number): Finding[] {
  const tooMany = skipped["over the file limit"] ?? 0;
  const tooLarge = skipped["too large"] ?? 0;
  const messages = [
    ...(tooMany === 0
      ? []
      : [`${tooMany} files over the limit of ${MAX_FILES} were not looked at; review a part of it.`]),
    ...(tooLarge === 0 ? [] : [`${tooLarge} files over ${MAX_FILE_BYTES / 1024} KiB were not looked at.`]),
    ...(omitted === 0
      ? []
      : [
          `${omitted} findings that fewest linters report went over the ${MAX_FINDINGS_PER_TASK} of a verdict.`,
        ]),
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
    silent: [],
    confidence: null,
  }));
}
