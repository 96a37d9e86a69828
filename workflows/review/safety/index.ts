// The guards of a review against the repository that it reads: programs from trusted folders, and git without the programs
// of the repository.
//
//   const { exitCode, stdout } = await runGit("ls-files", ["-z"], { directory, signal });

export { lookIntoFolders } from "./folders.ts";
export { type GitCommand, type GitOptions, type GitRun, runGit } from "./git.ts";
export { type AnalyserRights, RIGHTS_OF_OTHERS, renderSafety, type Safety, safetyOf } from "./safety.ts";
export { judgeSandboxes, type Measure, NOT_ASKED, type Protection, probeSandbox } from "./sandbox.ts";
export { findTrustedProgram, trustedPath } from "./trusted-path.ts";
