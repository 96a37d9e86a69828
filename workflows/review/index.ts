// The review of a repository: scan, plan, submit the tasks to the review agents, merge, report.
//
//   const report = await runReview({ submit: (task, signal) => swarm.submitAndWait(task, signal) }, { directory: "." });
//   console.log(FORMATS.sarif(report, { version, checkout: await readCheckout("."), pagesUrl: null }));
//   process.exitCode = reaches(report, "high") ? 1 : 0;

export { type AgreedPlace, type AgreementLevel, agreementLevels, lintBallot, readVerdict } from "./ballot.ts";
export { BASELINE_FILE } from "./baseline/index.ts";
export { analysersVersion, type CacheUse, EntryStore, ResultCache } from "./cache/index.ts";
export { REVIEW_CALIBRATION } from "./calibration.ts";
export { readCheckout, webUrlOf } from "./checkout.ts";
export { REVIEW_CONFIG_FILE, reviewConfigJsonSchema, reviewConfigSchema } from "./config/index.ts";
export type { Answer, Finding } from "./finding.ts";
export {
  type Checkout,
  COMMENT_MARKER,
  FORMAT_NAMES,
  FORMATS,
  type FormatName,
  MAX_ANNOTATIONS_PER_LEVEL,
  MAX_COMMENT_CHARACTERS,
  renderReport,
  type Surroundings,
} from "./formats/index.ts";
export { LEFT_OUT_REASONS, type LeftOut, type LeftOutReason } from "./left-out/index.ts";
export { isDoubtful, judgeFinding, mergeFindings, sortOf } from "./merge.ts";
export { type Prepared, type PrepareOptions, prepareReview } from "./prepare.ts";
export {
  type AnalyserCoverage,
  type Coverage,
  coverageOf,
  type FailedTask,
  type Parts,
  partsOf,
  type ReviewReport,
  reaches,
  recordBaseline,
  renderCoverage,
  reportSchema,
} from "./report/index.ts";
export {
  DEFAULT_REVIEW_TASK_TIMEOUT_MS,
  DEFAULT_REVIEW_TIMEOUT_MS,
  type ReviewOptions,
  runReview,
} from "./run.ts";
export {
  findTrustedProgram,
  type GitCommand,
  type GitOptions,
  type GitRun,
  judgeSandboxes,
  type Protection,
  probeSandbox,
  renderSafety,
  runGit,
  type Safety,
  safetyOf,
  trustedPath,
} from "./safety/index.ts";
export { type Scan, type ScannedFile, scan } from "./scan.ts";
export {
  capabilitiesOf,
  DEFAULT_JOBS,
  type PlannedTask,
  planReview,
  type ReviewPorts,
  type ReviewProgress,
  type ReviewTask,
  type WorkDone,
  Workload,
} from "./tasks/index.ts";
