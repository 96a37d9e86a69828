// The facts of this process for its traces: the project's path, the user's home, the secrets of the environment.
import { fileURLToPath } from "node:url";
import { listSecrets } from "./redact.ts";
import type { TraceFacts } from "./trace.ts";

/** The folder of this package. */
const RUNTIME = fileURLToPath(new URL("../../..", import.meta.url)).replace(/[\\/]$/, "");

/** Reads the facts of this process. Call it once: a later change of the environment is not seen. */
export function readTraceFacts(): TraceFacts {
  return {
    root: process.cwd(),
    home: process.env.HOME,
    runtime: RUNTIME,
    secrets: listSecrets(process.env),
  };
}
