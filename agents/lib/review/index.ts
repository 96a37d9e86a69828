// The shared library of the review agents: what a finding is, which kinds there are, and one analysis each. An agent's own
// file (`agents/review-<kind>/agent.ts`) only says which analysis it performs.
//
//   run: async (task, ctx) => limitFindings(await docs(task.input, ctx)),

export { architecture } from "./architecture.ts";
export { biome, biomePrograms } from "./biome.ts";
export {
  type Analysis,
  type AnalysisTools,
  LINTERS,
  type Linter,
  type LintOutput,
  lintOutputSchema,
  MAX_FILES,
  MAX_FINDINGS_PER_TASK,
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
  SEVERITIES,
  type Severity,
} from "./contract.ts";
export { docs } from "./docs.ts";
export { eslint } from "./eslint.ts";
export { isAside, isCode, isDeclaration, isLockfile, isTest, MAX_FILE_BYTES } from "./files.ts";
export { AREAS, type Area, areaOf, isShared, KINDS } from "./kinds.ts";
export { castVote, limitFindings, REVIEW_SLOTS } from "./limits.ts";
export { oxlint } from "./oxlint.ts";
export { performance } from "./performance.ts";
export { security } from "./security.ts";
export { tests } from "./tests.ts";
export { analysersDirectory, hasAnalysers } from "./toolbox.ts";
