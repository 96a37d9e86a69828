// Runs a review: scans, plans, submits the tasks, assembles the report. The tasks go through the caller's port, so that a test can
// answer them. Leaves the submission with its time limits to tasks/, and the report to report/.
import {
  isCode,
  isComponent,
  REVIEW_CAPABILITIES,
  type ReviewCapability,
  readInside,
} from "../../agents/lib/review/index.ts";
import { lintBallot } from "./ballot.ts";
import { BASELINE_FILE } from "./baseline/index.ts";
import { importersOf } from "./left-out/index.ts";
import { type Prepared, type PrepareOptions, prepareReview } from "./prepare.ts";
import { assembleReport, type ReviewReport } from "./report/index.ts";
import { type AnalyserRights, NOT_ASKED, type Protection, safetyOf } from "./safety/index.ts";
import { findChanged, scan } from "./scan.ts";
import { readAtBase } from "./scope/index.ts";
import { collectIgnoreComments } from "./suppress/index.ts";
import {
  capabilitiesOf,
  isLinter,
  ofAbsent,
  type PlannedTask,
  planReferee,
  planReview,
  type ReviewPorts,
  type ReviewTask,
  refereeOf,
  submitAll,
} from "./tasks/index.ts";

/** The time limit of a review: about thirty times the time for a repository of 1,000 files on two cores. */
export const DEFAULT_REVIEW_TIMEOUT_MS = 10 * 60_000;
/** The time limit of one attempt: an analyser's longest tool run (90 s), and its own work. */
export const DEFAULT_REVIEW_TASK_TIMEOUT_MS = 120_000;

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
  /**
   * The sandbox of the analysers' programs, from {@link probeSandbox}; default none. The review waits for a promise of it before it
   * submits tasks, and scans meanwhile.
   */
  protection?: Protection | Promise<Protection> | undefined;
  /** The rights of the analysers without a program; default: those of the caller's swarm, which the report tells. */
  analyserRights?: AnalyserRights | undefined;
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
  const importers = importersOf(scanned.leftOut, (path) => isCode(path) || isComponent(path));
  const planned = planReview(scanned.files, first, isChanged, importers);
  const present = planReview(
    scanned.files,
    first.filter((capability) => !absent.has(capability)),
    isChanged,
    importers,
  );
  const second: PlannedTask[] = [];
  const taskTimeoutMs = options.taskTimeoutMs ?? DEFAULT_REVIEW_TASK_TIMEOUT_MS;
  const timeoutMs = options.timeoutMs ?? DEFAULT_REVIEW_TIMEOUT_MS;
  const protection = await (options.protection ?? NOT_ASKED);
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
  const comments = await collectIgnoreComments(directory, scanned.files, options.signal);
  const isWhole = REVIEW_CAPABILITIES.every((capability) => only.includes(capability));
  return assembleReport(prepared, scanned, {
    safety: await safetyOf({
      directory,
      trusted: trustRepoConfig,
      linters: only.filter(isLinter),
      configs: scanned.linterConfigs,
      protection,
      analysers: options.analyserRights,
    }),
    comments,
    changed: await findChanged(directory, scanned.files),
    isWhole,
    outcomes: [...outcomes, ...missing],
    tookMs,
    all: options.all,
  });
}
