// Finds, runs and imports the analysers' packages. They are installed in `analysers/`, apart from the runtime's own
// dependencies.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { TerminalError } from "murmur-swarm";
import type { z } from "zod";
import type { AnalysisTools, Executed } from "./contract.ts";

/** The time limit of one tool run. A chunk takes seconds; a run of a minute and a half hangs. */
export const TOOL_TIMEOUT_MS = 90_000;
/** The output limit of one tool run: eight times the largest output in trials (honojs/hono, every file with findings). */
export const TOOL_OUTPUT_BYTES = 32 * 1024 * 1024;

/**
 * Returns the `analysers` folder: `MURMUR_ANALYSERS_DIR`, or the nearest one beside this code or above it (the compiled code
 * is one folder deeper).
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

/** True when `npm ci` has installed the packages in the `analysers` folder. */
export function hasAnalysers(): boolean {
  return existsSync(join(analysersDirectory(), "node_modules"));
}

/** Returns a file inside the `analysers` folder. The error for missing packages tells how to install them. */
export function analyserFile(...path: string[]): string {
  const file = join(analysersDirectory(), ...path);
  if (existsSync(file)) return file;
  throw new TerminalError(
    `expected the analyser's file ${join("analysers", ...path)}, but it is missing; run \`npm ci\` in ${analysersDirectory()} (\`murmur review\` does this itself)`,
  );
}

/** Imports one of the analysers' packages. The caller declares the part of its interface that it uses. */
export async function importAnalyser<Api>(name: string): Promise<Api> {
  analyserFile("node_modules", ...name.split("/"), "package.json");
  const { load } = (await import(pathToFileURL(analyserFile("load.js")).href)) as {
    load(name: string): Promise<Api>;
  };
  return await load(name);
}

/** Runs a Node program of an analyser, with the Node of this process. */
export function runNode(
  tools: AnalysisTools,
  cwd: string,
  script: string,
  argv: readonly string[],
): Promise<Executed> {
  return run(tools, cwd, [process.execPath, script, ...argv]);
}

/** Runs a program of an analyser, within the time and output limits of a tool. */
export function run(
  tools: AnalysisTools,
  cwd: string,
  argv: readonly [string, ...string[]],
): Promise<Executed> {
  return tools.exec({ argv, cwd, timeoutMs: TOOL_TIMEOUT_MS, maxOutputBytes: TOOL_OUTPUT_BYTES });
}

/** The error of a tool that prints JSON in another shape than the review knows. */
export class UnknownOutputError extends TerminalError {}

/**
 * Parses a tool's JSON output.
 * @throws TerminalError with the tool's first line when the output is not JSON.
 * @throws UnknownOutputError with the expectation and the actual value when the JSON has another shape.
 */
export function parseOutput<T>(tool: string, ran: Executed, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(parseJson(tool, ran));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UnknownOutputError(
    `the output of ${tool} has an unknown shape, at ${issue?.path.join(".") || "its root"}: ${issue?.message}`,
  );
}

function parseJson(tool: string, ran: Executed): unknown {
  try {
    return JSON.parse(ran.stdout);
  } catch (cause) {
    throw new TerminalError(
      `expected JSON from ${tool}, got exit code ${ran.exitCode} and: ${firstLine(ran)}`,
      { cause },
    );
  }
}

/** Returns the first line of a tool's output that describes an error, or its first line. */
export function firstLine({ stderr, stdout }: Executed): string {
  const lines = `${stderr}\n${stdout}`.split("\n").map((line) => line.trim());
  return (
    lines.find((line) => /error|fail|cannot|could not/i.test(line)) ??
    lines.find((line) => line !== "") ??
    "(no output)"
  );
}
