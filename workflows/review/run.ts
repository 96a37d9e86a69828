// Runs a review: scans, plans, submits the tasks, merges the answers. Owns the time limits. The tasks go through the caller's
// port, so that a test can answer them.
// I1: a task that fails, is lost or hangs costs its own findings only.
// I2: the review always ends: after `timeoutMs`, or earlier when no answer comes for twice `taskTimeoutMs`.
import { createHash } from "node:crypto";
import { type BallotInput, type Result, SwarmError, toSwarmError } from "murmur-swarm";
import {
  LINTERS,
  type Linter,
  lintOutputSchema,
  MAX_PLACES_PER_SEAT,
  REVIEW_CAPABILITIES,
  type ReviewCapability,
  readInside,
  reviewOutputSchema,
  type Sandbox,
} from "../../agents/lib/review/index.ts";
import { type AgreedPlace, agreementLevels, lintBallot, readVerdict } from "./ballot.ts";
import {
  BASELINE_FILE,
  type BaselineEntry,
  type BaselineScope,
  compareWithBaseline,
} from "./baseline/index.ts";
import { NO_AGENT } from "./cache/index.ts";
import { applyKinds } from "./config/index.ts";
import { coverageOf } from "./coverage.ts";
import { type Answer, type Finding, mergeFindings, rankFindings } from "./merge.ts";
import { capabilitiesOf, type PlannedTask, planReview } from "./plan.ts";
import { type Prepared, type PreparedBaseline, type PrepareOptions, prepareReview } from "./prepare.ts";
import { planReferee, refereeOf } from "./referee.ts";
import { type FailedTask, partsOf, type ReviewReport } from "./report.ts";
import { NOT_ASKED, type Protection, type Safety, safetyOf } from "./safety/index.ts";
import { findChanged, type Scan, type ScannedFile, scan } from "./scan.ts";
import { type Change, placeInChange, readAtBase, scopeOf } from "./scope/index.ts";
import { applyIgnoreComments, collectIgnoreComments, type IgnoreComment } from "./suppress/index.ts";

/** The time limit of a review: about thirty times the time for a repository of 1,000 files on two cores. */
export const DEFAULT_REVIEW_TIMEOUT_MS = 10 * 60_000;
/** The time limit of one attempt: an analyser's longest tool run (90 s), and its own work. */
export const DEFAULT_REVIEW_TASK_TIMEOUT_MS = 120_000;

/** A task for the port. */
export interface ReviewTask {
  capability: ReviewCapability;
  input: { directory: string; files: string[]; trustRepoConfig: boolean; sandbox?: Sandbox };
  timeoutMs: number;
  /** One retry: the machine may have caused the first crash; the file causes a second one. */
  retry: { max: number };
  /** The linters' ballot. Its task has the capability of the first seat. */
  ballot?: BallotInput;
}

/** The part of the swarm that a review needs. */
export interface ReviewPorts {
  /** Submits a task and waits for its result. Rejects when the task cannot be submitted, or `signal` aborts. */
  submit(task: ReviewTask, signal: AbortSignal): Promise<Result>;
  /** Reads the result of a ballot's seat. It is stored before the verdict. */
  resultOf(taskId: string, signal: AbortSignal): Promise<Result>;
  onProgress?(progress: ReviewProgress): void;
  /** Called once, with the files of the review, before `ready`. */
  onScan?(directory: string, files: readonly ScannedFile[]): void;
  /**
   * Called with all tasks before their time limits begin, and again with the tasks of the referee, if there are any. A review
   * fails when it rejects.
   */
  ready?(tasks: readonly ReviewTask[], signal: AbortSignal | undefined): Promise<void>;
}

/** The progress of a review. */
export interface ReviewProgress {
  files: number;
  tasks: number;
  finished: number;
  failed: number;
  /** The capability of the last answer. */
  capability?: ReviewCapability | undefined;
}

export interface ReviewOptions extends PrepareOptions {
  /** The same input, when it is prepared already. */
  prepared?: Prepared | undefined;
  /** Default {@link DEFAULT_REVIEW_TIMEOUT_MS}. */
  timeoutMs?: number | undefined;
  /**
   * The time limit of one attempt; default {@link DEFAULT_REVIEW_TASK_TIMEOUT_MS}. The review also ends when no answer comes
   * for twice this time.
   */
  taskTimeoutMs?: number | undefined;
  /** True when linters load the repository's own configuration, which runs its code; default false. */
  trustRepoConfig?: boolean | undefined;
  /** The sandbox of the analysers' programs, from {@link probeSandbox}; default none. */
  protection?: Protection | undefined;
  /** Analysers without an agent, with the reason. The report names their missing findings; the review does not wait for them. */
  absent?: ReadonlyMap<ReviewCapability, string> | undefined;
  /** True when the report shows every finding, also of kinds that are off by default; default false. */
  all?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Reviews a directory.
 * @throws SwarmError `not_found` when the directory does not exist; the signal's reason when it aborts.
 */
export async function runReview(ports: ReviewPorts, options: ReviewOptions): Promise<ReviewReport> {
  const startedMs = performance.now();
  const prepared = options.prepared ?? (await prepareReview(options));
  const { directory, config } = prepared;
  const { change } = prepared;
  const isChanged = (path: string) => change === null || change.files.has(path);
  const scanned = await scan(directory, {
    config,
    signal: options.signal,
    ownFiles: [BASELINE_FILE, ...[prepared.baseline?.place.inside ?? []].flat()],
    readNarrowing: (path, maxBytes) =>
      change?.files.has(path) === true
        ? readAtBase({ directory, signal: options.signal }, change, path)
        : readInside(directory, path, maxBytes),
  });
  ports.onScan?.(directory, scanned.files);
  const { only = REVIEW_CAPABILITIES, absent = new Map(), trustRepoConfig = false } = options;
  const referee = refereeOf({ only: options.only, absent, trustRepoConfig });
  const first = only.filter((capability) => capability !== referee);
  const planned = planReview(scanned.files, first, isChanged);
  const present = planReview(
    scanned.files,
    first.filter((capability) => !absent.has(capability)),
    isChanged,
  );
  const second: PlannedTask[] = [];
  const taskTimeoutMs = options.taskTimeoutMs ?? DEFAULT_REVIEW_TASK_TIMEOUT_MS;
  const timeoutMs = options.timeoutMs ?? DEFAULT_REVIEW_TIMEOUT_MS;
  const { protection = NOT_ASKED } = options;
  const { sandbox } = protection;
  const toTask = (task: PlannedTask): ReviewTask => ({
    capability: capabilitiesOf(task)[0] as ReviewCapability,
    input: {
      directory,
      files: task.files,
      ...(task.context === undefined ? {} : { context: task.context }),
      trustRepoConfig,
      // Only the linters run programs.
      ...(capabilitiesOf(task).some(isLinter) && sandbox !== null ? { sandbox } : {}),
    },
    timeoutMs: taskTimeoutMs,
    retry: { max: 1 },
    ...("linters" in task.by ? { ballot: lintBallot(task.by.linters, timeoutMs) } : {}),
  });
  await ports.ready?.(present.map(toTask), options.signal);
  const outcomes = await submitAll(ports, present, {
    files: scanned.files.length,
    timeoutMs,
    taskTimeoutMs,
    signal: options.signal,
    toTask,
    planSecond: (ballots) => {
      if (referee === null) return [];
      second.push(...planReferee(scanned.files, ballots));
      return absent.has(referee) ? [] : second;
    },
  });
  const missing = [...planned, ...second].flatMap((task) => ofAbsent(task, absent));
  const tookMs = performance.now() - startedMs;
  const comments = await collectIgnoreComments(
    directory,
    scanned.files.map(({ path }) => path),
    options.signal,
  );
  const isWhole = REVIEW_CAPABILITIES.every((capability) => only.includes(capability));
  return toReport(prepared, scanned, {
    safety: await safetyOf({
      directory,
      trusted: trustRepoConfig,
      linters: only.filter(isLinter),
      configs: scanned.linterConfigs,
      protection,
    }),
    comments,
    changed: await findChanged(directory, scanned.files),
    isWhole,
    outcomes: [...outcomes, ...missing],
    tookMs,
    all: options.all,
  });
}

/** The outcome of one analyser's part of a task. */
interface Outcome {
  capability: ReviewCapability;
  files: readonly string[];
  agent: string | null;
  answer: Answer | null;
  /** `code: message`, or the reason of an abstention; null without an error. */
  error: string | null;
  /** In the first outcome of a ballot only: its agreed places. */
  agreed?: readonly AgreedPlace[];
}

function ofAbsent(task: PlannedTask, absent: ReadonlyMap<ReviewCapability, string>): Outcome[] {
  return capabilitiesOf(task).flatMap((capability) => {
    const message = absent.get(capability);
    if (message === undefined) return [];
    return [{ capability, files: task.files, agent: null, answer: null, error: `unavailable: ${message}` }];
  });
}

interface SubmitOptions {
  files: number;
  timeoutMs: number;
  taskTimeoutMs: number;
  signal: AbortSignal | undefined;
  toTask: (planned: PlannedTask) => ReviewTask;
  /** Plans the tasks that depend on the outcomes of all ballots. */
  planSecond: (ballots: readonly Outcome[]) => readonly PlannedTask[];
}

/** Submits the tasks, and the second ones as soon as all ballots have ended. */
async function submitAll(
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

/** The answer of an analyser that does not vote: it has no places that a ballot could leave uncounted. */
const ownOutputSchema = reviewOutputSchema.transform((output) => ({ ...output, uncounted: [] as string[] }));

function toOutcome(capability: ReviewCapability, files: readonly string[], result: Result): Outcome {
  const about = { capability, files, agent: result.agent };
  if (result.status !== "completed") {
    return failed(about, result.error ?? { code: "internal", message: `the task ended as ${result.status}` });
  }
  const schema = isLinter(capability) ? lintOutputSchema : ownOutputSchema;
  const output = schema.safeParse(result.output);
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

function isLinter(capability: ReviewCapability): capability is Linter {
  return (LINTERS as readonly string[]).includes(capability);
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

function toReport(
  { directory, config, configFile: file, change, baseline }: Prepared,
  scanned: Scan,
  {
    safety,
    comments,
    changed,
    isWhole,
    outcomes,
    tookMs,
    all = false,
  }: {
    safety: Safety;
    comments: ReadonlyMap<string, readonly IgnoreComment[]>;
    /** The files that changed after the scan. */
    changed: readonly string[];
    /** True when every analyser was asked. */
    isWhole: boolean;
    outcomes: readonly Outcome[];
    tookMs: number;
    all?: boolean | undefined;
  },
): ReviewReport {
  const answers = outcomes.flatMap(({ answer }) => (answer === null ? [] : [answer]));
  const places = outcomes.flatMap(({ agreed }) => agreed ?? []);
  const uncounted = new Set(answers.flatMap((answer) => answer.uncounted ?? [])).size;
  const failedTasks: FailedTask[] = outcomes.flatMap(({ capability, files, error }) =>
    error === null ? [] : [{ capability, error, files: files.length }],
  );
  // In a review of a change, the files that did not change are context.
  const judged = scanned.files.map(({ path }) => path).filter((path) => change?.files.has(path) ?? true);
  const coverage = coverageOf(judged, outcomes, changed);
  const isCut = scanned.leftOut.some(({ reason }) => reason === "unreadable" || reason === "over-the-limit");
  const isComplete = isWhole && failedTasks.length === 0;
  const silenced = applyIgnoreComments(
    mergeFindings(answers, places),
    comments,
    (path) => isComplete && (change?.files.has(path) ?? true),
  );
  const merged = applyKinds(silenced.findings, config);
  const ranked = rankFindings(merged.findings).map((finding) =>
    all ? { ...finding, shown: true } : finding,
  );
  const inFiles = new Set(scanned.files.map(({ path }) => path));
  const compared =
    baseline === null ? null : compareWithBaseline(ranked, baseline.entries, (path) => inFiles.has(path));
  const placed = ranked.map((finding) => placeFinding(finding, change, compared?.known ?? null));
  const notes = [
    ...silenced.notes.map(({ rule, file: at, line, message }) => makeNote(rule, at, message, line)),
    ...merged.unknownKinds.map((message) => makeNote("unknown-kind", file ?? ".", message)),
    ...noteUncounted(uncounted),
  ];
  const isPartial = failedTasks.length > 0 || coverage.missed.length > 0 || isCut;
  const isFailed = outcomes.length > 0 && answers.length === 0;
  const status = isFailed ? "failed" : isPartial ? "partial" : "completed";
  // Entries about files and analysers outside of this review are not gone.
  const gone = status === "completed" && isWhole && change === null ? (compared?.gone ?? null) : null;
  const inChange = change === null ? null : scopeOf(change, placed, judged.length, baseline?.place.inside);
  return {
    status,
    directory,
    files: judged.length - coverage.unread.length,
    coverage,
    safety,
    leftOut: scanned.leftOut,
    suppressed: silenced.suppressed.map((finding) => placeFinding(finding, change, null)),
    config: {
      file,
      switchedOff: merged.switchedOff,
      shown: config.limits.shown,
      shownPerKind: config.limits.shownPerKind,
    },
    durationMs: Math.round(tookMs),
    agents: new Set(outcomes.flatMap(({ agent }) => (agent === null || agent === NO_AGENT ? [] : [agent])))
      .size,
    tasks: outcomes.length,
    agreement: [...countLinters(answers)].sort((a, b) => b - a).flatMap(agreementLevels),
    scope:
      change === null && baseline === null
        ? null
        : { change: inChange, baseline: baseline === null ? null : baselineScope(baseline, placed, gone) },
    findings: [...placed, ...notes],
    failedTasks,
  };
}

/** Returns the different numbers of linters that answered about a file. */
function countLinters(answers: readonly Answer[]): Set<number> {
  const counts = new Map<string, number>();
  for (const { capability, files } of answers) {
    if (isLinter(capability)) for (const file of files) counts.set(file, (counts.get(file) ?? 0) + 1);
  }
  return new Set(counts.values());
}

/** Adds the place in the change, and the state beside the baseline. Notes of analysers have neither. */
function placeFinding<F extends Finding>(
  finding: F,
  change: Change | null,
  known: ReadonlySet<string> | null,
): F {
  return {
    ...finding,
    ...(change === null ? {} : { inChange: placeInChange(change, finding) }),
    ...(known === null || finding.severity === "info"
      ? {}
      : { baseline: known.has(finding.fingerprint) ? "known" : "new" }),
  };
}

function baselineScope(
  { name, entries }: PreparedBaseline,
  findings: readonly Finding[],
  gone: readonly BaselineEntry[] | null,
): BaselineScope {
  const { shown, known } = partsOf({ findings: [...findings], suppressed: [] });
  return {
    file: name,
    entries: entries.length,
    known: known.length,
    new: shown.length,
    gone: gone?.length ?? null,
    goneFindings: (gone ?? []).map(({ anchor: _, ...entry }) => entry),
    written: false,
  };
}

/** Makes a note about files with too many findings for a ballot. */
function noteUncounted(files: number): Finding[] {
  if (files === 0) return [];
  const message = `In ${files === 1 ? "1 file" : `${files} files`} the agreement was counted from the linters' answers, because a ballot has room for ${MAX_PLACES_PER_SEAT} findings of a linter.`;
  return [makeNote("counted-apart", ".", message)];
}

/** Makes a note of the review about itself. */
function makeNote(rule: string, file: string, message: string, line = 1): Finding {
  const name = JSON.stringify([rule, file, line, message]);
  return {
    fingerprint: createHash("sha256").update(name).digest("hex").slice(0, 16),
    kind: "review-note",
    rule,
    severity: "info",
    file,
    line,
    message,
    agreedBy: [],
    silent: [],
    confidence: null,
    measured: null,
    shown: true,
    whyHidden: null,
    anchor: rule,
  };
}
