// Finds and runs the programs that install things: pip, go, npm. A run is bounded in time, ends with its whole process group
// on an interrupt, and keeps the end of its output for the error.
import { spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { killGroup } from "../supervisor/child.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The characters of output that are kept: the reason of a failure is at the end. */
const OUTPUT_END_CHARACTERS = 4_000;

/** The files that `name` can mean: itself for a path, else one for each folder of the PATH, in its order. */
export function findPrograms(name: string, environment: Environment): string[] {
  const files = name.includes("/")
    ? [name]
    : (environment.PATH ?? "")
        .split(delimiter)
        .filter(isAbsolute)
        .map((folder) => join(folder, name));
  return files.filter(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The end of a run. `output` is the end of standard output and error together. */
export interface ProgramRun {
  isDone: boolean;
  output: string;
}

/** Runs a program to its end. Its input is empty. Resolves also when it fails, cannot start, or is ended after `limitMs`. */
export function runProgram(
  file: string,
  args: readonly string[],
  options: {
    environment: Environment;
    signal: AbortSignal;
    limitMs: number;
    directory?: string;
  },
): Promise<ProgramRun> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.limitMs)]);
  return new Promise((resolve) => {
    if (signal.aborted) return resolve({ isDone: false, output: "stopped" });
    const child = spawn(file, [...args], {
      cwd: options.directory,
      env: { ...options.environment },
      // A group of its own: an installer starts children, and all of them end with it.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (text: string) => {
        output = (output + text).slice(-OUTPUT_END_CHARACTERS);
      });
    }
    const end = () => killGroup(child.pid);
    signal.addEventListener("abort", end);
    child.once("error", (error) => {
      signal.removeEventListener("abort", end);
      resolve({ isDone: false, output: error.message });
    });
    child.once("close", (code) => {
      signal.removeEventListener("abort", end);
      const stopped = options.signal.aborted ? "stopped" : `not done within ${options.limitMs / 1_000} s`;
      resolve({ isDone: code === 0, output: signal.aborted ? stopped : output.trim() });
    });
  });
}

/** The last line of an output that is not empty: the reason of most failures. */
export function lastLine(output: string): string {
  return (
    output
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "")
      .at(-1) ?? "no output"
  );
}
