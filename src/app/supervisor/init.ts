// Runs `murmur init` in a process of its own, before the other processes of a swarm with permissions are ready.
import { spawn } from "node:child_process";
import { SwarmError } from "../../protocol/index.ts";
import type { ProcessPlan } from "./plan.ts";

/** The most characters of an error of `init` that are shown. */
const MAX_INIT_OUTPUT = 2_000;

/**
 * Runs `murmur init` to its end: only its user may create streams.
 * @throws SwarmError `unavailable` with the end of its output when it fails; the signal's reason when it aborts.
 */
export async function runInit(plan: ProcessPlan, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const child = spawn(plan.command, [...plan.args], {
    cwd: plan.directory,
    env: { ...plan.environment },
    stdio: ["ignore", "pipe", "pipe"],
    signal,
    killSignal: "SIGKILL",
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (part: string) => {
      text = (text + part).slice(-MAX_INIT_OUTPUT);
    });
  }
  const how = await new Promise<string | null>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, killedBy) => resolve(code === 0 ? null : (killedBy ?? `exit code ${code}`)));
  });
  signal.throwIfAborted();
  if (how !== null)
    throw new SwarmError("unavailable", `init did not create the streams (${how}): ${text.trim()}`);
}
