// Connections to other programs. Today: commands that agents run.
//
//   const exec = createExec({ allow: ["git"], directories: [process.cwd()] });
//   const { stdout } = await exec({ argv: ["git", "status", "--porcelain"] }, { signal });

export {
  createExec,
  DEFAULT_ENVIRONMENT,
  DEFAULT_EXEC_TIMEOUT_MS,
  DEFAULT_MAX_MEMORY_BYTES,
  DEFAULT_MAX_OUTPUT_BYTES,
  type ExecOptions,
} from "./exec.ts";
