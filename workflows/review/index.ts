// The review of a repository: scan, plan, submit the tasks to the review agents, merge, report.
//
//   const report = await runReview({ submit: (task, signal) => swarm.submitAndWait(task, signal) }, { directory: "." });
//   console.log(FORMATS.sarif(report, { version, checkout: await readCheckout("."), pagesUrl: null }));
//   process.exitCode = reaches(report, "high") ? 1 : 0;

export { type AgreedPlace, type AgreementLevel, agreementLevels, lintBallot, readVerdict } from "./ballot.ts";
export { BASELINE_FILE, recordBaseline } from "./baseline/index.ts";
export { analysersVersion, type CacheUse, EntryStore, ResultCache } from "./cache/index.ts";
export { REVIEW_CALIBRATION } from "./calibration.ts";
export { readCheckout, webUrlOf } from "./checkout.ts";
export { REVIEW_CONFIG_FILE, reviewConfigJsonSchema, reviewConfigSchema } from "./config/index.ts";
export { type AnalyserCoverage, type Coverage, coverageOf, renderCoverage } from "./coverage.ts";
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
export { type Answer, type Finding, isDoubtful, judgeFinding, mergeFindings, sortOf } from "./merge.ts";
export { capabilitiesOf, type PlannedTask, planReview } from "./plan.ts";
export { type Prepared, type PrepareOptions, prepareReview } from "./prepare.ts";
export { type FailedTask, type Parts, partsOf, type ReviewReport, reaches } from "./report.ts";
export { reportSchema } from "./report-schema.ts";
export {
  DEFAULT_REVIEW_TASK_TIMEOUT_MS,
  DEFAULT_REVIEW_TIMEOUT_MS,
  type ReviewOptions,
  type ReviewPorts,
  type ReviewProgress,
  type ReviewTask,
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
export { DEFAULT_JOBS, type WorkDone, Workload } from "./workload.ts";
