// Asks a process of its own whether the files of a role load, so that a broken file never replaces a running agent.
import { spawn } from "node:child_process";
import { killGroup } from "../child.ts";
import type { ProcessPlan } from "../plan.ts";

/** A large agent loads within 2 s on a busy machine. A file that waits for ever at its top level must not hold the queue. */
const LOAD_TIMEOUT_MS = 30_000;
/** The kept end of the output: an error report is one line. */
const OUTPUT_LENGTH = 64 * 1024;

/** Loads the agent of a plan in another process. Resolves to null when it loads, else to the problem. */
export function checkRole(plan: ProcessPlan, signal: AbortSignal): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(plan.command, [...plan.args, "--check", "--json"], {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: plan.environment,
    });
    let output = "";
    let errors = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-OUTPUT_LENGTH);
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      errors = (errors + text).slice(-OUTPUT_LENGTH);
    });
    let reason: string | null = null;
    const kill = (why: string) => {
      reason ??= why;
      killGroup(child.pid);
    };
    const timer = setTimeout(
      () => kill(`it did not load within ${LOAD_TIMEOUT_MS / 1_000} s`),
      LOAD_TIMEOUT_MS,
    );
    const onAbort = () => kill("the swarm stops");
    signal.addEventListener("abort", onAbort, { once: true });
    const finish = (problem: string | null) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      resolve(problem);
    };
    child.once("error", (error) => finish(error.message));
    child.once("close", (code) => finish(code === 0 ? null : (reason ?? readProblem(output, errors))));
  });
}

function readProblem(output: string, errors: string): string {
  try {
    const last = output.trimEnd().split("\n").at(-1) ?? "";
    return (JSON.parse(last) as { error: { message: string } }).error.message;
  } catch {
    return errors.trim() || output.trim() || "it ended without a reason";
  }
}
