// Checks correctness with oxlint, which reads nested configurations itself.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { TerminalError } from "murmur-swarm";
import { z } from "zod";
import type { Analysis, AnalysisTools } from "../contract.ts";
import { stateOf } from "../files.ts";
import { Kept } from "../kept.ts";
import { analyserFile, firstLine, parseOutput, runNode } from "../toolbox.ts";
import { type LinterSpec, type LintRun, placer, runLinter } from "./linter.ts";

const diagnosticSchema = z.object({
  message: z.string(),
  help: z.string().optional(),
  code: z.string().optional(),
  severity: z.string(),
  /** Missing when oxlint could not open the file: the message names it. */
  filename: z.string().optional(),
  labels: z.array(z.object({ span: z.object({ line: z.number() }) })).default([]),
});
type Diagnostic = z.infer<typeof diagnosticSchema>;

/** The output of `oxlint --format=json`, version 1. */
const outputSchema = z.object({
  diagnostics: z.array(diagnosticSchema),
  number_of_files: z.int().optional(),
});

/** The ballots whose seats run at the same time: the default number of jobs allows one on two cores, and a next one begins. */
const KEPT_RUNS = 2;
/** The seats of oxlint and Biome in one ballot have the same files, and both need oxlint's reports: it runs once. */
const KEPT = new Kept<LintRun>(KEPT_RUNS);

const SPEC: LinterSpec = {
  capability: "review-oxlint",
  name: "oxlint",
  readsComponents: true,
  lint: (tools, run) => KEPT.get(keyOf(run), () => lint(tools, run)),
};

/** Names the files in their present state, and the rules. */
function keyOf({ cwd, files, ownRules }: Run): string {
  const name = createHash("sha256").update(JSON.stringify([cwd, ownRules, files]));
  for (const file of files) name.update(`${stateOf(join(cwd, file))}\n`);
  return name.digest("hex");
}

type Run = Parameters<LinterSpec["lint"]>[1];

async function lint(tools: AnalysisTools, { cwd, files, ownRules }: Run): Promise<LintRun> {
  const rules = ownRules ? [] : ["-c", analyserFile("rules", "oxlint.json"), "--disable-nested-config"];
  const ran = await runNode(tools, cwd, analyserFile("node_modules", "oxlint", "bin", "oxlint"), [
    "--format=json",
    "--no-error-on-unmatched-pattern",
    ...rules,
    ...files,
  ]);
  if (!ran.stdout.trimStart().startsWith("{")) throw new TerminalError(`oxlint: ${firstLine(ran)}`);
  const { diagnostics, number_of_files: linted } = parseOutput("oxlint", ran, outputSchema);
  const place = placer(cwd);
  const messages = diagnostics.map((found) => ({
    file: found.filename === undefined ? null : place(found.filename),
    line: placeOf(found),
    // `eslint(no-unused-vars)`, `typescript-eslint(no-this-alias)`; a syntax error has no code.
    rule: found.code?.match(/\(([^)]+)\)$/)?.[1] ?? found.code ?? "parse",
    isError: found.severity === "error",
    message: found.help === undefined ? found.message : `${found.message.replace(/\.?$/, ".")} ${found.help}`,
  }));
  return { messages, unjudged: [], linted };
}

/**
 * Returns the line that the other linters report too. For a pair such as "first defined here", "defined again here" it is the
 * later line. For a syntax error or an unused name it is oxlint's first line.
 */
function placeOf({ code, labels }: Diagnostic): number {
  const lines = labels.map(({ span }) => span.line);
  const isFirstLine = code === undefined || code.includes("(no-unused-vars)");
  return isFirstLine ? (lines[0] ?? 1) : Math.max(1, ...lines);
}

/** Lints with oxlint. */
export const oxlint: Analysis = (input, tools) => runLinter(SPEC, input, tools);

/**
 * Counts oxlint's reports of each file, by the review's rules; none when oxlint fails on these files, because its own task tells that.
 * Paths of the files are relative to `cwd`, each starting with `./`; those of the result have no `./`.
 */
export async function countReports(
  tools: AnalysisTools,
  cwd: string,
  files: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  try {
    const { messages } = await SPEC.lint(tools, { cwd, files, ownRules: false });
    for (const { file } of messages) if (file !== null) counts.set(file, (counts.get(file) ?? 0) + 1);
  } catch {
    tools.signal.throwIfAborted();
  }
  return counts;
}
