// The shared library of the review agents: the shape of a finding, the kinds of findings, and one analysis for each agent. An
// agent's own file (`agents/review-<name>/agent.ts`) only connects its capability with its analysis.
//
//   run: (task, ctx) => docs(task.input, ctx),

export { architecture } from "./checks/architecture.ts";
export { docs } from "./checks/docs.ts";
export { performance } from "./checks/performance.ts";
export { tests } from "./checks/tests.ts";
export {
  type Analysis,
  type AnalysisTools,
  LINTERS,
  type Linter,
  type LintOutput,
  lintOutputSchema,
  MAX_FILES,
  MAX_PLACES_PER_SEAT,
  type Place,
  placeSchema,
  type RawFinding,
  REVIEW_CAPABILITIES,
  type ReviewCapability,
  type ReviewInput,
  type ReviewOutput,
  rawFindingSchema,
  reviewInputSchema,
  reviewOutputSchema,
  type Sandbox,
  SEVERITIES,
  type Severity,
  UNJUDGED_REASONS,
  type Unjudged,
  type UnjudgedReason,
  unjudgedSchema,
} from "./contract.ts";
export {
  isCode,
  isDeclaration,
  isInside,
  isLockfile,
  isTest,
  isUtf16,
  MAX_FILE_BYTES,
  oneLine,
  readInside,
  stateOf,
} from "./files.ts";
export { isContext as isGraphContext } from "./graph/graph.ts";
export { AREAS, type Area, areaOf, isShared, KINDS } from "./kinds.ts";
export { castVote, REVIEW_SLOTS } from "./limits.ts";
export { biome, biomePrograms, linterPrograms } from "./linters/biome.ts";
export { configsOf, isLinterConfig } from "./linters/configs.ts";
export { eslint } from "./linters/eslint.ts";
export { namesJsxFactory } from "./linters/jsx.ts";
export { oxlint } from "./linters/oxlint.ts";
export { type Agreement, MEASURED, type MeasuredRow } from "./measured.ts";
export { describeKind, exampleFiles, kindPages, PAGES_FOLDER, pageOf, ruleUrl } from "./pages/pages.ts";
export { type Example, KIND_TEXTS, type KindText } from "./pages/texts/index.ts";
export {
  compileGlob,
  expandBraces,
  type Glob,
  MAX_PATTERN_CHARACTERS,
  matchesGlob,
} from "./patterns/glob.ts";
export {
  IgnoreList,
  type IgnoreRule,
  isIgnored,
  parseIgnore,
  parsePatterns,
  parseRule,
} from "./patterns/ignore.ts";
export { FILE_PURPOSES, type FilePurpose, purposeOf } from "./purpose.ts";
export { confine, findSandboxes, SANDBOX_NAMES, sandboxPrograms, surroundingsOf } from "./sandbox.ts";
export { isComponent } from "./scripts.ts";
export { security } from "./security/security.ts";
export { analysersDirectory, hasAnalysers } from "./toolbox.ts";
export {
  countsOf,
  type FindingSort,
  HIDING_REASONS,
  type HidingReason,
  type LabelCounts,
  printedCountsOf,
  whyHidden,
} from "./usefulness.ts";
