// Where the analysers' packages are and how to run or import them. They live in `analysers/`, apart from the runtime's
// own dependencies.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { TerminalError } from "murmur";
import type { AnalysisTools, Executed } from "./contract.ts";

/** One tool run: a chunk takes seconds; a minute and a half means that it hangs. */
export const TOOL_TIMEOUT_MS = 90_000;
/** Eight times what the largest chunk printed in trials (honojs/hono, every file with findings). */
export const TOOL_OUTPUT_BYTES = 32 * 1024 * 1024;

/**
 * The `analysers` folder: `MURMUR_ANALYSERS_DIR`, else the one beside the folder of this code or above it (the compiled
 * code lies one folder deeper).
 */
export function analysersDirectory(): string {
  const named = process.env.MURMUR_ANALYSERS_DIR;
  if (named !== undefined && named !== "") return named;
  for (let at = dirname(fileURLToPath(import.meta.url)); dirname(at) !== at; at = dirname(at)) {
    if (existsSync(join(at, "analysers", "package.json"))) return join(at, "analysers");
  }
  throw new TerminalError(
    "expected an `analysers` folder above this program; name it in MURMUR_ANALYSERS_DIR",
  );
}

/** Whether `npm ci` finished in the `analysers` folder. */
export function hasAnalysers(): boolean {
  return existsSync(join(analysersDirectory(), "node_modules"));
}

/** A file inside the `analysers` folder; fails with the way out when the packages are not installed. */
export function analyserFile(...path: string[]): string {
  const file = join(analysersDirectory(), ...path);
  if (existsSync(file)) return file;
  throw new TerminalError(
    `expected the analyser's file ${join("analysers", ...path)}, which is not there; run \`npm ci\` in ${analysersDirectory()} (\`murmur review\` does it by itself)`,
  );
}

/** Imports one of the analysers' packages. The caller states the part of its interface that it uses. */
export async function importAnalyser<Api>(name: string): Promise<Api> {
  analyserFile("node_modules", ...name.split("/"), "package.json");
  const { load } = (await import(pathToFileURL(analyserFile("load.js")).href)) as {
    load(name: string): Promise<Api>;
  };
  return await load(name);
}

/** Runs a Node program of an analyser with the Node that runs this. */
export function runNode(
  tools: AnalysisTools,
  cwd: string,
  script: string,
  argv: readonly string[],
): Promise<Executed> {
  return run(tools, cwd, [process.execPath, script, ...argv]);
}

export function run(
  tools: AnalysisTools,
  cwd: string,
  argv: readonly [string, ...string[]],
): Promise<Executed> {
  return tools.exec({ argv, cwd, timeoutMs: TOOL_TIMEOUT_MS, maxOutputBytes: TOOL_OUTPUT_BYTES });
}

/** The JSON that a tool printed; else an error that says what it printed instead. */
export function parseOutput<T>(tool: string, ran: Executed): T {
  try {
    return JSON.parse(ran.stdout) as T;
  } catch (cause) {
    throw new TerminalError(
      `expected JSON from ${tool}, which ended with exit code ${ran.exitCode}: ${firstLine(ran)}`,
      { cause },
    );
  }
}

/** The first line in which a tool says what went wrong. */
export function firstLine({ stderr, stdout }: Executed): string {
  const lines = `${stderr}\n${stdout}`.split("\n").map((line) => line.trim());
  return (
    lines.find((line) => /error|fail|cannot|could not/i.test(line)) ??
    lines.find((line) => line !== "") ??
    "(no output)"
  );
}
