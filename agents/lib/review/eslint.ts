// Correctness by ESLint with typescript-eslint. A repository's flat configuration is code that ESLint runs, in its own
// process; `repoConfig: false` keeps it out.
import { TerminalError } from "murmur";
import type { Analysis } from "./contract.ts";
import { fromCwd, type LinterSpec, runLinter } from "./linter.ts";
import { analyserFile, firstLine, parseOutput, runNode } from "./toolbox.ts";

interface EslintMessage {
  filePath: string;
  ruleId: string | null;
  severity: number;
  message: string;
  line?: number;
  fatal: boolean;
}

const SPEC: LinterSpec = {
  capability: "review-eslint",
  name: "ESLint",
  configNames: ["js", "mjs", "cjs", "ts", "mts", "cts"].map((extension) => `eslint.config.${extension}`),
  async lint(tools, { cwd, files, ownRules }) {
    const rules = ownRules ? [] : ["-c", analyserFile("rules", "eslint.config.js")];
    const ran = await runNode(tools, cwd, analyserFile("node_modules", "eslint", "bin", "eslint.js"), [
      "--format",
      analyserFile("rules", "eslint-formatter.js"),
      "--no-error-on-unmatched-pattern",
      "--no-warn-ignored",
      "--no-color",
      ...rules,
      ...files,
    ]);
    // 0 and 1: it ran. 2: it, or its configuration, broke.
    if (ran.exitCode > 1) throw new TerminalError(`ESLint: ${firstLine(ran)}`);
    return (
      parseOutput<EslintMessage[]>("ESLint", ran)
        // A comment may name a rule of a plugin that only the repository has: ESLint says so, it is no finding.
        .filter(
          ({ ruleId, fatal, message }) =>
            fatal || (ruleId !== null && !message.startsWith("Definition for rule ")),
        )
        .map((found) => ({
          file: fromCwd(cwd, found.filePath),
          line: found.line ?? 1,
          rule: found.fatal ? "parse" : (found.ruleId ?? "parse"),
          isError: found.severity === 2,
          message: found.message,
        }))
    );
  },
};

/** Lints with ESLint and typescript-eslint. */
export const eslint: Analysis = (input, tools) => runLinter(SPEC, input, tools);
