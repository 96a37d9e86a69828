// Checks correctness with ESLint and typescript-eslint. A repository's flat configuration is code, and ESLint runs it in
// ESLint's process. So it is loaded only with `trustRepoConfig`.
import { TerminalError } from "murmur-swarm";
import { z } from "zod";
import type { Analysis } from "../contract.ts";
import { analyserFile, firstLine, parseOutput, run } from "../toolbox.ts";
import { fromCwd, type LinterSpec, placer, runLinter } from "./linter.ts";

/** The output of the review's own formatter, `analysers/rules/eslint-formatter.js`. */
const outputSchema = z.object({
  files: z.array(z.string()),
  messages: z.array(
    z.object({
      filePath: z.string(),
      ruleId: z.string().nullable(),
      severity: z.number(),
      message: z.string(),
      line: z.number().optional(),
      fatal: z.boolean(),
    }),
  ),
});

const SPEC: LinterSpec = {
  capability: "review-eslint",
  name: "ESLint",
  readsComponents: false,
  async lint(tools, { cwd, files, ownRules }) {
    const rules = ownRules ? [] : ["-c", analyserFile("rules", "eslint.config.js")];
    // By its own rules ESLint needs no right but to read: Node then refuses writes, programs, workers and native code.
    const rights = ownRules ? [] : ["--permission", "--allow-fs-read=*"];
    const program = analyserFile("node_modules", "eslint", "bin", "eslint.js");
    const ran = await run(tools, cwd, [
      process.execPath,
      ...rights,
      program,
      "--format",
      analyserFile("rules", "eslint-formatter.js"),
      "--no-error-on-unmatched-pattern",
      "--no-warn-ignored",
      "--no-color",
      ...rules,
      ...files,
    ]);
    // 0 and 1: ESLint ran. 2: ESLint, or its configuration, failed.
    if (ran.exitCode > 1) throw new TerminalError(`ESLint: ${firstLine(ran)}`);
    const output = parseOutput("ESLint", ran, outputSchema);
    const place = placer(cwd);
    const linted = new Set(output.files.map((file) => fromCwd(cwd, file)));
    const ignored = files.map((file) => fromCwd(cwd, file)).filter((file) => !linted.has(file));
    return {
      unjudged: ignored.map((file) => ({ file, why: ownRules ? "ignored" : "not-supported" })),
      messages: output.messages
        // ESLint reports a comment with an unknown rule, for example of the repository's own plugin. That is not a finding.
        // Nor is a comment that it no longer reads (`eslint-env`, reported as if the code did not parse).
        .filter(
          ({ ruleId, fatal, message }) =>
            !message.endsWith(" comments are no longer supported.") &&
            (fatal || (ruleId !== null && !message.startsWith("Definition for rule "))),
        )
        .map((found) => ({
          file: place(found.filePath),
          line: found.line ?? 1,
          rule: found.fatal ? "parse" : (found.ruleId ?? "parse"),
          isError: found.severity === 2,
          message: found.message,
        })),
    };
  },
};

/** Lints with ESLint and typescript-eslint. */
export const eslint: Analysis = (input, tools) => runLinter(SPEC, input, tools);
