// The guards of a review against the repository that it reads: programs from trusted folders, and git without the programs
// of the repository.
//
//   const { exitCode, stdout } = await runGit("ls-files", ["-z"], { directory, signal });

export { type GitCommand, type GitOptions, type GitRun, runGit } from "./git.ts";
export { findTrustedProgram, trustedPath } from "./trusted-path.ts";
