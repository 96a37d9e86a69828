// Submits the tasks of a review, and reads their answers. Owns the time limits.
// I1: a task that fails, is lost or hangs costs its own findings only.
// I2: the wait always ends: after `timeoutMs`, or earlier when no answer comes for twice `taskTimeoutMs`.
import { type Result, SwarmError, toSwarmError } from "murmur-swarm";
import type { Linter, ReviewCapability } from "../../../agents/lib/review/index.ts";
import { type AgreedPlace, readVerdict } from "../ballot.ts";
import type { Answer } from "../finding.ts";
import { readAnswer } from "./answer.ts";
import { capabilitiesOf, isLinter, type PlannedTask } from "./plan.ts";
import type { ReviewPorts, ReviewProgress, ReviewTask } from "./ports.ts";

/** The outcome of one analyser's part of a task. */
export interface Outcome {
  capability: ReviewCapability;
  files: readonly string[];
  agent: string | null;
  answer: Answer | null;
  /** `code: message`, or the reason of an abstention; null without an error. */
  error: string | null;
  /** In the first outcome of a ballot only: its agreed places. */
  agreed?: readonly AgreedPlace[];
}

/** Makes the outcomes of a task's analysers without an agent. */
export function ofAbsent(task: PlannedTask, absent: ReadonlyMap<ReviewCapability, string>): Outcome[] {
  return capabilitiesOf(task).flatMap((capability) => {
    const message = absent.get(capability);
    if (message === undefined) return [];
    return [{ capability, files: task.files, agent: null, answer: null, error: `unavailable: ${message}` }];
  });
}

export interface SubmitOptions {
  /** The number of files of the review, for the progress. */
  files: number;
  timeoutMs: number;
  taskTimeoutMs: number;
  signal: AbortSignal | undefined;
  toTask: (planned: PlannedTask) => ReviewTask;
  /** Plans the tasks that depend on the outcomes of all ballots. */
  planSecond: (ballots: readonly Outcome[]) => readonly PlannedTask[];
}

/** Submits the tasks, and the second ones as soon as all ballots have ended. */
export async function submitAll(
  ports: ReviewPorts,
  planned: readonly PlannedTask[],
  options: SubmitOptions,
): Promise<Outcome[]> {
  const patience = new Patience(options);
  const progress: ReviewProgress = { files: options.files, tasks: 0, finished: 0, failed: 0 };
  const submitEach = (tasks: readonly PlannedTask[]): Promise<Outcome[]>[] => {
    progress.tasks += tasks.reduce((sum, task) => sum + capabilitiesOf(task).length, 0);
    ports.onProgress?.({ ...progress });
    return tasks.map(async (task) => {
      const outcomes = await submitOne(ports, task, options.toTask(task), patience);
      options.signal?.throwIfAborted();
      patience.renew();
      progress.finished += outcomes.length;
      progress.failed += outcomes.filter(({ error }) => error !== null).length;
      ports.onProgress?.({ ...progress, capability: outcomes[0]?.capability });
      return outcomes;
    });
  };
  const submitSecond = async (ballots: readonly Promise<Outcome[]>[]): Promise<Outcome[]> => {
    const tasks = options.planSecond((await Promise.all(ballots)).flat());
    if (tasks.length === 0) return [];
    await ports.ready?.(tasks.map(options.toTask), options.signal);
    return (await Promise.all(submitEach(tasks))).flat();
  };
  try {
    const first = submitEach(planned);
    const ballots = first.filter((_, index) => "linters" in (planned[index]?.by ?? {}));
    return (await Promise.all([...first, submitSecond(ballots)])).flat();
  } finally {
    patience.end();
  }
}

/** Submits one task. Returns one outcome for each of its capabilities. */
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
    // Such an answer is in no ballot, so all of it is counted.
    return capabilities.map((capability) => {
      const outcome = toOutcome(capability, files, result);
      return outcome.answer === null ? outcome : { ...outcome, answer: { ...outcome.answer, uncounted: [] } };
    });
  } catch (thrown) {
    const { code, message } = toSwarmError(thrown);
    return capabilities.map((capability) => failed({ capability, files }, { code, message }));
  }
}

/** Reads a ballot: the agreed places of its verdict, and the findings in the result of each seat. */
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
  return [{ ...first, agreed: readVerdict(verdict, linters) }, ...others];
}

function toOutcome(capability: ReviewCapability, files: readonly string[], result: Result): Outcome {
  const about = { capability, files, agent: result.agent };
  if (result.status !== "completed") {
    return failed(about, result.error ?? { code: "internal", message: `the task ended as ${result.status}` });
  }
  const output = readAnswer(result.output, isLinter(capability));
  if (!output.success) {
    const message = `the answer of ${result.agent} is not a review answer: ${output.error.issues[0]?.message ?? "its shape is wrong"}`;
    return failed(about, { code: "invalid_input", message });
  }
  const { findings, unsure, unjudged, uncounted } = output.data;
  const answer = { capability, files, findings, unsure, unjudged, uncounted };
  return { ...about, answer, error: null };
}

function failed(
  about: Pick<Outcome, "capability" | "files"> & { agent?: string | null },
  { code, message }: { code: string; message: string },
): Outcome {
  return { agent: null, ...about, answer: null, error: `${code}: ${message}` };
}

/** The time limits of a review: for all answers, and for the next answer. */
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
      () => this.#giveUp(`the review took longer than ${timeoutMs} ms (raise --timeout)`),
      timeoutMs,
    );
    this.renew();
  }

  /** Restarts the wait for the next answer. It is two attempts long, because a lost attempt is retried once. */
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
